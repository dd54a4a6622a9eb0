import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventBlock, EventBlockBuilder } from '../metering/event-block.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import { someEvent } from '../metering/facts.fixture.ts';
import { contentDigest, eventIdentity, identityText } from '../metering/identity.ts';
import { parseQuantity } from '../quantity.ts';
import {
  eventClaims,
  type LookupKey,
  measurementClaims,
  openClaims,
  type StoredCopy,
} from './deduplicate.ts';
import { identityRowWords } from './flush-store.ts';
import { IdentityTable } from './identity-table.ts';

const hour = 3_600_000;
const dayWindowMs = 24 * hour;
const start = Date.UTC(2024, 4, 17, 12);

describe('a report and the reports before it', () => {
  it('counts once when it is sent again at once, later, and long after', async () => {
    const { flush } = installation();
    const sent = report({ timestamp: start });
    expect(await flush([sent, sent])).toEqual([0, 1]);
    expect(await flush([{ ...sent, receivedAt: start + 23 * hour }])).toEqual([1]);
    expect(await flush([{ ...sent, receivedAt: start + 24_000 * hour }])).toEqual([1]);
  });

  it('is a conflict with other content or another timestamp within the window', async () => {
    const { flush } = installation();
    await flush([report({ timestamp: start })]);
    expect(
      await flush([
        report({ timestamp: start, dimensions: [['bytes', '2']] }),
        report({ timestamp: start - 1 }),
        report({ timestamp: start, receivedAt: start + dayWindowMs, dimensions: [['bytes', '2']] }),
      ]),
    ).toEqual([2, 2, 2]);
  });

  it('counts again beyond the window with another timestamp, and never with the same', async () => {
    const { flush } = installation();
    await flush([report({ timestamp: start })]);
    const later = start + dayWindowMs + 1;
    expect(
      await flush([
        report({ timestamp: start, receivedAt: later, dimensions: [['bytes', '2']] }),
        report({ timestamp: start + 5, receivedAt: later }),
        report({ timestamp: start + 5, receivedAt: later + 1 }),
      ]),
    ).toEqual([1, 0, 1]);
  });

  it('without a timestamp is the same report at each attempt within the window', async () => {
    const { flush } = installation();
    const attempt = (receivedAt: number): EventFact => report({ timestamp: receivedAt, receivedAt });
    expect(await flush([attempt(start), attempt(start + 7), attempt(start + dayWindowMs)])).toEqual([
      0, 1, 1,
    ]);
    expect(await flush([report({ timestamp: start + 9, receivedAt: start + 10 })])).toEqual([2]);
  });

  it('is looked up only when its copy may lie beyond the table', async () => {
    const { flush, asked } = installation();
    await flush([report({ timestamp: start - hour }), report({ timestamp: start + 20 * hour })]);
    expect(asked).toEqual([]);
    await flush([report({ idempotencyKey: 'late', timestamp: start - 25 * hour })]);
    expect(asked).toMatchObject([
      { idempotencyKey: 'late', scope: 'timestamp', timestamp: start - 25 * hour },
    ]);
  });

  it('leaves the memory once no report can meet it there', async () => {
    const { flush, table } = installation();
    await flush([report({ idempotencyKey: 'old' })]);
    await flush([report({ idempotencyKey: 'new', receivedAt: start + dayWindowMs })]);
    expect(table.size).toBe(2);
    await flush([report({ idempotencyKey: 'newer', receivedAt: start + dayWindowMs + 1 })]);
    expect(table.size).toBe(2);
  });

  it('counts when it is sent again after a lookup that failed', async () => {
    const { table } = installation();
    const rows = eventClaims(blockOf([report({ timestamp: 0 })]));
    await expect(openClaims([rows], table, noStore)).rejects.toThrow('store is down');
    const claims = await openClaims([rows], table, () => Promise.resolve([]));
    expect([...claims.settle(rows)]).toEqual([0]);
  });
});

