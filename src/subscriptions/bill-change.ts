/**
 * What a change of a customer's subscriptions costs at that moment (contract, section 4; facts, sections 4.4, 4.5,
 * 4.8 and 4.9): the unused time of what ends or changes is credited, and what starts or has changed is charged for
 * the rest of its period, or for all of it where periods start anew.
 */
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { Money } from '../money.ts';
import { type Quantity, subtractQuantities, zeroQuantity } from '../quantity.ts';
import { periodAt, type PeriodSpan } from './billing-period.ts';
import {
  couponAt,
  type Invoice,
  type InvoiceAddress,
  invoiceOf,
  type InvoicePart,
  partsOf,
  payerOf,
} from './invoice.ts';
import { chargesInAdvance } from './subscription-price.ts';
import { type ChargedAs, hasEnded, type Offers, type Portfolio, type Subscription } from './subscription.ts';

export interface ChangeToBill {
  readonly before: Portfolio;
  /** With what has ended by the change, as ended. */
  readonly after: Portfolio;
  readonly offers: Offers;
  /** Of the customers who pay, by refId; those who have none may be absent. */
  readonly payerCoupons: ReadonlyMap<string, AppliedCoupon | null>;
  /** The instant of the change, epoch ms. */
  readonly at: number;
  /**
   * A period that begins at the very instant has been charged before what somebody asks for then. With what time
   * does it is charged: so billing `time` at each instant that something is due, or that a period begins, and
   * `request` for each request, bills everything once.
   */
  readonly cause: 'request' | 'time';
}

export interface BilledChange {
  readonly proration: Proration;
  /** Its subtotal is the proration's net. */
  readonly invoice: Invoice;
  /** What cannot be set off against it, because it is in another currency or another customer's to pay. */
  readonly otherInvoices: readonly Invoice[];
}

/** Of the lines, before discounts; credit and charge are not negative, and net = charge − credit. */
export interface Proration {
  readonly prorationDate: number;
  readonly credit: Money;
  readonly charge: Money;
  readonly net: Money;
}

/** `empty`: what the invoice is addressed to when nothing is charged or credited. */
export function billChange(change: ChangeToBill, empty: InvoiceAddress): BilledChange {
  const pairs = change.after.subscriptions.map((after): Pair => {
    const before = change.before.subscriptions.find(({ refId }) => refId === after.refId);
    return { before, after };
  });
  const billed = pairs.filter((pair) => !isUnchanged(pair, change));
  const credits = billed.flatMap((pair) => creditsOf(pair, change));
  const charges = billed.flatMap((pair) => chargesOf(pair, change));
  const parts = [...credits, ...charges];
  const address = charges[0] ?? credits[0] ?? empty;
  const invoice = invoiceOf(parts, address);
  return {
    proration: prorationOf(invoice, change.at, credits, charges),
    invoice,
    otherInvoices: otherAddresses(parts, address).map((other) => invoiceOf(parts, other)),
  };
}

/** How it is charged at that instant. */
export function chargedAs(
  subscription: Subscription,
  { payerCoupons, at }: Pick<ChangeToBill, 'payerCoupons' | 'at'>,
): ChargedAs {
  const payerId = payerOf(subscription);
  return { payerId, coupon: couponAt(subscription, payerCoupons.get(payerId) ?? null, at) };
}

/**
 * The instant from which a subscription is charged for; null for one that has no periods yet. A trial costs
 * nothing, and one that is back-dated costs nothing before the first period that begins when it is there (facts,
 * section 4.4): what came before is settled elsewhere.
 */
function chargedFrom({ startDate, trial, createdAt, ...subscription }: Subscription): number | null {
  const { billingAnchor, billingPeriod } = subscription;
  if (billingAnchor === null || billingPeriod === null) return null;
  const from = Math.max(startDate, trial?.endsAt ?? startDate);
  return from >= createdAt ? from : periodAt(billingAnchor, billingPeriod, createdAt - 1).end;
}

