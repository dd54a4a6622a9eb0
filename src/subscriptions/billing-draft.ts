/**
 * What a change of a customer's subscriptions is to be invoiced for. One invoice for each place that a subscription
 * takes, a product or a resource of it: there what ends is set off against what takes its place, and subscriptions
 * beside one another are paid for one by one.
 */
import { billChange, type ChangeToBill } from './bill-change.ts';
import { type BillingReason, invoiceContent, type InvoiceContent } from './collected-invoice.ts';
import { emptyAddress } from './invoice.ts';
import { isSameSlot } from './portfolio.ts';
import { chargesInAdvance } from './subscription-price.ts';
import { hasEnded, type Offers, type Portfolio, type Subscription } from './subscription.ts';

export interface BillingDraft {
  /** The one that is charged for, or else the one that ended. */
  readonly subscription: Subscription;
  readonly reason: BillingReason;
  readonly invoice: InvoiceContent;
  /** What cannot be set off against it. */
  readonly others: readonly InvoiceContent[];
}

/** What waits for its payment has its invoice, and is charged for nothing more until it is paid. */
export function draftsOf(change: ChangeToBill): readonly BillingDraft[] {
  const { before, after, offers } = change;
  return placesOf(after, offers).flatMap((subscriptions): readonly BillingDraft[] => {
    const subscription = subjectOf(subscriptions, before, offers);
    if (subscription === undefined) return [];
    const one = { ...change, after: { ...after, subscriptions } };
    const { invoice, otherInvoices } = billChange(one, emptyAddress(subscription, offers));
    if (invoice.lineItems.length === 0) return [];
    const content = invoiceContent(invoice);
    const reason = reasonOf(content, subscription, change);
    return [{ subscription, reason, invoice: content, others: otherInvoices.map(invoiceContent) }];
  });
}

/** Whether periods of it are invoiced as they begin. */
export function isCharged(subscription: Subscription, offers: Offers): boolean {
  return subscription.status === 'ACTIVE' && chargesInAdvance(subscription, offers).length > 0;
}

function placesOf({ subscriptions }: Portfolio, offers: Offers): readonly (readonly Subscription[])[] {
  const places: Subscription[][] = [];
  for (const subscription of subscriptions) {
    if (subscription.status === 'PAYMENT_PENDING') continue;
    const place = places.find(([first]) => first !== undefined && isSameSlot(first, subscription, offers));
    if (place === undefined) places.push([subscription]);
    else place.push(subscription);
  }
  return places;
}

/** In one place at most one is charged for. */
function subjectOf(
  place: readonly Subscription[],
  before: Portfolio,
  offers: Offers,
): Subscription | undefined {
  const wasActive = ({ refId }: Subscription): boolean =>
    before.subscriptions.some((item) => item.refId === refId && item.status === 'ACTIVE');
  return (
    place.find((item) => isCharged(item, offers)) ??
    place.find((item) => hasEnded(item) && wasActive(item)) ??
    place.find(wasActive)
  );
}

function reasonOf(
  { lineItems }: InvoiceContent,
  { refId }: Subscription,
  { before, cause }: ChangeToBill,
): BillingReason {
  const earlier = before.subscriptions.find((item) => item.refId === refId);
  if (earlier?.status !== 'ACTIVE') return 'SUBSCRIPTION_CREATION';
  const isWhole = lineItems.every(({ proration }) => !proration);
  return cause === 'time' && isWhole ? 'BILLING_CYCLE' : 'SUBSCRIPTION_UPDATE';
}
