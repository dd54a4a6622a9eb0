/** The query behind the log of what was reported. Pure. */
import type { Meter } from '../catalog/meter.ts';
import { quantityFromClickhouse } from '../quantity.ts';
import { SqlParameters, type SqlStatement } from '../store/sql-statement.ts';
import { allOf, meterSql } from './meter-sql.ts';
import type { ReportedItem, ReportedPlace, ReportedQuery, ReportedState } from './usage.ts';

/**
 * Narrows the log to one feature: to the events that its meter counts, or to the measurements reported for it.
 * Null: no feature asked for.
 */
export type FeatureFilter = { readonly meter: Meter } | { readonly refId: string } | null;

export interface ReportedRow {
  readonly itemId: string;
  readonly kind: ReportedItem['kind'];
  readonly state: ReportedState;
  readonly customerId: string;
  readonly resourceId: string;
  readonly eventName: string;
  readonly featureId: string;
  readonly idempotencyKey: string;
  readonly amount: string;
  readonly updateBehavior: '' | 'DELTA' | 'SET';
  readonly happenedAt: string;
  readonly receivedAt: string;
  readonly dimensions: Readonly<Record<string, string>>;
}

/**
 * Items between `query.after` and `query.before`, strictly, by (timestamp, id): newest first, or where the page is
 * taken from the log's other end oldest first.
 *
 * Each table first finds the timestamp of its own `limit`-th item, reading only the columns of the filter, and
 * then reads whole rows up to there: a table of 10 million events is asked for 8 bytes a row, not for its
 * dimensions. Without a customer that is still every row; with one it is the customer's granules.
 */
export function reportedSql(query: ReportedQuery, feature: FeatureFilter): SqlStatement {
  const params = new SqlParameters();
  const meter = feature !== null && 'meter' in feature ? feature.meter : null;
  const refId = feature !== null && 'refId' in feature ? feature.refId : null;
  const direction = directionOf(query);
  const sources = [
    ...(refId === null ? [sourceSql(counted, query, eventFilter(query, meter, params), params)] : []),
    ...(refId === null ? [sourceSql(conflicts, query, eventFilter(query, meter, params), params)] : []),
    ...(meter === null && query.eventName === null
      ? [sourceSql(measured, query, refId === null ? [] : [`feature_id = ${params.text(refId)}`], params)]
      : []),
  ];
  if (sources.length === 0) return params.statement('SELECT 1 WHERE 0');
  return params.statement(
    `SELECT * FROM (${sources.join(' UNION ALL ')}) ` +
      `ORDER BY toInt64(happenedAt) ${direction}, itemId ${direction} LIMIT ${params.count(query.limit)}`,
  );
}

export function rowToReportedItem(row: ReportedRow): ReportedItem {
  return {
    id: row.itemId,
    kind: row.kind,
    state: row.state,
    customerId: row.customerId,
    resourceId: row.resourceId,
    eventName: row.kind === 'EVENT' ? row.eventName : null,
    featureId: row.kind === 'MEASUREMENT' ? row.featureId : null,
    idempotencyKey: row.idempotencyKey,
    value: row.kind === 'MEASUREMENT' ? quantityFromClickhouse(row.amount) : null,
    updateBehavior: row.updateBehavior === '' ? null : row.updateBehavior,
    timestamp: Number(row.happenedAt),
    receivedAt: Number(row.receivedAt),
    dimensions: row.dimensions,
  };
}

interface Source {
  readonly table: string;
  readonly kind: ReportedItem['kind'];
  readonly state: ReportedState;
  /** A text that is the same whenever the item is read, and no other item's. */
  readonly id: string;
  readonly own: string;
}

