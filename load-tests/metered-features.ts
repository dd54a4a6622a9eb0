/**
 * The ten metered features that every load test has, and for each what the generator counts by itself: no code is
 * shared with the evaluation that is under test.
 */
import type { EventShape } from './event-shapes.ts';

export interface MeteredFeature {
  readonly refId: string;
  /** As `createFeature` takes it. */
  readonly meter: Readonly<Record<string, unknown>>;
  readonly combine: 'sum' | 'max' | 'distinct';
  /** What the event adds, in units of 1 / `scale`, so that sums of decimals are exact; undefined: nothing. */
  readonly valueOf: (event: EventShape) => number | string | undefined;
  readonly scale: number;
  /** The same once more for the whole database, over the table of events. */
  readonly sql: string;
}

const named = (value: string) => ({ field: 'eventName', operation: 'EQUALS', value });
const only = (value: string) => [{ conditions: [named(value)] }];

function numberOf(event: EventShape, field: string): number | undefined {
  const value = event.dimensions[field];
  return typeof value === 'number' ? value : undefined;
}

function whenNamed(event: EventShape, name: string, value: number | undefined): number | undefined {
  return event.name === name ? value : undefined;
}

const decimal = (field: string) => `toDecimal128OrZero(dimensions['${field}'], 5)`;

const count = { combine: 'sum', scale: 1 } as const;

export const meteredFeatures: readonly MeteredFeature[] = [
  {
    ...count,
    refId: 'all-events',
    meter: {
      aggregation: { function: 'COUNT' },
      filters: [{ conditions: [{ field: 'region', operation: 'IS_NOT_NULL' }] }],
    },
    valueOf: () => 1,
    sql: 'count()',
  },
  {
    ...count,
    refId: 'requests',
    meter: { aggregation: { function: 'COUNT' }, filters: only('api.request') },
    valueOf: (event) => whenNamed(event, 'api.request', 1),
    sql: `countIf(event_name = 'api.request')`,
  },
  {
    ...count,
    refId: 'tokens',
    meter: { aggregation: { function: 'SUM', field: 'tokens' }, filters: only('llm.completion') },
    valueOf: (event) => whenNamed(event, 'llm.completion', numberOf(event, 'tokens')),
    sql: `sumIf(${decimal('tokens')}, event_name = 'llm.completion')`,
  },
  {
    ...count,
    refId: 'stored-bytes',
    meter: { aggregation: { function: 'SUM', field: 'bytes' }, filters: only('storage.put') },
    valueOf: (event) => whenNamed(event, 'storage.put', numberOf(event, 'bytes')),
    sql: `sumIf(${decimal('bytes')}, event_name = 'storage.put')`,
  },
  {
    refId: 'longest',
    combine: 'max',
    scale: 1,
    meter: { aggregation: { function: 'MAX', field: 'durationMs' }, filters: only('storage.get') },
    valueOf: (event) => whenNamed(event, 'storage.get', numberOf(event, 'durationMs')),
    sql: `maxIf(${decimal('durationMs')}, event_name = 'storage.get')`,
  },
  {
    ...count,
    refId: 'european-views',
    meter: {
      aggregation: { function: 'COUNT' },
      filters: [
        {
          conditions: [
            named('page.view'),
            { field: 'region', operation: 'IN', values: ['eu-west-1', 'eu-north-1'] },
          ],
        },
      ],
    },
    valueOf: (event) =>
      whenNamed(event, 'page.view', String(event.dimensions['region']).startsWith('eu-') ? 1 : undefined),
    sql: `countIf(event_name = 'page.view' AND dimensions['region'] LIKE 'eu-%')`,
  },
  {
    combine: 'sum',
    scale: 100_000,
    refId: 'job-cost',
    meter: { aggregation: { function: 'SUM', field: 'cost' }, filters: only('job.finished') },
    valueOf: (event) => {
      const cost = whenNamed(event, 'job.finished', numberOf(event, 'cost'));
      return cost === undefined ? undefined : Math.round(cost * 100_000);
    },
    sql: `sumIf(${decimal('cost')}, event_name = 'job.finished')`,
  },
  {
    combine: 'distinct',
    scale: 1,
    refId: 'mail-users',
    meter: { aggregation: { function: 'UNIQUE', field: 'userId' }, filters: only('mail.sent') },
    valueOf: (event) => (event.name === 'mail.sent' ? (event.dimensions['userId'] as string) : undefined),
    sql: `uniqExactIf((customer_id, dimensions['userId']), event_name = 'mail.sent' AND dimensions['userId'] != '')`,
  },
  {
    ...count,
    refId: 'failures',
    meter: {
      aggregation: { function: 'COUNT' },
      filters: [{ conditions: [{ field: 'status', operation: 'GREATER_THAN_OR_EQUAL', value: '500' }] }],
    },
    valueOf: (event) => ((numberOf(event, 'status') ?? 0) >= 500 ? 1 : undefined),
    sql: `countIf(toUInt32OrZero(dimensions['status']) >= 500)`,
  },
  {
    ...count,
    refId: 'large-or-searched',
    meter: {
      aggregation: { function: 'COUNT' },
      filters: [
        { conditions: [{ field: 'model', operation: 'STARTS_WITH', value: 'large-' }] },
        { conditions: [named('search.query')] },
      ],
    },
    valueOf: (event) =>
      event.name === 'search.query' || String(event.dimensions['model']).startsWith('large-') ? 1 : undefined,
    sql: `countIf(event_name = 'search.query' OR startsWith(dimensions['model'], 'large-'))`,
  },
];
