import { randomUUID } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import { type CatalogProblem, invalid } from '../catalog/catalog-problem.ts';
import type { Clock } from '../clock.ts';
import { type CustomerChange, customerArchived, customerNotFound } from '../customers/change-customer.ts';
import { customerOf, customerRef, customerWrite } from '../customers/customer-record.ts';
import type { Customer } from '../customers/customer.ts';
import { type FailureReport, ItemRetries } from '../item-retries.ts';
import type { PaymentProvider } from '../payments/payment-provider.ts';
import { CoalescedReads } from '../records/coalesced-reads.ts';
import type { Audit, RecordPlace, RecordStore } from '../records/record-store.ts';
import { cancelSubscription, type CancellationRequest } from './cancel.ts';
import { type StartDecision, startPlanOf, startSubscription } from './customer-start.ts';
import type { CollectedInvoice } from './collected-invoice.ts';
import { collectedInvoiceOf, invoiceRef } from './invoice-record.ts';
import { migrateSubscription, type MigrationTime } from './migrate.ts';
import { type ChangeScope, nameOf, type Refusal, scopeOf } from './record-change-scope.ts';
import {
  namedByRefId,
  namedByRefIds,
  type NamedRequest,
  newScopeOf,
  placeProblem,
  underFreeName,
} from './record-new-subscription.ts';
import { RecordDueItems } from './record-due-items.ts';
import { RecordPayments } from './record-payments.ts';
import { type Beside, type Decide, RecordPortfolios } from './record-portfolios.ts';
import { RecordRollouts } from './record-rollouts.ts';
import { isArchived } from './record-visibility.ts';
import { provision, type PortfolioDecision } from './provision.ts';
import { hasEnded, type Offers, type Portfolio, type Subscription } from './subscription.ts';
import {
  bookOf,
  bookRef,
  dueIndex,
  filterIndexes,
  subscriptionOf,
  subscriptionRef,
  subscriptionsIndex,
} from './subscription-record.ts';
import type {
  CustomerStartOutcome,
  DueStep,
  NewSubscription,
  SubscriptionOutcome,
  SubscriptionPage,
  SubscriptionPageQuery,
  SubscriptionPlace,
  SubscriptionRegister,
  SubscriptionTime,
} from './subscription-register.ts';
import { transferSubscription } from './transfer.ts';
import { takeBackUpdates, type UpdateRequest, updateSubscription } from './update.ts';

/** Customers whose time a list brings up to date before it is read. */
const settledPerPageMax = 100;

export interface SubscriptionRegisterOptions {
  readonly records: RecordStore;
  readonly catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>;
  readonly clock: Clock;
  /** Who collects what is to be paid. Undefined: nothing is invoiced, and what starts is active at once. */
  readonly payments?: PaymentProvider | undefined;
  /** Who is told of customers and invoices for which what time does has failed. Undefined: nobody. */
  readonly failures?: FailureReport | undefined;
}

export class RecordSubscriptionRegister implements SubscriptionRegister, SubscriptionTime {
  readonly #records: RecordStore;
  readonly #reads: CoalescedReads;
  readonly #catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>;
  readonly #clock: Clock;
  readonly #portfolios: RecordPortfolios;
  readonly #payments: RecordPayments | undefined;
  readonly #due: RecordDueItems;
  readonly #rollouts: RecordRollouts;

