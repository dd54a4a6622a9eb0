/** What a subscription costs each billing period before anything is used. */
import { amountFor, pricesFor } from '../catalog/price-calculation.ts';
import type { Price } from '../catalog/price.ts';
import { type Money, roundMoney } from '../money.ts';
import {
  addQuantities,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../quantity.ts';
import { contentOf } from './package-version.ts';
import type { Offers, Subscription } from './subscription.ts';

/** The prices of the versions that it is on, for its billing period and country: the plan's, then the add-ons'. */
export function pricesOf(subscription: Subscription, offers: Offers): readonly Price[] {
  return chargesOf(subscription, offers).map(({ price }) => price);
}

/** Null where nothing is charged in advance. Each line is rounded, once (contract, 5.9); usage is not in it. */
export function recurringTotal(subscription: Subscription, offers: Offers): Money | null {
  const charges = chargesOf(subscription, offers).filter(({ price }) => price.billingModel !== 'USAGE_BASED');
  const currency = charges[0]?.price.currency;
  if (currency === undefined) return null;
  const amount = charges
    .map((charge) => roundMoney({ amount: amountOf(charge), currency }).amount)
    .reduce(addQuantities, zeroQuantity);
  return { amount, currency };
}

interface Charge {
  readonly price: Price;
  /** Units that are charged for. */
  readonly units: number;
  /** How many times a fee is charged. */
  readonly times: number;
}

function chargesOf(subscription: Subscription, offers: Offers): readonly Charge[] {
  const { planId, planVersion, addons, units, billingPeriod, billingCountryCode } = subscription;
  if (billingPeriod === null) return [];
  const pricesIn = (refId: string, version: number): readonly Price[] => {
    const content = contentOf(offers.package(refId), version);
    return content === undefined ? [] : pricesFor(content.prices, billingPeriod, billingCountryCode);
  };
  const ofPlan = pricesIn(planId, planVersion).map((price): Charge => {
    const quantity = units.find(({ featureId }) => featureId === price.featureId)?.quantity ?? 0;
    return { price, units: quantity, times: 1 };
  });
  const ofAddons = addons.flatMap(({ addonId, version, quantity }) =>
    pricesIn(addonId, version).map((price): Charge => ({ price, units: quantity, times: quantity })),
  );
  return [...ofPlan, ...ofAddons];
}

function amountOf({ price, units, times }: Charge): Quantity {
  const amount = amountFor(price, quantityOf(units));
  return price.billingModel === 'FLAT_FEE' ? multiplyQuantities(amount, quantityOf(times)) : amount;
}

function quantityOf(count: number): Quantity {
  return parseQuantity(String(count)) ?? zeroQuantity;
}
