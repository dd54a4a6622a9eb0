/**
 * Subscriptions of an archived customer are in no list (contract, 5.11): they leave every index but one, by which
 * they are found again when the customer is brought back. The customer's record says what is to be, and the book
 * how far it is; a book that is behind is due, so that whoever comes next finishes it before anything is listed.
 */
import { customerOf, customerRef } from '../customers/customer-record.ts';
import { changeRecords } from '../records/change-records.ts';
import {
  type Audit,
  RecordsOverloadedError,
  type RecordStore,
  type StoredRecord,
} from '../records/record-store.ts';
import {
  bookOf,
  bookRef,
  bookRewrite,
  customerSubscriptionsIndex,
  hiddenIndex,
  subscriptionOf,
  subscriptionWrite,
} from './subscription-record.ts';

/** Subscriptions that one commit hides or shows; it takes 500 writes. */
const perCommit = 200;

export function isArchived(customer: StoredRecord | undefined): boolean {
  return typeof customerOf(customer)?.archivedAt === 'number';
}

/** Commits for one customer, beyond which something else is wrong than that there are many. */
const commitsMax = 100_000;

/** Hides or shows all of them, as the customer's record says. */
export async function matchVisibility(records: RecordStore, customerId: string, audit: Audit): Promise<void> {
  for (let commit = 1; commit <= commitsMax; commit += 1) {
    const [customer, book] = await records.read([customerRef(customerId), bookRef(customerId)]);
    const isHidden = isArchived(customer);
    if (bookOf(customerId, book).isHidden === isHidden) return;
    if (await moveSome(records, customerId, isHidden, audit)) return;
  }
  throw new RecordsOverloadedError('the customer is archived and brought back all the time; try again');
}

/** Whether it were the last ones. */
async function moveSome(
  records: RecordStore,
  customerId: string,
  isHidden: boolean,
  audit: Audit,
): Promise<boolean> {
  const page = await records.page({
    kind: 'subscription',
    indexes: [isHidden ? customerSubscriptionsIndex(customerId) : hiddenIndex(customerId)],
    scoreFrom: null,
    scoreBefore: null,
    order: 'ascending',
    after: null,
    before: null,
    end: 'first',
    limit: perCommit,
  });
  const refs = [customerRef(customerId), bookRef(customerId), ...page.records];
  const { result } = await changeRecords(records, refs, audit, ([customer, book, ...subscriptions]) => {
    const state = bookOf(customerId, book);
    // Somebody else was faster, or it is to be the other way round by now.
    if (isArchived(customer) !== isHidden || state.isHidden === isHidden)
      return { writes: [], result: false };
    const writes = subscriptions.flatMap((record) => {
      const subscription = subscriptionOf(record);
      return subscription === undefined
        ? []
        : [subscriptionWrite(subscription, record?.version ?? 0, isHidden)];
    });
    if (page.hasNextPage) return { writes, result: false };
    // Time goes by for none of them while they are hidden, and catches up when they are shown.
    const dueAt = isHidden ? null : audit.at;
    return { writes: [...writes, bookRewrite(customerId, book, { isHidden, dueAt })], result: true };
  });
  return result;
}
