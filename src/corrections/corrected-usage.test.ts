/**
 * Usage under corrections, on the real engine, against a count in memory: random events and measurements, voided and
 * amended again and again, asked for as of random moments.
 */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseQuantity, quantityToText } from '../quantity.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import type { UsageScope } from '../usage/usage.ts';
import {
  eventsArbitrary,
  measurementsArbitrary,
  meterArbitrary,
} from '../usage/usage-arbitraries.fixture.ts';
import {
  changesOf,
  featureOf,
  insertEvents,
  insertMeasurements,
  scaledToText,
  type StoredEvent,
  type StoredMeasurement,
  textToScaled,
  usageOfEvents,
} from '../usage/usage-oracle.fixture.ts';
import { ClickhouseCorrectionStore } from './clickhouse-correction-store.ts';
import type { CorrectedItem, CorrectionRequest, ItemName } from './correction.ts';
import { decideCorrection } from './correction-decision.ts';

const base = Date.UTC(1969, 11, 31, 23);
const span = 60;
/** Receipts and corrections happen in these milliseconds. */
const receipts = Date.UTC(2026, 4, 1);
const moments = 40;

let database: TestDatabase;
let store: ClickhouseCorrectionStore;
let reader: ClickhouseUsageReader;
beforeAll(async () => {
  database = await createTestDatabase();
  store = new ClickhouseCorrectionStore(database.client);
  reader = new ClickhouseUsageReader(database.client, { feature: () => Promise.resolve(undefined) });
});
afterAll(() => database.drop());

interface Step {
  /** Which fact, as a share of the list. */
  readonly at: number;
  readonly moment: number;
  readonly voids: boolean;
  readonly timestamp: number | null;
  readonly value: string | null;
  readonly dimensions: Readonly<Record<string, string>> | null;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    moment: fc.integer({ min: 0, max: moments }),
    voids: fc.boolean(),
    timestamp: fc.option(fc.integer({ min: base - 5, max: base + span + 5 })),
    value: fc.option(fc.constantFrom('0', '-2.5', '7', '123456789012345678901234567890.000000001')),
    dimensions: fc.option(
      fc.dictionary(
        fc.constantFrom('a', 'b', 'bytes', "k'e\\y"),
        fc.constantFrom('1', '1.0', 'abc', '-3', ''),
      ),
    ),
  }),
  { maxLength: 12 },
);

type Fact = StoredEvent | StoredMeasurement;

/** What counts of each fact as of a moment. */
class Oracle<F extends Fact> {
  readonly #corrections = new Map<F, { readonly moment: number; readonly counts: F | null }[]>();

  correct(fact: F, moment: number, counts: F | null): void {
    this.#corrections.set(fact, [...(this.#corrections.get(fact) ?? []), { moment, counts }]);
  }

