/** One customer whose subscriptions are invoiced, with a provider that answers what the test says. */
import { randomUUID } from 'node:crypto';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { PaymentResult } from '../payments/payment-provider.ts';
import { type Accounts, type BillingContext, carriedOut, passTime, withPayment } from './accounts.ts';
import type { CollectedInvoice } from './collected-invoice.ts';
import { Account } from './life-cycle.fixture.ts';
import type { PortfolioDecision, ProvisionRequest } from './provision.ts';
import type { Subscription } from './subscription.ts';

export class InvoicedAccount extends Account {
  accounts: Accounts = { portfolio: this.portfolio, invoices: [], credits: [] };
  coupon: AppliedCoupon | null = null;
  #billedThrough: number | undefined;

  get context(): BillingContext {
    return { offers: this.offers, payerCoupons: new Map([['acme', this.coupon]]), newId: randomUUID };
  }

  get invoices(): readonly CollectedInvoice[] {
    return this.accounts.invoices;
  }

  override until(now: number): this {
    for (let from = this.#billedThrough ?? this.now; ; ) {
      const passed = passTime(this.accounts, this.context, from, now);
      this.take(passed.accounts);
      from = passed.until;
      if (from === now) break;
    }
    this.#billedThrough = now;
    this.now = now;
    return this;
  }

  /** What was decided takes place, with what it costs. */
  decide(decision: PortfolioDecision, refId: string): Subscription {
    if ('problem' in decision) throw new Error(decision.problem.message);
    this.until(this.now);
    this.take(carriedOut(this.accounts, decision.portfolio, refId, this.context, this.now));
    return this.find(refId);
  }

  buy(planId: string, more: Partial<ProvisionRequest> = {}): Subscription {
    const refId = more.refId ?? planId;
    return this.decide(this.tryProvision(planId, { ...more, refId }), refId);
  }

  /** The provider answers for the newest invoice of a subscription. */
  answer(refId: string, status: PaymentResult['status'] | undefined): void {
    const id = this.invoiceOf(refId).id;
    const nothing = { billingId: `billing-${id}`, paymentUrl: null, errorMessage: null };
    const result = status && { ...nothing, status };
    this.take(withPayment(this.accounts, id, result, this.context, this.now));
  }

  invoiceOf(refId: string): CollectedInvoice {
    const { latestInvoiceId } = this.find(refId);
    const found = this.invoices.find(({ id }) => id === latestInvoiceId);
    if (found === undefined) throw new Error(`no invoice of ${refId}`);
    return found;
  }

  take(accounts: Accounts): void {
    this.accounts = accounts;
    this.portfolio = accounts.portfolio;
  }
}
