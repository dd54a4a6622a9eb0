/** How callers name a customer, and say what is to be stored of one. */
import type { Coupon } from '../../catalog/coupon.ts';
import { isGiven } from '../../catalog/entity-fields.ts';
import {
  type CustomerFields,
  customerFieldsProblem,
  customerRefIdRule,
  isCustomerRefId,
} from '../../customers/change-customer.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext, ApiServices } from '../context.ts';
import { metadataOf } from '../graphql/metadata.ts';
import type { BillingInformationInput } from './billing-information.ts';

export interface CustomerFieldsInput {
  readonly name?: string | null;
  readonly email?: string | null;
  readonly couponId?: string | null;
  readonly additionalMetaData?: unknown;
  readonly billingInformation?: BillingInformationInput | null;
}

export interface CustomerNameInput {
  readonly customerId?: string | null;
  readonly refId?: string | null;
}

export async function fieldsOf(
  input: CustomerFieldsInput,
  { services }: ApiContext,
): Promise<CustomerFields> {
  const { name, email, couponId, additionalMetaData } = input;
  const problem = customerFieldsProblem({ name, email });
  if (problem !== undefined) throw new ApiProblem('VALIDATION_ERROR', problem);
  return {
    name,
    email,
    additionalMetaData: additionalMetaData === undefined ? undefined : metadataOf(additionalMetaData),
    coupon: isGiven(couponId) ? await couponCalled(couponId, services.catalog) : couponId,
    billingId: await billingIdOf(input.billingInformation, services.payments),
  };
}

/** What is kept of the payment method: the provider's own reference of it. Undefined where nothing is said of one. */
async function billingIdOf(
  billing: BillingInformationInput | null | undefined,
  payments: ApiServices['payments'],
): Promise<string | null | undefined> {
  if (!isGiven(billing) || payments === undefined) return undefined;
  if (!isGiven(billing.paymentMethodId)) return null;
  const reference = await payments.attach(billing.paymentMethodId);
  if (reference !== undefined) return reference;
  const problem =
    'billingInformation.paymentMethodId names no payment method that the payment provider knows';
  throw new ApiProblem('VALIDATION_ERROR', problem);
}

async function couponCalled(name: string, catalog: ApiServices['catalog']): Promise<Coupon> {
  const coupon = await catalog.coupon(name);
  if (coupon !== undefined) return coupon;
  throw new ApiProblem('VALIDATION_ERROR', `couponId: no coupon has the refId or id ${JSON.stringify(name)}`);
}

export function refIdOf(input: CustomerNameInput): string {
  const refId = sameRefId(input.refId, input.customerId);
  if (refId === null) throw new ApiProblem('VALIDATION_ERROR', 'customerId is required');
  return refId;
}

export function sameRefId(
  refId: string | null | undefined,
  customerId: string | null | undefined,
): string | null {
  if (isGiven(refId) && isGiven(customerId) && refId !== customerId) {
    throw new ApiProblem(
      'VALIDATION_ERROR',
      'customerId and refId name two customers; one of them is enough',
    );
  }
  return refId ?? customerId ?? null;
}

export function checkedRefId(customerId: string): string {
  if (isCustomerRefId(customerId)) return customerId;
  throw new ApiProblem('VALIDATION_ERROR', `customerId must be ${customerRefIdRule}`);
}
