/**
 * A customer's subscriptions together with what is invoiced for them, where payments are collected. Whatever changes
 * the subscriptions changes the invoices in the same step, by the functions that previews answer with.
 */
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { PaymentResult } from '../payments/payment-provider.ts';
import { advance, cancelled, nextDueAt } from './advance.ts';
import { chargedAs } from './bill-change.ts';
import { type BillingDraft, draftsOf, isCharged } from './billing-draft.ts';
import { periodAt } from './billing-period.ts';
import {
  answered,
  type BillingReason,
  type CollectedInvoice,
  givenUp,
  type InvoiceContent,
  paid,
} from './collected-invoice.ts';
import { type Credit, creditedWith, setOff } from './customer-credit.ts';
import { awaitingPayment, confirmPayment, waitingInVain } from './pending-payment.ts';
import { replaceIn, withReplacements } from './portfolio.ts';
import { hasEnded, isTrial, type Offers, type Portfolio, type Subscription } from './subscription.ts';

export interface Accounts {
  readonly portfolio: Portfolio;
  /** Those that something may happen to, and those that were made since. */
  readonly invoices: readonly CollectedInvoice[];
  readonly credits: readonly Credit[];
}

export interface BillingContext {
  readonly offers: Offers;
  /** Of the customers who pay, by refId; those who have none may be absent. */
  readonly payerCoupons: ReadonlyMap<string, AppliedCoupon | null>;
  /** A UUID for an invoice. */
  readonly newId: () => string;
}

export interface PassedTime {
  readonly accounts: Accounts;
  /** How far it came. */
  readonly until: number;
}

/**
 * Instants that one call stops at, and the invoices that it makes: one commit takes 500 writes, and every instant may
 * write each of the 160 subscriptions that there may be, and an invoice for it.
 */
const stopsMax = 1_000;
const invoicesMax = 160;

/**
 * Lets time go on from the instant up to which everything is invoiced, and stops wherever something is due or a
 * period begins: each period is invoiced once, as of its beginning, whenever it is computed.
 */
export function passTime(
  accounts: Accounts,
  context: BillingContext,
  from: number,
  until: number,
): PassedTime {
  let current = accounts;
  let at = from;
  for (let stops = 0; stops < stopsMax; stops += 1) {
    const next = nextStop(current.portfolio, context.offers, at);
    if (next === null || next > until) {
      const portfolio = advance(current.portfolio, context.offers, until);
      return { accounts: { ...current, portfolio }, until };
    }
    // What was due before, and is known of only now, changes a period that has been invoiced by then.
    const cause = next > at ? 'time' : 'request';
    const made = current.invoices.length - accounts.invoices.length;
    if (made > 0 && made + current.portfolio.subscriptions.length > invoicesMax) break;
    at = Math.max(next, at);
    const after = advance(current.portfolio, context.offers, at);
    current = invoiced(current, after, context, { at, cause, askAt: at });
  }
  return { accounts: current, until: at };
}

/** When time next has something to do, or to invoice, after an instant; null for never. */
export function nextStop(portfolio: Portfolio, offers: Offers, after: number): number | null {
  const begins = portfolio.subscriptions.flatMap((item) => {
    const { billingAnchor, billingPeriod } = item;
    if (billingAnchor === null || billingPeriod === null || !isCharged(item, offers)) return [];
    return [periodAt(billingAnchor, billingPeriod, after).end];
  });
  const due = nextDueAt(portfolio, offers);
  const stops = due === null ? begins : [due, ...begins];
  return stops.length === 0 ? null : Math.min(...stops);
}

/** How long whoever makes an invoice on request has to ask the provider, before somebody else does. */
const askedByMakerMs = 15_000;

/**
 * What was decided on takes place. A new subscription that is to be paid at once waits for it, and so does all
 * that comes with it.
 */
export function carriedOut(
  accounts: Accounts,
  decided: Portfolio,
  refId: string | undefined,
  context: BillingContext,
  now: number,
): Accounts {
  const step: Step = { at: now, cause: 'request', askAt: now + askedByMakerMs };
  const starting = startingIn(accounts.portfolio, decided, refId);
  if (starting === undefined) return invoiced(accounts, decided, context, step);
  const { offers } = context;
  const waiting = withoutGivenUp(
    { ...accounts, portfolio: awaitingPayment(accounts.portfolio, decided, starting, offers) },
    accounts.portfolio,
    now,
  );
  const change = { before: accounts.portfolio, after: decided, ...context, ...step };
  const draft = draftsOf(change).find(({ subscription }) => subscription.refId === refId);
  const made = draft && withInvoice(waiting, entryOf(draft, draft.invoice, draft.others), context, step);
  return made?.invoice.status === 'OPEN' ? made.accounts : invoiced(accounts, decided, context, step);
}

/** What the provider said of an invoice; undefined: it gave no answer. */
export function withPayment(
  accounts: Accounts,
  id: string,
  result: PaymentResult | undefined,
  context: BillingContext,
  now: number,
): Accounts {
  const invoice = accounts.invoices.find((item) => item.id === id);
  const next = withAnswer(accounts, id, result, now);
  if (invoice?.status !== 'OPEN' || result?.status !== 'PAID') return next;
  const waiting = next.portfolio.subscriptions.find(({ latestInvoiceId }) => latestInvoiceId === id);
  if (waiting?.status !== 'PAYMENT_PENDING') return next;
  const { offers } = context;
  const started = { ...next, portfolio: confirmPayment(next.portfolio, offers, waiting, now) };
  const step: Step = { at: now, cause: 'request', askAt: now };
  return invoice.others.reduce((current, content) => {
    const { subscriptionId, billingReason } = invoice;
    const entry = { subscriptionId, reason: billingReason, content, others: [] };
    return withInvoice(current, { ...entry, isLatest: false }, context, step).accounts;
  }, started);
}