const millisecondsSql = (column: string) => `toString(toUnixTimestamp64Milli(${column}))`;
/** Each text as `<bytes>:<text>`, so that no two different lists give the same bytes. */
const identityParts = ["'event'", 'customer_id', 'resource_id', 'event_name', 'idempotency_key', 'source'];
const netstringsSql = identityParts.map((part) => `toString(length(${part})), ':', ${part}`).join(', ');
const eventIdentitySql = `substring(SHA256(concat(${netstringsSql})), 1, 16)`;
/** An identity counts once for a timestamp, so the two together name an event. */
export const eventIdSql = `concat(lower(hex(${eventIdentitySql})), '-', ${millisecondsSql('timestamp')})`;
const eventColumns = `toString(event_name) AS eventName, '' AS featureId, '' AS amount, '' AS updateBehavior`;

const counted: Source = {
  table: 'events',
  kind: 'EVENT',
  state: 'COUNTED',
  id: eventIdSql,
  own: eventColumns,
};

/** The same identity may come into conflict again and again; each time it was received is an item. */
const conflicts: Source = {
  table: 'event_conflicts',
  kind: 'EVENT',
  state: 'CONFLICT',
  id: `concat(${eventIdSql}, '-', ${millisecondsSql('received_at')}, '-', lower(hex(content_digest)))`,
  own: eventColumns,
};

const measured: Source = {
  table: 'measurements',
  kind: 'MEASUREMENT',
  state: 'COUNTED',
  id: 'toString(id)',
  own:
    `'' AS eventName, toString(feature_id) AS featureId, toString(value) AS amount, ` +
    `toString(update_behavior) AS updateBehavior`,
};

function eventFilter(query: ReportedQuery, meter: Meter | null, params: SqlParameters): string[] {
  return [
    ...(query.eventName === null ? [] : [`event_name = ${params.text(query.eventName)}`]),
    ...(meter === null ? [] : [meterSql(meter, params).where]),
  ];
}

function sourceSql(
  source: Source,
  query: ReportedQuery,
  filter: readonly string[],
  params: SqlParameters,
): string {
  const where = allOf([...commonFilter(source, query, params), ...filter]);
  // Whole milliseconds, since ClickHouse 26.7 may answer a wrong min(DateTime64) before 1970 once it is compiled.
  const nearest =
    `SELECT toUnixTimestamp64Milli(timestamp) AS instant FROM ${source.table} WHERE ${where} ` +
    `ORDER BY timestamp ${directionOf(query)} LIMIT ${params.count(query.limit)}`;
  const [farthest, within] = query.end === 'first' ? ['min', '>='] : ['max', '<='];
  const bound = `fromUnixTimestamp64Milli((SELECT ${farthest}(instant) FROM (${nearest})), 'UTC')`;
  return (
    `SELECT ${source.id} AS itemId, '${source.kind}' AS kind, '${source.state}' AS state, ` +
    `customer_id AS customerId, toString(resource_id) AS resourceId, ${source.own}, ` +
    `idempotency_key AS idempotencyKey, ${millisecondsSql('timestamp')} AS happenedAt, ` +
    `${millisecondsSql('received_at')} AS receivedAt, dimensions ` +
    `FROM ${source.table} WHERE ${allOf([where, `timestamp ${within} ${bound}`])}`
  );
}

function directionOf({ end }: ReportedQuery): 'DESC' | 'ASC' {
  return end === 'first' ? 'DESC' : 'ASC';
}

function commonFilter(source: Source, query: ReportedQuery, params: SqlParameters): string[] {
  const { customerId, from, to, after, before } = query;
  return [
    ...(customerId === null ? [] : [`customer_id = ${params.text(customerId)}`]),
    ...(from === null ? [] : [`timestamp >= ${params.instant(from)}`]),
    ...(to === null ? [] : [`timestamp < ${params.instant(to)}`]),
    ...(after === null ? [] : besideSql(source, '<', after, params)),
    ...(before === null ? [] : besideSql(source, '>', before, params)),
  ];
}

/** The id, which takes a hash, is only computed where the timestamps are equal: OR stops at what decides it. */
function besideSql(source: Source, side: '<' | '>', place: ReportedPlace, params: SqlParameters): string[] {
  const instant = params.instant(place.timestamp);
  return [
    `timestamp ${side}= ${instant}`,
    `(timestamp ${side} ${instant} OR ${source.id} ${side} ${params.text(place.id)})`,
  ];
}
