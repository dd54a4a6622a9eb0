/** What a subscription or a change of one would cost, as answered before anybody does it. */
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import { advance } from './advance.ts';
import { billChange, type Proration } from './bill-change.ts';
import { periodAt, type PeriodSpan } from './billing-period.ts';
import { emptyAddress, type Invoice, invoiceOf, payerOf, recurringInvoice } from './invoice.ts';
import { isDowngrade } from './package-version.ts';
import { isDisplacedBy } from './portfolio.ts';
import { currentPeriod } from './subscription-dates.ts';
import type { NewSubscription } from './subscription-register.ts';
import { hasEnded, isTrial, type Offers, type Portfolio, type Subscription } from './subscription.ts';
import type { UpdateRequest } from './update.ts';

export interface SubscriptionPreview {
  /** Whether a paid subscription gives way to something less (facts, section 4.5). */
  readonly isPlanDowngrade: boolean;
  /** The period that it is in then, or the first one of what starts later; null where there are no periods. */
  readonly billingPeriodRange: PeriodSpan | null;
  readonly proration: Proration;
  /** What is charged at once. */
  readonly immediateInvoice: Invoice;
  /** What cannot be set off against it: credits in another currency, or another customer's. */
  readonly otherInvoices: readonly Invoice[];
  /** The next whole period, as things are scheduled; empty where it does not come to that. */
  readonly recurringInvoice: Invoice;
}

export type PreviewOutcome = { readonly preview: SubscriptionPreview } | { readonly problem: CatalogProblem };

/** Nothing is changed by asking. What the operation would refuse is refused here for the same reason. */
export interface SubscriptionPreviews {
  provision(request: NewSubscription): Promise<PreviewOutcome>;
  update(name: string, request: UpdateRequest): Promise<PreviewOutcome>;
}

export interface RehearsedChange {
  /** Both as of `at`; `after` has the subscription that it is about. */
  readonly before: Portfolio;
  readonly after: Portfolio;
  readonly refId: string;
  readonly offers: Offers;
  /** Of the customers who pay, by refId. */
  readonly payerCoupons: ReadonlyMap<string, AppliedCoupon | null>;
  readonly at: number;
}

export function previewOf(change: RehearsedChange): SubscriptionPreview {
  const { after, refId, offers } = change;
  const subject = after.subscriptions.find((item) => item.refId === refId);
  if (subject === undefined) throw new Error('a rehearsed change lost the subscription that it was about');
  const billed = billChange({ ...change, cause: 'request' }, emptyAddress(subject, offers));
  return {
    isPlanDowngrade: takesPlanAway(change, subject),
    billingPeriodRange: firstPeriod(change, subject),
    proration: billed.proration,
    immediateInvoice: billed.invoice,
    otherInvoices: billed.otherInvoices,
    recurringInvoice: nextInvoice(change, subject),
  };
}

function takesPlanAway({ before, refId, offers }: RehearsedChange, subject: Subscription): boolean {
  if (before.subscriptions.some((item) => item.refId === refId)) return false;
  const replaced = before.subscriptions.find(
    (other) => other.status === 'ACTIVE' && isDisplacedBy(other, subject, offers),
  );
  return replaced !== undefined && isDowngrade(offers, replaced, subject);
}

function firstPeriod({ after, offers, at }: RehearsedChange, subject: Subscription): PeriodSpan | null {
  if (subject.status !== 'NOT_STARTED') return currentPeriod(subject, at);
  const { startDate } = subject;
  const started = subscriptionAt(after, subject, offers, startDate);
  return started && currentPeriod(started, startDate);
}

/** Time is let go on to the next period's first instant, so that what is scheduled until then has happened. */
function nextInvoice(change: RehearsedChange, subject: Subscription): Invoice {
  const { after, offers, payerCoupons } = change;
  const start = nextPeriodStart(change, subject);
  const then = start === null ? null : subscriptionAt(after, subject, offers, start);
  if (start === null || then === null) return invoiceOf([], emptyAddress(subject, offers));
  return recurringInvoice(then, offers, payerCoupons.get(payerOf(then)) ?? null, start);
}

function nextPeriodStart({ after, offers, at }: RehearsedChange, subject: Subscription): number | null {
  if (isTrial(subject) && subject.trial !== null) return subject.trial.endsAt;
  const from = Math.max(at, subject.startDate);
  const started = subscriptionAt(after, subject, offers, from);
  if (started === null || started.billingPeriod === null || started.billingAnchor === null) return null;
  const period = periodAt(started.billingAnchor, started.billingPeriod, from);
  // What starts later, with a period, has that one to pay yet.
  return subject.status === 'NOT_STARTED' && period.start === from ? from : period.end;
}

/** As it is by then if nobody does anything more; null when it has ended. */
function subscriptionAt(
  portfolio: Portfolio,
  { refId }: Subscription,
  offers: Offers,
  instant: number,
): Subscription | null {
  const found = advance(portfolio, offers, instant).subscriptions.find((item) => item.refId === refId);
  return found === undefined || hasEnded(found) ? null : found;
}
