/**
 * Archiving a customer beside whatever happens to the customer's subscriptions meanwhile: contract, section 5.11.
 * A subscription that bills is cancelled only where the caller said so, and none is left behind, as the customer
 * is archived only if the subscriptions are still those that were looked at. The others are hidden: they are due in
 * the same commit, so that no list that is asked for afterwards shows them, whoever does the hiding.
 */
import type { PricingType } from '../../catalog/package.ts';
import {
  archivedCustomer,
  type CustomerChange,
  unarchivedCustomer,
} from '../../customers/change-customer.ts';
import type { Customer } from '../../customers/customer.ts';
import { customerOf, customerRef, customerWrite } from '../../customers/customer-record.ts';
import { changeRecords } from '../../records/change-records.ts';
import { type Audit, RecordsOverloadedError } from '../../records/record-store.ts';
import { contentOf } from '../../subscriptions/package-version.ts';
import { matchVisibility } from '../../subscriptions/record-visibility.ts';
import type { SubscribedAddon, Subscription } from '../../subscriptions/subscription.ts';
import { bookRef, bookRewrite } from '../../subscriptions/subscription-record.ts';
import { noLetter } from '../../webhooks/billing-letter.ts';
import { ApiProblem, customerNotFound } from '../api-problem.ts';
import type { ApiServices } from '../context.ts';

export interface ArchiveRequest {
  readonly refId: string;
  readonly cancelSubscriptions: boolean;
}

const attemptsMax = 20;

const cancellation = {
  time: 'IMMEDIATE',
  endDate: null,
  action: 'REVOKE_ENTITLEMENTS',
  prorate: null,
  reason: 'CustomerArchived',
} as const;

export async function archiveWithSubscriptions(
  services: ApiServices,
  { refId, cancelSubscriptions }: ArchiveRequest,
  audit: Audit,
): Promise<Customer> {
  const { subscriptions, records } = services;
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const [record] = await records.read([customerRef(refId)]);
    if (record === undefined) throw customerNotFound(refId);
    // The book first: what changes while the subscriptions are looked at is noticed by it.
    const [book] = await records.read([bookRef(refId)]);
    const billing = await billingOf(await subscriptions.live(refId), services);
    if (billing.length > 0 && !cancelSubscriptions) throw stillBilled(billing);
    if (billing.length === 0) {
      const archived = await archiveBeside(services, refId, book?.version ?? 0, audit);
      if (archived !== 'stale') {
        await matchVisibility(records, refId, audit);
        return archived;
      }
    }
    // What cannot be cancelled, as it ended meanwhile, is not among them when they are looked at again.
    for (const subscription of billing) await subscriptions.cancel(subscription.refId, cancellation, audit);
  }
  throw new RecordsOverloadedError(
    'the subscriptions of the customer change all the time; send this one again',
  );
}

async function archiveBeside(
  { records, clock }: ApiServices,
  refId: string,
  bookVersion: number,
  audit: Audit,
): Promise<Customer | 'stale'> {
  const refs = [customerRef(refId), bookRef(refId)];
  const { result } = await changeRecords<CustomerChange | 'stale'>(records, refs, audit, ([record, book]) => {
    if ((book?.version ?? 0) !== bookVersion) return { writes: [], result: 'stale' };
    const existing = customerOf(record);
    const change = archivedCustomer(existing, refId, clock.now());
    if ('problem' in change || change.customer === existing) return { writes: [], result: change };
    const archived = customerWrite(change.customer, record?.version ?? 0);
    const writes = [archived, bookRewrite(refId, book, { dueAt: clock.now() })];
    return { writes, letters: [noLetter(refId)], result: change };
  });
  if (result === 'stale') return result;
  if ('customer' in result) return result.customer;
  throw new ApiProblem(result.problem.code, result.problem.message);
}

/** With the subscriptions that were not cancelled: they are as they were, and time catches up with them. */
export async function unarchiveWithSubscriptions(
  { records, clock }: ApiServices,
  refId: string,
  audit: Audit,
): Promise<Customer> {
  const refs = [customerRef(refId), bookRef(refId)];
  const { result } = await changeRecords<CustomerChange>(records, refs, audit, ([record, book]) => {
    const existing = customerOf(record);
    const change = unarchivedCustomer(existing, refId, clock.now());
    if ('problem' in change || change.customer === existing) return { writes: [], result: change };
    const shown = customerWrite(change.customer, record?.version ?? 0);
    return { writes: [shown, bookRewrite(refId, book, { dueAt: clock.now() })], result: change };
  });
  if ('problem' in result) throw new ApiProblem(result.problem.code, result.problem.message);
  await matchVisibility(records, refId, audit);
  return result.customer;
}

/** Those that bill now or, as a trial or one that has not started, later; also for an add-on to a free plan. */
async function billingOf(
  live: readonly Subscription[],
  { catalog }: ApiServices,
): Promise<readonly Subscription[]> {
  const addonIds = [...new Set(live.flatMap(({ addons }) => addons.map(({ addonId }) => addonId)))];
  const found = await Promise.all(addonIds.map((addonId) => catalog.package(addonId)));
  const isPaid = ({ addonId, version }: SubscribedAddon): boolean =>
    bills(contentOf(found[addonIds.indexOf(addonId)], version)?.pricingType);
  return live.filter(({ pricingType, addons }) => bills(pricingType) || addons.some(isPaid));
}

function bills(pricingType: PricingType | null | undefined): boolean {
  return pricingType === 'PAID' || pricingType === 'CUSTOM';
}

function stillBilled(billing: readonly Subscription[]): ApiProblem {
  const names = billing.map(({ refId }) => JSON.stringify(refId)).join(', ');
  const message = `the customer has paid subscriptions (${names}); cancel them first, or set cancelSubscriptions`;
  return new ApiProblem('VALIDATION_ERROR', message);
}
