/** Rows of the queries in `usage-sql.ts`, read back as exact figures. Pure. */
import type { AggregationFunction } from '../catalog/meter.ts';
import {
  compareQuantities,
  divideQuantity,
  type Quantity,
  quantityFromClickhouse,
  zeroQuantity,
} from '../quantity.ts';
import type { UsageHistory, UsageHistoryQuery, UsagePoint } from './usage.ts';
import { transformUnits } from './unit-transformation.ts';
import { aggregationOf, type HistoryRow, historyBase, restOfSeries, type UsageRow } from './usage-sql.ts';

/** The figure of one row; zero where nothing was counted. */
export function usageOf(name: AggregationFunction, row: UsageRow | undefined): Quantity {
  if (row === undefined || row.counted === '0') return zeroQuantity;
  const amount = quantityFromClickhouse(row.amount);
  return name === 'AVG' ? divideQuantity(amount, quantityFromClickhouse(row.counted)) : amount;
}

/**
 * Every interval is present, in every series too, with zero where nothing was counted. All figures are in the
 * feature's coarse units, each rounded for itself, so that they add up to the total only where there are none.
 */
export function rowsToHistory(
  query: UsageHistoryQuery,
  starts: readonly number[],
  rows: readonly HistoryRow[],
): UsageHistory {
  const name = aggregationOf(query);
  const overall = rows.filter((row) => row.allLabels === 1);
  const shown: Shown = (row) => transformUnits(usageOf(name, row), query.feature.unitTransformation);
  const points = pointsOf(shown, starts, overall);
  return {
    totalUsage: shown(overall.find((row) => row.allIntervals === 1)),
    periods: points.map(({ timestamp, value }, index) => ({
      start: timestamp,
      end: starts[index + 1] ?? query.end,
      usage: value,
    })),
    series:
      query.groupBy === null
        ? [{ tags: [], points }]
        : seriesOf(query.groupBy, { name, shown }, starts, rows),
    truncated: rows.some((row) => row.beyond === 1),
  };
}

/** A row's figure as it is answered. */
type Shown = (row: UsageRow | undefined) => Quantity;

/** The series with most usage first, `other` last once it is the rest of a truncated list. */
function seriesOf(
  key: string,
  { name, shown }: { readonly name: AggregationFunction; readonly shown: Shown },
  starts: readonly number[],
  rows: readonly HistoryRow[],
): UsageHistory['series'] {
  const labelled = new Map<string, HistoryRow[]>();
  for (const row of rows) {
    if (row.allLabels === 1) continue;
    const figures = labelled.get(row.label);
    if (figures === undefined) labelled.set(row.label, [row]);
    else figures.push(row);
  }
  return [...labelled]
    .map(([label, figures]) => {
      const whole = figures.find((row) => row.allIntervals === 1);
      return {
        last: label === restOfSeries && whole?.beyond === 1,
        usage: usageOf(name, whole),
        tags: [{ key, value: label }],
        points: pointsOf(shown, starts, figures),
      };
    })
    .sort((a, b) => Number(a.last) - Number(b.last) || compareQuantities(b.usage, a.usage))
    .map(({ tags, points }) => ({ tags, points }));
}

function pointsOf(
  shown: Shown,
  starts: readonly number[],
  rows: readonly HistoryRow[],
): readonly UsagePoint[] {
  const base = historyBase(starts[0] ?? 0);
  const bySeconds = new Map(
    rows.filter((row) => row.allIntervals === 0).map((row) => [Number(row.seconds), row]),
  );
  return starts.map((timestamp, index) => ({
    timestamp,
    value: shown(bySeconds.get(index === 0 ? 0 : (timestamp - base) / 1000)),
  }));
}
