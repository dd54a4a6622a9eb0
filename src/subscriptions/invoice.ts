/**
 * Invoices as they are drafted: what is charged for a period, or for the rest of one, less what coupons take off.
 * Previews and real invoices are made by the same functions, so one answers what the other then holds.
 */
import type { AppliedCoupon } from '../catalog/coupon.ts';
import { type Money, roundMoney } from '../money.ts';
import {
  addQuantities,
  compareQuantities,
  divideQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  subtractQuantities,
  zeroQuantity,
} from '../quantity.ts';
import { periodAt, type PeriodSpan } from './billing-period.ts';
import { priceOfRest, shareOfRest } from './proration.ts';
import { type Charge, chargesInAdvance, pricesOf } from './subscription-price.ts';
import type { Offers, Subscription } from './subscription.ts';

/** All sums are in the one currency, and total = subtotal − discount + tax. */
export interface Invoice extends InvoiceAddress {
  readonly lineItems: readonly LineItem[];
  /** The sum of the lines. Negative where more is credited than charged: then the total is a credit. */
  readonly subtotal: Money;
  /** Negative where the discount on what is credited is more than that on what is charged. */
  readonly discount: Money;
  /** Always zero: taxes are the billing provider's. */
  readonly tax: Money;
  readonly total: Money;
}

export interface LineItem {
  readonly description: string;
  readonly quantity: number;
  /** For a whole period; null where tiers or blocks set it. */
  readonly unitPrice: Money | null;
  /** Rounded half-up to the minor unit, once (contract, 5.9); negative for a credit. */
  readonly amount: Money;
  /** Whether it is for a part of a billing period only. */
  readonly proration: boolean;
  /** What it is for; epoch ms, half-open. */
  readonly periodStart: number;
  readonly periodEnd: number;
}

/** What is on one invoice has one payer and one currency. */
export interface InvoiceAddress {
  /** The refId of the customer who pays. */
  readonly payerId: string;
  readonly currency: string;
}

/** What one subscription adds to an invoice. */
export interface InvoicePart extends InvoiceAddress {
  readonly lineItems: readonly LineItem[];
  /** Exact: it is rounded once, with those of the invoice's other parts. */
  readonly discount: Quantity;
}

/** What is charged for, or credited of, a period from an instant on. */
export interface BilledRest {
  readonly kind: 'charge' | 'credit';
  readonly period: PeriodSpan;
  readonly from: number;
  readonly coupon: AppliedCoupon | null;
}

/**
 * What a period costs in advance that begins without a change; `start` is any instant of it. A coupon counts that holds
 * when the period begins, or at `couponInstant`.
 */
export function recurringInvoice(
  subscription: Subscription,
  offers: Offers,
  payerCoupon: AppliedCoupon | null,
  start: number,
  couponInstant?: number,
): Invoice {
  const { billingAnchor, billingPeriod, startDate } = subscription;
  if (billingPeriod === null) return invoiceOf([], emptyAddress(subscription, offers));
  const period = periodAt(billingAnchor ?? startDate, billingPeriod, start);
  const coupon = couponAt(subscription, payerCoupon, couponInstant ?? period.start);
  const rest: BilledRest = { kind: 'charge', period, from: period.start, coupon };
  const parts = partsOf(subscription, offers, rest);
  return invoiceOf(parts, parts[0] ?? emptyAddress(subscription, offers));
}

/** Of an invoice on which nothing stands: in the currency of the prices, else in the facts' base currency. */
export function emptyAddress(subscription: Subscription, offers: Offers): InvoiceAddress {
  const currency = pricesOf(subscription, offers)[0]?.currency ?? 'usd';
  return { payerId: payerOf(subscription), currency };
}

