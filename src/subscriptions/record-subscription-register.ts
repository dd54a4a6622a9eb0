import { randomBytes, randomUUID } from 'node:crypto';
import type { Catalog } from '../catalog/catalog.ts';
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import type { Clock } from '../clock.ts';
import { customerOf, customerRef } from '../customers/customer-record.ts';
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
import { offersFor } from './record-offers.ts';
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
  readonly catalog: Pick<Catalog, 'package' | 'product'>;
  readonly clock: Clock;
}

export class RecordSubscriptionRegister implements SubscriptionRegister, SubscriptionTime {
  readonly #records: RecordStore;
  readonly #reads: CoalescedReads;
  readonly #catalog: Pick<Catalog, 'package' | 'product'>;
  readonly #clock: Clock;

  constructor({ records, catalog, clock }: SubscriptionRegisterOptions) {
    this.#records = records;
    this.#reads = new CoalescedReads(records);
    this.#catalog = catalog;
    this.#clock = clock;
  }

  async subscription(name: string): Promise<Subscription | undefined> {
    const found = await this.#find(name);
    if (found === undefined || !(await this.#settle(found.customerId))) return found;
    return this.#find(found.refId);
  }

  async live(customerId: string): Promise<readonly Subscription[]> {
    await this.#settle(customerId);
    const { live } = bookOf(customerId, await this.#reads.read(bookRef(customerId)));
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
    const addonNames = (request.addons ?? []).map(({ addonId }) => addonId);
    return this.#changeOne(name, audit, addonNames, (portfolio, offers, subscription, now) => {
      const named = { ...request, addons: request.addons?.map(namedByRefId(offers)) ?? null };
      return updateSubscription(portfolio, offers, subscription, named, now);
    });
  }

  cancel(name: string, request: CancellationRequest, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, audit, [], (portfolio, offers, subscription, now) =>
      cancelSubscription(portfolio, offers, subscription, request, now),
    );
  }

  takeBackUpdates(name: string, audit: Audit): Promise<SubscriptionOutcome> {
    return this.#changeOne(name, audit, [], takeBackUpdates);
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

  /** Whether time had something to do. */
  async #settle(customerId: string): Promise<boolean> {
    const { dueAt } = bookOf(customerId, await this.#reads.read(bookRef(customerId)));
    const now = this.#clock.now();
    if (dueAt === null || dueAt > now) return false;
    const audit = { actor: 'system', traceId: randomUUID(), operation: 'advanceSubscriptions', at: now };
    await this.#change(customerId, audit, [], [], (portfolio) => ({ portfolio }));
    return true;
  }

  #provisionAs(
    request: NewSubscription & { readonly id: string; readonly refId: string },
    audit: Audit,
  ): Promise<SubscriptionOutcome> {
    const { customerId, refId, planId, addons } = request;
    const packageNames = [planId, ...(addons ?? []).map(({ addonId }) => addonId)];
    return this.#changeTo(
      refId,
      customerId,
      audit,
      packageNames,
      [refId],
      (portfolio, offers, now, records) => {
        const customer = customerOf(records.get(nameOf(customerRef(customerId))));
        if (customer?.archivedAt !== null) {
          const message = `no customer has the refId ${JSON.stringify(customerId)}`;
          return { problem: { code: 'CUSTOMER_NOT_FOUND', message } };
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
      },
    );
  }

  async #changeOne(
    name: string,
    audit: Audit,
    packageNames: readonly string[],
    decide: (portfolio: Portfolio, offers: Offers, item: Subscription, now: number) => PortfolioDecision,
  ): Promise<SubscriptionOutcome> {
    const found = await this.#find(name);
    if (found === undefined) return { problem: subscriptionNotFound(name) };
    const { refId, customerId } = found;
    return this.#changeTo(refId, customerId, audit, packageNames, [refId], (portfolio, offers, now) => {
      const subscription = portfolio.subscriptions.find((item) => item.refId === refId);
      return subscription === undefined
        ? { problem: subscriptionNotFound(name) }
        : decide(portfolio, offers, subscription, now);
    });
  }

  /** As `#change`, and answers the one subscription as it is then. */
  async #changeTo(
    refId: string,
    customerId: string,
    audit: Audit,
    packageNames: readonly string[],
    refIds: readonly string[],
    decide: Decide,
  ): Promise<SubscriptionOutcome> {
    const decision = await this.#change(customerId, audit, packageNames, refIds, decide);
    if ('problem' in decision) return decision;
    const subscription = decision.portfolio.subscriptions.find((item) => item.refId === refId);
    if (subscription === undefined) throw new Error('a change lost the subscription that it was about');
    return { subscription };
  }

  /**
   * Brings the customer's subscriptions up to now, lets `decide` change them, and commits both in one step. Begins
   * anew while others change which subscriptions there are. `refIds` are subscriptions that are wanted as well,
   * whether there are such or not.
   */
  async #change(
    customerId: string,
    audit: Audit,
    packageNames: readonly string[],
    refIds: readonly string[],
    decide: Decide,
  ): Promise<PortfolioDecision> {
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const [bookBefore] = await this.#records.read([bookRef(customerId)]);
      const { live } = bookOf(customerId, bookBefore);
      const wanted = [...new Set([...live, ...refIds])];
      const before = await this.#records.read(wanted.map(subscriptionRef));
      const names = [...packageNames, ...before.flatMap(packagesOf)];
      const offers = await offersFor(this.#catalog, names);
      const refs = [bookRef(customerId), customerRef(customerId), ...wanted.map(subscriptionRef)];
      const outcome = await changeRecords<PortfolioDecision | 'stale'>(
        this.#records,
        refs,
        audit,
        (found) => {
          const [book, , ...subscriptions] = found;
          const now = this.#clock.now();
          const records = new Map(refs.map((ref, place) => [nameOf(ref), found[place]]));
          const state = bookOf(customerId, book);
          if (state.live.some((refId) => !wanted.includes(refId))) return { writes: [], result: 'stale' };
          const bodies = subscriptions.map(subscriptionOf).filter((item) => item !== undefined);
          const own = bodies.filter((item) => item.customerId === customerId);
          const { trialedProductIds } = state;
          const current = advance({ subscriptions: own, trialedProductIds }, offers, now);
          const decided = decide(current, offers, now, records);
          const next = 'problem' in decided ? current : decided.portfolio;
          const byRefId = new Map(subscriptions.filter(isFound).map((record) => [record.key, record]));
          const writes = portfolioWrites(next, byRefId, {
            ...bookRef(customerId),
            version: book?.version ?? 0,
          });
          return { writes, result: decided };
        },
      );
      if (outcome.result !== 'stale') return outcome.result;
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

type Decide = (
  portfolio: Portfolio,
  offers: Offers,
  now: number,
  records: ReadonlyMap<string, StoredRecord | undefined>,
) => PortfolioDecision;

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** As the facts show it, section 1.0; a plan with a long name leaves it out. */
function madeRefId(planId: string): string {
  const suffix = randomBytes(3).toString('hex');
  return planId.length > 200 ? `subscription-${suffix}` : `subscription-${planId}-${suffix}`;
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

function isFound(record: StoredRecord | undefined): record is StoredRecord {
  return record !== undefined;
}

function recordPlaceOf(place: SubscriptionPlace | null): { score: number; key: string } | null {
  return place === null ? null : { score: place.createdAt, key: place.refId };
}