  constructor({
    records,
    catalog,
    clock,
    payments: provider,
    failures = nobody,
  }: SubscriptionRegisterOptions) {
    this.#records = records;
    this.#reads = new CoalescedReads(records);
    this.#catalog = catalog;
    this.#clock = clock;
    const isInvoiced = provider !== undefined;
    const portfolios = new RecordPortfolios({ records, catalog, clock, isInvoiced });
    this.#portfolios = portfolios;
    this.#payments = provider && new RecordPayments({ records, portfolios, provider, clock, failures });
    const retries = new ItemRetries({ task: 'advanceSubscriptions', clock, report: failures });
    this.#due = new RecordDueItems({
      records,
      clock,
      kind: 'subscription-book',
      index: dueIndex,
      dueAt: (record) => bookOf(record.key, record).dueAt,
      carryOut: async (customerId) => void (await this.#settle(customerId)),
      retries,
    });
    this.#rollouts = new RecordRollouts({
      records,
      clock,
      settle: (customerId) => retries.attempt(customerId, () => this.#bringUpToDate(customerId)),
    });
  }

  async subscription(name: string): Promise<Subscription | undefined> {
    const found = await this.#find(name);
    if (found === undefined) return undefined;
    const { customerId, refId } = found;
    const hasChanged = await this.#settle(customerId);
    if (isArchived(await this.#reads.read(customerRef(customerId)))) return undefined;
    return hasChanged ? this.#find(refId) : found;
  }

  async live(customerId: string): Promise<readonly Subscription[]> {
    await this.#settle(customerId);
    const [book, customer] = await Promise.all([
      this.#reads.read(bookRef(customerId)),
      this.#reads.read(customerRef(customerId)),
    ]);
    const live = isArchived(customer) ? [] : bookOf(customerId, book).live;
    const records = await Promise.all(live.map((refId) => this.#reads.read(subscriptionRef(refId))));
    return records
      .map(subscriptionOf)
      .filter((subscription) => subscription !== undefined)
      .filter((subscription) => !hasEnded(subscription))
      .toSorted((a, b) => a.createdAt - b.createdAt);
  }

  async page(query: SubscriptionPageQuery): Promise<SubscriptionPage> {
    const { filter, order, after, before, end, limit } = query;
    if (filter.refId !== null) return this.#pageOfOne(filter.refId, query);
    if (filter.customerId === null) await this.settleDue(settledPerPageMax, null);
    else await this.#settle(filter.customerId);
    const [first = subscriptionsIndex, ...others] = filterIndexes(filter);
    const { records, ...page } = await this.#records.page({
      kind: 'subscription',
      indexes: [first, ...others],
      scoreFrom: query.createdFrom,
      scoreBefore: query.createdBefore,
      order: order === 'oldest-first' ? 'ascending' : 'descending',
      after: recordPlaceOf(after),
      before: recordPlaceOf(before),
      end,
      limit,
    });
    return { ...page, subscriptions: records.map(({ body }) => body as Subscription) };
  }

  async provision(request: NewSubscription, audit: Audit): Promise<SubscriptionOutcome> {
    const planId = (await this.#catalog.package(request.planId))?.refId ?? request.planId;
    return underFreeName({ ...request, planId }, planId, (named) => this.#provisionAs(named, audit));
  }

  async provisionWithCustomer(
    request: NewSubscription,
    changeCustomer: ChangeCustomer,
    audit: Audit,
  ): Promise<CustomerStartOutcome> {
    const plan = await this.#catalog.package(request.planId);
    const product = plan && (await this.#catalog.product(plan.productId));
    const planId = plan?.refId ?? request.planId;
    const startPlanId = (product && startPlanOf(product)) ?? planId;
    const outcome = await underFreeName({ ...request, planId }, startPlanId, (named) =>
      this.#startAs(named, changeCustomer, audit),
    );
    return 'refused' in outcome ? { problem: outcome.refused } : outcome;
  }

  update(name: string, request: UpdateRequest, audit: Audit): Promise<SubscriptionOutcome> {
    const scope = scopeOf(
      request,
      (request.addons ?? []).map(({ addonId }) => addonId),
    );
    return this.#changeOne(name, { ...scope, audit }, (portfolio, offers, subscription, now) => {
      const named = { ...request, addons: request.addons?.map(namedByRefId(offers)) ?? null };
      return updateSubscription(portfolio, offers, subscription, named, now);
    });
  }

  cancel(name: string, request: CancellationRequest, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, { audit }, (portfolio, offers, subscription, now) =>
      cancelSubscription(portfolio, offers, subscription, request, now),
    );
  }

  takeBackUpdates(name: string, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, { audit }, takeBackUpdates);
  }

  migrate(name: string, time: MigrationTime, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, { audit }, (portfolio, offers, subscription, now) =>
      migrateSubscription(portfolio, offers, subscription, time, now),
    );
  }

  transfer(name: string, resourceId: string, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, { audit }, (portfolio, offers, subscription, now) =>
      transferSubscription(portfolio, offers, subscription, resourceId, now),
    );
  }

  async invoice(id: string): Promise<CollectedInvoice | undefined> {
    return collectedInvoiceOf(await this.#reads.read(invoiceRef(id)));
  }

  async markInvoicePaid(name: string, audit: Audit): Promise<SubscriptionOutcome> {
    const subscription = await this.subscription(name);
    if (subscription === undefined) return { problem: subscriptionNotFound(name) };
    const { latestInvoiceId, refId } = subscription;
    const invoice = latestInvoiceId === null ? undefined : await this.invoice(latestInvoiceId);
    if (this.#payments === undefined || invoice === undefined || invoice.status === 'CANCELED') {
      const state =
        invoice === undefined ? 'has no invoice' : 'has an invoice that is not to be paid any more';
      return { problem: invalid(`the subscription ${JSON.stringify(refId)} ${state}`) };
    }
    if (invoice.status === 'OPEN') await this.#payments.markPaid(invoice, audit);
    return { subscription: (await this.#find(refId)) ?? subscription };
  }

  async collectDue(invoicesMax: number, after: RecordPlace | null = null): Promise<DueStep> {
    return (await this.#payments?.collectDue(invoicesMax, after)) ?? { done: 0, next: null };
  }

  settleDue(customersMax: number, after: RecordPlace | null = null): Promise<DueStep> {
    return this.#due.step(customersMax, after);
  }

  rollOut(subscriptionsMax: number): Promise<boolean> {
    return this.#rollouts.step(subscriptionsMax, this.#byTime('rollOutPackages'));
  }

  /** Whether time had something to do. */
  async #settle(customerId: string): Promise<boolean> {
    const { dueAt } = bookOf(customerId, await this.#reads.read(bookRef(customerId)));
    if (dueAt === null || dueAt > this.#clock.now()) return false;
    await this.#bringUpToDate(customerId);
    return true;
  }

  async #bringUpToDate(customerId: string): Promise<void> {
    const scope = { customerId, audit: this.#byTime('advanceSubscriptions') };
    await this.#portfolios.change(scope, (portfolio) => ({ portfolio }));
  }

  #byTime(operation: string): Audit {
    return { actor: 'system', traceId: randomUUID(), operation, at: this.#clock.now() };
  }

  #provisionAs(request: NamedRequest, audit: Audit): Promise<SubscriptionOutcome> {
    const { customerId } = request;
    const scope = newScopeOf(request, audit);
    return this.#changeTo(scope, customerNotFound(customerId), (portfolio, offers, now, records) => {
      if (records.get(nameOf(customerRef(customerId))) === undefined) {
        return { problem: customerNotFound(customerId) };
      }
      const refusal = placeProblem(request, portfolio, records);
      if (refusal !== undefined) return { problem: refusal };
      return provision(portfolio, offers, namedByRefIds(request, offers), now);
    });
  }

  /** `refused`: it is the customer that cannot be changed so. */
  async #startAs(
    request: NamedRequest,
    changeCustomer: ChangeCustomer,
    audit: Audit,
  ): Promise<CustomerStartOutcome | { readonly refused: CatalogProblem }> {
    const { customerId } = request;
    const scope = newScopeOf(request, audit);
    const decision = await this.#portfolios.change<StartStep>(scope, (portfolio, offers, now, records) => {
      const record = records.get(nameOf(customerRef(customerId)));
      const existing = customerOf(record);
      const change = changeCustomer(existing);
      if ('problem' in change) return { portfolio, refused: change.problem };
      const started = startSubscription(portfolio, offers, namedByRefIds(request, offers), now);
      if ('problem' in started) return started;
      const isNew = started.strategy !== 'EXISTING_SUBSCRIPTION';
      const refusal = isNew ? placeProblem(request, portfolio, records) : undefined;
      if (refusal !== undefined) return { problem: refusal };
      const { customer, letter } = change;
      const beside = customer === existing ? [] : [customerWrite(customer, record?.version ?? 0)];
      return { ...started, customer, beside, letters: letter === undefined ? [] : [letter] };
    });
    if (decision === 'archived') return { refused: customerArchived(customerId) };
    if ('problem' in decision || 'refused' in decision) return decision;
    const { customer, strategy, portfolio, refId } = decision;
    return { customer, strategy, subscription: await this.#collected(subscriptionIn(portfolio, refId)) };
  }

  async #changeOne(
    name: string,
    scope: Omit<ChangeScope, 'customerId' | 'refId'>,
    decide: (portfolio: Portfolio, offers: Offers, item: Subscription, now: number) => PortfolioDecision,
  ): Promise<SubscriptionOutcome> {
    const found = await this.#find(name);
    const missing = subscriptionNotFound(name);
    if (found === undefined) return { problem: missing };
    const { refId, customerId } = found;
    return this.#changeTo({ ...scope, refId, customerId }, missing, (portfolio, offers, now) => {
      const subscription = portfolio.subscriptions.find((item) => item.refId === refId);
      return subscription === undefined ? { problem: missing } : decide(portfolio, offers, subscription, now);
    });
  }

  /** As `#change`, and answers the one subscription as it is then. `missing` where the customer is archived. */
  async #changeTo(
    scope: ChangeScope & { readonly refId: string },
    missing: CatalogProblem,
    decide: Decide,
  ): Promise<SubscriptionOutcome> {
    const decision = await this.#portfolios.change(scope, decide);
    if (decision === 'archived') return { problem: missing };
    if ('problem' in decision) return decision;
    return { subscription: await this.#collected(subscriptionIn(decision.portfolio, scope.refId)) };
  }

  /** The subscription after the provider was asked about its invoice, where it has not been yet. */
  async #collected(subscription: Subscription): Promise<Subscription> {
    const { latestInvoiceId, refId } = subscription;
    if (this.#payments === undefined || latestInvoiceId === null) return subscription;
    const invoice = await this.invoice(latestInvoiceId);
    if (invoice?.status !== 'OPEN' || invoice.attempts > 0) return subscription;
    await this.#payments.collect(latestInvoiceId);
    return (await this.#find(refId)) ?? subscription;
  }

  /** Whether the one subscription of that name meets the other conditions, too. */
  async #pageOfOne(refId: string, query: SubscriptionPageQuery): Promise<SubscriptionPage> {
    const found = await this.#reads.read(subscriptionRef(refId));
    const subscription = found && (await this.subscription(refId));
    const isMet = subscription !== undefined && meets(subscription, query);
    const isShown = isMet && query.after === null && query.before === null;
    return {
      subscriptions: isShown ? [subscription] : [],
      totalCount: isMet ? 1 : 0,
      hasNextPage: isMet && query.before !== null,
      hasPreviousPage: isMet && query.after !== null,
    };
  }

  async #find(name: string): Promise<Subscription | undefined> {
    const record = await this.#reads.read(subscriptionRef(name));
    if (record !== undefined || !uuidPattern.test(name)) return subscriptionOf(record);
    return subscriptionOf(await this.#records.byId('subscription', name.toLowerCase()));
  }
}

