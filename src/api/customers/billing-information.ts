/** Billing information as callers send it. It is passed on to an integration and never kept (contract, 5.12). */
import { parseCurrency } from '../../money.ts';
import {
  type AddressField,
  addressFields,
  type BillingAddress,
  type BillingInformation,
} from '../../webhooks/billing-letter.ts';
import { ApiProblem } from '../api-problem.ts';
import { metadataOf } from '../graphql/metadata.ts';

export const billingTypeDefs = /* GraphQL */ `
  """
  How a customer is billed. It is passed on to the integration at BILLING_WEBHOOK_URL and kept nowhere: no query
  answers it. So each time the whole of it has to be given, and what is left out has to be left out on purpose:
  with updateOneCustomer all six fields are required, null where there is nothing to say. With provisionCustomer
  what is not given is none.
  """
  input BillingInformationInput {
    "Where invoices go."
    billingAddress: BillingAddressInput
    "Where goods go."
    shippingAddress: BillingAddressInput
    "The customer's numbers at tax authorities, at most 20."
    taxIds: [TaxIdInput!]
    """
    The payment method's id at the billing provider, at most 255 characters. Where a payment provider is integrated,
    it has to know it, and the reference that it gives is the customer's \`billingId\`.
    """
    paymentMethodId: String
    "The currency that invoices are in: a code of ISO 4217."
    currency: String
    "The caller's own data for the integration: a JSON object of at most 16 KiB."
    metadata: JSON
  }

  """
  An address; each field at most 255 characters. With updateOneCustomer \`country\`, \`city\`, \`addressLine1\` and
  \`postalCode\` are required, null where the address has none.
  """
  input BillingAddressInput {
    "The country, best as a code of ISO 3166-1 with two letters."
    country: String
    "The city."
    city: String
    "The state, province or region."
    state: String
    "The street and number."
    addressLine1: String
    "What the first line has no room for."
    addressLine2: String
    "The postal code."
    postalCode: String
    "The telephone number there."
    phoneNumber: String
  }

  "A number at a tax authority."
  input TaxIdInput {
    "What kind of number it is, such as \`eu_vat\`; at most 255 characters."
    type: String!
    "The number; at most 255 characters."
    value: String!
  }
`;

type AddressInput = Readonly<Partial<Record<AddressField, string | null>>>;

export interface BillingInformationInput {
  readonly billingAddress?: AddressInput | null;
  readonly shippingAddress?: AddressInput | null;
  readonly taxIds?: BillingInformation['taxIds'] | null;
  readonly paymentMethodId?: string | null;
  readonly currency?: string | null;
  readonly metadata?: unknown;
}

const textLengthMax = 255;
const taxIdsMax = 20;

const fieldNames = [
  'billingAddress',
  'shippingAddress',
  'taxIds',
  'paymentMethodId',
  'currency',
  'metadata',
] as const satisfies readonly (keyof BillingInformationInput)[];

/** Many addresses have no state, second line or telephone number; without these others they are no addresses. */
const wholeAddress = ['country', 'city', 'addressLine1', 'postalCode'] as const;

/** Checked; throws VALIDATION_ERROR with a message that quotes nothing of it. Null and absent: there is none. */
export function billingInformationOf(
  input: BillingInformationInput | null | undefined,
  operation: 'provisionCustomer' | 'updateOneCustomer',
): BillingInformation | undefined {
  if (input === null || input === undefined) return undefined;
  if (operation === 'updateOneCustomer') requireWhole(input);
  const { billingAddress, shippingAddress, taxIds, paymentMethodId, currency, metadata } = input;
  return {
    billingAddress: addressOf('billingAddress', billingAddress),
    shippingAddress: addressOf('shippingAddress', shippingAddress),
    taxIds: taxIdsOf(taxIds ?? []),
    paymentMethodId: textOf('paymentMethodId', paymentMethodId),
    currency: currencyOf(currency),
    metadata: metadataOf(metadata, 'billingInformation.metadata'),
  };
}

function requireWhole(input: BillingInformationInput): void {
  const missing = [
    ...fieldNames.filter((name) => input[name] === undefined),
    ...missingOf('billingAddress', input.billingAddress),
    ...missingOf('shippingAddress', input.shippingAddress),
  ];
  if (missing.length === 0) return;
  throw refused(
    `billing information is not kept, so the whole object has to be passed each time; missing: ${missing.join(', ')}. ` +
      'Send null for what the customer does not have',
  );
}

function missingOf(name: string, address: AddressInput | null | undefined): readonly string[] {
  if (address === null || address === undefined) return [];
  return wholeAddress.filter((field) => address[field] === undefined).map((field) => `${name}.${field}`);
}

function addressOf(name: string, address: AddressInput | null | undefined): BillingAddress | null {
  if (address === null || address === undefined) return null;
  const fields = addressFields.map((field) => [field, textOf(`${name}.${field}`, address[field])] as const);
  return Object.fromEntries(fields) as BillingAddress;
}

function taxIdsOf(taxIds: BillingInformation['taxIds']): BillingInformation['taxIds'] {
  if (taxIds.length > taxIdsMax) throw refused(`taxIds has ${taxIds.length} entries; at most ${taxIdsMax}`);
  return taxIds.map(({ type, value }, index) => ({
    type: textOf(`taxIds[${index}].type`, type) ?? '',
    value: textOf(`taxIds[${index}].value`, value) ?? '',
  }));
}

function currencyOf(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  const currency = parseCurrency(text);
  if (currency === undefined) throw refused('currency must be a code of ISO 4217, such as "eur"');
  return currency;
}

function textOf(name: string, text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  if (text.length > textLengthMax) throw refused(`${name} must have at most ${textLengthMax} characters`);
  return text;
}

function refused(problem: string): ApiProblem {
  return new ApiProblem('VALIDATION_ERROR', `billingInformation: ${problem}`);
}
