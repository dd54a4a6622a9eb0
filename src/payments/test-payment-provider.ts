import { createHash } from 'node:crypto';
import type { InvoiceToCollect, PaymentProvider, PaymentResult } from './payment-provider.ts';

/**
 * Takes no money and reaches no network: how a payment goes is said by the customer's payment method, one of
 * `pm_test_succeeds`, `pm_test_action_required` and `pm_test_declined`. Without one the customer has to act, too.
 */
export class TestPaymentProvider implements PaymentProvider {
  readonly name = 'test';

  async attach(paymentMethodId: string): Promise<string | undefined> {
    return references.get(paymentMethodId);
  }

  async collect({ id, methodReference }: InvoiceToCollect): Promise<PaymentResult> {
    const billingId = `test-invoice-${id}`;
    const nothing = { billingId, paymentUrl: null, errorMessage: null };
    if (methodReference === 'test:succeeds') return { ...nothing, status: 'PAID' };
    if (methodReference === 'test:declined') {
      return { ...nothing, status: 'FAILED', errorMessage: 'the payment method was declined' };
    }
    const paymentUrl = `https://payments.example/pay/${encodeURIComponent(billingId)}`;
    return { ...nothing, status: 'ACTION_REQUIRED', paymentUrl };
  }

  async secretOf(billingId: string): Promise<string | null> {
    const digest = createHash('sha256').update(`secret of ${billingId}`).digest('hex');
    return `test-secret-${digest.slice(0, 24)}`;
  }
}

const references: ReadonlyMap<string, string> = new Map([
  ['pm_test_succeeds', 'test:succeeds'],
  ['pm_test_action_required', 'test:action-required'],
  ['pm_test_declined', 'test:declined'],
]);
