import { randomBytes, randomUUID } from 'node:crypto';
import {
  type CustomerChange,
  type CustomerProblem,
  provisionedCustomer,
} from '../../customers/change-customer.ts';
import { isGiven } from '../../catalog/entity-fields.ts';
import type { Customer } from '../../customers/customer.ts';
import type { StartStrategy } from '../../subscriptions/customer-start.ts';
import type { CustomerStartOutcome } from '../../subscriptions/subscription-register.ts';
import type { Subscription } from '../../subscriptions/subscription.ts';
import { ApiProblem } from '../api-problem.ts';
import type { Input } from '../catalog/catalog-call.ts';
import type { ApiContext } from '../context.ts';
import { billingInformationOf } from './billing-information.ts';
import { checkedRefId, type CustomerFieldsInput, fieldsOf } from './customer-input.ts';
import {
  customerIn,
  customersOnly,
  type CustomerMutation,
  type CustomerStore,
  storedBy,
} from './customer-store.ts';
import { firstSubscriptionOf, type SubscriptionParamsInput } from './subscription-params.ts';

interface ProvisionCustomerInput extends CustomerFieldsInput {
  readonly customerId?: string | null;
  readonly subscriptionParams?: SubscriptionParamsInput | null;
}

/** What the customer may use by way of the subscription is worked out by who is asked for it. */
interface ProvisionedCustomer {
  readonly customer: Customer;
  readonly subscription: Subscription | null;
  readonly subscriptionDecisionStrategy: StartStrategy | 'NO_SUBSCRIPTION';
}

type Outcome = CustomerChange | CustomerStartOutcome;

const operation = 'provisionCustomer';

export async function provisionCustomer(
  _: unknown,
  { input }: Input<ProvisionCustomerInput>,
  context: ApiContext,
): Promise<ProvisionedCustomer> {
  const billing = billingInformationOf(input.billingInformation, operation);
  const fields = await fieldsOf(input, context);
  const id = randomUUID();
  const mutationOf = (refId: string): CustomerMutation => ({
    refId,
    operation,
    billing,
    decide: (existing, now) => provisionedCustomer(existing, refId, fields, id, now),
  });
  const { customerId, subscriptionParams } = input;
  const store: CustomerStore<Outcome> = isGiven(subscriptionParams)
    ? withSubscription(subscriptionParams, context)
    : customersOnly(context);
  const outcome = isGiven(customerId)
    ? await storedBy(store, mutationOf(checkedRefId(customerId)), context)
    : await underFreeName(store, mutationOf, context);
  const customer = customerIn(outcome);
  const started = 'strategy' in outcome ? outcome : undefined;
  return {
    customer,
    subscription: started?.subscription ?? null,
    subscriptionDecisionStrategy: started?.strategy ?? 'NO_SUBSCRIPTION',
  };
}

function withSubscription(
  params: SubscriptionParamsInput,
  { services }: ApiContext,
): CustomerStore<CustomerStartOutcome> {
  return (refId, by, decide) =>
    services.subscriptions.provisionWithCustomer(firstSubscriptionOf(params, refId), decide, by);
}

/** Made names are short, so one may be taken: that customer is left as it is, and another name is tried. */
async function underFreeName(
  store: CustomerStore<Outcome>,
  mutationOf: (refId: string) => CustomerMutation,
  context: ApiContext,
): Promise<Outcome> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const mutation = mutationOf(`customer-${randomBytes(3).toString('hex')}`);
    const decide: CustomerMutation['decide'] = (existing, now) =>
      existing === undefined ? mutation.decide(existing, now) : nameTaken;
    const outcome = await storedBy(store, { ...mutation, decide }, context);
    if (!('problem' in outcome) || outcome.problem !== nameTaken.problem) return outcome;
  }
  throw new ApiProblem('OVERLOADED', 'no free customerId was found; send your own', { retryAfterSeconds: 1 });
}

const nameTaken: CustomerChange & { readonly problem: CustomerProblem } = {
  problem: { code: 'DUPLICATE_ENTITY', message: 'another customer has this customerId' },
};
