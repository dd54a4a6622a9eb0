import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  allTime,
  isWithin,
  unusedState,
  UsageFold,
  type UsageSpan,
  type UsageState,
} from '../aggregate/calculated-usage.ts';
import type { LookupKey } from '../aggregate/deduplicate.ts';
import { identityRowWords, type MeasurementRow, StoreRefusedDataError } from '../aggregate/flush-store.ts';
import { EventBlock, EventBlockBuilder } from '../metering/event-block.ts';
import type { EventFact } from '../metering/facts.ts';
import { eventIdentity, identityText, measurementIdentity } from '../metering/identity.ts';
import {
  addQuantities,
  parseQuantity,
  type Quantity,
  quantityFromClickhouse,
  quantityToText,
  zeroQuantity,
} from '../quantity.ts';
import { createTestDatabase, type TestDatabase } from './clickhouse-database.fixture.ts';
import { ClickhouseFlushStore } from './clickhouse-flush-store.ts';
import {
  acknowledgements,
  copiesByReceipt,
  copiesByTimestamp,
  deltasAfter,
  usageStates,
  usageTotals,
} from './flush-sql.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const noon = Date.UTC(2026, 4, 4, 12);
/** Texts that would break SQL, JSON or TabSeparated where they are not carried as data. */
const nasty = `O'Hara \\ "x" \n\n\t); DROP TABLE events; -- 🦊 {a:String} \\N`;

let database: TestDatabase;
let store: ClickhouseFlushStore;
let flush = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = new ClickhouseFlushStore(database.client);
});
afterAll(() => database.drop());
beforeEach(() => {
  flush += 1;
});

function event(fact: Partial<EventFact> = {}): EventFact {
  return {
    customerId: randomUUID(),
    resourceId: '',
    eventName: 'call',
    idempotencyKey: randomUUID(),
    source: '',
    timestamp: noon,
    receivedAt: noon + 5,
    dimensions: [['path', '/']],
    ...fact,
  };
}

function blockOf(facts: readonly EventFact[]): EventBlock {
  const builder = new EventBlockBuilder();
  for (const fact of facts) builder.append(fact);
  return new EventBlock(builder.finish());
}

const chunksOf = (facts: readonly EventFact[], decided: readonly number[]) =>
  blockOf(facts).withVerdicts(Uint8Array.from(decided));

function quantity(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error(`no number: ${text}`);
  return parsed;
}

function measurement(row: Partial<MeasurementRow> = {}): MeasurementRow {
  return {
    flush,
    position: 0,
    id: randomUUID(),
    contentDigest: 0xdead_beef,
    receivedAt: noon + 5,
    timestamp: noon,
    customerId: randomUUID(),
    featureId: 'seats',
    resourceId: '',
    idempotencyKey: randomUUID(),
    updateBehavior: 'DELTA',
    value: quantity('1'),
    currentUsage: quantity('1'),
    usageLimit: null,
    usagePeriod: null,
    dimensions: [],
    ...row,
  };
}

function keyOf(fact: EventFact, scope: LookupKey['scope'] = 'timestamp'): LookupKey {
  const { customerId, resourceId, eventName: name, idempotencyKey, source, timestamp, receivedAt } = fact;
  const identity = identityText(eventIdentity(fact));
  return {
    kind: 'event',
    customerId,
    name,
    resourceId,
    idempotencyKey,
    source,
    identity,
    timestamp,
    receivedAt,
    scope,
  };
}

/** The answer of a lookup for this copy. */
const copyOf = (fact: EventFact) =>
  expect.objectContaining({
    identity: identityText(eventIdentity(fact)),
    timestamp: fact.timestamp,
    receivedAt: fact.receivedAt,
  });

async function rowsOf<T>(query: string): Promise<T[]> {
  const answer = await database.client.query({ query, format: 'JSONEachRow' });
  return answer.json<T>();
}

