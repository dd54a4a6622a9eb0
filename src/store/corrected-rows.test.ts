/** What reading through corrections costs a customer who has none, and one who has. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from './clickhouse-database.fixture.ts';
import { countedRowsSql } from './corrected-rows-sql.ts';

const rows = 100_000;
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  const insert = (query: string) =>
    database.client.command({ query, clickhouse_settings: { max_partitions_per_insert_block: '0' } });
  await insert(`INSERT INTO events (flush, received_at, timestamp, event_name, customer_id, idempotency_key, dimensions)
    SELECT 1, now64(3), toDateTime64('2026-05-01 00:00:00', 3) + number, 'call', 'anna',
      toString(generateUUIDv4()), map('bytes', toString(number % 1000), 'path', toString(number % 50))
    FROM numbers(${rows})`);
  await insert(`INSERT INTO measurements (flush, position, id, received_at, timestamp, feature_id, customer_id, update_behavior, value)
    SELECT 1, number, generateUUIDv4(), now64(3), toDateTime64('2026-05-01 00:00:00', 3) + number, 'seats', 'anna', 'DELTA', 1
    FROM numbers(${rows})`);
});
afterAll(() => database.drop());

const events = {
  table: 'events',
  columns: ["toUInt64(dimensions['bytes']) AS amount"],
  customers: "customer_id = 'anna'",
  conditions: ["event_name = 'call'", "mapContains(dimensions, 'bytes')"],
  asOf: null,
} as const;
const measurements = {
  ...events,
  table: 'measurements',
  columns: ['value AS amount'],
  conditions: [],
} as const;

interface Cost {
  readonly total: string;
  readonly bytes: number;
  /** The middle one of some runs. */
  readonly ms: number;
}

async function costOf(sql: string): Promise<Cost> {
  const runs: Cost[] = [];
  for (let run = 0; run < 9; run += 1) {
    const from = performance.now();
    const answer = await database.client.query({
      query: `SELECT toString(sum(amount)) AS total FROM (${sql})`,
      format: 'JSON',
    });
    const { data, statistics } = await answer.json<{ total: string }>();
    const ms = performance.now() - from;
    runs.push({ total: data[0]?.total ?? '', bytes: statistics?.bytes_read ?? 0, ms });
  }
  const middle = runs.toSorted((a, b) => a.ms - b.ms)[4];
  if (middle === undefined) throw new Error('nothing was run');
  return middle;
}

function plainSql({ table, columns, customers, conditions }: typeof events | typeof measurements): string {
  return `SELECT ${columns.join(', ')} FROM ${table} WHERE ${[customers, ...conditions].join(' AND ')}`;
}

describe.each([events, measurements])('$table of a customer without corrections', (asked) => {
  it('are read as if there were none: not a byte more', async () => {
    const [plain, seen] = [await costOf(plainSql(asked)), await costOf(countedRowsSql(asked))];
    console.info(
      `${asked.table}: ${rows} rows in ${plain.ms.toFixed(1)} ms, through corrections in ${seen.ms.toFixed(1)} ms`,
    );
    expect(seen.total).toBe(plain.total);
    expect(seen.bytes).toBe(plain.bytes);
  });
});

describe('a customer with a thousand corrections', () => {
  it('loses what they take back, in one read', async () => {
    await database.client.command({
      query: `INSERT INTO corrections (customer_id, kind, item, action, name, idempotency_key, reported_timestamp)
        SELECT customer_id, 'EVENT', idempotency_key, 'VOID', event_name, idempotency_key, timestamp
        FROM events ORDER BY timestamp LIMIT 1000`,
    });
    const [plain, seen] = [await costOf(plainSql(events)), await costOf(countedRowsSql(events))];
    console.info(`events with 1,000 of them corrected: ${seen.ms.toFixed(1)} ms`);
    // The first thousand have 0 to 999 bytes.
    expect(Number(plain.total) - Number(seen.total)).toBe((999 * 1000) / 2);
  });
});
