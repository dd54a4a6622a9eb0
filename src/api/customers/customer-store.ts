/** One mutation of a customer, with what is stored in the same step: an integration's letter, a first subscription. */
import type { CustomerChange } from '../../customers/change-customer.ts';
import type { Customer } from '../../customers/customer.ts';
import type { Audit } from '../../records/record-store.ts';
import type { CustomerStartOutcome } from '../../subscriptions/subscription-register.ts';
import { type BillingInformation, billingLetter } from '../../webhooks/billing-letter.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';

export interface CustomerMutation {
  /** The customer's. */
  readonly refId: string;
  readonly operation: string;
  /** Goes with the change or not at all; where nobody is to learn it, it ends here. */
  readonly billing: BillingInformation | undefined;
  /** Pure: it may be asked more than once. */
  readonly decide: (existing: Customer | undefined, now: number) => CustomerChange;
}

/** Stores what becomes of the customer of this refId. */
export type CustomerStore<Outcome> = (
  refId: string,
  by: Audit,
  decide: (existing: Customer | undefined) => CustomerChange,
) => Promise<Outcome>;

/** The customer alone, as it is then. */
export async function changedCustomer(mutation: CustomerMutation, context: ApiContext): Promise<Customer> {
  return customerIn(await storedBy(customersOnly(context), mutation, context));
}

export function customersOnly({ services }: ApiContext): CustomerStore<CustomerChange> {
  return (refId, by, decide) => services.customers.change(refId, by, decide);
}

export function storedBy<Outcome>(
  store: CustomerStore<Outcome>,
  { refId, operation, billing, decide }: CustomerMutation,
  { services, audit }: ApiContext,
): Promise<Outcome> {
  const { letterSeal: seal, clock } = services;
  const by = audit(operation);
  const letter = billing && seal && billingLetter(refId, billing, by, seal);
  return store(refId, by, (existing) => {
    const change = decide(existing, clock.now());
    return 'customer' in change ? { ...change, letter } : change;
  });
}

export function customerIn(change: CustomerChange | CustomerStartOutcome): Customer {
  if ('customer' in change) return change.customer;
  throw new ApiProblem(change.problem.code, change.problem.message);
}
