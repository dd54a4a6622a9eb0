import { randomBytes, randomUUID } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import { isGiven } from '../catalog/entity-fields.ts';
import type { Clock } from '../clock.ts';
import { customerRef } from '../customers/customer-record.ts';
import { changeRecords } from '../records/change-records.ts';
import { CoalescedReads } from '../records/coalesced-reads.ts';
import {
  type Audit,
  type RecordRef,
  RecordsOverloadedError,
  type RecordStore,
  type StoredRecord,
} from '../records/record-store.ts';
import { advance } from './advance.ts';
import { cancelSubscription, type CancellationRequest } from './cancel.ts';
import { migrateSubscription, type MigrationTime } from './migrate.ts';
import { offersFor } from './record-offers.ts';
import { RecordRollouts } from './record-rollouts.ts';
import { isArchived, matchVisibility } from './record-visibility.ts';
import { provision, type PortfolioDecision } from './provision.ts';
import { hasEnded, type Offers, type Portfolio, type Subscription } from './subscription.ts';
import {
  bookOf,
  bookRef,
  dueIndex,
  filterIndexes,
  portfolioWrites,
  subscriptionOf,
  subscriptionRef,
  subscriptionsIndex,
} from './subscription-record.ts';
import type {
  NewSubscription,
  SubscriptionOutcome,
  SubscriptionPage,
  SubscriptionPageQuery,
  SubscriptionPlace,
  SubscriptionRegister,
  SubscriptionTime,
} from './subscription-register.ts';
import type { TermsRequest } from './terms.ts';
import { transferSubscription } from './transfer.ts';
import { takeBackUpdates, type UpdateRequest, updateSubscription } from './update.ts';

/**
 * Subscriptions of one customer that have not ended. A change reads all of them, and one script of Redis takes
 * 500 writes: each of these, one that may follow it, and the book.
 */
const liveMax = 240;

/** How often a change begins anew because the customer's subscriptions became others meanwhile. */
const attemptsMax = 100;

/** Customers whose time a list brings up to date before it is read. */
const settledPerPageMax = 100;

export interface SubscriptionRegisterOptions {
  readonly records: RecordStore;
  readonly catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>;
  readonly clock: Clock;
}

export class RecordSubscriptionRegister implements SubscriptionRegister, SubscriptionTime {
  readonly #records: RecordStore;
  readonly #reads: CoalescedReads;
  readonly #catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>;
  readonly #clock: Clock;
  readonly #rollouts: RecordRollouts;

