/** Customers and requests for tests of subscriptions as records. */
import { randomUUID } from 'node:crypto';
import type { RecordStore } from '../records/record-store.ts';
import { published } from './life-cycle.fixture.ts';
import type { NewSubscription } from './subscription-register.ts';

export async function provisionCustomers(records: RecordStore, refIds: readonly string[]): Promise<void> {
  const audit = { actor: 'test', traceId: 'trace', operation: 'set up', at: published };
  const writes = refIds.map((key) => {
    const body = { id: randomUUID(), refId: key, name: null, email: null, archivedAt: null };
    return { kind: 'customer', key, expectedVersion: 0, body } as const;
  });
  await records.commit(writes, audit);
}

export function newSubscription(
  customerId: string,
  planId: string,
  more: Partial<NewSubscription> = {},
): NewSubscription {
  return {
    refId: null,
    customerId,
    planId,
    resourceId: null,
    billingCountryCode: null,
    startDate: null,
    skipTrial: false,
    trialOverride: null,
    scheduleStrategy: null,
    billingCycleAnchor: 'UNCHANGED',
    cancellationDate: null,
    additionalMetaData: null,
    billingPeriod: null,
    addons: null,
    billableFeatures: null,
    unitQuantity: null,
    ...more,
  };
}
