import { addQuantities, compareQuantities, type Quantity } from '../quantity.ts';
import type { AggregationFunction } from './meter.ts';

/**
 * How the amounts of two sets of events make the amount of both; AVG's amount is the sum. Undefined where that
 * cannot be known without the events: distinct values of two sets may be the same ones.
 */
export const aggregateJoins: Readonly<
  Record<AggregationFunction, ((a: Quantity, b: Quantity) => Quantity) | undefined>
> = {
  COUNT: addQuantities,
  SUM: addQuantities,
  AVG: addQuantities,
  MAX: (a, b) => (compareQuantities(a, b) >= 0 ? a : b),
  MIN: (a, b) => (compareQuantities(a, b) <= 0 ? a : b),
  UNIQUE: undefined,
};
