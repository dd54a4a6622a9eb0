/** What may be said of a customer, and how a customer changes by it. */
import type { Customer } from './customer.ts';

/** Undefined leaves a field as it is, null clears it. */
export interface CustomerFields {
  readonly name?: string | null | undefined;
  readonly email?: string | null | undefined;
  readonly additionalMetaData?: Customer['additionalMetaData'] | undefined;
}

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

/** `id` is a new UUID; `now` epoch ms. */
export function makeCustomer(refId: string, fields: CustomerFields, id: string, now: number): Customer {
  const { name = null, email = null, additionalMetaData = null } = fields;
  return { id, refId, name, email, additionalMetaData, createdAt: now, updatedAt: now };
}

/** The customer with the given fields, or the very same object when they change nothing. */
export function changeCustomer(existing: Customer, fields: CustomerFields, now: number): Customer {
  const {
    name = existing.name,
    email = existing.email,
    additionalMetaData = existing.additionalMetaData,
  } = fields;
  const unchanged =
    name === existing.name &&
    email === existing.email &&
    JSON.stringify(additionalMetaData) === JSON.stringify(existing.additionalMetaData);
  if (unchanged) return existing;
  return { ...existing, name, email, additionalMetaData, updatedAt: Math.max(now, existing.updatedAt) };
}
