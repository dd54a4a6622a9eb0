/** Customers as records: kind `customer`, key the refId. */
import { createHash } from 'node:crypto';
import type { RecordIndex, RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { Customer, CustomerFilter } from './customer.ts';

export function customerRef(refId: string): RecordRef {
  return { kind: 'customer', key: refId };
}

/** Archived ones included. */
export function customerOf(record: StoredRecord | undefined): Customer | undefined {
  // Customers that were stored before there were coupons and payments say nothing of them.
  type Known = Omit<Customer, 'billingId' | 'coupon'> & Partial<Customer>;
  return record && { coupon: null, billingId: null, ...(record.body as Known) };
}

/** An archived customer is in no index, so no list and no question meets it. */
export function customerWrite(customer: Customer, expectedVersion: number): RecordWrite {
  const indexes = customer.archivedAt === null ? indexesOf(customer) : [];
  return { ...customerRef(customer.refId), expectedVersion, body: customer, indexes };
}

/** The index that all customers are in but the archived ones. */
export const customersIndex = 'all';

/** The indexes whose common members have this name and e-mail, where they are given. */
export function customerIndexes({ name, email }: Pick<CustomerFilter, 'name' | 'email'>): string[] {
  const indexes: string[] = [];
  // Each name and each e-mail in use has an index of its own, called by a hash so that no key's name shows it.
  if (name !== null) indexes.push(`name:${digestOf(name)}`);
  if (email !== null) indexes.push(`email:${digestOf(email)}`);
  return indexes;
}

function indexesOf(customer: Customer): readonly RecordIndex[] {
  const score = customer.createdAt;
  const personal = customerIndexes(customer).map((name) => ({ name, score, personal: true }) as const);
  return [{ name: customersIndex, score }, ...personal];
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
