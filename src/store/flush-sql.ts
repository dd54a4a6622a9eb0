/**
 * The worker's statements. The sets of keys are subqueries over array parameters, because ClickHouse consults the
 * primary index for `IN (SELECT …)` but not for `IN` over a computed array (checked with EXPLAIN indexes = 1).
 * Aliases never repeat a column's name: ClickHouse would put them in the place of the column in WHERE.
 */
import { eventBlockColumns, verdictColumn } from '../metering/event-block.ts';
import { countedRowsSql } from './corrected-rows-sql.ts';

const storedEventColumns =
  'content_digest, received_at, timestamp, event_name, customer_id, resource_id, idempotency_key, source, dimensions';

/**
 * One line: what follows the first line break of an insert's text is data. `rows: 'missing'` passes over the months
 * of which the flush has rows already: it is one block a month, so a month is stored whole or not at all.
 */
export function insertEvents(
  table: 'events' | 'event_conflicts',
  flushId: number,
  verdict: number,
  rows: 'all' | 'missing' = 'all',
): string {
  const structure = [...eventBlockColumns, verdictColumn].map((column) => column.join(' ')).join(', ');
  const stored = `(SELECT toYYYYMM(timestamp) FROM ${table} WHERE flush = ${flushId})`;
  const missing = rows === 'all' ? '' : ` AND toYYYYMM(timestamp) NOT IN ${stored}`;
  return (
    `INSERT INTO ${table} (flush, ${storedEventColumns}) SELECT ${flushId}, ${storedEventColumns} ` +
    `FROM input('${structure.replaceAll("'", "\\'")}') WHERE verdict = ${verdict}${missing} FORMAT Native`
  );
}

export const insertMeasurements =
  'INSERT INTO measurements (flush, position, id, content_digest, received_at, timestamp, feature_id, customer_id, ' +
  'resource_id, idempotency_key, update_behavior, value, current_usage, usage_limit, period_start, period_end, ' +
  'dimensions) FORMAT RowBinary';

type Kind = 'event' | 'measurement';

const tables = {
  event: { table: 'events', name: 'event_name', source: 'source' },
  measurement: { table: 'measurements', name: 'feature_id', source: "''" },
} as const;

/** Copies with a key's very timestamp: one granule a key by the sorting key, and one month by the partition. */
export function copiesByTimestamp(kind: Kind): string {
  const { table, name } = tables[kind];
  return `SELECT ${copyColumns(kind)} FROM ${table}
WHERE (customer_id, ${name}, timestamp, idempotency_key) IN (
  SELECT arrayJoin(arrayZip({customers:Array(String)}, {names:Array(String)}, ${instants}, {keys:Array(String)}))
)`;
}

/** Copies received since then: reads the recent granules of the customer and name. */
export function copiesByReceipt(kind: Kind): string {
  const { table, name } = tables[kind];
  return `SELECT ${copyColumns(kind)} FROM ${table}
WHERE received_at >= fromUnixTimestamp64Milli({receivedFrom:Int64}, 'UTC') AND (customer_id, ${name}, idempotency_key) IN (
  SELECT arrayJoin(arrayZip({customers:Array(String)}, {names:Array(String)}, {keys:Array(String)}))
)`;
}

function copyColumns(kind: Kind): string {
  const { name, source } = tables[kind];
  return `customer_id AS customer, toString(resource_id) AS resource, toString(${name}) AS called,
  idempotency_key AS key, toString(${source}) AS origin, content_digest AS digest,
  toUnixTimestamp64Milli(timestamp) AS at, toUnixTimestamp64Milli(received_at) AS received`;
}

const instants = "arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), {timestamps:Array(Int64)})";
const pairArrays = '{customers:Array(String)}, {features:Array(String)}, {resources:Array(String)}';
const pairColumns = 'customer_id AS customerId, feature_id AS featureId, resource_id AS resourceId';
const amongPairs = `(customer_id, feature_id, resource_id) IN (SELECT arrayJoin(arrayZip(${pairArrays})))`;
const amongFeatures =
  '(customer_id, feature_id) IN (SELECT arrayJoin(arrayZip({customers:Array(String)}, {features:Array(String)})))';

export const acknowledgements = `SELECT ${pairColumns}, idempotency_key AS idempotencyKey, toString(id) AS measurementId,
  toString(value) AS amount, toUnixTimestamp64Milli(timestamp) AS at, toString(current_usage) AS usage,
  toString(usage_limit) AS limit, toUnixTimestamp64Milli(period_start) AS since,
  toUnixTimestamp64Milli(period_end) AS until
FROM measurements
WHERE (customer_id, feature_id, timestamp, resource_id, idempotency_key) IN (
  SELECT arrayJoin(arrayZip({customers:Array(String)}, {features:Array(String)}, ${instants}, {resources:Array(String)}, {keys:Array(String)}))
)`;

const place = '(toUnixTimestamp64Milli(timestamp), flush, position)';
const spanArrays = '{starts:Array(Int64)}, {ends:Array(Int64)}';
/** Each with its place in the question, from 1, as `asked.1`. */
const pairAsks = `(
  SELECT arrayJoin(arrayZip(arrayEnumerate({starts:Array(Int64)}), ${pairArrays}, ${spanArrays})) AS asked
) AS asks ON customer_id = asked.2 AND feature_id = asked.3 AND resource_id = asked.4`;
const featureAsks = `(
  SELECT arrayJoin(
    arrayZip(arrayEnumerate({starts:Array(Int64)}), {customers:Array(String)}, {features:Array(String)}, ${spanArrays})
  ) AS asked
) AS asks ON customer_id = asked.2 AND feature_id = asked.3`;

