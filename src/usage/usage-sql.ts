/**
 * The queries that compute usage. Pure: a scope or a history in, SQL with parameters out.
 *
 * Of a feature with a meter, usage is the aggregation over the events that count. Of a feature whose usage is
 * reported, it is the fold over its measurements in the order (timestamp, flush, position), each resource for
 * itself: a SET replaces what was before it, a DELTA adds. Each figure comes from one read of its table, and so
 * from one state of it; a grouped history reads it once more, only to choose the series.
 */
import type { AggregationFunction } from '../catalog/meter.ts';
import { countedRowsSql } from '../store/corrected-rows-sql.ts';
import { SqlParameters, type SqlStatement } from '../store/sql-statement.ts';
import { meterSql, tagSql } from './meter-sql.ts';
import type { UsageBounds, UsageHistoryQuery, UsageScope } from './usage.ts';

/**
 * Series of a history that is grouped; the rest is in the series `other`, and with it a dimension's value that
 * happens to be `other`. What lacks the dimension is in the series of the empty text.
 */
export const seriesMax = 50;
export const restOfSeries = 'other';

/** One figure: what `usageOf` in `usage-rows.ts` reads. */
export interface UsageRow {
  /** The aggregate: a sum for AVG. */
  readonly amount: string;
  /** How many events or measurements it is of. */
  readonly counted: string;
}

/** A figure for one interval, one series, both, or neither. */
export interface HistoryRow extends UsageRow {
  /** Start of the interval in seconds after the history's base; '0' where `allIntervals`. */
  readonly seconds: string;
  readonly label: string;
  readonly allIntervals: 0 | 1;
  readonly allLabels: 0 | 1;
  /** 1 when the figure includes values beyond the `seriesMax` largest. */
  readonly beyond: 0 | 1;
}

/** Answers one `UsageRow`. */
export function currentUsageSql(scope: UsageScope, bounds: UsageBounds = {}): SqlStatement {
  const params = new SqlParameters();
  const part = partOf(bounds, params);
  const rows =
    scope.feature.meter === null ? lastingSql(scope, part, params) : countedSql(scope, [], part, params);
  return params.statement(`SELECT ${figureSql(aggregationOf(scope))} FROM (${rows})`);
}

/**
 * Answers `HistoryRow`s: of each interval in which anything was counted, of the whole span, and with `groupBy`
 * the same of each series. `starts` are the intervals' starts, the first one being `query.start`.
 */
export function usageHistorySql(query: UsageHistoryQuery, starts: readonly number[]): SqlStatement {
  const params = new SqlParameters();
  const figure = figureSql(aggregationOf(query));
  const rows = spanSql(query, params);
  const start = `${secondsSql(starts, params)} AS start`;
  const place = 'toString(start) AS seconds, toUInt8(grouping(start)) AS allIntervals';
  if (query.groupBy === null) {
    return params.statement(
      `SELECT ${place}, '' AS label, toUInt8(1) AS allLabels, toUInt8(0) AS beyond, ${figure} ` +
        `FROM (SELECT ${start}, value FROM (${rows})) GROUP BY GROUPING SETS ((start), ())`,
    );
  }
  const tops =
    `SELECT tag FROM (${rows}) GROUP BY tag ` +
    `ORDER BY ${rankSql(aggregationOf(query))} DESC, tag LIMIT ${params.count(seriesMax)}`;
  return params.statement(
    `SELECT ${place}, label, toUInt8(grouping(label)) AS allLabels, max(rest) AS beyond, ${figure} ` +
      `FROM (SELECT ${start}, value, tag NOT IN (${tops}) AS rest, ` +
      `if(rest, ${params.text(restOfSeries)}, tag) AS label FROM (${rows})) ` +
      'GROUP BY GROUPING SETS ((label, start), (label), (start), ())',
  );
}

/** What seconds are counted from in `HistoryRow.seconds`, epoch ms. */
export function historyBase(start: number): number {
  return Math.floor(start / 1000) * 1000;
}

/** Reported usage changes by amounts, which add up whatever they are grouped by. */
export function aggregationOf(scope: UsageScope): AggregationFunction {
  return scope.feature.meter?.aggregation.function ?? 'SUM';
}

function figureSql(name: AggregationFunction): string {
  return `toString(${aggregates[name]}) AS amount, toString(count()) AS counted`;
}

function rankSql(name: AggregationFunction): string {
  return name === 'AVG' ? 'sum(value) / count()' : aggregates[name];
}

/** AVG is divided afterwards, where rounding is in our hands: ClickHouse would cut off. */
const aggregates: Readonly<Record<AggregationFunction, string>> = {
  COUNT: 'count()',
  SUM: 'sum(value)',
  MAX: 'max(value)',
  MIN: 'min(value)',
  AVG: 'sum(value)',
  UNIQUE: 'uniqExact(value)',
};

/**
 * The interval's start in whole seconds after the base, which every calendar bound is; the first interval's is
 * 0. `roundDown` finds it in the sorted list by binary search.
 */
function secondsSql(starts: readonly number[], params: SqlParameters): string {
  const [first = 0, ...later] = starts;
  const base = historyBase(first);
  const bounds = params.counts([0, ...later.map((start) => (start - base) / 1000)]);
  const passed = `toUnixTimestamp64Milli(timestamp) - toUnixTimestamp64Milli(${params.instant(base)})`;
  return `roundDown(toUInt64(intDiv(${passed}, 1000)), ${bounds})`;
}