interface Pair {
  /** Undefined for one that the change has made. */
  readonly before: Subscription | undefined;
  readonly after: Subscription;
}

/** Whether it goes on as it was: the same charges in the same periods, none of which begins now. */
function isUnchanged({ before, after }: Pair, { offers, at, cause }: ChangeToBill): boolean {
  if (before === undefined || hasEnded(after)) return false;
  if (cause === 'time' && chargedPeriod(after, at)?.start === at) return false;
  const termsOf = (subscription: Subscription): string =>
    JSON.stringify([
      chargedPeriod(subscription, at) !== null,
      subscription.billingAnchor,
      subscription.billingPeriod,
      chargesInAdvance(subscription, offers),
    ]);
  return termsOf(before) === termsOf(after);
}

/** The period that it is charged for at that instant; null where it is not. */
function chargedPeriod(subscription: Subscription, instant: number): PeriodSpan | null {
  const { status, billingAnchor, billingPeriod } = subscription;
  const from = status === 'ACTIVE' || status === 'PAYMENT_PENDING' ? chargedFrom(subscription) : null;
  if (from === null || from > instant || billingAnchor === null || billingPeriod === null) return null;
  return periodAt(billingAnchor, billingPeriod, instant);
}

function creditsOf({ before, after }: Pair, change: ChangeToBill): readonly InvoicePart[] {
  const { offers, payerCoupons, at, cause } = change;
  // What is pending has not been paid for.
  if (before === undefined || before.status === 'PAYMENT_PENDING' || !isCredited(after)) return [];
  const period = chargedPeriod(before, cause === 'time' ? at - 1 : at);
  if (period === null || at >= period.end) return [];
  // Where nothing is invoiced, what was charged within the period counts as discounted as its first invoice would be.
  const invoicedAt = Math.max(period.start, chargedFrom(before) ?? period.start);
  const { payerId, coupon } = before.charged ?? chargedAs(before, { payerCoupons, at: invoicedAt });
  const paid = { ...before, payingCustomerId: payerId };
  return partsOf(paid, offers, { kind: 'credit', period, from: at, coupon });
}

/** What gives way to another, or changes, is credited; what is cancelled is where the cancellation says so. */
function isCredited(after: Subscription): boolean {
  if (!hasEnded(after)) return true;
  const { cancelReason, cancellation } = after;
  const gaveWay = cancelReason === 'UPGRADE_OR_DOWNGRADE' || cancelReason === 'TRIAL_CONVERTED';
  return gaveWay || cancellation?.prorate === true;
}

function chargesOf({ after }: Pair, change: ChangeToBill): readonly InvoicePart[] {
  const { offers, at } = change;
  const period = chargedPeriod(after, at);
  if (period === null) return [];
  const { coupon } = chargedAs(after, change);
  return partsOf(after, offers, { kind: 'charge', period, from: at, coupon });
}

function prorationOf(
  { currency, payerId, subtotal }: Invoice,
  prorationDate: number,
  credits: readonly InvoicePart[],
  charges: readonly InvoicePart[],
): Proration {
  const linesOf = (parts: readonly InvoicePart[]): Quantity =>
    invoiceOf(parts, { payerId, currency }).subtotal.amount;
  return {
    prorationDate,
    credit: { amount: subtractQuantities(zeroQuantity, linesOf(credits)), currency },
    charge: { amount: linesOf(charges), currency },
    net: subtotal,
  };
}

function otherAddresses(
  parts: readonly InvoicePart[],
  { payerId, currency }: InvoiceAddress,
): readonly InvoiceAddress[] {
  const isSame = (a: InvoiceAddress, b: InvoiceAddress): boolean =>
    a.payerId === b.payerId && a.currency === b.currency;
  return parts.filter(
    (part, place) =>
      !isSame(part, { payerId, currency }) && parts.findIndex((other) => isSame(other, part)) === place,
  );
}
