/** What may be said of a customer, and how a customer changes by it. */
import { appliedFrom, type AppliedCoupon, type Coupon } from '../catalog/coupon.ts';
import type { SealedLetter } from '../records/record-store.ts';
import type { Customer } from './customer.ts';

/** Undefined leaves a field as it is, null clears it. */
export interface CustomerFields {
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly additionalMetaData?: Customer['additionalMetaData'] | undefined;
  /** Has to be active, unless the customer has it already: then it goes on as it is. */
  readonly coupon?: Coupon | null | undefined;
  readonly billingId?: string | null | undefined;
}

/** Why a customer cannot be changed so. */
export interface CustomerProblem {
  readonly code: 'CUSTOMER_NOT_FOUND' | 'DUPLICATE_ENTITY' | 'VALIDATION_ERROR';
  readonly message: string;
}

/**
 * The customer as it is to be; the very same object where nothing changes. The letter is stored in the same step, also
 * beside a customer who does not change.
 */
export type CustomerChange =
  | { readonly customer: Customer; readonly letter?: SealedLetter | undefined }
  | { readonly problem: CustomerProblem };

const textLengthMax = 255;
const refIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_|.@-]{0,254}$/;

/** A customer's refId: public facts, section 1.0. */
export function isCustomerRefId(text: string): boolean {
  return refIdPattern.test(text);
}

export const customerRefIdRule =
  '1 to 255 characters: letters, digits, _ | . @ and -, the first one a letter or digit';

/** What is wrong with the fields, or undefined. The message quotes neither name nor e-mail. */
export function customerFieldsProblem(fields: CustomerFields): string | undefined {
  const { name, email } = fields;
  if (typeof name === 'string' && (name === '' || name.length > textLengthMax)) {
    return `name must have 1 to ${textLengthMax} characters`;
  }
  // Whether an address exists only a message to it can tell; this refuses what cannot be one.
  if (typeof email === 'string' && (email.length > textLengthMax || !/^[^\s@]+@[^\s@]+$/.test(email))) {
    return `email must be an address of at most ${textLengthMax} characters`;
  }
  return undefined;
}

/** An upsert: contract, section 5.10. `id` is a UUID for a new customer; `now` epoch ms. */
export function provisionedCustomer(
  existing: Customer | undefined,
  refId: string,
  fields: CustomerFields,
  id: string,
  now: number,
): CustomerChange {
  if (existing === undefined) return withFields(newCustomer(refId, id, now), fields, now);
  if (existing.archivedAt !== null) return { problem: customerArchived(refId) };
  return withFields(existing, fields, now);
}

export function updatedCustomer(
  existing: Customer | undefined,
  refId: string,
  fields: CustomerFields,
  now: number,
): CustomerChange {
  if (existing === undefined || existing.archivedAt !== null) return { problem: customerNotFound(refId) };
  return withFields(existing, fields, now);
}

/**
 * Name and e-mail are gone for good, also after `unarchivedCustomer`: contract, section 5.11. Archiving an
 * archived customer changes nothing.
 */
export function archivedCustomer(existing: Customer | undefined, refId: string, now: number): CustomerChange {
  if (existing === undefined) return { problem: customerNotFound(refId) };
  if (existing.archivedAt !== null) return { customer: existing };
  const at = Math.max(now, existing.updatedAt);
  return { customer: { ...existing, name: null, email: null, updatedAt: at, archivedAt: at } };
}

export function unarchivedCustomer(
  existing: Customer | undefined,
  refId: string,
  now: number,
): CustomerChange {
  if (existing === undefined) return { problem: customerNotFound(refId) };
  if (existing.archivedAt === null) return { customer: existing };
  return { customer: { ...existing, updatedAt: Math.max(now, existing.updatedAt), archivedAt: null } };
}

export function customerNotFound(refId: string): CustomerProblem {
  return { code: 'CUSTOMER_NOT_FOUND', message: `no customer has the refId ${JSON.stringify(refId)}` };
}

function newCustomer(refId: string, id: string, now: number): Customer {
  const fields = { name: null, email: null, additionalMetaData: null, coupon: null, billingId: null };
  const blank = { ...fields, archivedAt: null };
  return { id, refId, ...blank, createdAt: now, updatedAt: now };
}

function withFields(existing: Customer, fields: CustomerFields, now: number): CustomerChange {
  const {
    name = existing.name,
    email = existing.email,
    additionalMetaData = existing.additionalMetaData,
    billingId = existing.billingId,
  } = fields;
  const coupon = withCoupon(existing, fields.coupon, now);
  if (typeof coupon === 'string') return { problem: { code: 'VALIDATION_ERROR', message: coupon } };
  const unchanged =
    name === existing.name &&
    email === existing.email &&
    coupon === existing.coupon &&
    billingId === existing.billingId &&
    JSON.stringify(additionalMetaData) === JSON.stringify(existing.additionalMetaData);
  if (unchanged) return { customer: existing };
  const updatedAt = Math.max(now, existing.updatedAt);
  return { customer: { ...existing, name, email, additionalMetaData, coupon, billingId, updatedAt } };
}

/** A text says why the customer cannot have it. The same coupon again does not begin anew. */
function withCoupon(
  { coupon: existing }: Customer,
  coupon: Coupon | null | undefined,
  now: number,
): AppliedCoupon | null | string {
  if (coupon === undefined) return existing;
  if (coupon === null) return null;
  if (coupon.refId === existing?.couponId) return existing;
  if (coupon.status === 'ACTIVE') return appliedFrom(coupon, now);
  return `couponId: the coupon ${JSON.stringify(coupon.refId)} is archived; choose an active one`;
}

export function customerArchived(refId: string): CustomerProblem {
  const message = `the customer ${JSON.stringify(refId)} is archived; unarchiveCustomer brings it back`;
  return { code: 'DUPLICATE_ENTITY', message };
}