test('an event is stored as it was sent, whatever its texts are, and only where its verdict is 0', async () => {
  const kept = event({ customerId: nasty, resourceId: nasty, dimensions: [[nasty, nasty]], source: nasty });
  const duplicate = event();
  // Conflicts are kept for 90 days from receipt, so this one has to be new.
  const conflict = event({ eventName: nasty, receivedAt: Date.now() });
  await store.insertEvents(flush, randomUUID(), chunksOf([kept, duplicate, conflict], [0, 1, 2]));
  await store.insertConflicts(flush, randomUUID(), chunksOf([kept, duplicate, conflict], [0, 1, 2]));
  const stored =
    await rowsOf(`SELECT customer_id, resource_id, source, dimensions, toUnixTimestamp64Milli(timestamp) AS at,
    idempotency_key FROM events WHERE flush = ${flush}`);
  expect(stored).toEqual([
    {
      customer_id: nasty,
      resource_id: nasty,
      source: nasty,
      dimensions: { [nasty]: nasty },
      at: String(noon),
      idempotency_key: kept.idempotencyKey,
    },
  ]);
  const conflicts = await rowsOf(`SELECT event_name FROM event_conflicts WHERE flush = ${flush}`);
  expect(conflicts).toEqual([{ event_name: nasty }]);
  expect(await store.countOfFlush(flush)).toBe(2);
  expect(await store.newestFlush()).toBe(flush);
});

test('an insert with the same token adds nothing, also across months and blocks of many batches', async () => {
  const facts = Array.from({ length: 500 }, (_, index) => event({ timestamp: noon - index * dayMs }));
  const chunks = [facts.slice(0, 200), facts.slice(200)].flatMap((part) =>
    chunksOf(
      part,
      part.map((_, index) => index % 2),
    ),
  );
  const token = randomUUID();
  for (let attempt = 0; attempt < 3; attempt += 1) await store.insertEvents(flush, token, chunks);
  expect(await store.countOfFlush(flush)).toBe(250);
  const rows = [measurement(), measurement({ position: 1, timestamp: noon - 40 * dayMs })];
  for (let attempt = 0; attempt < 3; attempt += 1) await store.insertMeasurements(token, rows);
  expect(await store.countOfFlush(flush)).toBe(252);
});

test('a repeat adds what is missing although its token is known, and nothing that is there under another token', async () => {
  const facts = Array.from({ length: 6 }, (_, index) => event({ timestamp: noon - index * 31 * dayMs }));
  const chunks = chunksOf(facts, [0, 0, 0, 0, 0, 1]);
  const rows = [measurement(), measurement({ position: 1, timestamp: noon - 40 * dayMs })];
  const token = randomUUID();
  const repeat = async (): Promise<void> => {
    await store.repeatEvents(flush, token, chunks, 5);
    await store.repeatMeasurements(flush, token, rows);
    expect(await store.countOfFlush(flush)).toBe(7);
    const stored = await rowsOf(
      `SELECT idempotency_key FROM events WHERE flush = ${flush} ORDER BY timestamp DESC`,
    );
    expect(stored).toEqual(facts.slice(0, 5).map((fact) => ({ idempotency_key: fact.idempotencyKey })));
  };
  await store.insertEvents(flush, token, chunks);
  await store.insertMeasurements(token, rows);
  await repeat();
  // What a ClickHouse leaves that is killed after it noted a token and before it showed the rows.
  const lost = `flush = ${flush} AND toYYYYMM(timestamp) = toYYYYMM(fromUnixTimestamp64Milli(${noon}, 'UTC'))`;
  for (const table of ['events', 'measurements']) {
    await database.client.command({
      query: `ALTER TABLE ${table} DELETE WHERE ${lost} SETTINGS mutations_sync = 2`,
    });
  }
  await repeat();
  await repeat();
  // And one that showed the rows before it noted the token.
  flush += 1;
  await store.insertEvents(flush, randomUUID(), chunks);
  await store.insertMeasurements(randomUUID(), [{ ...rows[0], flush } as MeasurementRow]);
  await store.repeatEvents(flush, token, chunks, 5);
  await store.repeatMeasurements(
    flush,
    randomUUID(),
    rows.map((row) => ({ ...row, flush })),
  );
  expect(await store.countOfFlush(flush)).toBe(7);
});

