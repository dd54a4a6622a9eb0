/** The part of a price that falls to a part of its period: by the second, on the exact price (contract, 5.9). */
import { type Money, roundMoney } from '../money.ts';
import {
  divideQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../quantity.ts';
import type { PeriodSpan } from './billing-period.ts';

/**
 * What the price of a whole period comes to from an instant on, rounded once to the currency's minor unit. A second
 * that has begun belongs to the rest; before the period it is the whole price, after it nothing.
 */
export function priceOfRest({ amount, currency }: Money, period: PeriodSpan, from: number): Money {
  return roundMoney({ amount: shareOfRest(amount, period, from), currency });
}

/** The same, not rounded: for what is added up before it is rounded. */
export function shareOfRest(amount: Quantity, period: PeriodSpan, from: number): Quantity {
  const rest = secondsBetween(Math.min(Math.max(from, period.start), period.end), period.end);
  const whole = secondsBetween(period.start, period.end);
  return divideQuantity(multiplyQuantities(amount, quantityOf(rest)), quantityOf(whole));
}

/** Periods are whole seconds long, because anchors keep their fraction of a second. */
function secondsBetween(start: number, end: number): number {
  return Math.ceil((end - start) / 1_000);
}

function quantityOf(count: number): Quantity {
  return parseQuantity(String(count)) ?? zeroQuantity;
}
