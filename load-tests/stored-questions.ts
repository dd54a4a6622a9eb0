/** The questions about usage that stored histories are asked, and the features that they are about. */

export interface Question {
  readonly name: string;
  /** A `UsageHistoryV2Input` but for its customer. */
  readonly input: {
    readonly featureId: string;
    readonly startDate: string;
    readonly endDate: string;
    readonly interval: 'DAY' | 'MONTH';
    readonly groupBy?: string;
  };
  /** The answer is how many events of the span the customer has. */
  readonly counts: boolean;
  /** Who is asked for, by rank; undefined: customers of all sizes. */
  readonly ranks?: readonly number[];
}

const month = {
  startDate: '2026-04-01T00:00:00Z',
  endDate: '2026-05-01T00:00:00Z',
  interval: 'DAY',
} as const;
const year = {
  startDate: '2025-05-01T00:00:00Z',
  endDate: '2026-06-01T00:00:00Z',
  interval: 'MONTH',
} as const;

/** The question that growth is measured by. */
export const monthByDay = 'month by day';

export const questions: readonly Question[] = [
  { name: monthByDay, input: { featureId: 'every-event', ...month }, counts: true },
  { name: 'month by day, one event name', input: { featureId: 'calls', ...month }, counts: false },
  { name: 'month by day, SUM', input: { featureId: 'tokens', ...month }, counts: false },
  { name: 'month by day, UNIQUE', input: { featureId: 'users', ...month }, counts: false },
  {
    name: 'month by day, grouped',
    input: { featureId: 'every-event', ...month, groupBy: 'model' },
    counts: true,
  },
  { name: '13 months by month', input: { featureId: 'every-event', ...year }, counts: true },
  {
    name: 'month by day, the ten largest customers',
    input: { featureId: 'every-event', ...month },
    counts: true,
    ranks: Array.from({ length: 10 }, (_, rank) => rank),
  },
];

/** `CreateFeatureInput`s; all but `calls` are about every event, whatever its name. */
export const storedFeatures = [
  featureOf('every-event', { function: 'COUNT' }, { field: 'region', operation: 'IS_NOT_NULL' }),
  featureOf(
    'calls',
    { function: 'COUNT' },
    { field: 'eventName', operation: 'EQUALS', value: 'llm.completion' },
  ),
  featureOf(
    'tokens',
    { function: 'SUM', field: 'tokens' },
    { field: 'region', operation: 'EQUALS', value: 'eu-west-1' },
  ),
  featureOf('users', { function: 'UNIQUE', field: 'userId' }, { field: 'userId', operation: 'IS_NOT_NULL' }),
];

function featureOf(
  refId: string,
  aggregation: { readonly function: string; readonly field?: string },
  condition: { readonly field: string; readonly operation: string; readonly value?: string },
) {
  const meter = { aggregation, filters: [{ conditions: [condition] }] };
  return { refId, displayName: refId, featureType: 'NUMBER', meterType: 'INCREMENTAL', meter };
}
