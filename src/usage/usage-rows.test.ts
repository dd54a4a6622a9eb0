import { describe, expect, it } from 'vitest';
import { quantityToText } from '../quantity.ts';
import { featureOf } from './usage-oracle.fixture.ts';
import type { HistoryRow } from './usage-sql.ts';
import { rowsToHistory } from './usage-rows.ts';

const dayMs = 86_400_000;
const starts = [0, dayMs];

function row(more: Partial<HistoryRow>): HistoryRow {
  return {
    seconds: '0',
    label: '',
    allIntervals: 0,
    allLabels: 0,
    beyond: 0,
    amount: '0',
    counted: '1',
    ...more,
  };
}

describe('a history in coarse units', () => {
  const feature = {
    ...featureOf('bytes', null),
    unitTransformation: { divide: '1000', round: 'UP', featureUnits: null, featureUnitsPlural: null },
  } as const;
  const scope = { customerId: 'anna', feature, resourceId: '' };
  const query = { ...scope, start: 0, end: 2 * dayMs, interval: 'DAY', timezone: 'UTC' } as const;

  it('rounds each figure for itself, after it is aggregated', () => {
    const rows = [
      row({ allIntervals: 1, allLabels: 1, amount: '1200' }),
      row({ allLabels: 1, amount: '600' }),
      row({ allLabels: 1, seconds: String(dayMs / 1000), amount: '600' }),
    ];
    const { totalUsage, periods, series } = rowsToHistory({ ...query, groupBy: null }, starts, rows);
    expect(quantityToText(totalUsage)).toBe('2');
    expect(periods.map(({ usage }) => quantityToText(usage))).toEqual(['1', '1']);
    expect(series[0]?.points.map(({ value }) => quantityToText(value))).toEqual(['1', '1']);
  });

  it('keeps the order that series have by their fine figures', () => {
    const rows = [
      row({ allIntervals: 1, allLabels: 1, amount: '5' }),
      row({ allIntervals: 1, label: 'small', amount: '2' }),
      row({ allIntervals: 1, label: 'large', amount: '3' }),
      row({ label: 'small', amount: '2' }),
    ];
    const { series } = rowsToHistory({ ...query, groupBy: 'size' }, starts, rows);
    const shown = series.map(({ tags, points }) => [
      tags[0]?.value,
      ...points.map(({ value }) => quantityToText(value)),
    ]);
    expect(shown).toEqual([
      ['large', '0', '0'],
      ['small', '1', '0'],
    ]);
  });
});
