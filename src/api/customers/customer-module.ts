import { randomBytes, randomUUID } from 'node:crypto';
import {
  type CustomerChange,
  type CustomerFields,
  type CustomerProblem,
  customerFieldsProblem,
  customerRefIdRule,
  isCustomerRefId,
  provisionedCustomer,
  updatedCustomer,
} from '../../customers/change-customer.ts';
import type { Coupon } from '../../catalog/coupon.ts';
import type { Customer, CustomerFilter, CustomerPlace } from '../../customers/customer.ts';
import type { Audit } from '../../records/record-store.ts';
import type { StartStrategy } from '../../subscriptions/customer-start.ts';
import type { CustomerStartOutcome } from '../../subscriptions/subscription-register.ts';
import type { Subscription } from '../../subscriptions/subscription.ts';
import { ApiProblem, customerNotFound } from '../api-problem.ts';
import type { ApiContext, ApiModule, ApiServices } from '../context.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  pageSizeOf,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';
import { metadataOf } from '../graphql/metadata.ts';
import { type BillingInformation, billingLetter } from '../../webhooks/billing-letter.ts';
import {
  type BillingInformationInput,
  billingInformationOf,
  billingTypeDefs,
} from './billing-information.ts';
import { archiveWithSubscriptions, unarchiveWithSubscriptions } from './archive-customer.ts';
import { customerFieldCosts, customerFields } from './customer-fields.ts';
import { customerTypeDefs } from './customer-schema.ts';
import {
  firstSubscriptionOf,
  type SubscriptionParamsInput,
  subscriptionParamsTypeDefs,
} from './subscription-params.ts';

export const customerModule: ApiModule = {
  typeDefs: customerTypeDefs + billingTypeDefs + subscriptionParamsTypeDefs,
  resolvers: {
    Query: { getCustomerByRefId, customers },
    Mutation: { provisionCustomer, updateOneCustomer, archiveCustomer, unarchiveCustomer },
    Customer: customerFields,
  },
  costs: {
    'Query.getCustomerByRefId': { weight: 10 },
    'Query.customers': { weight: 50, items: pageSizeOf },
    'Mutation.provisionCustomer': { weight: 150 },
    'Mutation.updateOneCustomer': { weight: 50 },
    'Mutation.archiveCustomer': { weight: 100 },
    'Mutation.unarchiveCustomer': { weight: 50 },
    ...customerFieldCosts,
  },
};

interface CustomerFieldsInput {
  readonly name?: string | null;
  readonly email?: string | null;
  readonly couponId?: string | null;
  readonly additionalMetaData?: unknown;
  readonly billingInformation?: BillingInformationInput | null;
}

interface CustomerNameInput {
  readonly customerId?: string | null;
  readonly refId?: string | null;
}

interface Input<T> {
  readonly input: T;
}

async function getCustomerByRefId(
  _: unknown,
  { input }: Input<CustomerNameInput>,
  { services }: ApiContext,
): Promise<Customer> {
  const refId = refIdOf(input);
  const customer = await services.customers.customer(refId);
  if (customer === undefined) throw customerNotFound(refId);
  return customer;
}

interface ProvisionCustomerInput extends CustomerFieldsInput {
  readonly customerId?: string | null;
  readonly subscriptionParams?: SubscriptionParamsInput | null;
}

interface ProvisionedCustomer {
  readonly customer: Customer;
  readonly subscription: Subscription | null;
  readonly entitlements: readonly unknown[];
  readonly subscriptionDecisionStrategy: StartStrategy | 'NO_SUBSCRIPTION';
}

async function provisionCustomer(
  _: unknown,
  { input }: Input<ProvisionCustomerInput>,
  context: ApiContext,
): Promise<ProvisionedCustomer> {
  const billing = billingInformationOf(input.billingInformation, 'provisionCustomer');
  const fields = await fieldsOf(input, context);
  const { customerId, subscriptionParams } = input;
  const store = subscriptionParams ? withSubscription(subscriptionParams, context) : alone(context);
  const outcome =
    customerId === undefined || customerId === null
      ? await provisionUnnamed(fields, billing, store, context)
      : await provisionNamed(checkedRefId(customerId), fields, billing, store, context);
  const customer = customerIn(outcome);
  const started = 'strategy' in outcome ? outcome : undefined;
  return {
    customer,
    subscription: started?.subscription ?? null,
    entitlements: [],
    subscriptionDecisionStrategy: started?.strategy ?? 'NO_SUBSCRIPTION',
  };
}

