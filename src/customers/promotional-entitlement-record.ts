/**
 * Promotional entitlements as records: kind `promotional-entitlement`, one record for each customer, key the
 * customer's refId, that holds all of them. So those of any number of customers are read in one round trip, beside
 * their subscriptions, and two grants at once never lose one. An archived customer's record stays as it is, for the
 * day that the customer is shown again: whoever reads it asks for the customer as well.
 */
import type { RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { PromotionalEntitlement } from './promotional-entitlement.ts';

export function promotionalEntitlementsRef(customerId: string): RecordRef {
  return { kind: 'promotional-entitlement', key: customerId };
}

/** Those that have ended included. */
export function promotionalEntitlementsOf(
  record: StoredRecord | undefined,
): readonly PromotionalEntitlement[] {
  return (record?.body as PromotionalBody | undefined)?.entitlements ?? [];
}

export function promotionalEntitlementsWrite(
  customerId: string,
  entitlements: readonly PromotionalEntitlement[],
  expectedVersion: number,
): RecordWrite {
  const body: PromotionalBody = { customerId, entitlements };
  return { ...promotionalEntitlementsRef(customerId), expectedVersion, body };
}

interface PromotionalBody {
  readonly customerId: string;
  readonly entitlements: readonly PromotionalEntitlement[];
}
