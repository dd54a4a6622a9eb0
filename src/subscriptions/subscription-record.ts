/**
 * Subscriptions as records: kind `subscription`, key the refId. Beside them each customer has one book, kind
 * `subscription-book`, which is written with every change of any of the customer's subscriptions: so two changes
 * that were decided on the same state never both take place, whichever subscriptions they touch.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RecordIndex, RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { Credit } from './customer-credit.ts';
import { hasEnded, type Portfolio, type Subscription } from './subscription.ts';
import type { SubscriptionFilter } from './subscription-register.ts';

export interface SubscriptionBook {
  readonly customerId: string;
  /** The refIds of subscriptions that have not ended. */
  readonly live: readonly string[];
  readonly trialedProductIds: readonly string[];
  /** When time next changes something, epoch ms; null for never. */
  readonly dueAt: number | null;
  /** The instant up to which everything is invoiced, itself included; null where no payments are collected. */
  readonly billedThrough: number | null;
  readonly credits: readonly Credit[];
  /** Whether the subscriptions have left the lists, as those of an archived customer do. */
  readonly isHidden: boolean;
}

export function subscriptionRef(refId: string): RecordRef {
  return { kind: 'subscription', key: refId };
}

export function subscriptionOf(record: StoredRecord | undefined): Subscription | undefined {
  return record?.body as Subscription | undefined;
}

export function bookRef(customerId: string): RecordRef {
  return { kind: 'subscription-book', key: customerId };
}

/** Of a customer who never had a subscription it is empty. */
export function bookOf(customerId: string, record: StoredRecord | undefined): SubscriptionBook {
  const nothing = { live: [], trialedProductIds: [], dueAt: null, billedThrough: null, credits: [] };
  const empty = { customerId, ...nothing, isHidden: false };
  return { ...empty, ...(record?.body as Partial<SubscriptionBook> | undefined) };
}

/** The index of the books in which time has something to do, by when. */
export const dueIndex = 'due';

/** The index that all subscriptions are in, by when they were made. */
export const subscriptionsIndex = 'all';

/** The indexes whose common members meet the conditions that are given. */
export function filterIndexes(filter: Omit<SubscriptionFilter, 'refId'>): readonly string[] {
  return indexNames({
    customer: filter.customerId,
    status: filter.status,
    plan: filter.planId,
    product: filter.productId,
    resource: filter.resourceId,
    pricing: filter.pricingType,
  });
}

/** The index of the customer's subscriptions that are shown, ended ones included. */
export function customerSubscriptionsIndex(customerId: string): string {
  return `customer:${customerId}`;
}

/** The only index that the subscriptions of an archived customer are in. */
export function hiddenIndex(customerId: string): string {
  return `hidden:${customerId}`;
}

/** The index of subscriptions that have not ended and have this plan or add-on. */
export function subscribersIndex(packageId: string): string {
  return `has:${packageId}`;
}

export function subscriptionWrite(
  subscription: Subscription,
  expectedVersion: number,
  isHidden: boolean,
): RecordWrite {
  const { refId, customerId, createdAt } = subscription;
  const indexes = isHidden ? [{ name: hiddenIndex(customerId), score: createdAt }] : indexesOf(subscription);
  return { ...subscriptionRef(refId), expectedVersion, body: subscription, indexes };
}

/** What has to be written so that the portfolio is as it was decided. `before` has its records by refId. */
export function portfolioWrites(
  portfolio: Portfolio,
  before: ReadonlyMap<string, StoredRecord>,
  customerId: string,
  book: StoredRecord | undefined,
  state: Pick<SubscriptionBook, 'dueAt' | 'billedThrough' | 'credits'>,
): readonly RecordWrite[] {
  const writes = portfolio.subscriptions
    .filter((subscription) => !isDeepStrictEqual(before.get(subscription.refId)?.body, subscription))
    .map((body) => subscriptionWrite(body, before.get(body.refId)?.version ?? 0, false));
  const known = bookOf(customerId, book);
  // What is due may change while no subscription does: with a version that is published for everybody.
  const isSame = state.dueAt === known.dueAt && isDeepStrictEqual(state.credits, known.credits);
  if (writes.length === 0 && isSame) return [];
  const live = portfolio.subscriptions.filter((item) => !hasEnded(item)).map(({ refId }) => refId);
  const { trialedProductIds } = portfolio;
  return [...writes, bookRewrite(customerId, book, { live, trialedProductIds, ...state })];
}

/**
 * The book with a change, or as it is: for a change beside the customer's subscriptions that must not meet one of
 * them, such as archiving the customer. Whoever decides on subscriptions at the same time decides anew.
 */
export function bookRewrite(
  customerId: string,
  book: StoredRecord | undefined,
  change: Partial<SubscriptionBook>,
): RecordWrite {
  const body = { ...bookOf(customerId, book), ...change };
  return {
    ...bookRef(customerId),
    expectedVersion: book?.version ?? 0,
    body,
    indexes: dueIndexes(body),
  };
}

function dueIndexes({ dueAt }: SubscriptionBook): readonly RecordIndex[] {
  return dueAt === null ? [] : [{ name: dueIndex, score: dueAt }];
}

function indexesOf(subscription: Subscription): readonly RecordIndex[] {
  const { createdAt, customerId, status, planId, productId, resourceId, pricingType } = subscription;
  const names = filterIndexes({ customerId, status, planId, productId, resourceId, pricingType });
  const packages = hasEnded(subscription)
    ? []
    : [planId, ...subscription.addons.map(({ addonId }) => addonId)];
  const all = [subscriptionsIndex, ...names, ...packages.map(subscribersIndex)];
  return all.map((name) => ({ name, score: createdAt }));
}

function indexNames(values: Readonly<Record<string, string | null>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [`${name}:${value}`]));
}
