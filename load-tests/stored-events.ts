/**
 * A history to ask questions of: events that ClickHouse makes itself, each from a hash of its number, so that the
 * same numbers are the same events. They go into the very table that the worker writes, in flushes of its largest
 * size, a month after the other, as years of use would have left them.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ClickHouseClient } from '@clickhouse/client';
import { customerCount, dimensionCounts, eventNames } from './event-shapes.ts';

/** The months that the history covers, as UTC days; the largest month has 31 % of it. */
export const historyStart = Date.UTC(2026, 2, 1);
export const historyEnd = Date.UTC(2026, 5, 1);

/** Of a worker's flush at full load: more rows would be another flush. */
const flushRowsMax = 200_000;

/** Fills `events` of the client's database. Two inserts at once keep two cores busy; merges take what is left. */
export async function fillEvents(
  client: ClickHouseClient,
  events: number,
  onProgress: (stored: number) => void,
): Promise<void> {
  const flushRows = Math.min(flushRowsMax, Math.ceil(events / 20));
  let next = 0;
  let stored = 0;
  const insertFlushes = async (): Promise<void> => {
    for (let flush = next++; flush * flushRows < events; flush = next++) {
      const from = flush * flushRows;
      const rows = Math.min(flushRows, events - from);
      await client.command({ query: insertSql({ flush: flush + 1, from, rows, events }) });
      onProgress((stored += rows));
    }
  };
  await Promise.all([insertFlushes(), insertFlushes()]);
}

/** Resolves once nothing was merged for a second: what is left is how an installation looks at rest. */
export async function mergesDone(client: ClickHouseClient): Promise<void> {
  let quietSince = performance.now();
  let before = '';
  while (performance.now() - quietSince < quietMs) {
    const [state] = await rowsOf<{ merging: string; parts: string }>(client, restSql);
    const now = JSON.stringify(state);
    if (now !== before || state?.merging !== '0') quietSince = performance.now();
    before = now;
    await delay(100);
  }
}

const quietMs = 1_000;
const ofDatabase = 'database = currentDatabase()';
const restSql =
  `SELECT (SELECT count() FROM system.merges WHERE ${ofDatabase}) AS merging, ` +
  `(SELECT count() FROM system.parts WHERE ${ofDatabase}) AS parts`;

export interface StoredSize {
  readonly rows: number;
  readonly parts: number;
  readonly bytesPerEvent: number;
  /** Compressed bytes an event of each column, the dearest first. */
  readonly columns: Readonly<Record<string, number>>;
}

/** Bytes on disk of all tables of the database, indexes and marks included, for each row of `events`. */
export async function storedSize(client: ClickHouseClient): Promise<StoredSize> {
  const [size] = await rowsOf<{ rows: string; parts: string; bytes: string }>(
    client,
    `SELECT sumIf(rows, table = 'events') AS rows, countIf(table = 'events') AS parts, ` +
      `sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND ${ofDatabase}`,
  );
  const columns = await rowsOf<{ column: string; bytes: number }>(
    client,
    `SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS bytes FROM system.parts_columns ` +
      `WHERE active AND table = 'events' AND ${ofDatabase} GROUP BY column ORDER BY bytes DESC`,
  );
  const rows = Number(size?.rows ?? 0);
  return {
    rows,
    parts: Number(size?.parts ?? 0),
    bytesPerEvent: Number(size?.bytes ?? 0) / rows,
    columns: Object.fromEntries(columns.map(({ column, bytes }) => [column, Number(bytes.toFixed(2))])),
  };
}

export async function rowsOf<Row>(client: ClickHouseClient, query: string): Promise<Row[]> {
  return await (await client.query({ query, format: 'JSONEachRow' })).json<Row>();
}

interface Flush {
  readonly flush: number;
  readonly from: number;
  readonly rows: number;
  /** Of the whole history, over which its time is spread evenly. */
  readonly events: number;
}

/**
 * The shapes of `event-shapes.ts` and the keys of `event-pool.ts` once more, as SQL over hashes of the event's number.
 * One hundredth came late, by up to three months. Each draw is of a hash, or part of one, of its own.
 */