/** What it said, where the subscriptions stand still whatever it was. */
export function withAnswer(
  accounts: Accounts,
  id: string,
  result: PaymentResult | undefined,
  now: number,
): Accounts {
  const invoice = accounts.invoices.find((item) => item.id === id);
  if (invoice === undefined || invoice.status === 'PAID') return accounts;
  if (invoice.status === 'OPEN') return withChanged(accounts, answered(invoice, result, now));
  if (result?.status !== 'PAID') return accounts;
  // It was paid while it was given up: the money is the customer's.
  const credits = creditedWith(accounts.credits, { ...invoice, amount: invoice.amountDue });
  return withChanged({ ...accounts, credits }, { ...paid(invoice, now), billingId: result.billingId });
}

interface Step {
  readonly at: number;
  readonly cause: 'request' | 'time';
  /** When the provider is to be asked by whoever comes along. */
  readonly askAt: number;
}

/** The new one that was asked for, where it starts at once and costs something. */
function startingIn(
  { subscriptions }: Portfolio,
  decided: Portfolio,
  refId: string | undefined,
): Subscription | undefined {
  if (refId === undefined || subscriptions.some((item) => item.refId === refId)) return undefined;
  const found = decided.subscriptions.find((item) => item.refId === refId);
  const isStarted = found?.status === 'ACTIVE' && !isTrial(found);
  return isStarted && found.pricingType === 'PAID' ? found : undefined;
}

function invoiced(accounts: Accounts, after: Portfolio, context: BillingContext, step: Step): Accounts {
  const before = accounts.portfolio;
  const drafts = draftsOf({ before, after, ...context, ...step });
  let next = withoutGivenUp({ ...accounts, portfolio: after }, before, step.at);
  for (const draft of drafts) {
    for (const other of draft.others) {
      const entry = { ...entryOf(draft, other, []), isLatest: false };
      next = withInvoice(next, entry, context, step).accounts;
    }
    next = withInvoice(next, entryOf(draft, draft.invoice, []), context, step).accounts;
  }
  const subjects = drafts.map(({ subscription }) => subscription);
  const vain = waitingInVain(before, next.portfolio, subjects, context.offers);
  if (vain.length === 0) return next;
  const waited = next.portfolio;
  const portfolio = vain.reduce(
    (current, item) => replaceIn(current, cancelled(item, step.at, 'UPGRADE_OR_DOWNGRADE')),
    waited,
  );
  const current = { ...next, portfolio: withReplacements(portfolio, context.offers) };
  return withoutGivenUp(current, waited, step.at);
}

/** The invoices of what has stopped waiting for its payment are not to be paid any more. */
function withoutGivenUp(accounts: Accounts, before: Portfolio, now: number): Accounts {
  const ended = accounts.portfolio.subscriptions.filter(
    (item) =>
      hasEnded(item) &&
      before.subscriptions.some(({ refId, status }) => refId === item.refId && status === 'PAYMENT_PENDING'),
  );
  return ended.reduce((current, { latestInvoiceId }) => {
    const invoice = current.invoices.find(({ id }) => id === latestInvoiceId);
    if (invoice?.status !== 'OPEN') return current;
    const credits = creditedWith(current.credits, { ...invoice, amount: invoice.creditApplied });
    return withChanged({ ...current, credits }, givenUp(invoice, now));
  }, accounts);
}

interface InvoiceEntry {
  readonly subscriptionId: string;
  readonly reason: BillingReason;
  readonly content: InvoiceContent;
  readonly others: readonly InvoiceContent[];
  /** Whether it is the one that its subscription shows. */
  readonly isLatest: boolean;
}

function entryOf(
  { subscription, reason }: BillingDraft,
  content: InvoiceContent,
  others: readonly InvoiceContent[],
): InvoiceEntry {
  return { subscriptionId: subscription.refId, reason, content, others, isLatest: true };
}

function withInvoice(
  accounts: Accounts,
  { subscriptionId, reason, content, others, isLatest }: InvoiceEntry,
  { newId, payerCoupons }: BillingContext,
  { at, askAt }: Step,
): { readonly accounts: Accounts; readonly invoice: CollectedInvoice } {
  const { portfolio } = accounts;
  const subscription = portfolio.subscriptions.find(({ refId }) => refId === subscriptionId);
  if (subscription === undefined) throw new Error('an invoice is for a subscription that is not there');
  const { credits, creditApplied, amountDue } = setOff(accounts.credits, content);
  const isOpen = amountDue !== '0';
  const invoice: CollectedInvoice = {
    ...content,
    id: newId(),
    subscriptionId,
    customerId: subscription.customerId,
    billingReason: reason,
    creditApplied,
    amountDue,
    status: isOpen ? 'OPEN' : 'PAID',
    createdAt: at,
    updatedAt: at,
    billingId: null,
    requiresAction: false,
    paymentUrl: null,
    errorMessage: null,
    attempts: 0,
    askAt: isOpen ? askAt : null,
    others,
  };
  const charged = hasEnded(subscription)
    ? subscription.charged
    : chargedAs(subscription, { payerCoupons, at });
  const shown = { ...subscription, latestInvoiceId: invoice.id, charged };
  const next = {
    portfolio: isLatest ? replaceIn(portfolio, shown) : portfolio,
    invoices: [...accounts.invoices, invoice],
    credits,
  };
  return { accounts: next, invoice };
}

function withChanged(accounts: Accounts, invoice: CollectedInvoice): Accounts {
  const invoices = accounts.invoices.map((item) => (item.id === invoice.id ? invoice : item));
  return { ...accounts, invoices };
}
