import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../src/store/clickhouse-database.fixture.ts';
import { customerCount, dimensionCounts, eventNames } from './event-shapes.ts';
import { fillEvents, historyEnd, historyStart, mergesDone, rowsOf, storedSize } from './stored-events.ts';

const events = 20_000;
const databases: TestDatabase[] = [];
let history: TestDatabase['client'];
let again: TestDatabase['client'];

beforeAll(async () => {
  [history, again] = [await filled(), await filled()];
});

afterAll(async () => {
  for (const database of databases) await database.drop();
});

async function filled(): Promise<TestDatabase['client']> {
  const database = await createTestDatabase();
  databases.push(database);
  await fillEvents(database.client, events, () => undefined);
  return database.client;
}

describe('a stored history', () => {
  it('has as many events as were asked for, each with a key of its own', async () => {
    const [row] = await rowsOf<Record<string, string>>(
      history,
      'SELECT count() AS rows, uniqExact(idempotency_key) AS keys FROM events',
    );
    expect(row).toEqual({ rows: String(events), keys: String(events) });
  });

  it('is the same each time', async () => {
    const digest =
      'SELECT toString(sum(cityHash64(* EXCEPT dimensions, toString(dimensions)))) AS digest FROM events';
    expect(await rowsOf(history, digest)).toEqual(await rowsOf(again, digest));
  });

  it('has the shapes of the events that the load tests send', async () => {
    const [row] = await rowsOf<Record<string, number>>(
      history,
      `SELECT toFloat64(min(length(dimensions))) AS fewest, toFloat64(max(length(dimensions))) AS most,
        toFloat64(uniqExact(event_name)) AS names,
        toFloat64(max(toUInt32(splitByChar('-', customer_id)[2]))) AS lastCustomer,
        countIf(customer_id = 'customer-0') / count() AS largest,
        countIf(match(idempotency_key, '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')) / count() AS uuids,
        toFloat64(toUnixTimestamp64Milli(min(received_at))) AS first,
        toFloat64(toUnixTimestamp64Milli(max(received_at))) AS last,
        countIf(timestamp > received_at) / count() AS early
       FROM events`,
    );
    expect(row).toMatchObject({
      fewest: dimensionCounts.min,
      most: dimensionCounts.max,
      names: eventNames.length,
      early: 0,
      first: historyStart,
    });
    expect(row?.['lastCustomer']).toBeLessThan(customerCount);
    expect(row?.['lastCustomer']).toBeGreaterThan(customerCount * 0.9);
    // Zipf's law gives the largest of 10,000 a tenth of all, near enough by the curve that it is drawn from.
    expect(row?.['largest']).toBeGreaterThan(0.05);
    expect(row?.['largest']).toBeLessThan(0.15);
    expect(row?.['uuids']).toBeCloseTo(0.75, 1);
    expect(row?.['last']).toBeLessThan(historyEnd);
  });

  it('tells its size once nothing is merged any more', async () => {
    await mergesDone(history);
    const size = await storedSize(history);
    expect(size.rows).toBe(events);
    expect(size.bytesPerEvent).toBeGreaterThan(20);
    expect(size.bytesPerEvent).toBeLessThan(300);
    expect(Object.keys(size.columns)).toContain('dimensions');
  });
});