type StartStep =
  | Refusal
  | { readonly portfolio: Portfolio; readonly refused: CatalogProblem }
  | (Extract<StartDecision, { readonly refId: string }> & Beside & { readonly customer: Customer });

const nobody: FailureReport = { failed: () => undefined };

type ChangeCustomer = (existing: Customer | undefined) => CustomerChange;

function subscriptionIn({ subscriptions }: Portfolio, name: string): Subscription {
  const subscription = subscriptions.find(({ refId }) => refId === name);
  if (subscription === undefined) throw new Error('a change lost the subscription that it was about');
  return subscription;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function subscriptionNotFound(name: string): CatalogProblem {
  const message = `no subscription has the refId or id ${JSON.stringify(name)}`;
  return { code: 'SUBSCRIPTION_NOT_FOUND', message };
}

function meets(subscription: Subscription, query: SubscriptionPageQuery): boolean {
  const { filter, createdFrom, createdBefore } = query;
  const indexes = filterIndexes(subscription);
  return (
    filterIndexes(filter).every((name) => indexes.includes(name)) &&
    subscription.createdAt >= (createdFrom ?? Number.NEGATIVE_INFINITY) &&
    subscription.createdAt < (createdBefore ?? Number.POSITIVE_INFINITY)
  );
}

function recordPlaceOf(place: SubscriptionPlace | null): { score: number; key: string } | null {
  return place === null ? null : { score: place.createdAt, key: place.refId };
}