describe('calculated usage', () => {
  const usage: MeasurementFact = {
    customerId: 'acme',
    resourceId: '',
    featureId: 'seats',
    idempotencyKey: 'k1',
    value: quantity('3'),
    updateBehavior: 'DELTA',
    timestamp: start,
    receivedAt: start,
    dimensions: [],
    rejectIfExceeded: false,
  };

  it('that was refused claims nothing, so a repetition is judged anew', async () => {
    const { table } = installation();
    const rows = measurementClaims([usage, usage, usage]);
    const claims = await openClaims([rows], table, () => Promise.resolve([]));
    expect(claims.verdict(rows, 0)).toBe(0);
    expect(claims.verdict(rows, 1)).toBe(0);
    claims.claim(rows, 1);
    expect(claims.verdict(rows, 2)).toBe(1);
    expect(claims.original(rows, 2)).toMatchObject({ timestamp: start, receivedAt: start });
  });

  it('with another amount or behaviour is a conflict', async () => {
    const { table } = installation();
    const other = [usage, { ...usage, value: quantity('4') }, { ...usage, updateBehavior: 'SET' as const }];
    const rows = measurementClaims(other);
    const claims = await openClaims([rows], table, () => Promise.resolve([]));
    expect([...claims.settle(rows)]).toEqual([0, 2, 2]);
  });

  it('without an idempotency key always counts, is never looked up and leaves no trace', async () => {
    const { table } = installation();
    const anonymous = { ...usage, idempotencyKey: '', timestamp: start - 99 * dayWindowMs };
    const rows = measurementClaims([anonymous, anonymous]);
    const claims = await openClaims([rows], table, noStore);
    expect([...claims.settle(rows)]).toEqual([0, 0]);
    expect(claims.original(rows, 1)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it('answers with the stored copy that it repeats', async () => {
    const { table } = installation();
    const late = { ...usage, timestamp: start - 99 * dayWindowMs };
    const rows = measurementClaims([late]);
    const claims = await openClaims([rows], table, (keys) =>
      Promise.resolve(
        keys.map((key) => ({ ...key, receivedAt: start - 98 * dayWindowMs, contentDigest: 7 })),
      ),
    );
    expect(claims.verdict(rows, 0)).toBe(1);
    expect(claims.original(rows, 0)).toMatchObject({
      timestamp: late.timestamp,
      receivedAt: start - 98 * dayWindowMs,
    });
  });
});

describe('any history', () => {
  it('gets the verdicts that the contract gives, whatever the table has forgotten', async () => {
    const seen = { late: 0, rebuilt: 0, verdicts: [0, 0, 0] };
    await fc.assert(
      fc.asyncProperty(history, async ({ entriesMax, windowHours, steps }) => {
        const window = windowHours * hour;
        const subject = installation({ windowMs: window, entriesMax });
        const oracle = new ContractOracle(window);
        let now = start;
        for (const step of steps) {
          now += step.clockStepMs;
          if (step.rebuildHoursBack !== undefined) subject.rebuild(now - step.rebuildHoursBack * hour);
          const facts = step.reports.map((each) => toFact(each, now));
          const expected = facts.map((fact) => oracle.judge(fact));
          expect(await subject.flush(facts)).toEqual(expected);
          for (const verdict of expected) seen.verdicts[verdict] = (seen.verdicts[verdict] ?? 0) + 1;
          seen.rebuilt += step.rebuildHoursBack === undefined ? 0 : 1;
        }
        seen.late += subject.asked.length;
      }),
      { numRuns: 2_000 },
    );
    // The histories must reach every branch, or their agreement would say little.
    for (const count of [seen.late, seen.rebuilt, ...seen.verdicts]) expect(count).toBeGreaterThan(500);
  });
});

interface Report {
  readonly key: number;
  readonly occurred: number | 'implicit' | { readonly at: number };
  readonly queuedForMs: number;
  readonly content: number;
}

const someTime = fc.constantFrom(0, 0, 1, 999, 1_000, hour, 23 * hour, 24 * hour, 25 * hour, 49 * hour);
const reportArbitrary: fc.Arbitrary<Report> = fc.record({
  key: fc.integer({ min: 0, max: 3 }),
  occurred: fc.oneof(
    fc.constant('implicit' as const),
    someTime.map((ms) => -ms),
    fc.constantFrom(1, hour, 24 * hour),
    fc.record({ at: fc.constantFrom(0, 1, hour, -hour, -24 * hour, -2_000 * hour) }),
  ),
  queuedForMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: someTime }),
  content: fc.constantFrom(1, 1, 1, 2),
});
const history = fc.record({
  entriesMax: fc.constantFrom(1, 2, 5, 1_000),
  windowHours: fc.constantFrom(1, 24, 48),
  steps: fc.array(
    fc.record({
      clockStepMs: fc.oneof(someTime, fc.constantFrom(-1, -hour, -25 * hour, 2_000 * hour)),
      rebuildHoursBack: fc.option(fc.constantFrom(0, 1, 24, 49), { freq: 4, nil: undefined }),
      reports: fc.array(reportArbitrary, { minLength: 1, maxLength: 4 }),
    }),
    { minLength: 1, maxLength: 6 },
  ),
});

function toFact({ key, occurred, queuedForMs, content }: Report, now: number): EventFact {
  const receivedAt = now - queuedForMs;
  let timestamp = receivedAt;
  if (typeof occurred === 'number') timestamp = receivedAt + occurred;
  // The same instant whenever it is sent, but no further ahead than the edge lets pass.
  else if (occurred !== 'implicit') timestamp = Math.min(start + occurred.at, receivedAt + 24 * hour);
  const dimensions: EventFact['dimensions'] = [['content', String(content)]];
  return report({ idempotencyKey: `key ${key}`, timestamp, receivedAt, dimensions });
}

/** Contract, section 5.1, word by word: a list of what was counted, and no memory limits. */
class ContractOracle {
  readonly #windowMs: number;
  readonly #counted = new Map<string, EventFact[]>();

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  judge(fact: EventFact): 0 | 1 | 2 {
    const earlier = this.#counted.get(fact.idempotencyKey) ?? [];
    const within = earlier.filter(
      (copy) =>
        Math.max(copy.receivedAt, fact.receivedAt) <=
        this.#windowMs + Math.min(copy.receivedAt, fact.receivedAt),
    );
    const beyond = earlier.filter((copy) => !within.includes(copy));
    if (within.some((copy) => sameContent(copy, fact))) return 1;
    if (beyond.some((copy) => copy.timestamp === fact.timestamp)) return 1;
    if (within.length > 0) return 2;
    this.#counted.set(fact.idempotencyKey, [...earlier, fact]);
    return 0;
  }
}

function sentWithoutTimestamp(fact: EventFact): boolean {
  return fact.timestamp === fact.receivedAt;
}

function sameContent(a: EventFact, b: EventFact): boolean {
  const sameTime = a.timestamp === b.timestamp || (sentWithoutTimestamp(a) && sentWithoutTimestamp(b));
  return sameTime && JSON.stringify(a.dimensions) === JSON.stringify(b.dimensions);
}

function noStore(): Promise<StoredCopy[]> {
  return Promise.reject(new Error('store is down'));
}

/** A table before a store that keeps every counted event and answers exactly what a key's scope names. */
function installation(options = { windowMs: dayWindowMs, entriesMax: 1_000 }) {
  const stored: EventFact[] = [];
  const asked: LookupKey[] = [];
  const table = new IdentityTable(options);
  table.clear(start - options.windowMs);

  const lookup = (keys: readonly LookupKey[], window: number): Promise<StoredCopy[]> => {
    asked.push(...keys);
    const named = stored.filter((fact) =>
      keys.some((key) => {
        if (key.identity !== identityText(eventIdentity(fact))) return false;
        if (key.timestamp === fact.timestamp) return true;
        return key.scope === 'window' && Math.abs(key.receivedAt - fact.receivedAt) <= window;
      }),
    );
    return Promise.resolve(named.map(toCopy));
  };

  return {
    table,
    asked,
    flush: async (facts: readonly EventFact[]): Promise<number[]> => {
      // Two batches a flush, so that the order across batches is part of what is shown.
      const half = Math.ceil(facts.length / 2);
      const parts = [facts.slice(0, half), facts.slice(half)].filter((part) => part.length > 0);
      const lists = parts.map((part) => eventClaims(blockOf(part)));
      const claims = await openClaims(lists, table, lookup);
      const verdicts = lists.flatMap((rows) => [...claims.settle(rows)]);
      stored.push(...facts.filter((_, row) => verdicts[row] === 0));
      return verdicts;
    },
    rebuild: (since: number): void => {
      table.clear(since);
      const recent = stored.filter((fact) => Math.max(fact.receivedAt, fact.timestamp) >= since);
      const rows = new Uint8Array(recent.length * identityRowWords * 4);
      recent.forEach((fact, row) => rows.set(toIdentityRow(fact), row * identityRowWords * 4));
      table.load({ words: new Uint32Array(rows.buffer), count: recent.length });
    },
  };
}

function toCopy(fact: EventFact): StoredCopy {
  return {
    identity: identityText(eventIdentity(fact)),
    timestamp: fact.timestamp,
    receivedAt: fact.receivedAt,
    contentDigest: contentDigest(fact.dimensions),
  };
}

function toIdentityRow(fact: EventFact): Buffer {
  const row = Buffer.alloc(identityRowWords * 4);
  Buffer.from(eventIdentity(fact).buffer).copy(row, 0);
  row.writeUInt32LE(contentDigest(fact.dimensions), 16);
  row.writeBigInt64LE(BigInt(fact.timestamp), 20);
  row.writeBigInt64LE(BigInt(fact.receivedAt), 28);
  return row;
}

function blockOf(facts: readonly EventFact[]): EventBlock {
  const builder = new EventBlockBuilder();
  for (const fact of facts) builder.append(fact);
  return new EventBlock(builder.finish());
}

function report(fields: Partial<EventFact>): EventFact {
  return {
    ...someEvent(),
    timestamp: start,
    receivedAt: start,
    ...fields,
  };
}

function quantity(text: string): MeasurementFact['value'] {
  const value = parseQuantity(text);
  if (value === undefined) throw new Error(`${text} is no quantity`);
  return value;
}