test('content that is no block is refused for good and leaves nothing; a store that is away is another error', async () => {
  const [head = Buffer.alloc(0), body = Buffer.alloc(0), ...rest] = chunksOf([event(), event()], [0, 0]);
  const torn = [head, body.subarray(0, body.length - 30), ...rest];
  await expect(store.insertEvents(flush, randomUUID(), torn)).rejects.toThrow(StoreRefusedDataError);
  expect(await store.takesEvents(torn)).toBe(false);
  expect(await store.takesEvents([head, body, ...rest])).toBe(true);
  expect(await store.countOfFlush(flush)).toBe(0);
  const { createClickhouseClient } = await import('./clickhouse-client.ts');
  const nobody = createClickhouseClient({ url: 'http://127.0.0.1:9', requestTimeoutMs: 1_000 });
  await expect(new ClickhouseFlushStore(nobody).insertEvents(1, 'x', torn)).rejects.toMatchObject({
    code: 'CLICKHOUSE_UNAVAILABLE',
    retryable: true,
  });
  await nobody.close();
});

test('a stored copy is found by its timestamp, or by its receipt within the window', async () => {
  const customerId = nasty;
  const late = event({ customerId, timestamp: noon - 400 * dayMs, receivedAt: noon - 300 * dayMs });
  const recent = event({ customerId, timestamp: noon - 2 * hourMs, receivedAt: noon - hourMs });
  await store.insertEvents(flush, randomUUID(), chunksOf([late, recent], [0, 0]));
  const again = { ...late, receivedAt: noon };
  expect(await store.lookupStored([keyOf(again)], dayMs)).toEqual([copyOf(late)]);
  // Another timestamp: only its receipt can lead to it, and only within the window.
  const moved = { ...recent, timestamp: noon, receivedAt: noon };
  expect(await store.lookupStored([keyOf(moved)], dayMs)).toEqual([]);
  expect(await store.lookupStored([keyOf(moved, 'window')], dayMs)).toEqual([copyOf(recent)]);
  expect(await store.lookupStored([keyOf(moved, 'window')], hourMs / 2)).toEqual([]);
});

test('no parameter of a question is larger than a server takes, however long the keys are', async () => {
  const sizes: number[] = [];
  const watched = Object.create(database.client, {
    query: {
      value: (question: Parameters<typeof database.client.query>[0]) => {
        const columns = Object.values(question.query_params ?? {}).filter(Array.isArray);
        sizes.push(...columns.map((column) => JSON.stringify(column).length));
        return database.client.query(question);
      },
    },
  }) as typeof database.client;
  const long = (index: number): string => `${index}`.padStart(255, '\\');
  const facts = Array.from({ length: 700 }, (_, index) =>
    event({ customerId: long(index), eventName: long(index), idempotencyKey: long(index) }),
  );
  await store.insertEvents(
    flush,
    randomUUID(),
    chunksOf(
      facts,
      facts.map(() => 0),
    ),
  );
  const found = await new ClickhouseFlushStore(watched).lookupStored(
    facts.map((fact) => keyOf(fact, 'window')),
    dayMs,
  );
  expect(new Set(found.map(({ identity }) => identity)).size).toBe(700);
  // http_max_field_value_size
  expect(Math.max(...sizes)).toBeLessThanOrEqual(131_072);
});

test('thousands of keys are looked up through the sorting key', async () => {
  const facts = Array.from({ length: 4_500 }, (_, index) =>
    event({ customerId: `many ${index % 1_000}`, timestamp: noon - index * 60_000 }),
  );
  await store.insertEvents(
    flush,
    randomUUID(),
    chunksOf(
      facts,
      facts.map(() => 0),
    ),
  );
  const copies = await store.lookupStored(
    facts.map((fact) => keyOf(fact)),
    dayMs,
  );
  expect(new Set(copies.map(({ identity }) => identity)).size).toBe(4_500);
});

