import { isGiven } from '../../catalog/entity-fields.ts';
import { updatedCustomer } from '../../customers/change-customer.ts';
import type { Customer, CustomerFilter, CustomerPlace } from '../../customers/customer.ts';
import { customerNotFound } from '../api-problem.ts';
import type { Input } from '../catalog/catalog-call.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import {
  type Connection,
  connectionOf,
  decodeCursor,
  encodeCursor,
  pageSizeOf,
  type PagingInput,
  pagingOf,
} from '../graphql/connection.ts';
import { archiveWithSubscriptions, unarchiveWithSubscriptions } from './archive-customer.ts';
import { billingInformationOf, billingTypeDefs } from './billing-information.ts';
import { customerFieldCosts, customerFields } from './customer-fields.ts';
import {
  type CustomerFieldsInput,
  type CustomerNameInput,
  fieldsOf,
  refIdOf,
  sameRefId,
} from './customer-input.ts';
import { customerTypeDefs } from './customer-schema.ts';
import { changedCustomer } from './customer-store.ts';
import { provisionCustomer } from './provision-customer.ts';
import { subscriptionParamsTypeDefs } from './subscription-params.ts';

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

async function updateOneCustomer(
  _: unknown,
  { input }: Input<CustomerFieldsInput & CustomerNameInput>,
  context: ApiContext,
): Promise<Customer> {
  const refId = refIdOf(input);
  const billing = billingInformationOf(input.billingInformation, 'updateOneCustomer');
  const fields = await fieldsOf(input, context);
  return changedCustomer(
    {
      refId,
      operation: 'updateOneCustomer',
      billing,
      decide: (existing, now) => updatedCustomer(existing, refId, fields, now),
    },
    context,
  );
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