/** Stores what becomes of the customer of this refId. */
type Store<Outcome = CustomerChange | CustomerStartOutcome> = (
  refId: string,
  by: Audit,
  decide: (existing: Customer | undefined) => CustomerChange,
) => Promise<Outcome>;

function alone({ services }: ApiContext): Store<CustomerChange> {
  return (refId, by, decide) => services.customers.change(refId, by, decide);
}

function withSubscription(params: SubscriptionParamsInput, { services }: ApiContext): Store {
  return (refId, by, decide) =>
    services.subscriptions.provisionWithCustomer(firstSubscriptionOf(params, refId), decide, by);
}

function provisionNamed(
  refId: string,
  fields: CustomerFields,
  billing: BillingInformation | undefined,
  store: Store,
  context: ApiContext,
): Promise<CustomerChange | CustomerStartOutcome> {
  const id = randomUUID();
  const decide: Decide = (existing, now) => provisionedCustomer(existing, refId, fields, id, now);
  return tried(refId, 'provisionCustomer', context, decide, billing, store);
}

/** Made names are short, so one may be taken: that customer is left as it is, and another name is tried. */
async function provisionUnnamed(
  fields: CustomerFields,
  billing: BillingInformation | undefined,
  store: Store,
  context: ApiContext,
): Promise<CustomerChange | CustomerStartOutcome> {
  const id = randomUUID();
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const refId = `customer-${randomBytes(3).toString('hex')}`;
    const decide: Decide = (existing, now) =>
      existing === undefined ? provisionedCustomer(existing, refId, fields, id, now) : nameTaken;
    const outcome = await tried(refId, 'provisionCustomer', context, decide, billing, store);
    if (!('problem' in outcome) || outcome.problem !== nameTaken.problem) return outcome;
  }
  throw new ApiProblem('OVERLOADED', 'no free customerId was found; send your own', { retryAfterSeconds: 1 });
}

const nameTaken: CustomerChange & { readonly problem: CustomerProblem } = {
  problem: { code: 'DUPLICATE_ENTITY', message: 'another customer has this customerId' },
};

async function updateOneCustomer(
  _: unknown,
  { input }: Input<CustomerFieldsInput & CustomerNameInput>,
  context: ApiContext,
): Promise<Customer> {
  const refId = refIdOf(input);
  const billing = billingInformationOf(input.billingInformation, 'updateOneCustomer');
  const fields = await fieldsOf(input, context);
  const decide: Decide = (existing, now) => updatedCustomer(existing, refId, fields, now);
  return changed(refId, 'updateOneCustomer', context, decide, billing);
}

async function archiveCustomer(
  _: unknown,
  { input }: Input<CustomerNameInput & { readonly cancelSubscriptions?: boolean | null }>,
  { services, audit }: ApiContext,
): Promise<Customer> {
  const request = { refId: refIdOf(input), cancelSubscriptions: input.cancelSubscriptions === true };
  return archiveWithSubscriptions(services, request, audit('archiveCustomer'));
}

async function unarchiveCustomer(
  _: unknown,
  { input }: Input<CustomerNameInput>,
  { services, audit }: ApiContext,
): Promise<Customer> {
  return unarchiveWithSubscriptions(services, refIdOf(input), audit('unarchiveCustomer'));
}

type Decide = (existing: Customer | undefined, now: number) => CustomerChange;

async function changed(
  refId: string,
  operation: string,
  context: ApiContext,
  decide: Decide,
  billing: BillingInformation | undefined,
): Promise<Customer> {
  return customerIn(await tried(refId, operation, context, decide, billing, alone(context)));
}

/** Billing information goes with the change or not at all; where nobody is to learn it, it ends here. */
function tried<Outcome>(
  refId: string,
  operation: string,
  { services, audit }: ApiContext,
  decide: Decide,
  billing: BillingInformation | undefined,
  store: Store<Outcome>,
): Promise<Outcome> {
  const { letterSeal: seal, clock } = services;
  const by = audit(operation);
  const letter = billing && seal && billingLetter(refId, billing, by, seal);
  return store(refId, by, (existing) => {
    const change = decide(existing, clock.now());
    return 'customer' in change ? { ...change, letter } : change;
  });
}

