/** The query behind the log of what was reported. Pure. */
import type { Meter } from '../catalog/meter.ts';
import { eventIdentitySql } from '../metering/identity.ts';
import { quantityFromClickhouse } from '../quantity.ts';
import { SqlParameters, type SqlStatement } from '../store/sql-statement.ts';
import { allOf, meterSql } from './meter-sql.ts';
import type { ReportedItem, ReportedQuery, ReportedState } from './usage.ts';

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
 * Items in the order (timestamp, id), newest first, strictly after `query.after`.
 *
 * Each table first finds the timestamp of its own `limit`-th item, reading only the columns of the filter, and
 * then reads whole rows from there on: a table of 10 million events is asked for 8 bytes a row, not for its
 * dimensions. Without a customer that is still every row; with one it is the customer's granules.
 */
export function reportedSql(query: ReportedQuery, feature: FeatureFilter): SqlStatement {
  const params = new SqlParameters();
  const meter = feature !== null && 'meter' in feature ? feature.meter : null;
  const refId = feature !== null && 'refId' in feature ? feature.refId : null;
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
      `ORDER BY toInt64(happenedAt) DESC, itemId DESC LIMIT ${params.count(query.limit)}`,
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
const eventIdSql = `concat(lower(hex(${eventIdentitySql})), '-', ${millisecondsSql('timestamp')})`;
const eventColumns = `toString(event_name) AS eventName, '' AS featureId, '' AS amount, '' AS updateBehavior`;

/** An identity counts once for a timestamp, so the two together name an event. */
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
  const newest =
    `SELECT min(timestamp) FROM (SELECT timestamp FROM ${source.table} WHERE ${where} ` +
    `ORDER BY timestamp DESC LIMIT ${params.count(query.limit)})`;
  return (
    `SELECT ${source.id} AS itemId, '${source.kind}' AS kind, '${source.state}' AS state, ` +
    `customer_id AS customerId, toString(resource_id) AS resourceId, ${source.own}, ` +
    `idempotency_key AS idempotencyKey, ${millisecondsSql('timestamp')} AS happenedAt, ` +
    `${millisecondsSql('received_at')} AS receivedAt, dimensions ` +
    `FROM ${source.table} WHERE ${allOf([where, `timestamp >= (${newest})`])}`
  );
}

function commonFilter(source: Source, query: ReportedQuery, params: SqlParameters): string[] {
  const { customerId, from, to, after } = query;
  return [
    ...(customerId === null ? [] : [`customer_id = ${params.text(customerId)}`]),
    ...(from === null ? [] : [`timestamp >= ${params.instant(from)}`]),
    ...(to === null ? [] : [`timestamp < ${params.instant(to)}`]),
    ...(after === null ? [] : afterSql(source, after, params)),
  ];
}

/** The id, which takes a hash, is only computed where the timestamps are equal: OR stops at what decides it. */
function afterSql(
  source: Source,
  after: NonNullable<ReportedQuery['after']>,
  params: SqlParameters,
): string[] {
  const instant = params.instant(after.timestamp);
  return [`timestamp <= ${instant}`, `(timestamp < ${instant} OR ${source.id} < ${params.text(after.id)})`];
}
