import { randomUUID } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { Clock } from '../clock.ts';
import type { Customer } from '../customers/customer.ts';
import { customerOf, customerRef } from '../customers/customer-record.ts';
import { changeRecords } from '../records/change-records.ts';
import {
  RecordsOverloadedError,
  type RecordRef,
  type RecordStore,
  type RecordWrite,
  type SealedLetter,
  type StoredRecord,
} from '../records/record-store.ts';
import { type Accounts, type BillingContext, carriedOut, nextStop, passTime } from './accounts.ts';
import { advance, nextDueAt } from './advance.ts';
import { collectedInvoiceOf, invoiceRef, invoiceWrite } from './invoice-record.ts';
import { payerOf } from './invoice.ts';
import type { PortfolioDecision } from './provision.ts';
import {
  type ChangeScope,
  nameOf,
  packagesOf,
  payerProblem,
  type RecordsByName,
  type Refusal,
  refsOf,
} from './record-change-scope.ts';
import { offersFor } from './record-offers.ts';
import { isArchived, matchVisibility } from './record-visibility.ts';
import type { Offers, Portfolio, Subscription } from './subscription.ts';
import {
  bookOf,
  bookRef,
  portfolioWrites,
  subscriptionOf,
  subscriptionRef,
  type SubscriptionBook,
} from './subscription-record.ts';

export interface PortfolioOptions {
  readonly records: RecordStore;
  readonly catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>;
  readonly clock: Clock;
  /** Whether what is subscribed to is invoiced. */
  readonly isInvoiced: boolean;
}

/** What is to be written in the same step. */
export interface Beside {
  readonly beside?: readonly RecordWrite[];
  readonly letters?: readonly SealedLetter[];
}

export type Decision = PortfolioDecision & Beside;

export type Decide<Decided extends Decision = PortfolioDecision> = (
  portfolio: Portfolio,
  offers: Offers,
  now: number,
  records: RecordsByName,
) => Decided;

/** What becomes of the accounts, which are as of now. */
export type AccountsStep<Result> = (
  accounts: Accounts,
  found: { readonly context: BillingContext; readonly now: number; readonly records: RecordsByName },
) => Beside & { readonly accounts: Accounts; readonly result: Result };

/** How often a change begins anew because the customer's subscriptions became others meanwhile, or time is behind. */
const attemptsMax = 100;

/** Changes one customer's subscriptions, and what is invoiced for them, in one commit. */
export class RecordPortfolios {
  readonly #options: PortfolioOptions;

  constructor(options: PortfolioOptions) {
    this.#options = options;
  }

  /**
   * Brings the customer's subscriptions up to now, lets `decide` change them, and commits both in one step. The
   * answer has them as they are then.
   */
  async change<Decided extends Decision>(
    scope: ChangeScope,
    decide: Decide<Decided>,
  ): Promise<Decided | Refusal | 'archived'> {
    return this.step<Decided | Refusal>(scope, (accounts, { context, now, records }) => {
      const { portfolio } = accounts;
      const decided = payerProblem(scope, records) ?? decide(portfolio, context.offers, now, records);
      if ('problem' in decided) return { accounts, result: decided };
      const { beside = [], letters = [] } = decided;
      const billing = { ...context, payerCoupons: withCouponsOf(beside, context.payerCoupons) };
      const next = this.#options.isInvoiced
        ? carriedOut(accounts, decided.portfolio, scope.refId, billing, now)
        : { ...accounts, portfolio: decided.portfolio };
      return { accounts: next, result: { ...decided, portfolio: next.portfolio }, beside, letters };
    });
  }

