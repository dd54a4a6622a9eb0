/** What entitlements follow from, read from the records of any number of customers. */
import { customerOf, customerRef } from '../customers/customer-record.ts';
import {
  promotionalEntitlementsOf,
  promotionalEntitlementsRef,
} from '../customers/promotional-entitlement-record.ts';
import type { RecordRef, RecordStore, StoredRecord } from '../records/record-store.ts';
import { hasEnded, type Subscription } from '../subscriptions/subscription.ts';
import {
  bookOf,
  bookRef,
  filterIndexes,
  type SubscriptionBook,
  subscriptionOf,
  subscriptionRef,
} from '../subscriptions/subscription-record.ts';
import type { CustomerState } from './customer-standing.ts';

/**
 * The records that one of which is written with every change that bears on a customer's entitlements: the book
 * changes with each of the customer's subscriptions.
 */
export function tellingRefs(customerId: string): readonly [RecordRef, RecordRef, RecordRef] {
  return [customerRef(customerId), bookRef(customerId), promotionalEntitlementsRef(customerId)];
}

/**
 * In the order asked; undefined where there is no customer. Two round trips, and a third for customers of more than
 * a thousand subscriptions; so a customer who is changed meanwhile may be read half before and half after: whoever
 * needs to know compares the marks of `tellingRefs`.
 */
export async function readCustomerStates(
  records: Pick<RecordStore, 'page' | 'read'>,
  customerIds: readonly string[],
): Promise<readonly (CustomerState | undefined)[]> {
  const told = await records.read(customerIds.flatMap(tellingRefs));
  const books = customerIds.map((customerId, at) => bookOf(customerId, told[at * 3 + 1]));
  const histories = await Promise.all(
    // Without a book there never was a subscription.
    books.map(async (book, at) => (told[at * 3 + 1] === undefined ? [] : readHistory(records, book))),
  );
  return customerIds.map((_, at) => {
    const { trialedProductIds = [] } = books[at] ?? {};
    const portfolio = { subscriptions: histories[at] ?? [], trialedProductIds };
    return stateOf(told[at * 3], told[at * 3 + 2], portfolio);
  });
}

/** Older ones than these are looked for by name when they have not ended; the resources of others are forgotten. */
const historyMax = 1_000;

async function readHistory(
  records: Pick<RecordStore, 'page' | 'read'>,
  { customerId, live }: SubscriptionBook,
): Promise<readonly Subscription[]> {
  const [index = ''] = filterIndexes({ ...anySubscription, customerId });
  const { records: newest } = await records.page({
    kind: 'subscription',
    indexes: [index],
    scoreFrom: null,
    scoreBefore: null,
    order: 'descending',
    after: null,
    before: null,
    end: 'first',
    limit: historyMax,
  });
  const found = new Set(newest.map(({ key }) => key));
  const older = await records.read(live.filter((refId) => !found.has(refId)).map(subscriptionRef));
  return [...newest, ...older].map(subscriptionOf).filter((subscription) => subscription !== undefined);
}

const anySubscription = {
  customerId: null,
  status: null,
  planId: null,
  productId: null,
  resourceId: null,
  pricingType: null,
} as const;

function stateOf(
  customerRecord: StoredRecord | undefined,
  promotional: StoredRecord | undefined,
  { subscriptions, trialedProductIds }: CustomerState['portfolio'],
): CustomerState | undefined {
  const customer = customerOf(customerRecord);
  if (customer === undefined) return undefined;
  return {
    isArchived: customer.archivedAt !== null,
    portfolio: { subscriptions: subscriptions.filter((item) => !hasEnded(item)), trialedProductIds },
    promotions: promotionalEntitlementsOf(promotional),
    resourceIds: new Set(subscriptions.flatMap(({ resourceId }) => resourceId ?? [])),
  };
}
