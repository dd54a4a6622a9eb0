/** What a subscription costs each billing period before anything is used. */
import { amountFor, pricesFor } from '../catalog/price-calculation.ts';
import type { Price } from '../catalog/price.ts';
import { multiplyQuantities, parseQuantity, type Quantity, zeroQuantity } from '../quantity.ts';
import { contentOf } from './package-version.ts';
import type { Offers, Subscription } from './subscription.ts';

/** What is charged at the start of a period: one line of an invoice. */
export interface Charge {
  readonly description: string;
  readonly quantity: number;
  /** Null where tiers or blocks set it. */
  readonly unitAmount: Quantity | null;
  /** For a whole period, exactly: nothing is rounded here. */
  readonly amount: Quantity;
  readonly currency: string;
}

/** The prices of the versions that it is on, for its billing period and country: the plan's, then the add-ons'. */
export function pricesOf(subscription: Subscription, offers: Offers): readonly Price[] {
  return rowsOf(subscription, offers).map(({ price }) => price);
}

/**
 * Fees, units that are committed to, and the minimum spend, which usage is then taken from; usage itself is charged
 * in arrears and is not among them. Empty where nothing is charged in advance: FREE and CUSTOM plans have no prices,
 * so only their add-ons can cost something.
 */
export function chargesInAdvance(subscription: Subscription, offers: Offers): readonly Charge[] {
  const rows = rowsOf(subscription, offers);
  const advance = rows.filter(({ price }) => price.billingModel !== 'USAGE_BASED');
  const agreed = agreedMinimum(subscription, offers, rows[0]?.price.currency);
  const charged =
    agreed === undefined ? advance : advance.filter((row) => row.isAddon || !isMinimumSpend(row.price));
  const charges = charged.filter(({ quantity }) => quantity > 0).map(chargeOf);
  return agreed === undefined ? charges : [...charges, agreed];
}

interface Row {
  readonly price: Price;
  readonly isAddon: boolean;
  /** The name of the plan or add-on. */
  readonly name: string;
  /** Units that are charged for, or how many times a fee is charged. */
  readonly quantity: number;
}

function rowsOf(subscription: Subscription, offers: Offers): readonly Row[] {
  const { planId, planVersion, addons, units, billingPeriod, billingCountryCode } = subscription;
  if (billingPeriod === null) return [];
  const pricesIn = (refId: string, version: number): readonly Pick<Row, 'price' | 'name'>[] => {
    const content = contentOf(offers.package(refId), version);
    if (content === undefined) return [];
    const { displayName: name, prices } = content;
    return pricesFor(prices, billingPeriod, billingCountryCode).map((price) => ({ price, name }));
  };
  const ofPlan = pricesIn(planId, planVersion).map((row): Row => {
    const committed = units.find(({ featureId }) => featureId === row.price.featureId)?.quantity ?? 0;
    return { ...row, isAddon: false, quantity: row.price.billingModel === 'PER_UNIT' ? committed : 1 };
  });
  const ofAddons = addons.flatMap(({ addonId, version, quantity }) =>
    pricesIn(addonId, version).map(
      (row): Row => ({ ...row, isAddon: true, quantity: isMinimumSpend(row.price) ? 1 : quantity }),
    ),
  );
  return [...ofPlan, ...ofAddons];
}

/**
 * The subscription's own minimum spend, which takes the place of the plan's. It is an amount in one currency: where
 * the prices are in another, as they may be after a move to a new version, the plan's own holds.
 */
function agreedMinimum(
  { minimumSpend, pricingType, planId, planVersion }: Subscription,
  offers: Offers,
  currency: string | undefined,
): Charge | undefined {
  if (minimumSpend === null || pricingType !== 'PAID' || minimumSpend.currency !== currency) return undefined;
  const amount = amountOf(minimumSpend.amount);
  const name = contentOf(offers.package(planId), planVersion)?.displayName ?? planId;
  return { description: `${name}: minimum spend`, quantity: 1, unitAmount: amount, amount, currency };
}

function chargeOf({ price, name, quantity }: Row): Charge {
  const { billingModel, featureId, amount, blockSize, currency } = price;
  const whole = amountFor(price, countOf(quantity));
  const part = isMinimumSpend(price) ? 'minimum spend' : featureId;
  return {
    description: part === null ? name : `${name}: ${part}`,
    quantity,
    unitAmount: amount === null || blockSize !== null ? null : amountOf(amount),
    amount: billingModel === 'FLAT_FEE' ? multiplyQuantities(whole, countOf(quantity)) : whole,
    currency,
  };
}

function isMinimumSpend({ billingModel }: Price): boolean {
  return billingModel === 'MINIMUM_SPEND';
}

function countOf(count: number): Quantity {
  return amountOf(String(count));
}

/** Of a stored amount, which was checked when it came in. */
function amountOf(text: string): Quantity {
  return parseQuantity(text) ?? zeroQuantity;
}
