/** What a change of one customer's subscriptions reads beside them. */
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import { isGiven } from '../catalog/entity-fields.ts';
import { customerNotFound } from '../customers/change-customer.ts';
import { customerRef } from '../customers/customer-record.ts';
import type { Audit, RecordRef, StoredRecord } from '../records/record-store.ts';
import { invoiceRef } from './invoice-record.ts';
import { isArchived } from './record-visibility.ts';
import { bookRef, subscriptionOf, subscriptionRef } from './subscription-record.ts';
import type { TermsRequest } from './terms.ts';

export interface Refusal {
  readonly problem: CatalogProblem;
}

export interface ChangeScope {
  readonly customerId: string;
  readonly audit: Audit;
  /** A subscription that is wanted as well, whether there is such a one or not. */
  readonly refId?: string;
  readonly packageNames?: readonly string[];
  readonly couponNames?: readonly string[];
  /** Undefined and null: none is asked for. */
  readonly payingCustomerId?: string | null | undefined;
  /** An invoice that is wanted as well. */
  readonly invoiceId?: string;
}

export function scopeOf(
  { appliedCoupon, payingCustomerId }: TermsRequest,
  packageNames: readonly string[],
): Pick<ChangeScope, 'packageNames' | 'couponNames' | 'payingCustomerId'> {
  const couponNames = isGiven(appliedCoupon) ? [appliedCoupon.couponId] : [];
  return { packageNames, couponNames, payingCustomerId };
}

export function refsOf(
  { customerId, payingCustomerId, invoiceId }: ChangeScope,
  refIds: readonly string[],
): readonly RecordRef[] {
  const customerIds = new Set([customerId, ...(isGiven(payingCustomerId) ? [payingCustomerId] : [])]);
  const invoices = invoiceId === undefined ? [] : [invoiceRef(invoiceId)];
  const customers = [...customerIds].map(customerRef);
  return [bookRef(customerId), ...customers, ...refIds.map(subscriptionRef), ...invoices];
}

export type RecordsByName = ReadonlyMap<string, StoredRecord | undefined>;

export function payerProblem({ payingCustomerId }: ChangeScope, records: RecordsByName): Refusal | undefined {
  if (!isGiven(payingCustomerId)) return undefined;
  const payer = records.get(nameOf(customerRef(payingCustomerId)));
  if (payer !== undefined && !isArchived(payer)) return undefined;
  const { code, message } = customerNotFound(payingCustomerId);
  return { problem: { code, message: `payingCustomerId: ${message}` } };
}

export function packagesOf(record: StoredRecord | undefined): readonly string[] {
  const subscription = subscriptionOf(record);
  if (subscription === undefined) return [];
  return [subscription.planId, ...subscription.addons.map(({ addonId }) => addonId)];
}

export function nameOf({ kind, key }: RecordRef): string {
  return `${kind} ${key}`;
}