  counting(facts: readonly F[], asOf: number): readonly F[] {
    return facts
      .filter((fact) => (fact.receivedAt ?? 0) <= asOf)
      .flatMap((fact) => {
        const known = (this.#corrections.get(fact) ?? []).filter(({ moment }) => moment <= asOf);
        const newest = known.at(-1);
        return newest === undefined ? [fact] : (newest.counts ?? []);
      });
  }
}

function requestOf({ voids, timestamp, value, dimensions }: Step, isEvent: boolean): CorrectionRequest {
  const amendment = { timestamp, value: isEvent ? null : value, dimensions };
  const nothing = amendment.timestamp === null && amendment.value === null && amendment.dimensions === null;
  if (voids || nothing) return { kind: 'VOID', reason: 'sent by mistake' };
  return { kind: 'AMEND', reason: 'wrong figures', amendment };
}

function nameOf(name: Partial<ItemName>): ItemName {
  const none = { id: null, customerId: null, eventName: null, featureId: null };
  return { ...none, idempotencyKey: null, timestamp: null, ...name };
}

/** Does to the store what the steps say, in the order of their moments, and tells the oracle. */
async function correctAll<F extends Fact>(
  facts: readonly F[],
  asked: readonly Step[],
  named: (fact: F) => ItemName,
): Promise<Oracle<F>> {
  const oracle = new Oracle<F>();
  const corrected = new Map<F, CorrectedItem>();
  for (const step of asked.toSorted((a, b) => a.moment - b.moment)) {
    const fact = facts[Math.floor(step.at * facts.length)];
    if (fact === undefined) continue;
    const [item, ...others] = await store.find(named(fact));
    expect(others).toEqual([]);
    if (item === undefined) throw new Error('the fact is not found');
    const history = corrected.get(fact)?.corrections ?? [];
    // No earlier than the receipt of what it corrects.
    const now = Math.max(receipts + step.moment, fact.receivedAt ?? 0);
    const decided = decideCorrection(item, history, requestOf(step, item.kind === 'EVENT'), {
      id: randomUUID(),
      now,
      actor: 'key-1',
    });
    if ('problem' in decided) throw new Error(decided.problem.message);
    const { correction } = decided;
    if (history.includes(correction)) continue;
    corrected.set(fact, { item, corrections: [...history, correction] });
    const { after } = correction;
    const content = after === null || after.value === null ? after : { ...after, value: after.value };
    oracle.correct(fact, correction.at, content === null ? null : { ...fact, ...content });
  }
  // All at once, and some a second time, as a crash may do it.
  const items = [...corrected.values()];
  if (items.length > 0) await store.insert(items);
  if (items.length > 1) await store.insert(items.slice(1));
  return oracle;
}

async function usageOf(scope: UsageScope, asOf?: number): Promise<string> {
  return quantityToText(await reader.currentUsage(scope, asOf === undefined ? {} : { asOf }));
}

function foldOf(measurements: readonly StoredMeasurement[]): string {
  return scaledToText(changesOf(measurements).reduce((sum, { change }) => sum + change, 0n));
}

/** The same span as two intervals of an hour, the first of which ends in the middle of the facts. */
const historySpan = {
  start: base - 3_600_000,
  end: base + 3_600_000,
  interval: 'HOUR',
  timezone: 'UTC',
  groupBy: null,
} as const;

describe('usage', () => {
  const asked = fc.array(fc.integer({ min: -1, max: moments + 20 }), { minLength: 3, maxLength: 3 });

  it('of a meter leaves out what is voided and counts what is amended, as of any moment', async () => {
    let customers = 0;
    const received = fc.array(fc.integer({ min: 0, max: moments }), { minLength: 30, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary(30, base, base + span),
        received,
        steps,
        meterArbitrary,
        asked,
        async (facts, at, todo, meter, times) => {
          customers += 1;
          const customerId = `metered-${customers}`;
          const events = facts.map((event, index) => ({
            ...event,
            customerId,
            receivedAt: receipts + (at[index] ?? 0),
          }));
          await insertEvents(database.client, events);
          const oracle = await correctAll(events, todo, ({ eventName, idempotencyKey, timestamp }) =>
            nameOf({ customerId, eventName, idempotencyKey, timestamp }),
          );
          for (const resourceId of ['', 'r1']) {
            const scope = { customerId, feature: featureOf('1', meter), resourceId };
            const own = events.filter((event) => resourceId === '' || event.resourceId === resourceId);
            expect(await usageOf(scope)).toBe(usageOfEvents(meter, oracle.counting(own, Infinity)));
            for (const time of times) {
              const expected = usageOfEvents(meter, oracle.counting(own, receipts + time));
              expect(await usageOf(scope, receipts + time)).toBe(expected);
              const history = await reader.history({ ...scope, ...historySpan, asOf: receipts + time });
              expect(quantityToText(history.totalUsage)).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it('of reported usage is the fold of what counts, as of any moment', async () => {
    let customers = 0;
    await fc.assert(
      fc.asyncProperty(measurementsArbitrary(base, base + span), steps, asked, async (facts, todo, times) => {
        customers += 1;
        const customerId = `reported-${customers}`;
        const measurements = facts.map((fact, index) => ({
          ...fact,
          id: randomUUID(),
          customerId,
          receivedAt: receipts + (index % moments),
        }));
        await insertMeasurements(database.client, measurements);
        const oracle = await correctAll(measurements, todo, ({ id }) => nameOf({ id }));
        const scope = { customerId, feature: featureOf('1', null), resourceId: '' };
        expect(await usageOf(scope)).toBe(foldOf(oracle.counting(measurements, Infinity)));
        for (const time of times) {
          const counting = oracle.counting(measurements, receipts + time);
          expect(await usageOf(scope, receipts + time)).toBe(foldOf(counting));
          const history = await reader.history({ ...scope, ...historySpan, asOf: receipts + time });
          const changes = changesOf(counting);
          expect(history.periods.map(({ usage }) => quantityToText(usage))).toEqual(
            [0, 1].map((interval) =>
              scaledToText(
                changes
                  .filter(({ measurement }) => measurement.timestamp >= base === (interval === 1))
                  .reduce((sum, { change }) => sum + change, 0n),
              ),
            ),
          );
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  it('heeds only the customer’s own corrections, and those of the kind', async () => {
    const event = { resourceId: '', eventName: 'call', timestamp: base, dimensions: {} };
    const events = ['one', 'two'].map((customerId) => ({ ...event, customerId, idempotencyKey: 'k' }));
    await insertEvents(database.client, events);
    const [item] = await store.find(nameOf({ customerId: 'one', eventName: 'call', idempotencyKey: 'k' }));
    if (item === undefined) throw new Error('the event is not found');
    const correction = {
      id: randomUUID(),
      kind: 'VOID',
      reason: 'r',
      at: 1,
      actor: 'a',
      after: null,
    } as const;
    await store.insert([{ item, corrections: [correction] }]);
    const count = { aggregation: { function: 'COUNT', field: null }, filters: [] } as const;
    const usages = ['one', 'two'].map((customerId) =>
      usageOf({ customerId, feature: featureOf('1', count), resourceId: '' }),
    );
    expect(await Promise.all(usages)).toEqual(['0', '1']);
  });
});

describe('a correction that is kept', () => {
  it('comes back as it was made, however often it was stored', async () => {
    const measurement = {
      id: randomUUID(),
      customerId: 'kept',
      resourceId: 'r',
      featureId: 'seats',
      flush: 3,
      position: 4,
      timestamp: Date.UTC(1901, 0, 1, 0, 0, 0, 7),
      receivedAt: receipts + 3,
      updateBehavior: 'SET',
      value: '-0.000000000000000000000000000001',
      dimensions: { "k'e\\y": '日\n' },
    } as const;
    await insertMeasurements(database.client, [measurement]);
    const [item] = await store.find(nameOf({ id: measurement.id, customerId: 'kept' }));
    if (item === undefined) throw new Error('the measurement is not found');
    const { timestamp, value, dimensions } = measurement;
    expect(item).toEqual({
      id: measurement.id,
      kind: 'MEASUREMENT',
      customerId: 'kept',
      resourceId: 'r',
      name: 'seats',
      idempotencyKey: '',
      source: '',
      receivedAt: receipts + 3,
      updateBehavior: 'SET',
      flush: 3,
      position: 4,
      content: { timestamp, value, dimensions },
    });
    const made = { id: randomUUID(), reason: "it's \\ wrong", at: receipts + 9, actor: 'key-1' };
    const after = { timestamp: Date.UTC(2299, 11, 31), value: '30', dimensions: { a: '' } };
    const corrections = [
      { ...made, kind: 'AMEND', after } as const,
      { ...made, id: randomUUID(), kind: 'VOID', at: receipts + 10, after: null } as const,
    ];
    await store.insert([{ item, corrections }]);
    await store.insert([{ item, corrections }]);
    expect(await store.of([item])).toEqual(new Map([[item.id, corrections]]));
    expect(parseQuantity(value)).toBeDefined();
    expect(textToScaled(value)).toBe(-1n);
  });
});