/** Which rows of a scope are asked for, as SQL. */
interface Part {
  readonly conditions: readonly string[];
  readonly asOf: string | null;
}

function partOf({ period, throughFlush, asOf }: UsageBounds, params: SqlParameters): Part {
  const known = asOf === undefined ? null : params.instant(asOf);
  return {
    conditions: [
      ...(period === undefined || period === null
        ? []
        : [`timestamp >= ${params.instant(period.start)}`, `timestamp < ${params.instant(period.end)}`]),
      ...(throughFlush === undefined ? [] : [`flush <= ${params.count(throughFlush)}`]),
      ...(known === null ? [] : [`received_at <= ${known}`]),
    ],
    asOf: known,
  };
}

/** Columns timestamp, value and, with `groupBy`, tag: one row an event or measurement of the span. */
function spanSql(query: UsageHistoryQuery, params: SqlParameters): string {
  const { start, end, asOf, groupBy } = query;
  const part = partOf({ period: { start, end }, ...(asOf === undefined ? {} : { asOf }) }, params);
  if (query.feature.meter === null) return changesSql(query, part, params);
  const tag = groupBy === null ? [] : [`${tagSql(groupBy, params)} AS tag`];
  return countedSql(query, ['timestamp', ...tag], part, params);
}

/** The events that the feature's meter counts. */
function countedSql(
  scope: UsageScope,
  columns: readonly string[],
  part: Part,
  params: SqlParameters,
): string {
  const { meter } = scope.feature;
  if (meter === null) throw new Error('a feature without a meter has no events');
  const { where, value } = meterSql(meter, params);
  return countedRowsSql({
    table: 'events',
    columns: [...columns, `${value} AS value`],
    customers: customerSql(scope, params),
    conditions: [...resourceSql(scope, params), ...part.conditions, where],
    asOf: part.asOf,
  });
}

/**
 * The measurements that still have effect: from each resource's last SET on, or all where there is none. Their
 * sum is the fold. One window without an order: 0.15 µs a measurement, a third of what `changesSql` takes.
 */
function lastingSql(scope: UsageScope, part: Part, params: SqlParameters): string {
  const columns = ['resource_id', '(timestamp, flush, position) AS place', 'update_behavior', 'value'];
  return (
    'SELECT value FROM (SELECT value, place, ' +
    "maxIf(place, update_behavior = 'SET') OVER (PARTITION BY resource_id) AS set_place, " +
    "countIf(update_behavior = 'SET') OVER (PARTITION BY resource_id) AS sets " +
    `FROM (${measuredSql(scope, columns, part, params)})) ` +
    'WHERE sets = 0 OR place >= set_place'
  );
}

/**
 * Each measurement of the span as the change it made to the fold that starts from zero with the span: a DELTA's
 * own value, or what a SET made of the fold before it. So changes add up to the fold over any interval and tag.
 * Every SET starts an epoch; the sum since its start is the fold. 0.6 µs a measurement.
 */
function changesSql(query: UsageHistoryQuery, part: Part, params: SqlParameters): string {
  const order = 'ORDER BY timestamp, flush, position ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW';
  const tag = query.groupBy === null ? [] : ['tag'];
  const tagged = query.groupBy === null ? [] : [`dimensions[${params.text(query.groupBy)}] AS tag`];
  const kept = ['resource_id', 'timestamp', 'flush', 'position'];
  const columns = [...kept, ...tagged, 'update_behavior', 'value'];
  const epochs =
    `SELECT ${[...kept, ...tag, 'value AS reported'].join(', ')}, ` +
    `countIf(update_behavior = 'SET') OVER (PARTITION BY resource_id ${order}) AS epoch ` +
    `FROM (${measuredSql(query, columns, part, params)})`;
  const folds =
    `SELECT ${[...kept, ...tag].join(', ')}, ` +
    `sum(reported) OVER (PARTITION BY resource_id, epoch ${order}) AS fold FROM (${epochs})`;
  const before = `lagInFrame(fold, 1, toDecimal256(0, 30)) OVER (PARTITION BY resource_id ${order})`;
  return `SELECT ${['timestamp', ...tag].join(', ')}, fold - ${before} AS value FROM (${folds})`;
}

/** The feature's measurements that count. */
function measuredSql(
  scope: UsageScope,
  columns: readonly string[],
  part: Part,
  params: SqlParameters,
): string {
  const customers = customerSql(scope, params);
  const feature = `feature_id = ${params.text(scope.feature.refId)}`;
  return countedRowsSql({
    table: 'measurements',
    columns,
    customers,
    conditions: [feature, ...resourceSql(scope, params), ...part.conditions],
    asOf: part.asOf,
  });
}

function customerSql({ customerId }: UsageScope, params: SqlParameters): string {
  return `customer_id = ${params.text(customerId)}`;
}

/** No resource named: all of the customer's, and usage that names none. */
function resourceSql({ resourceId }: UsageScope, params: SqlParameters): string[] {
  return resourceId === '' ? [] : [`resource_id = ${params.text(resourceId)}`];
}
