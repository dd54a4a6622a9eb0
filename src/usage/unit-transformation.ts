import type { UnitTransformation } from '../catalog/feature.ts';
import { parseQuantity, type Quantity, wholeQuotient } from '../quantity.ts';

/** What a usage figure is answered by; how its units are called is the feature's own business. */
export type UnitRule = Pick<UnitTransformation, 'divide' | 'round'>;

/**
 * Usage as it is answered: counted in fine units such as bytes, shown in whole coarse ones such as gigabytes
 * (facts, section 1.7). For every figure that leaves Tollgate, once it is aggregated; what is stored and added up
 * stays fine. UP means towards the greater number, also for negative usage. Limits are in coarse units already.
 */
export function transformUnits(usage: Quantity, rule: UnitRule | null): Quantity {
  if (rule === null) return usage;
  const divide = parseQuantity(rule.divide);
  if (divide === undefined || divide.lte(0))
    throw new RangeError('a unit transformation divides by a number above 0');
  return wholeQuotient(usage, divide, rule.round);
}
