import { describe, expect, it } from 'vitest';
import { EventBodies } from './event-bodies.ts';
import { type Books, bookProblems } from './exactness.ts';
import { ExpectedUsage } from './expected-usage.ts';
import { meteredFeatures } from './metered-features.ts';

const before: Books = {
  accepted: 100,
  stored: 90,
  duplicate: 10,
  conflict: 0,
  refused: 0,
  dead_lettered: 0,
  in_flight: 0,
};
const after: Books = { ...before, accepted: 200, stored: 189, duplicate: 11 };

describe('the books of a load', () => {
  it('are right when all that was accepted is stored or a duplicate', () => {
    expect(bookProblems({ before, after, accepted: 100, stored: 99 })).toEqual([]);
  });

  it.each<[string, Partial<Books>]>([
    ['a lost event', { accepted: 199, stored: 188 }],
    ['a doubled one', { stored: 190, duplicate: 10 }],
    ['one that is nowhere', { stored: 188 }],
    ['a conflict', { stored: 188, conflict: 1 }],
    ['a dead letter', { stored: 188, dead_lettered: 1 }],
  ])('are wrong with %s', (_what, change) => {
    expect(bookProblems({ before, after: { ...after, ...change }, accepted: 100, stored: 99 })).not.toEqual(
      [],
    );
  });
});

describe('expected usage', () => {
  it('is that of the events that were accepted, recounted from their bytes', () => {
    const poolSize = 2_000;
    const bodies = new EventBodies(100, 11, Date.now(), 1, poolSize);
    const expected = new ExpectedUsage(11, poolSize);
    const counted = new Map<string, Record<string, unknown>>();
    for (let body = 0; body < 50; body += 1) {
      const { bytes, index } = bodies.take();
      if (body % 4 === 0) continue;
      bodies.accepted(index);
      const { events } = JSON.parse(bytes.toString()) as { events: (Record<string, unknown> & SentEvent)[] };
      for (const event of events) counted.set(event.idempotencyKey, event);
    }
    expected.addEvents(bodies.tally());
    const events = [...counted.values()] as unknown as SentEvent[];
    expect(expected.stored).toBe(events.length);
    const usage = (refId: string, customer?: number) => {
      const feature = meteredFeatures.find((each) => each.refId === refId);
      return feature === undefined ? expect.unreachable(refId) : expected.usage(feature, customer);
    };
    const jobs = events.filter(({ eventName }) => eventName === 'job.finished');
    const micros = jobs.reduce(
      (sum, { dimensions }) => sum + Math.round(Number(dimensions['cost'] ?? 0) * 1e5),
      0,
    );
    expect(Number(usage('job-cost'))).toBe(micros / 1e5);
    expect(usage('requests')).toBe(
      String(events.filter(({ eventName }) => eventName === 'api.request').length),
    );
    const ofFirst = events.filter(({ customerId }) => customerId === 'customer-0');
    expect(usage('all-events', 0)).toBe(String(ofFirst.length));
    const durations = events
      .filter(({ eventName }) => eventName === 'storage.get')
      .map(({ dimensions }) => Number(dimensions['durationMs'] ?? 0));
    expect(usage('longest')).toBe(String(Math.max(...durations)));
    const users = events
      .filter(({ eventName, dimensions }) => eventName === 'mail.sent' && dimensions['userId'] !== undefined)
      .map(({ customerId, dimensions }) => `${customerId} ${String(dimensions['userId'])}`);
    expect(usage('mail-users')).toBe(String(new Set(users).size));
  });
});

interface SentEvent {
  readonly customerId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
}