test('looks into what is stored go through the primary index', async () => {
  const arrays = Object.fromEntries(
    ['customers', 'names', 'features', 'resources', 'keys'].map((name) => [name, ['a']]),
  );
  const spans = { starts: [0], ends: [noon], earliest: 0, latest: noon - 1 };
  const query_params = { ...arrays, ...spans, timestamps: [noon], receivedFrom: noon, beforeFlush: 1 };
  const conditions = [
    copiesByTimestamp('event'),
    copiesByReceipt('event'),
    acknowledgements,
    usageStates,
    usageTotals,
    deltasAfter,
  ].map(async (statement) => {
    const query = `EXPLAIN indexes = 1 ${statement}`;
    const answer = await database.client.query({ query, query_params, format: 'TabSeparatedRaw' });
    return /PrimaryKey[\s│]+Keys:[^:]+Condition: (.*)/.exec(await answer.text())?.[1];
  });
  expect(await Promise.all(conditions)).toEqual([
    expect.stringContaining('((customer_id, event_name, timestamp) in 1-element set)'),
    expect.stringContaining('((customer_id, event_name) in 1-element set)'),
    expect.stringContaining('((customer_id, feature_id, timestamp) in 1-element set)'),
    expect.stringContaining('((customer_id, feature_id) in 1-element set)'),
    expect.stringContaining('((customer_id, feature_id) in 1-element set)'),
    expect.stringContaining('((customer_id, feature_id) in 1-element set)'),
  ]);
});

test('an acknowledgement is found by identity and timestamp, with its exact amounts', async () => {
  const row = measurement({
    customerId: nasty,
    resourceId: nasty,
    featureId: nasty,
    idempotencyKey: nasty,
    value: quantity('-0.000000000000000000000000000001'),
    dimensions: [['a', nasty]],
    currentUsage: quantityFromClickhouse('1234567890123456789012345678901234567890.5'),
  });
  const other = {
    ...row,
    timestamp: noon + 1,
    id: randomUUID(),
    position: 1,
    usageLimit: quantity('0.5'),
    usagePeriod: { start: noon - dayMs, end: noon },
  };
  await store.insertMeasurements(randomUUID(), [row, other]);
  const unknown = { ...row, idempotencyKey: 'unknown' };
  const [found, missing, limited] = await store.acknowledgements([row, unknown, other]);
  expect(found).toMatchObject({ id: row.id, timestamp: noon, usageLimit: null, usagePeriod: null });
  expect(limited).toMatchObject({ id: other.id, usagePeriod: other.usagePeriod });
  expect(limited?.usageLimit && quantityToText(limited.usageLimit)).toBe('0.5');
  expect([found?.value, found?.currentUsage].map((each) => each && quantityToText(each))).toEqual([
    '-0.000000000000000000000000000001',
    '1234567890123456789012345678901234567890.5',
  ]);
  expect(missing).toBeUndefined();
});

