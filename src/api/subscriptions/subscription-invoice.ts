/** A subscription's newest invoice, as the API shows it. What it holds is stored as text. */
import { type CollectedInvoice, paymentCollection } from '../../subscriptions/collected-invoice.ts';
import type { Subscription } from '../../subscriptions/subscription.ts';
import type { ApiContext, FieldCost, FieldResolvers } from '../context.ts';

export const invoiceFields: FieldResolvers = {
  paymentCollection: async (subscription: Subscription, _: unknown, context: ApiContext) =>
    paymentCollection(await latestInvoice(subscription, _, context)),
  latestInvoice,
};

export const invoiceOwnFields: FieldResolvers = {
  paymentSecret,
  total: ({ total, currency }: CollectedInvoice) => ({ amount: total, currency }),
  amountDue: ({ amountDue, currency }: CollectedInvoice) => ({ amount: amountDue, currency }),
  lineItems: ({ lineItems, currency }: CollectedInvoice) =>
    lineItems.map((line) => ({
      ...line,
      unitPrice: line.unitPrice === null ? null : { amount: line.unitPrice, currency },
      amount: { amount: line.amount, currency },
    })),
};

/** Both fields of one subscription, and those of a whole list, share a round trip; the provider has one of its own. */
export const invoiceCosts: Readonly<Record<string, FieldCost>> = {
  'CustomerSubscription.paymentCollection': { weight: 1 },
  'CustomerSubscription.latestInvoice': { weight: 2 },
  'SubscriptionInvoice.paymentSecret': { weight: 5 },
};

export async function latestInvoice(
  { latestInvoiceId }: Subscription,
  _: unknown,
  { services }: ApiContext,
): Promise<CollectedInvoice | undefined> {
  return latestInvoiceId === null ? undefined : services.subscriptions.invoice(latestInvoiceId);
}

async function paymentSecret(
  { requiresAction, billingId }: CollectedInvoice,
  _: unknown,
  { services }: ApiContext,
): Promise<string | null | undefined> {
  return requiresAction && billingId !== null ? services.payments?.secretOf(billingId) : null;
}
