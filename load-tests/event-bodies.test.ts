import { describe, expect, it } from 'vitest';
import { EventBodies, type EventTally } from './event-bodies.ts';
import { customerCount, dimensionCounts, eventNames } from './event-shapes.ts';
import { meteredFeatures } from './metered-features.ts';

interface SentEvent {
  readonly customerId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  readonly timestamp: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
}

const now = Date.parse('2026-03-04T23:59:30.000Z');
const poolSize = 60_000;

function bodiesOf(eventsPerBody: number, seed = 7, stream = 0): EventBodies {
  return new EventBodies(eventsPerBody, seed, now, stream, poolSize);
}

function take(bodies: EventBodies, count: number, at = now): SentEvent[][] {
  return Array.from({ length: count }, () => {
    const body = JSON.parse(bodies.take(at).bytes.toString()) as { events: SentEvent[] };
    return body.events;
  });
}

const turn = take(bodiesOf(100), poolSize / 100).flat();

function share(holds: (event: SentEvent) => boolean): number {
  return turn.filter(holds).length / turn.length;
}

/** An identity's first copy; the others are repeats. */
function countRepeats(events: readonly SentEvent[]): number {
  return events.length - new Set(events.map(({ idempotencyKey }) => idempotencyKey)).size;
}

describe('the generator', () => {
  it('makes the same bytes of the same seed, and other keys of another stream', () => {
    const bytes = (bodies: EventBodies) => [bodies.take(now).bytes, bodies.take(now).bytes];
    expect(bytes(bodiesOf(100))).toEqual(bytes(bodiesOf(100)));
    expect(bytes(bodiesOf(100, 8))).not.toEqual(bytes(bodiesOf(100)));
    const [one, other] = [take(bodiesOf(50), 1).flat(), take(bodiesOf(50, 7, 1), 1).flat()];
    expect(one.map(({ dimensions }) => dimensions)).toEqual(other.map(({ dimensions }) => dimensions));
    expect(countRepeats([...one, ...other])).toBe(countRepeats(one) + countRepeats(other));
  });

  it('sends by Zipf over its customers and twenty names', () => {
    expect(eventNames).toHaveLength(20);
    expect(share(({ customerId }) => customerId === 'customer-0')).toBeGreaterThan(0.08);
    expect(share(({ customerId }) => customerId === 'customer-0')).toBeLessThan(0.13);
    const ranks = turn.map(({ customerId }) => Number(customerId.slice('customer-'.length)));
    expect(Math.max(...ranks)).toBeLessThan(customerCount);
    expect(new Set(ranks).size).toBeGreaterThan(customerCount / 2);
    expect(new Set(turn.map(({ eventName }) => eventName))).toEqual(new Set(eventNames));
  });

  it('gives events four to twelve dimensions', () => {
    const counts = new Set(turn.map(({ dimensions }) => Object.keys(dimensions).length));
    expect(Math.min(...counts)).toBe(dimensionCounts.min);
    expect(Math.max(...counts)).toBe(dimensionCounts.max);
    expect([dimensionCounts.min, dimensionCounts.max]).toEqual([4, 12]);
  });

  it('has a hundredth each of odd texts, late events and repeats', () => {
    const odd = share(({ dimensions }) => 'note' in dimensions);
    const late = share(({ timestamp }) => now - Date.parse(timestamp) > 60_000);
    const repeats = countRepeats(turn) / turn.length;
    for (const each of [odd, late, repeats]) {
      expect(each).toBeGreaterThan(0.006);
      expect(each).toBeLessThan(0.013);
    }
    expect(share(({ timestamp }) => now - Date.parse(timestamp) > 30 * 86_400_000)).toBeGreaterThan(0);
    expect(share(({ timestamp }) => Date.parse(timestamp) > now)).toBe(0);
  });

  it('has texts that a careless decoder reads wrongly', () => {
    const notes = new Set(turn.flatMap(({ dimensions }) => dimensions['note'] ?? []));
    expect(
      [...notes].filter((note) => /^[ -~]*$/.test(note as string) && !/["\\]/.test(note as string)),
    ).toEqual([]);
    expect(notes.size).toBeGreaterThan(5);
  });

  it('repeats an event as it was, in its own body and in others', () => {
    const bodies = bodiesOf(100);
    // The second of the sending changes, at last into a new day; a repeat keeps the one it had.
    const sent = Array.from({ length: 500 }, (_, body) => take(bodies, 1, now + body * 100).flat());
    const first = new Map<string, { readonly event: SentEvent; readonly body: number }>();
    const distances = new Set<string>();
    for (const [body, events] of sent.entries()) {
      for (const event of events) {
        const known = first.get(event.idempotencyKey);
        if (known === undefined) first.set(event.idempotencyKey, { event, body });
        else {
          expect(event).toEqual(known.event);
          distances.add(body === known.body ? 'same' : body - known.body < 25 ? 'near' : 'far');
        }
      }
    }
    expect(distances).toEqual(new Set(['same', 'near', 'far']));
    expect(sent.at(-1)?.some(({ timestamp }) => timestamp.startsWith('2026-03-05T00:00'))).toBe(true);
  });

  it('never sends an event twice otherwise, however often it turns through its pool', () => {
    const bodies = bodiesOf(1_000);
    const sent = take(bodies, (2 * poolSize) / 1_000).flat();
    expect(countRepeats(sent)).toBe(2 * countRepeats(turn));
  });
});

describe('the tally of what was accepted', () => {
  it('counts every identity once, whichever of its copies was accepted', () => {
    for (const refused of [() => false, (index: number) => index % 3 === 1, (index: number) => index < 300]) {
      const bodies = bodiesOf(100);
      const accepted: SentEvent[] = [];
      for (let index = 0; index < 900; index += 1) {
        const [events = []] = take(bodies, 1);
        if (refused(index)) continue;
        bodies.accepted(index);
        accepted.push(...events);
      }
      const tally: EventTally = bodies.tally();
      expect(tally.accepted).toBe(accepted.length);
      expect(tally.stored).toBe(accepted.length - countRepeats(accepted));
      expect(tally.counted.reduce((sum, count) => sum + count, 0)).toBe(tally.stored);
    }
  });
});

describe('the metered features', () => {
  it('are ten, and all of them meet events of the generator', () => {
    expect(meteredFeatures).toHaveLength(10);
    expect(new Set(meteredFeatures.map(({ combine }) => combine))).toEqual(
      new Set(['sum', 'max', 'distinct']),
    );
    const { facts } = bodiesOf(100).pool;
    for (const values of facts.values) {
      expect(values).toHaveLength(poolSize);
      expect(values.filter((value) => value !== undefined).length).toBeGreaterThan(poolSize / 200);
    }
  });
});