test('calculated usage folds in ClickHouse to what it folds to here, in any span, of each resource and of all', async () => {
  const resources = ['', nasty];
  const change = fc.record({
    resourceId: fc.constantFrom(...resources),
    // Around the epoch and before it: a missing SET must not be taken for one in 1970.
    timestamp: fc.integer({ min: -4, max: 4 }).map((hours) => hours * hourMs),
    updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'SET' as const),
    value: fc.integer({ min: -50, max: 50 }).map((tenths) => quantity(String(tenths / 10))),
  });
  const history = fc.array(fc.array(change, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 });
  const spans = [
    allTime,
    { start: -2 * hourMs, end: 2 * hourMs },
    { start: 0, end: 1 },
    { start: hourMs, end: allTime.end },
  ];
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 0, max: 3 }), async (flushes, unseen) => {
      const feature = { customerId: randomUUID(), featureId: 'seats' };
      const first = flush;
      const rows = flushes.flatMap((changes, index) =>
        changes.map((each, position) => measurement({ ...feature, ...each, flush: first + index, position })),
      );
      flush += flushes.length;
      const before = Math.max(first, flush - unseen);
      await store.insertMeasurements(randomUUID(), rows);
      const stored = rows.filter((row) => row.flush < before);
      const stateOf = (resourceId: string, span: UsageSpan) => {
        const ofFold = stored.filter((row) => row.resourceId === resourceId && isWithin(span, row.timestamp));
        const fold = new UsageFold(unusedState, ofFold, () => zeroQuantity);
        for (const row of ofFold) fold.add(row);
        return fold.state;
      };
      const asks = spans.flatMap((span) =>
        resources.map((resourceId) => ({ ...feature, resourceId, ...span })),
      );
      const nobody = { ...feature, resourceId: '', ...allTime, customerId: 'nobody' };
      const states = await store.usageStates([...asks, nobody], before);
      const text = (state: UsageState) => ({ ...state, total: quantityToText(state.total) });
      const expected = [...asks.map((ask) => stateOf(ask.resourceId, ask)), unusedState];
      expect(states.map(text)).toEqual(expected.map(text));
      const totals = await store.usageTotals(
        spans.map((span) => ({ ...feature, ...span })),
        before,
      );
      const sums = spans.map((span) =>
        resources
          .map((resourceId) => stateOf(resourceId, span).total)
          .reduce((sum, total) => addQuantities(sum, total), zeroQuantity),
      );
      expect(totals.map(quantityToText)).toEqual(sums.map(quantityToText));
      const points = asks.map((ask) => ({ ...ask, timestamp: Math.max(ask.start, -hourMs) }));
      const deltas = points.map(({ resourceId, timestamp, end }) =>
        stored
          .filter((row) => row.resourceId === resourceId && row.updateBehavior === 'DELTA')
          .filter((row) => row.timestamp > timestamp && row.timestamp < end)
          .reduce((sum, { value }) => addQuantities(sum, value), zeroQuantity),
      );
      expect((await store.deltasAfter(points, before)).map(quantityToText)).toEqual(
        deltas.map(quantityToText),
      );
    }),
    { numRuns: 20 },
  );
});

test('the identities of a rebuild are those that JavaScript computes, as many as are counted', async () => {
  const since = Date.UTC(2030, 0, 1);
  const recent = event({ customerId: nasty, timestamp: since - dayMs, receivedAt: since + 1 });
  const ahead = event({ timestamp: since + 2, receivedAt: since - 1 });
  const old = event({ timestamp: since - 1, receivedAt: since - 1 });
  const reported = measurement({ receivedAt: since + 3, featureId: nasty });
  const keyless = measurement({ position: 1, receivedAt: since + 3, idempotencyKey: '' });
  await store.insertEvents(flush, randomUUID(), chunksOf([recent, ahead, old], [0, 0, 0]));
  await store.insertMeasurements(randomUUID(), [reported, keyless]);
  const found: { identity: string; instants: number[] }[] = [];
  for await (const { count, words } of store.identitiesSince(since)) {
    for (let row = 0; row < count; row += 1) {
      const bytes = Buffer.from(words.buffer, row * identityRowWords * 4, identityRowWords * 4);
      const instants = [Number(bytes.readBigInt64LE(20)), Number(bytes.readBigInt64LE(28))];
      found.push({ identity: identityText(words, row * identityRowWords), instants });
    }
  }
  const expected = [
    ...[recent, ahead].map((fact) => ({ identity: eventIdentity(fact), ...fact })),
    { identity: measurementIdentity(reported), ...reported },
  ].map(({ identity, timestamp, receivedAt }) => ({
    identity: identityText(identity),
    instants: [timestamp, receivedAt],
  }));
  const sorted = (list: typeof found) => list.toSorted((a, b) => (a.identity < b.identity ? -1 : 1));
  expect(sorted(found)).toEqual(sorted(expected));
  expect(await store.countSince(since)).toBe(3);
});

test('as many of the newest identities as fit are found to the minute', async () => {
  const since = Date.UTC(2040, 0, 1);
  const minutes = [0, 1, 1.5].map((minute) =>
    event({ timestamp: since + minute * 60_000, receivedAt: noon }),
  );
  await store.insertEvents(flush, randomUUID(), chunksOf(minutes, [0, 0, 0]));
  await store.insertMeasurements(randomUUID(), [measurement({ timestamp: since + 120_000 })]);
  const starts = [4, 3, 2, 0].map((rowsMax) => store.sinceWithin(since, rowsMax));
  expect(await Promise.all(starts)).toEqual([0, 1, 2, 3].map((minute) => since + minute * 60_000));
});