/** The invoice of those parts that have this address. */
export function invoiceOf(parts: readonly InvoicePart[], { payerId, currency }: InvoiceAddress): Invoice {
  const own = parts.filter((part) => part.payerId === payerId && part.currency === currency);
  const lineItems = own.flatMap((part) => part.lineItems);
  const subtotal = sumOf(lineItems.map(({ amount }) => amount.amount));
  const discount = roundMoney({ amount: sumOf(own.map((part) => part.discount)), currency });
  return {
    payerId,
    currency,
    lineItems,
    subtotal: { amount: subtotal, currency },
    discount,
    tax: { amount: zeroQuantity, currency },
    total: { amount: subtractQuantities(subtotal, discount.amount), currency },
  };
}

/**
 * One part for each currency, in the order of the charges; none where nothing is charged. A credit is the charge
 * with the sign turned, its discount too.
 */
export function partsOf(
  subscription: Subscription,
  offers: Offers,
  rest: BilledRest,
): readonly InvoicePart[] {
  const charges = chargesInAdvance(subscription, offers);
  const payerId = payerOf(subscription);
  return [...new Set(charges.map(({ currency }) => currency))].map((currency) => {
    const own = charges.filter((charge) => charge.currency === currency);
    const lineItems = own.map((charge) => lineOf(charge, rest));
    return { payerId, currency, lineItems, discount: signed(rest, discountOf(own, currency, rest)) };
  });
}

/** The coupon that an invoice of this instant is discounted by: the subscription's own goes before that of who pays. */
export function couponAt(
  { coupon }: Subscription,
  payerCoupon: AppliedCoupon | null,
  at: number,
): AppliedCoupon | null {
  const holds = (applied: AppliedCoupon | null): boolean =>
    applied !== null && applied.startsAt <= at && (applied.endsAt === null || at < applied.endsAt);
  if (holds(coupon)) return coupon;
  return holds(payerCoupon) ? payerCoupon : null;
}

/** The refId of the customer who pays for it. */
export function payerOf({ payingCustomerId, customerId }: Subscription): string {
  return payingCustomerId ?? customerId;
}

function lineOf({ description, quantity, unitAmount, ...charge }: Charge, rest: BilledRest): LineItem {
  const { kind, period, from } = rest;
  const { amount, currency } = priceOfRest(charge, period, from);
  const proration = from > period.start;
  const named = { charge: 'Remaining time', credit: 'Unused time' }[kind];
  return {
    description: proration || kind === 'credit' ? `${named}: ${description}` : description,
    quantity,
    unitPrice: unitAmount === null ? null : { amount: unitAmount, currency },
    amount: { amount: signed(rest, amount), currency },
    proration,
    periodStart: Math.max(from, period.start),
    periodEnd: period.end,
  };
}

/**
 * A percentage is of the lines. A fixed amount is off each period's price, at most that price, so that the rest of
 * a period has its share of it: a change within a period is no second discount.
 */
function discountOf(
  charges: readonly Charge[],
  currency: string,
  { coupon, period, from }: BilledRest,
): Quantity {
  if (coupon === null) return zeroQuantity;
  const lines = sumOf(charges.map((charge) => priceOfRest(charge, period, from).amount));
  if (coupon.percentOff !== null) {
    return divideQuantity(multiplyQuantities(lines, quantityOf(coupon.percentOff)), hundred);
  }
  const off = coupon.amountsOff?.find((amount) => amount.currency === currency);
  if (off === undefined) return zeroQuantity;
  const whole = sumOf(charges.map((charge) => roundMoney(charge).amount));
  // Each line is rounded by itself, so the exact share may lie above their sum by less than a minor unit.
  return lesserOf(shareOfRest(lesserOf(quantityOf(off.amount), whole), period, from), lines);
}

function signed({ kind }: BilledRest, amount: Quantity): Quantity {
  return kind === 'charge' ? amount : subtractQuantities(zeroQuantity, amount);
}

function sumOf(amounts: readonly Quantity[]): Quantity {
  return amounts.reduce(addQuantities, zeroQuantity);
}

function lesserOf(a: Quantity, b: Quantity): Quantity {
  return compareQuantities(a, b) <= 0 ? a : b;
}

/** Of a stored amount, which was checked when it came in. */
function quantityOf(text: string): Quantity {
  return parseQuantity(text) ?? zeroQuantity;
}

const hundred = quantityOf('100');