function customerIn(change: CustomerChange | CustomerStartOutcome): Customer {
  if ('customer' in change) return change.customer;
  throw new ApiProblem(change.problem.code, change.problem.message);
}

interface CustomersArguments {
  readonly filter?: CustomerFilterInput | null;
  readonly paging?: PagingInput | null;
  readonly sorting?: readonly { readonly direction: 'ASC' | 'DESC' }[] | null;
}

async function customers(
  _: unknown,
  args: CustomersArguments,
  { services }: ApiContext,
): Promise<Connection<Customer>> {
  const paging = pagingOf(args.paging);
  const page = await services.customers.page({
    filter: filterOf(args.filter ?? {}),
    order: args.sorting?.[0]?.direction === 'DESC' ? 'newest-first' : 'oldest-first',
    after: placeOf(paging.after),
    before: placeOf(paging.before),
    end: paging.end,
    limit: paging.limit,
  });
  return connectionOf({ ...page, items: page.customers }, ({ createdAt, refId }) =>
    encodeCursor({ at: createdAt, name: refId }),
  );
}

interface StringFilterInput {
  readonly eq?: string | null;
}

interface CustomerFilterInput {
  readonly refId?: StringFilterInput | null;
  readonly customerId?: StringFilterInput | null;
  readonly name?: StringFilterInput | null;
  readonly email?: StringFilterInput | null;
  readonly createdAt?: {
    readonly gt?: number | null;
    readonly gte?: number | null;
    readonly lt?: number | null;
    readonly lte?: number | null;
  } | null;
}

/** Instants are whole milliseconds, so `later than` is `from the next one on`. */
function filterOf(input: CustomerFilterInput): CustomerFilter {
  const { gt, gte, lt, lte } = input.createdAt ?? {};
  const from = [gte ?? null, isGiven(gt) ? gt + 1 : null].filter(isGiven);
  const before = [lt ?? null, isGiven(lte) ? lte + 1 : null].filter(isGiven);
  return {
    refId: sameRefId(input.refId?.eq, input.customerId?.eq),
    name: input.name?.eq ?? null,
    email: input.email?.eq ?? null,
    createdFrom: from.length === 0 ? null : Math.max(...from),
    createdBefore: before.length === 0 ? null : Math.min(...before),
  };
}

function placeOf(cursor: string | null): CustomerPlace | null {
  if (cursor === null) return null;
  const { at, name } = decodeCursor(cursor);
  return { createdAt: at, refId: name };
}

async function fieldsOf(input: CustomerFieldsInput, { services }: ApiContext): Promise<CustomerFields> {
  const { name, email, couponId, additionalMetaData } = input;
  const problem = customerFieldsProblem({ name, email });
  if (problem !== undefined) throw new ApiProblem('VALIDATION_ERROR', problem);
  return {
    name,
    email,
    additionalMetaData: additionalMetaData === undefined ? undefined : metadataOf(additionalMetaData),
    coupon: isGiven(couponId) ? await couponCalled(couponId, services.catalog) : couponId,
  };
}

async function couponCalled(name: string, catalog: ApiServices['catalog']): Promise<Coupon> {
  const coupon = await catalog.coupon(name);
  if (coupon !== undefined) return coupon;
  throw new ApiProblem('VALIDATION_ERROR', `couponId: no coupon has the refId or id ${JSON.stringify(name)}`);
}

function refIdOf(input: CustomerNameInput): string {
  const refId = sameRefId(input.refId, input.customerId);
  if (refId === null) throw new ApiProblem('VALIDATION_ERROR', 'customerId is required');
  return refId;
}

function sameRefId(refId: string | null | undefined, customerId: string | null | undefined): string | null {
  if (isGiven(refId) && isGiven(customerId) && refId !== customerId) {
    throw new ApiProblem(
      'VALIDATION_ERROR',
      'customerId and refId name two customers; one of them is enough',
    );
  }
  return refId ?? customerId ?? null;
}

function checkedRefId(customerId: string): string {
  if (isCustomerRefId(customerId)) return customerId;
  throw new ApiProblem('VALIDATION_ERROR', `customerId must be ${customerRefIdRule}`);
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}