function insertSql({ flush, from, rows, events }: Flush): string {
  const spanMs = historyEnd - historyStart;
  return `INSERT INTO events (flush, content_digest, received_at, timestamp, event_name, customer_id, resource_id,
  idempotency_key, source, dimensions)
WITH cityHash64(number, 1) AS a, cityHash64(number, 2) AS b, cityHash64(number, 3) AS c, cityHash64(number, 4) AS d,
  toInt64(${historyStart} + intDiv(number * ${spanMs}, ${events})) AS received,
  received - if(a % 100 = 0, ${lateMs}, intDiv(a, 100) % 1000) AS happened,
  UUIDNumToString(sipHash128(number)) AS uuid,
  ${dimensionCounts.min} + intDiv(d, 4294967296) % ${dimensionCounts.max - dimensionCounts.min + 1} AS fields
SELECT ${flush}, toUInt32(c), fromUnixTimestamp64Milli(received, 'UTC'), fromUnixTimestamp64Milli(happened, 'UTC'),
  [${eventNames.map((name) => `'${name}'`).join(', ')}][1 + ${zipfRank(eventNames.length, 'intDiv(a, 100000)')}],
  concat('customer-', toString(${zipfRank(customerCount, 'b')})),
  if(intDiv(b, 16777216) % 20 = 0, concat('workspace-', toString(intDiv(b, 335544320) % 50)), ''),
  if(intDiv(a, 100000000000) % 4 = 0, concat('evt_', lower(hex(substring(sipHash128(number), 1, 12)))),
    concat(substring(uuid, 1, 14), '4', substring(uuid, 16, 4), 'a', substring(uuid, 21))), '',
  mapFromArrays(arraySlice([${fields.map(([name]) => `'${name}'`).join(', ')}], 1, fields),
    arraySlice([${fields.map(([, value]) => value).join(', ')}], 1, fields))
FROM numbers(${from}, ${rows})
SETTINGS insert_deduplication_token = 'stored-${flush}', max_threads = 1, max_insert_threads = 1,
  max_block_size = ${flushRowsMax}, min_insert_block_size_rows = 10000000, min_insert_block_size_bytes = 8589934592`;
}

/** From zero up, the probability of each falling with its place, as `zipfRanks` draws them. */
function zipfRank(count: number, hash: string): string {
  return `toUInt32(least(${count - 1}, exp(${draw(hash)} * log(${count + 1})) - 1))`;
}

/** In [0, 1), from the lower 24 bits. */
function draw(hash: string): string {
  return `(${hash} % 16777216 / 16777216)`;
}

function drawWhole(hash: string, power: number, max: number): string {
  return `toString(toUInt32(pow(${draw(hash)}, ${power}) * ${max}))`;
}

const lateMs = `60000 + toInt64(pow(${draw('intDiv(a, 100)')}, 6) * 7776000000)`;

const fields = [
  ['region', "['eu-west-1', 'eu-north-1', 'us-east-1', 'us-west-2', 'ap-south-1'][1 + c % 5]"],
  ['tokens', drawWhole('c', 2, 4_000)],
  ['model', "['small-1', 'small-2', 'medium-4', 'large-8', 'large-16'][1 + intDiv(c, 5) % 5]"],
  ['status', "if(intDiv(c, 25) % 100 < 97, '200', concat('50', toString(intDiv(c, 2500) % 4)))"],
  ['cached', "if(intDiv(c, 10000) % 5 = 0, 'true', 'false')"],
  ['durationMs', drawWhole('intDiv(c, 16777216)', 4, 30_000)],
  ['bytes', drawWhole('intDiv(d, 16777216)', 3, 5_000_000)],
  ['userId', `concat('u', ${drawWhole('d', 2, 5_000)})`],
  ['cost', 'toString(intDiv(c, 50000) % 100000 / 100000)'],
  ['path', "concat('/v1/projects/', toString(intDiv(d, 1000) % 400), '/items')"],
  ['client', "concat('sdk-', toString(1 + d % 5), '.', toString(intDiv(d, 5) % 20))"],
  ['trace', 'base58Encode(substring(reinterpretAsString(b), 1, 6))'],
] as const;
