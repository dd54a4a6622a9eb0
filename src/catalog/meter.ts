/** How raw events become usage of a feature (contract, sections 4 and 5.6; facts, section 1.7). */

export const aggregationFunctions = ['COUNT', 'SUM', 'MAX', 'MIN', 'AVG', 'UNIQUE'] as const;
export type AggregationFunction = (typeof aggregationFunctions)[number];

export const filterOperations = [
  'EQUALS',
  'NOT_EQUALS',
  'GREATER_THAN',
  'GREATER_THAN_OR_EQUAL',
  'LESS_THAN',
  'LESS_THAN_OR_EQUAL',
  'IS_NULL',
  'IS_NOT_NULL',
  'CONTAINS',
  'STARTS_WITH',
  'ENDS_WITH',
  'IN',
] as const;
export type FilterOperation = (typeof filterOperations)[number];

export interface MeterCondition {
  /** A dimension's key, or `eventName` for the event's own name. */
  readonly field: string;
  readonly operation: FilterOperation;
  /** What all operations but IS_NULL, IS_NOT_NULL and IN compare with. */
  readonly value: string | null;
  /** What IN compares with. */
  readonly values: readonly string[] | null;
}

export interface MeterFilter {
  /** All must hold. */
  readonly conditions: readonly MeterCondition[];
}

export interface Meter {
  /** `field` is a dimension's key; null for COUNT only. */
  readonly aggregation: { readonly function: AggregationFunction; readonly field: string | null };
  /** One must hold; none means that every event counts. */
  readonly filters: readonly MeterFilter[];
}
