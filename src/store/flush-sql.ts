/**
 * The worker's statements. The sets of keys are subqueries over array parameters, because ClickHouse consults the
 * primary index for `IN (SELECT …)` but not for `IN` over a computed array (checked with EXPLAIN indexes = 1).
 * Aliases never repeat a column's name: ClickHouse would put them in the place of the column in WHERE.
 */
import { eventBlockColumns, verdictColumn } from '../metering/event-block.ts';
import { eventIdentitySql, measurementIdentitySql } from '../metering/identity.ts';

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
  'resource_id, idempotency_key, update_behavior, value, current_usage, dimensions) FORMAT RowBinary';

type Kind = 'event' | 'measurement';

const tables = {
  event: { table: 'events', name: 'event_name', identity: eventIdentitySql },
  measurement: { table: 'measurements', name: 'feature_id', identity: measurementIdentitySql },
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
  return `lower(hex(${tables[kind].identity})) AS identity, content_digest AS digest,
  toUnixTimestamp64Milli(timestamp) AS at, toUnixTimestamp64Milli(received_at) AS received`;
}

const instants = "arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), {timestamps:Array(Int64)})";
const pairArrays = '{customers:Array(String)}, {features:Array(String)}, {resources:Array(String)}';
const pairColumns = 'customer_id AS customerId, feature_id AS featureId, resource_id AS resourceId';
const amongPairs = `(customer_id, feature_id, resource_id) IN (SELECT arrayJoin(arrayZip(${pairArrays})))`;

export const acknowledgements = `SELECT ${pairColumns}, idempotency_key AS idempotencyKey, toString(id) AS measurementId,
  toString(value) AS amount, toUnixTimestamp64Milli(timestamp) AS at, toString(current_usage) AS usage
FROM measurements
WHERE (customer_id, feature_id, timestamp, resource_id, idempotency_key) IN (
  SELECT arrayJoin(arrayZip({customers:Array(String)}, {features:Array(String)}, ${instants}, {resources:Array(String)}, {keys:Array(String)}))
)`;

/**
 * Folds as `calculated-usage.ts` says. Two reads of the pairs' granules: one finds the newest SET, one sums from it.
 * The maximum is taken of integers: of DateTime64 it comes out wrong before 1970 as soon as the query was compiled,
 * which happens the fourth time it runs (26.7, compile_aggregate_expressions compares as unsigned).
 */
export const usageStates = `SELECT ${pairColumns},
  toString(sumIf(value, newest.sets = 0 OR (timestamp, flush, position) >= newest.place)) AS total,
  max(toUnixTimestamp64Milli(timestamp)) AS newestAt,
  any(newest.sets) AS sets,
  toUnixTimestamp64Milli(any(newest.place).1) AS setAt
FROM measurements
LEFT JOIN (
  SELECT customer_id, feature_id, resource_id, count() AS sets, max((timestamp, flush, position)) AS place
  FROM measurements
  WHERE ${amongPairs} AND flush < {beforeFlush:UInt64} AND update_behavior = 'SET'
  GROUP BY customer_id, feature_id, resource_id
) AS newest USING (customer_id, feature_id, resource_id)
WHERE ${amongPairs} AND flush < {beforeFlush:UInt64}
GROUP BY customer_id, feature_id, resource_id`;

export const deltasAfter = `SELECT point.1 AS customerId, point.2 AS featureId, point.3 AS resourceId,
  point.4 AS after, toString(sum(value)) AS total
FROM measurements
INNER JOIN (
  SELECT DISTINCT arrayJoin(arrayZip(${pairArrays}, {timestamps:Array(Int64)})) AS point
) AS points ON customer_id = point.1 AND feature_id = point.2 AND resource_id = point.3
WHERE ${amongPairs} AND flush < {beforeFlush:UInt64} AND update_behavior = 'DELTA'
  AND toUnixTimestamp64Milli(timestamp) > point.4
GROUP BY point`;

const instant = "fromUnixTimestamp64Milli({since:Int64}, 'UTC')";
const recentEvents = `FROM events WHERE received_at >= ${instant} OR timestamp >= ${instant}`;
/** A measurement without idempotency key has no identity. */
const recentMeasurements = `FROM measurements
WHERE (received_at >= ${instant} OR timestamp >= ${instant}) AND idempotency_key != ''`;

export const identitiesSince = `SELECT ${eventIdentitySql} AS identity, content_digest AS digest,
  toUnixTimestamp64Milli(timestamp) AS at, toUnixTimestamp64Milli(received_at) AS received ${recentEvents}
UNION ALL
SELECT ${measurementIdentitySql} AS identity, content_digest AS digest,
  toUnixTimestamp64Milli(timestamp) AS at, toUnixTimestamp64Milli(received_at) AS received ${recentMeasurements}`;

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
