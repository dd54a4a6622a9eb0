/**
 * Exact amounts (I9). A quantity is a decimal with at most 46 digits before the point and 30 after, which is
 * what ClickHouse's Decimal(76, 30) holds; every sum is exact.
 * One number that a caller sends may have 30 digits before the point and 30 after (contract, 5.7, asks for at
 * least 20 and 9), so that 10^16 of the largest still add up without overflow.
 */
import { Decimal } from 'decimal.js';

const Exact = Decimal.clone({
  precision: 160,
  rounding: Decimal.ROUND_HALF_UP,
  toExpNeg: -200,
  toExpPos: 200,
});

/** An exact amount. Made by `parseQuantity` and the functions here only; never a JavaScript number. */
export type Quantity = Decimal & { readonly __quantity: unique symbol };

export const quantityFractionDigits = 30;

/**
 * The texts that are numbers, everywhere in Tollgate: JSON's grammar, within bounds that keep every reading
 * exact. The ClickHouse queries use these very patterns, so both sides agree on what a number is.
 * Texts such as `007`, `+1`, `.5`, ` 1` or `1e99` are texts, not numbers.
 */
export const plainNumberPattern = '^-?(0|[1-9][0-9]{0,29})(\\.[0-9]{1,30})?$';
export const exponentNumberPattern = '^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,15})?[eE][+-]?(0?[0-9]|1[0-5])$';

const plainNumber = new RegExp(plainNumberPattern);
const exponentNumber = new RegExp(exponentNumberPattern);

/** Whether the text is an amount, without working it out. */
export function isQuantityText(text: string): boolean {
  return plainNumber.test(text) || exponentNumber.test(text);
}

/** The text's exact amount, or undefined when the text is no number that Tollgate holds exactly. */
export function parseQuantity(text: string): Quantity | undefined {
  if (!isQuantityText(text)) return undefined;
  return new Exact(text) as Quantity;
}

export const zeroQuantity = new Exact(0) as Quantity;

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return Exact.add(a, b) as Quantity;
}

export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return Exact.sub(a, b) as Quantity;
}

export function multiplyQuantities(a: Quantity, b: Quantity): Quantity {
  return Exact.mul(a, b) as Quantity;
}

/** The least whole number that is not below it. */
export function roundQuantityUp(quantity: Quantity): Quantity {
  return quantity.ceil() as Quantity;
}

/** Half-up, which for negative ones means away from zero. */
export function roundQuantity(quantity: Quantity, fractionDigits: number): Quantity {
  return quantity.toDecimalPlaces(fractionDigits, Decimal.ROUND_HALF_UP) as Quantity;
}

/** The quotient, rounded half-up to 30 digits after the point: the one operation that is not exact. */
export function divideQuantity(a: Quantity, by: Quantity): Quantity {
  return Exact.div(a, by).toDecimalPlaces(quantityFractionDigits) as Quantity;
}

/** The exact quotient's next whole number: UP is the least one not below it, DOWN the greatest one not above it. */
export function wholeQuotient(a: Quantity, by: Quantity, round: 'UP' | 'DOWN'): Quantity {
  const quotient = a.divToInt(by);
  const rest = Exact.sub(a, Exact.mul(quotient, by));
  if (rest.isZero()) return quotient as Quantity;
  const isCutDown = rest.isNegative() === by.isNegative();
  if (round === 'UP') return (isCutDown ? Exact.add(quotient, 1) : quotient) as Quantity;
  return (isCutDown ? quotient : Exact.sub(quotient, 1)) as Quantity;
}

/** Negative, zero or positive, as a is less than, equal to or greater than b. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.comparedTo(b);
}

/** Plain decimal text: no exponent, no trailing zeros, `0` for zero. */
export function quantityToText(quantity: Quantity): string {
  const text = quantity.toFixed();
  return text === '-0' ? '0' : text;
}

/** What ClickHouse answers for a Decimal(76, 30) (any scale), read back exactly. */
export function quantityFromClickhouse(text: string): Quantity {
  return new Exact(text) as Quantity;
}