/** What counts of them; `earliest` and `latest` enclose all spans asked for, so that other months are not read. */
function countedRows(among: string): string {
  const rows = countedRowsSql({
    table: 'measurements',
    columns: [
      'customer_id',
      'feature_id',
      'resource_id',
      'timestamp',
      'flush',
      'position',
      'update_behavior',
      'value',
    ],
    customers: 'customer_id IN (SELECT arrayJoin({customers:Array(String)}))',
    conditions: [
      among,
      'flush < {beforeFlush:UInt64}',
      "timestamp >= fromUnixTimestamp64Milli({earliest:Int64}, 'UTC')",
      "timestamp <= fromUnixTimestamp64Milli({latest:Int64}, 'UTC')",
    ],
    asOf: null,
  });
  return `(${rows}) AS counted`;
}

/** Within an ask's own span. */
function within(start: string, end: string): string {
  return `toUnixTimestamp64Milli(timestamp) >= ${start} AND toUnixTimestamp64Milli(timestamp) < ${end}`;
}

/** What a fold consists of is what its last SET replaced by itself and all after it, or everything without one. */
function lastSet(partition: string): string {
  return `maxIf(${place}, update_behavior = 'SET') OVER (PARTITION BY ${partition}) AS setPlace,
  countIf(update_behavior = 'SET') OVER (PARTITION BY ${partition}) AS sets`;
}

const folded = 'toString(sumIf(value, sets = 0 OR place >= setPlace)) AS total';

/**
 * Folds as `calculated-usage.ts` says, in one read.
 * Maxima are taken of integers: of DateTime64 they come out wrong before 1970 as soon as the query was compiled,
 * which happens the fourth time it runs (26.7, compile_aggregate_expressions compares as unsigned).
 */
export const usageStates = `SELECT number AS ask, ${folded},
  max(place.1) AS newestAt, any(sets) AS setCount, any(setPlace).1 AS setAt
FROM (
  SELECT asked.1 AS number, value, ${place} AS place, ${lastSet('asked.1')}
  FROM ${countedRows(amongPairs)} INNER JOIN ${pairAsks}
  WHERE ${within('asked.5', 'asked.6')}
)
GROUP BY number`;

export const usageTotals = `SELECT number AS ask, ${folded}
FROM (
  SELECT asked.1 AS number, value, ${place} AS place, ${lastSet('asked.1, resource_id')}
  FROM ${countedRows(amongFeatures)} INNER JOIN ${featureAsks}
  WHERE ${within('asked.4', 'asked.5')}
)
GROUP BY number`;

export const deltasAfter = `SELECT asked.1 AS ask, toString(sum(value)) AS total
FROM ${countedRows(amongPairs)} INNER JOIN ${pairAsks}
WHERE ${within('asked.5', 'asked.6')} AND update_behavior = 'DELTA'
GROUP BY asked.1`;

const instant = "fromUnixTimestamp64Milli({since:Int64}, 'UTC')";
const recentEvents = `FROM events WHERE received_at >= ${instant} OR timestamp >= ${instant}`;
/** A measurement without idempotency key has no identity. */
const recentMeasurements = `FROM measurements
WHERE (received_at >= ${instant} OR timestamp >= ${instant}) AND idempotency_key != ''`;

/** What `identityRows` reads: a number for the kind, the texts of an identity, and what is known of the copy. */
export const identitiesSince = `SELECT toUInt8(1) AS kind, ${copyColumns('event')} ${recentEvents}
UNION ALL
SELECT toUInt8(2) AS kind, ${copyColumns('measurement')} ${recentMeasurements}`;

export const countSince = `SELECT (SELECT count() ${recentEvents}) + (SELECT count() ${recentMeasurements}) AS number`;

const minute = 'intDiv(toUnixTimestamp64Milli(greatest(received_at, timestamp)), 60000)';
/** Newest minute first, each with how many identities it holds. */
export const identitiesByMinute = `SELECT minute, sum(rows) AS number FROM (
  SELECT ${minute} AS minute, count() AS rows ${recentEvents} GROUP BY minute
  UNION ALL
  SELECT ${minute} AS minute, count() AS rows ${recentMeasurements} GROUP BY minute
) GROUP BY minute ORDER BY minute DESC`;

export const newestFlush = `SELECT greatest(
  (SELECT max(flush) FROM events), (SELECT max(flush) FROM event_conflicts), (SELECT max(flush) FROM measurements)
) AS number`;

const ofFlush = 'WHERE flush = {flush:UInt64}';
export const eventsOfFlush = `SELECT count() AS number FROM events ${ofFlush}`;
export const positionsOfFlush = `SELECT position FROM measurements ${ofFlush}`;
export const countOfFlush = `SELECT (SELECT count() FROM events ${ofFlush})
  + (SELECT count() FROM event_conflicts ${ofFlush}) + (SELECT count() FROM measurements ${ofFlush}) AS number`;
