/**
 * What a price charges for a quantity, exactly: nothing is rounded here (facts, section 1.9).
 * A quantity of zero costs nothing, whatever tiers say; fees are charged once, whatever the quantity.
 */
import {
  addQuantities,
  compareQuantities,
  divideQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  roundQuantityUp,
  subtractQuantities,
  zeroQuantity,
} from '../quantity.ts';
import type { BillingPeriod, Price, PriceTier } from './price.ts';

/** `quantity` is not negative; FLAT_FEE and MINIMUM_SPEND do not depend on it. */
export function amountFor(price: Price, quantity: Quantity): Quantity {
  if (price.billingModel === 'FLAT_FEE' || price.billingModel === 'MINIMUM_SPEND') {
    return quantityOf(price.amount);
  }
  if (price.tiers !== null) {
    return price.tiersMode === 'VOLUME'
      ? volumeAmount(price.tiers, quantity)
      : graduatedAmount(price.tiers, quantity);
  }
  const units = price.blockSize === null ? quantity : blocksFor(quantity, quantityOf(price.blockSize));
  return multiplyQuantities(units, quantityOf(price.amount));
}

/**
 * The prices that hold in a country: of each charge the country's own row, else the one for all countries.
 * They are all in one currency, because a price list whose rows are not is refused.
 */
export function pricesFor(
  prices: readonly Price[],
  billingPeriod: BillingPeriod,
  billingCountryCode: string | null,
): readonly Price[] {
  const offered = prices.filter((price) => price.billingPeriod === billingPeriod);
  const local = offered.filter((price) => price.billingCountryCode === billingCountryCode);
  const general = offered.filter((price) => price.billingCountryCode === null);
  return billingCountryCode === null
    ? general
    : [...local, ...general.filter((price) => !local.some((other) => isSameCharge(price, other)))];
}

/** What is charged before anything is used: fees, the minimum spend, and the least units that can be had. */
export function startingAmount(prices: readonly Price[]): Quantity {
  return prices
    .filter(({ billingModel }) => billingModel !== 'USAGE_BASED')
    .map((price) => amountFor(price, quantityOf(String(price.minUnitQuantity ?? 1))))
    .reduce(addQuantities, zeroQuantity);
}

function isSameCharge(a: Price, b: Price): boolean {
  return a.billingModel === b.billingModel && a.featureId === b.featureId;
}

/** The one tier that the quantity lies in sets the price of all its units. */
function volumeAmount(tiers: readonly PriceTier[], quantity: Quantity): Quantity {
  const tier = tiers.find(({ upTo }) => upTo === null || compareQuantities(quantity, quantityOf(upTo)) <= 0);
  return tier === undefined ? zeroQuantity : tierAmount(tier, quantity);
}

/** Each tier sets the price of the units that lie in it. */
function graduatedAmount(tiers: readonly PriceTier[], quantity: Quantity): Quantity {
  let sum = zeroQuantity;
  let below = zeroQuantity;
  for (const tier of tiers) {
    const end = tier.upTo === null ? quantity : lesserOf(quantity, quantityOf(tier.upTo));
    sum = addQuantities(sum, tierAmount(tier, subtractQuantities(end, below)));
    if (compareQuantities(end, quantity) >= 0) break;
    below = end;
  }
  return sum;
}

function tierAmount(tier: PriceTier, units: Quantity): Quantity {
  if (compareQuantities(units, zeroQuantity) <= 0) return zeroQuantity;
  return addQuantities(quantityOf(tier.flatAmount), multiplyQuantities(units, quantityOf(tier.unitAmount)));
}

/** The quotient is rounded to 30 digits, so a remainder below that is looked for by multiplying back. */
function blocksFor(quantity: Quantity, blockSize: Quantity): Quantity {
  const blocks = roundQuantityUp(divideQuantity(quantity, blockSize));
  const isEnough = compareQuantities(multiplyQuantities(blocks, blockSize), quantity) >= 0;
  return isEnough ? blocks : addQuantities(blocks, quantityOf('1'));
}

function lesserOf(a: Quantity, b: Quantity): Quantity {
  return compareQuantities(a, b) <= 0 ? a : b;
}

/** Of a stored amount, which was checked when it came in; absent ones are zero. */
function quantityOf(text: string | null): Quantity {
  const quantity = parseQuantity(text ?? '0');
  if (quantity === undefined) throw new Error('a stored price holds an amount that is no number');
  return quantity;
}
