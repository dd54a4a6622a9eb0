import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './clickhouse-database.fixture.ts';
import { insertsUnderWay } from './clickhouse-inserts.ts';

let database: TestDatabase;
let other: TestDatabase;
beforeAll(async () => {
  [database, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterAll(() => Promise.all([database.drop(), other.drop()]));

it('counts the inserts into these tables of this database, as long as they take', async () => {
  const tables = ['change_log', 'measurements'];
  expect(await insertsUnderWay(database.client, tables)).toBe(0);
  const columns = 'entry_ms, entry_seq, key';
  const query = `INSERT INTO change_log (${columns}) SELECT 1, sleepEachRow(0.1), 'k' FROM numbers(20)`;
  const insert = database.client.command({ query });
  while ((await insertsUnderWay(database.client, tables)) === 0);
  expect(await insertsUnderWay(database.client, tables)).toBe(1);
  expect(await insertsUnderWay(database.client, ['change', 'events'])).toBe(0);
  expect(await insertsUnderWay(other.client, tables)).toBe(0);
  await insert;
  expect(await insertsUnderWay(database.client, tables)).toBe(0);
});
