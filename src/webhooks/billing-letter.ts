import { randomUUID } from 'node:crypto';
import type { Audit, SealedLetter } from '../records/record-store.ts';
import type { LetterSeal } from './letter-seal.ts';

export const billingEventType = 'customer.billing_information';

/** What is passed on: everything that there is to say, so a field that is missing is none. */
export interface BillingInformation {
  readonly billingAddress: BillingAddress | null;
  readonly shippingAddress: BillingAddress | null;
  readonly taxIds: readonly { readonly type: string; readonly value: string }[];
  readonly paymentMethodId: string | null;
  /** ISO 4217 in small letters. */
  readonly currency: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
}

export type BillingAddress = Readonly<Record<AddressField, string | null>>;
export type AddressField = (typeof addressFields)[number];

export const addressFields = [
  'country',
  'city',
  'state',
  'addressLine1',
  'addressLine2',
  'postalCode',
  'phoneNumber',
] as const;

/** The whole webhook, sealed from here on until it is sent. */
export function billingLetter(
  customerId: string,
  billingInformation: BillingInformation,
  { actor, traceId, at }: Audit,
  seal: LetterSeal,
): SealedLetter {
  const id = randomUUID();
  const content = JSON.stringify({
    type: billingEventType,
    messageId: id,
    traceId,
    timestamp: new Date(at).toISOString(),
    actor,
    customerId,
    billingInformation,
  });
  return { customerId, id, text: seal.seal(content, { customerId, id }) };
}

/** Erases what waits for the customer. */
export function noLetter(customerId: string): SealedLetter {
  return { customerId, id: '', text: '' };
}
