/** What metered usage has cost in a billing period, against the budget that a subscription has for it. Pure. */
import { amountFor } from '../catalog/price-calculation.ts';
import type { Price } from '../catalog/price.ts';
import { addQuantities, compareQuantities, type Quantity, zeroQuantity } from '../quantity.ts';
import type { SpendLimit } from './entitlement.ts';

/**
 * Whether everything that grants a feature is paid from a budget that is used up. `usageOf` is what a budget's
 * subscription has used in its period of the feature that a price is for, in the units that are charged.
 */
export function areBudgetsSpent(
  budgets: readonly SpendLimit[],
  usageOf: (budget: SpendLimit, price: Price) => Quantity,
): boolean {
  if (budgets.length === 0) return false;
  return budgets.every((budget) => {
    const spent = budget.prices
      .map((price) => amountFor(price, atLeastZero(usageOf(budget, price))))
      .reduce(addQuantities, zeroQuantity);
    return compareQuantities(spent, budget.limit) >= 0;
  });
}

function atLeastZero(usage: Quantity): Quantity {
  return compareQuantities(usage, zeroQuantity) < 0 ? zeroQuantity : usage;
}
