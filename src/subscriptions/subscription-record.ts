/**
 * Subscriptions as records: kind `subscription`, key the refId. Beside them each customer has one book, kind
 * `subscription-book`, which is written with every change of any of the customer's subscriptions: so two changes
 * that were decided on the same state never both take place, whichever subscriptions they touch.
 */
import { isDeepStrictEqual } from 'node:util';
import type { RecordIndex, RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import { nextDueAt } from './advance.ts';
import { hasEnded, type Portfolio, type Subscription } from './subscription.ts';
import type { SubscriptionFilter } from './subscription-register.ts';

export interface SubscriptionBook {
  readonly customerId: string;
  /** The refIds of subscriptions that have not ended. */
  readonly live: readonly string[];
  readonly trialedProductIds: readonly string[];
  /** When time next changes something, epoch ms; null for never. */
  readonly dueAt: number | null;
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
  const empty: SubscriptionBook = { customerId, live: [], trialedProductIds: [], dueAt: null };
  return (record?.body as SubscriptionBook | undefined) ?? empty;
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

/** What has to be written so that the portfolio is as it was decided. `before` has its records by refId. */
export function portfolioWrites(
  portfolio: Portfolio,
  before: ReadonlyMap<string, StoredRecord>,
  book: RecordRef & { readonly version: number },
): readonly RecordWrite[] {
  const writes = portfolio.subscriptions
    .filter((subscription) => !isDeepStrictEqual(before.get(subscription.refId)?.body, subscription))
    .map((body): RecordWrite => {
      const expectedVersion = before.get(body.refId)?.version ?? 0;
      return { ...subscriptionRef(body.refId), expectedVersion, body, indexes: indexesOf(body) };
    });
  return writes.length === 0 ? [] : [...writes, bookWrite(portfolio, book)];
}

/**
 * The book as it is, written again: for a change beside the customer's subscriptions that must not meet one of
 * them, such as archiving the customer. Whoever decides on subscriptions at the same time decides anew.
 */
export function bookRewrite(customerId: string, book: StoredRecord | undefined): RecordWrite {
  const body = bookOf(customerId, book);
  return {
    ...bookRef(customerId),
    expectedVersion: book?.version ?? 0,
    body,
    indexes: dueIndexes(body),
  };
}

function bookWrite(
  portfolio: Portfolio,
  { kind, key, version }: RecordRef & { readonly version: number },
): RecordWrite {
  const body: SubscriptionBook = {
    customerId: key,
    live: portfolio.subscriptions.filter((item) => !hasEnded(item)).map(({ refId }) => refId),
    trialedProductIds: portfolio.trialedProductIds,
    dueAt: nextDueAt(portfolio),
  };
  return { kind, key, expectedVersion: version, body, indexes: dueIndexes(body) };
}

function dueIndexes({ dueAt }: SubscriptionBook): readonly RecordIndex[] {
  return dueAt === null ? [] : [{ name: dueIndex, score: dueAt }];
}

function indexesOf(subscription: Subscription): readonly RecordIndex[] {
  const { createdAt, customerId, status, planId, productId, resourceId, pricingType } = subscription;
  const names = filterIndexes({ customerId, status, planId, productId, resourceId, pricingType });
  return [subscriptionsIndex, ...names].map((name) => ({ name, score: createdAt }));
}

function indexNames(values: Readonly<Record<string, string | null>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [`${name}:${value}`]));
}