  constructor({ records, catalog, clock }: SubscriptionRegisterOptions) {
    this.#records = records;
    this.#reads = new CoalescedReads(records);
    this.#catalog = catalog;
    this.#clock = clock;
    this.#rollouts = new RecordRollouts({
      records,
      clock,
      settle: (customerId) => this.#bringUpToDate(customerId),
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
    if (filter.customerId === null) await this.settleDue(settledPerPageMax);
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
    const id = randomUUID();
    const planId = (await this.#catalog.package(request.planId))?.refId ?? request.planId;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const refId = request.refId ?? madeRefId(planId);
      const outcome = await this.#provisionAs({ ...request, planId, refId, id }, audit);
      // Made names are short, so one may be taken; then another is tried.
      const isTaken = 'problem' in outcome && outcome.problem.code === 'DUPLICATE_ENTITY';
      if (!isTaken || request.refId !== null) return outcome;
    }
    throw new RecordsOverloadedError('no free subscriptionId was found; send your own');
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

  async settleDue(customersMax: number): Promise<number> {
    const { records } = await this.#records.page({
      kind: 'subscription-book',
      indexes: [dueIndex],
      scoreFrom: null,
      scoreBefore: this.#clock.now() + 1,
      order: 'ascending',
      after: null,
      before: null,
      end: 'first',
      limit: customersMax,
    });
    for (const { key } of records) await this.#settle(key);
    return records.length;
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
    await this.#change(scope, (portfolio) => ({ portfolio }));
  }

  #byTime(operation: string): Audit {
    return { actor: 'system', traceId: randomUUID(), operation, at: this.#clock.now() };
  }

  #provisionAs(
    request: NewSubscription & { readonly id: string; readonly refId: string },
    audit: Audit,
  ): Promise<SubscriptionOutcome> {
    const { customerId, refId, planId, addons } = request;
    const packageNames = [planId, ...(addons ?? []).map(({ addonId }) => addonId)];
    const scope = { ...scopeOf(request, packageNames), customerId, audit, refId };
    return this.#changeTo(scope, customerNotFound(customerId), (portfolio, offers, now, records) => {
      if (records.get(nameOf(customerRef(customerId))) === undefined) {
        return { problem: customerNotFound(customerId) };
      }
      if (records.get(nameOf(subscriptionRef(refId))) !== undefined) {
        const message = `a subscription has the refId ${JSON.stringify(refId)} already`;
        return { problem: { code: 'DUPLICATE_ENTITY', message } };
      }
      if (portfolio.subscriptions.filter((item) => !hasEnded(item)).length >= liveMax) {
        const message = `a customer has at most ${liveMax} subscriptions that have not ended`;
        return { problem: { code: 'VALIDATION_ERROR', message } };
      }
      const plan = offers.package(planId)?.refId ?? planId;
      const named = { ...request, planId: plan, addons: addons?.map(namedByRefId(offers)) ?? null };
      return provision(portfolio, offers, named, now);
    });
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
    const decision = await this.#change(scope, decide);
    if (decision === 'archived') return { problem: missing };
    if ('problem' in decision) return decision;
    const subscription = decision.portfolio.subscriptions.find(({ refId }) => refId === scope.refId);
    if (subscription === undefined) throw new Error('a change lost the subscription that it was about');
    return { subscription };
  }

  /**
   * Brings the customer's subscriptions up to now, lets `decide` change them, and commits both in one step. Begins
   * anew while others change which subscriptions there are. Those of an archived customer stay as they are.
   */
  async #change(scope: ChangeScope, decide: Decide): Promise<PortfolioDecision | 'archived'> {
    const { customerId, audit, refId, packageNames = [], couponNames = [] } = scope;
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const [bookBefore] = await this.#records.read([bookRef(customerId)]);
      const { live } = bookOf(customerId, bookBefore);
      const wanted = [...new Set([...live, ...(refId === undefined ? [] : [refId])])];
      const before = await this.#records.read(wanted.map(subscriptionRef));
      const names = [...packageNames, ...before.flatMap(packagesOf)];
      const offers = await offersFor(this.#catalog, names, couponNames);
      const refs = refsOf(scope, wanted);
      const outcome = await changeRecords<PortfolioDecision | 'archived' | 'stale' | 'unsettled'>(
        this.#records,
        refs,
        audit,
        (found) => {
          const records = new Map(refs.map((ref, place) => [nameOf(ref), found[place]]));
          const book = records.get(nameOf(bookRef(customerId)));
          const customer = records.get(nameOf(customerRef(customerId)));
          const state = bookOf(customerId, book);
          if (state.isHidden !== isArchived(customer)) return { writes: [], result: 'unsettled' };
          if (state.isHidden) return { writes: [], result: 'archived' };
          if (state.live.some((name) => !wanted.includes(name))) return { writes: [], result: 'stale' };
          const now = this.#clock.now();
          const stored = wanted.flatMap((name) => records.get(nameOf(subscriptionRef(name))) ?? []);
          const own = stored
            .map(subscriptionOf)
            .filter((item) => item !== undefined)
            .filter((item) => item.customerId === customerId);
          const { trialedProductIds } = state;
          const current = advance({ subscriptions: own, trialedProductIds }, offers, now);
          const decided = payerProblem(scope, records) ?? decide(current, offers, now, records);
          const next = 'problem' in decided ? current : decided.portfolio;
          const byRefId = new Map(stored.map((record) => [record.key, record]));
          return { writes: portfolioWrites(next, offers, byRefId, customerId, book), result: decided };
        },
      );
      if (outcome.result === 'unsettled') await matchVisibility(this.#records, customerId, audit);
      else if (outcome.result !== 'stale') return outcome.result;
    }
    throw new RecordsOverloadedError('too many changes of this customer at once; send this one again');
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

/** What a change reads beside the customer's subscriptions. */
interface ChangeScope {
  readonly customerId: string;
  readonly audit: Audit;
  /** A subscription that is wanted as well, whether there is such a one or not. */
  readonly refId?: string;
  readonly packageNames?: readonly string[];
  readonly couponNames?: readonly string[];
  /** Undefined and null: none is asked for. */
  readonly payingCustomerId?: string | null | undefined;
}

function scopeOf(
  { appliedCoupon, payingCustomerId }: TermsRequest,
  packageNames: readonly string[],
): Pick<ChangeScope, 'packageNames' | 'couponNames' | 'payingCustomerId'> {
  const couponNames = isGiven(appliedCoupon) ? [appliedCoupon.couponId] : [];
  return { packageNames, couponNames, payingCustomerId };
}

function refsOf(
  { customerId, payingCustomerId }: ChangeScope,
  refIds: readonly string[],
): readonly RecordRef[] {
  const customerIds = new Set([customerId, ...(isGiven(payingCustomerId) ? [payingCustomerId] : [])]);
  return [bookRef(customerId), ...[...customerIds].map(customerRef), ...refIds.map(subscriptionRef)];
}

type RecordsByName = ReadonlyMap<string, StoredRecord | undefined>;

function payerProblem(
  { payingCustomerId }: ChangeScope,
  records: RecordsByName,
): { readonly problem: CatalogProblem } | undefined {
  if (!isGiven(payingCustomerId)) return undefined;
  const payer = records.get(nameOf(customerRef(payingCustomerId)));
  if (payer !== undefined && !isArchived(payer)) return undefined;
  const { code, message } = customerNotFound(payingCustomerId);
  return { problem: { code, message: `payingCustomerId: ${message}` } };
}

type Decide = (
  portfolio: Portfolio,
  offers: Offers,
  now: number,
  records: RecordsByName,
) => PortfolioDecision;

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** As the facts show it, section 1.0; a plan with a long name leaves it out. */
function madeRefId(planId: string): string {
  const suffix = randomBytes(3).toString('hex');
  return planId.length > 200 ? `subscription-${suffix}` : `subscription-${planId}-${suffix}`;
}

function customerNotFound(refId: string): CatalogProblem {
  return { code: 'CUSTOMER_NOT_FOUND', message: `no customer has the refId ${JSON.stringify(refId)}` };
}

function subscriptionNotFound(name: string): CatalogProblem {
  const message = `no subscription has the refId or id ${JSON.stringify(name)}`;
  return { code: 'SUBSCRIPTION_NOT_FOUND', message };
}

function packagesOf(record: StoredRecord | undefined): readonly string[] {
  const subscription = subscriptionOf(record);
  if (subscription === undefined) return [];
  return [subscription.planId, ...subscription.addons.map(({ addonId }) => addonId)];
}

function namedByRefId(offers: Offers) {
  return <Named extends { readonly addonId: string }>(addon: Named): Named => ({
    ...addon,
    addonId: offers.package(addon.addonId)?.refId ?? addon.addonId,
  });
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

function nameOf({ kind, key }: RecordRef): string {
  return `${kind} ${key}`;
}

function recordPlaceOf(place: SubscriptionPlace | null): { score: number; key: string } | null {
  return place === null ? null : { score: place.createdAt, key: place.refId };
}
