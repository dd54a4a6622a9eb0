import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { customerOf, customerRef } from '../customers/customer-record.ts';
import { type FailureReport, ItemRetries } from '../item-retries.ts';
import { parseQuantity, zeroQuantity } from '../quantity.ts';
import type { PaymentProvider, PaymentResult } from '../payments/payment-provider.ts';
import { changeRecords } from '../records/change-records.ts';
import type { Audit, RecordPlace, RecordStore } from '../records/record-store.ts';
import { withAnswer, withPayment } from './accounts.ts';
import type { CollectedInvoice } from './collected-invoice.ts';
import { askIndex, collectedInvoiceOf, invoiceRef, invoiceWrite } from './invoice-record.ts';
import { RecordDueItems } from './record-due-items.ts';
import type { RecordPortfolios } from './record-portfolios.ts';
import { bookOf, bookRef, bookRewrite } from './subscription-record.ts';
import type { DueStep } from './subscription-register.ts';

export interface PaymentOptions {
  readonly records: RecordStore;
  readonly portfolios: RecordPortfolios;
  readonly provider: PaymentProvider;
  readonly clock: Clock;
  readonly failures: FailureReport;
}

/** As good as none: nothing becomes of them. */
const standing = { subscriptions: [], trialedProductIds: [] };

/** How long the provider may take; then it is asked again later. */
const answerMsMax = 10_000;

/**
 * Has invoices collected. They are stored before the provider hears of them, so a crash at any moment leaves one
 * that is asked about again; the provider knows it by its id, and what it says takes effect once, because an invoice
 * that is paid or given up stays so.
 */
export class RecordPayments {
  readonly #options: PaymentOptions;
  readonly #due: RecordDueItems;

  constructor(options: PaymentOptions) {
    this.#options = options;
    const { records, clock, failures: report } = options;
    this.#due = new RecordDueItems({
      records,
      clock,
      kind: 'invoice',
      index: askIndex,
      dueAt: (record) => collectedInvoiceOf(record)?.askAt ?? null,
      carryOut: (id) => this.collect(id),
      retries: new ItemRetries({ task: 'collectInvoice', clock, report }),
    });
  }

  /** Asks about those that are due, at most so many from the place on. */
  collectDue(invoicesMax: number, after: RecordPlace | null): Promise<DueStep> {
    return this.#due.step(invoicesMax, after);
  }

  async collect(id: string): Promise<void> {
    const { records } = this.#options;
    const [record] = await records.read([invoiceRef(id)]);
    const invoice = collectedInvoiceOf(record);
    if (invoice?.status !== 'OPEN') return;
    const [payer] = await records.read([customerRef(invoice.payerId)]);
    const result = await this.#ask(invoice, customerOf(payer)?.billingId ?? null);
    await this.#note(invoice, result, 'collectInvoice');
  }

  /** What the provider, or somebody who knows, says of an open invoice. */
  async markPaid(invoice: CollectedInvoice, audit: Audit): Promise<void> {
    const { id, billingId } = invoice;
    const result = {
      billingId: billingId ?? id,
      status: 'PAID',
      paymentUrl: null,
      errorMessage: null,
    } as const;
    await this.#note(invoice, result, audit);
  }

  /** Undefined: there is no answer, and whether it was collected will tell when it is asked again. */
  async #ask(
    { id, amountDue, currency }: CollectedInvoice,
    methodReference: string | null,
  ): Promise<PaymentResult | undefined> {
    const amount = parseQuantity(amountDue) ?? zeroQuantity;
    const timeout = new AbortController();
    const answer = this.#options.provider
      .collect({ id, amountDue: { amount, currency }, methodReference })
      .catch(() => undefined);
    const tooLate = delay(answerMsMax, undefined, { ref: false, signal: timeout.signal }).catch(
      () => undefined,
    );
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      timeout.abort();
    }
  }

  async #note(
    { id, customerId, subscriptionId }: CollectedInvoice,
    result: PaymentResult | undefined,
    by: Audit | string,
  ): Promise<void> {
    const { portfolios, records, clock } = this.#options;
    const audit = typeof by === 'string' ? this.#system(by) : by;
    const scope = { customerId, audit, refId: subscriptionId, invoiceId: id };
    const outcome = await portfolios.step(scope, (accounts, { context, now }) => ({
      accounts: withPayment(accounts, id, result, context, now),
      result: 'noted' as const,
    }));
    if (outcome === 'noted') return;
    // The subscriptions of an archived customer stand still, and its invoices are paid all the same.
    await changeRecords(records, [invoiceRef(id), bookRef(customerId)], audit, ([record, book]) => {
      const invoice = collectedInvoiceOf(record);
      if (invoice === undefined) return { writes: [], result: undefined };
      const { credits } = bookOf(customerId, book);
      const known = { portfolio: standing, invoices: [invoice], credits };
      const next = withAnswer(known, id, result, clock.now());
      const writes = next.invoices
        .filter((item) => item !== invoice)
        .map((item) => invoiceWrite(item, record?.version ?? 0));
      const isSame = next.credits === credits;
      const books = isSame ? [] : [bookRewrite(customerId, book, { credits: next.credits })];
      return { writes: [...writes, ...books], result: undefined };
    });
  }

  #system(operation: string): Audit {
    return { actor: 'system', traceId: randomUUID(), operation, at: this.#options.clock.now() };
  }
}
