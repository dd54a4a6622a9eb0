/** Invoices that are kept and collected: the very lines that a preview answers, and how their payment stands. */
import type { PaymentResult } from '../payments/payment-provider.ts';
import type { Money } from '../money.ts';
import { quantityToText } from '../quantity.ts';
import type { Invoice } from './invoice.ts';

/** Amounts are exact decimals in major units. */
export interface CollectedInvoice extends InvoiceContent {
  readonly id: string;
  /** The refIds of the subscription that it was made for, and of the customer who has it. */
  readonly subscriptionId: string;
  readonly customerId: string;
  readonly billingReason: BillingReason;
  /** The credit of earlier invoices that was set off against it. */
  readonly creditApplied: string;
  /** What is left to be paid; zero where more is credited than charged. */
  readonly amountDue: string;
  readonly status: 'OPEN' | 'PAID' | 'CANCELED';
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Its id at the payment provider; null until there is an answer. What confirms a payment is never kept. */
  readonly billingId: string | null;
  readonly requiresAction: boolean;
  readonly paymentUrl: string | null;
  readonly errorMessage: string | null;
  /** How often the provider was asked. */
  readonly attempts: number;
  /** When the provider is to be asked again; null for never. */
  readonly askAt: number | null;
  /** What could not be set off against it and is invoiced when it is paid; only of what starts by that. */
  readonly others: readonly InvoiceContent[];
}

/** Spelled as the facts publish them, section 1.12. */
export type BillingReason = 'SUBSCRIPTION_CREATION' | 'SUBSCRIPTION_UPDATE' | 'BILLING_CYCLE';

export interface InvoiceContent {
  /** The refId of the customer who pays. */
  readonly payerId: string;
  readonly currency: string;
  readonly lineItems: readonly InvoiceLine[];
  readonly subtotal: string;
  readonly discount: string;
  readonly tax: string;
  readonly total: string;
}

interface InvoiceLine {
  readonly description: string;
  readonly quantity: number;
  readonly unitPrice: string | null;
  readonly amount: string;
  readonly proration: boolean;
  readonly periodStart: number;
  readonly periodEnd: number;
}

/** As the facts spell it, section 4.3. */
export type PaymentCollection = 'NOT_REQUIRED' | 'PROCESSING' | 'FAILED' | 'ACTION_REQUIRED';

export function invoiceContent({ payerId, currency, lineItems, ...sums }: Invoice): InvoiceContent {
  return {
    payerId,
    currency,
    lineItems: lineItems.map(({ unitPrice, amount, ...line }) => ({
      ...line,
      unitPrice: unitPrice && textOf(unitPrice),
      amount: textOf(amount),
    })),
    subtotal: textOf(sums.subtotal),
    discount: textOf(sums.discount),
    tax: textOf(sums.tax),
    total: textOf(sums.total),
  };
}

export function paymentCollection(invoice: CollectedInvoice | undefined): PaymentCollection {
  if (invoice?.status !== 'OPEN') return 'NOT_REQUIRED';
  if (invoice.requiresAction) return 'ACTION_REQUIRED';
  return invoice.errorMessage === null ? 'PROCESSING' : 'FAILED';
}

/** The open invoice after the provider was asked; undefined: it gave no answer. */
export function answered(
  invoice: CollectedInvoice,
  result: PaymentResult | undefined,
  now: number,
): CollectedInvoice {
  const attempts = invoice.attempts + 1;
  const asked = { ...invoice, attempts, updatedAt: now, askAt: nextAsk(attempts, now) };
  if (result === undefined) return asked;
  const { status, billingId, paymentUrl, errorMessage } = result;
  if (status === 'PAID') return paid({ ...asked, billingId }, now);
  return {
    ...asked,
    billingId,
    requiresAction: status === 'ACTION_REQUIRED',
    paymentUrl,
    errorMessage: status === 'FAILED' ? (errorMessage ?? 'the payment failed') : null,
  };
}

export function paid(invoice: CollectedInvoice, now: number): CollectedInvoice {
  return { ...closed(invoice, now), status: 'PAID' };
}

/** Not to be paid any more. */
export function givenUp(invoice: CollectedInvoice, now: number): CollectedInvoice {
  return { ...closed(invoice, now), status: 'CANCELED' };
}

function closed(invoice: CollectedInvoice, updatedAt: number): CollectedInvoice {
  return {
    ...invoice,
    updatedAt,
    requiresAction: false,
    paymentUrl: null,
    errorMessage: null,
    askAt: null,
    others: [],
  };
}

/** Twelve times within some six days, at first after a minute; then somebody has to say that it is paid. */
const attemptsMax = 12;

function nextAsk(attempts: number, now: number): number | null {
  return attempts >= attemptsMax ? null : now + Math.min(60_000 * 4 ** (attempts - 1), 86_400_000);
}

function textOf({ amount }: Money): string {
  return quantityToText(amount);
}
