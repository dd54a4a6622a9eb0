/** Whoever collects what customers have to pay. */
import type { Money } from '../money.ts';

export interface PaymentProvider {
  readonly name: string;
  /**
   * The provider's own short reference for a payment method, which is all that may be kept of it (contract, 5.12);
   * undefined where the provider does not know the method.
   */
  attach(paymentMethodId: string): Promise<string | undefined>;
  /**
   * Collects an invoice, or tells how its collection stands. Idempotent by the invoice's id: whoever asks again,
   * and however many ask at once, it is paid once; a payment that failed is tried anew.
   */
  collect(invoice: InvoiceToCollect): Promise<PaymentResult>;
  /** What the customer's own device needs to confirm a payment; asked for when it is shown, and kept nowhere. */
  secretOf(billingId: string): Promise<string | null>;
}

export interface InvoiceToCollect {
  /** A UUID. */
  readonly id: string;
  /** Above zero. */
  readonly amountDue: Money;
  /** The reference of the payer's payment method; null where there is none, so that the customer has to pay by hand. */
  readonly methodReference: string | null;
}

export interface PaymentResult {
  /** The invoice's id at the provider. */
  readonly billingId: string;
  readonly status: 'PAID' | 'PROCESSING' | 'ACTION_REQUIRED' | 'FAILED';
  /** Where the customer can pay. */
  readonly paymentUrl: string | null;
  /** Why it failed. */
  readonly errorMessage: string | null;
}