  /**
   * As `change`, for whoever changes invoices, too. Begins anew while others change which subscriptions there are.
   * Those of an archived customer stay as they are.
   */
  async step<Result>(scope: ChangeScope, step: AccountsStep<Result>): Promise<Result | 'archived'> {
    const { records, catalog } = this.#options;
    const { customerId, audit, refId, packageNames = [], couponNames = [] } = scope;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const [bookBefore] = await records.read([bookRef(customerId)]);
      const { live } = bookOf(customerId, bookBefore);
      const wanted = [...new Set([...live, ...(refId === undefined ? [] : [refId])])];
      const before = await records.read(wanted.map(subscriptionRef));
      const names = [...packageNames, ...before.flatMap(packagesOf)];
      const offers = await offersFor(catalog, names, couponNames);
      const refs = withoutRepeats([...refsOf(scope, wanted), ...this.#billingRefs(before)]);
      const { result } = await changeRecords<Settled<Result> | Unsettled>(records, refs, audit, (found) => {
        const read = new Map(refs.map((ref, place) => [nameOf(ref), found[place]]));
        return this.#decided({ customerId, wanted, offers, read }, step);
      });
      if (result === 'unsettled') await matchVisibility(records, customerId, audit);
      else if (result === 'archived') return result;
      else if (result !== 'again') return result.settled;
    }
    throw new RecordsOverloadedError('too many changes of this customer at once; send this one again');
  }

  /** Who pays, whose coupon counts, and the invoices that a payment is awaited for. */
  #billingRefs(subscriptions: readonly (StoredRecord | undefined)[]): readonly RecordRef[] {
    if (!this.#options.isInvoiced) return [];
    return subscriptions.map(subscriptionOf).flatMap((item) => {
      if (item === undefined) return [];
      return [customerRef(payerOf(item)), ...pendingInvoices(item).map(invoiceRef)];
    });
  }

  #decided<Result>(
    { customerId, wanted, offers, read }: ReadState,
    step: AccountsStep<Result>,
  ): {
    writes: readonly RecordWrite[];
    letters?: readonly SealedLetter[];
    result: Settled<Result> | Unsettled;
  } {
    const book = read.get(nameOf(bookRef(customerId)));
    const state = bookOf(customerId, book);
    const isHidden = isArchived(read.get(nameOf(customerRef(customerId))));
    if (state.isHidden !== isHidden) return { writes: [], result: 'unsettled' };
    if (isHidden) return { writes: [], result: 'archived' };
    const stored = wanted.flatMap((name) => read.get(nameOf(subscriptionRef(name))) ?? []);
    const own = stored
      .map(subscriptionOf)
      .filter((item) => item !== undefined)
      .filter((item) => item.customerId === customerId);
    const isKnown = this.#billingRefs(stored).every((ref) => read.has(nameOf(ref)));
    if (!isKnown || state.live.some((name) => !wanted.includes(name))) return { writes: [], result: 'again' };
    const now = this.#options.clock.now();
    const invoices = [...read.values()].flatMap((record) =>
      record?.kind === 'invoice' ? (collectedInvoiceOf(record) ?? []) : [],
    );
    const portfolio = { subscriptions: own, trialedProductIds: state.trialedProductIds };
    const context = { offers, payerCoupons: couponsIn(read), newId: randomUUID };
    const passed = this.#passed({ portfolio, invoices, credits: state.credits }, context, state, now);
    const byRefId = new Map(stored.map((record) => [record.key, record]));
    const writesOf = ({ portfolio: next, invoices: made, credits }: Accounts): readonly RecordWrite[] => [
      ...portfolioWrites(next, byRefId, customerId, book, {
        credits,
        billedThrough: this.#options.isInvoiced ? passed.until : null,
        dueAt: this.#options.isInvoiced ? nextStop(next, offers, passed.until) : nextDueAt(next, offers),
      }),
      ...invoiceWrites(made, read),
    ];
    // What nobody was there for is more than one commit takes: the rest of it comes next.
    if (passed.until < now) return { writes: writesOf(passed.accounts), result: 'again' };
    const {
      accounts,
      result,
      beside = [],
      letters = [],
    } = step(passed.accounts, { context, now, records: read });
    return { writes: [...writesOf(accounts), ...beside], letters, result: { settled: result } };
  }

  #passed(
    accounts: Accounts,
    context: BillingContext,
    { billedThrough }: SubscriptionBook,
    now: number,
  ): { readonly accounts: Accounts; readonly until: number } {
    if (this.#options.isInvoiced) return passTime(accounts, context, billedThrough ?? now, now);
    return {
      accounts: { ...accounts, portfolio: advance(accounts.portfolio, context.offers, now) },
      until: now,
    };
  }
}

interface ReadState {
  readonly customerId: string;
  /** The refIds of the subscriptions that were read. */
  readonly wanted: readonly string[];
  readonly offers: Offers;
  readonly read: RecordsByName;
}

interface Settled<Result> {
  readonly settled: Result;
}

type Unsettled = 'archived' | 'again' | 'unsettled';

function withoutRepeats(refs: readonly RecordRef[]): readonly RecordRef[] {
  return [...new Map(refs.map((ref) => [nameOf(ref), ref])).values()];
}

function pendingInvoices({ status, latestInvoiceId }: Subscription): readonly string[] {
  return status === 'PAYMENT_PENDING' && latestInvoiceId !== null ? [latestInvoiceId] : [];
}

function couponsIn(records: RecordsByName): ReadonlyMap<string, AppliedCoupon | null> {
  const customers = [...records.values()].filter((record) => record?.kind === 'customer').map(customerOf);
  return new Map(couponsOf(customers));
}

function couponsOf(
  customers: readonly (Customer | undefined)[],
): readonly (readonly [string, AppliedCoupon | null])[] {
  return customers.flatMap((customer) => (customer ? [[customer.refId, customer.coupon] as const] : []));
}

/** A customer who is stored in the same step has the coupon that is stored. */
function withCouponsOf(
  writes: readonly RecordWrite[],
  coupons: ReadonlyMap<string, AppliedCoupon | null>,
): ReadonlyMap<string, AppliedCoupon | null> {
  const customers = writes
    .filter(({ kind }) => kind === 'customer')
    .map(({ kind, key, body, expectedVersion: version }) => customerOf({ kind, key, body, version }));
  return new Map([...coupons, ...couponsOf(customers)]);
}

function invoiceWrites(invoices: Accounts['invoices'], records: RecordsByName): readonly RecordWrite[] {
  return invoices.flatMap((invoice) => {
    const record = records.get(nameOf(invoiceRef(invoice.id)));
    return record?.body === invoice ? [] : [invoiceWrite(invoice, record?.version ?? 0)];
  });
}
