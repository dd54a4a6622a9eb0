/** What a customer shows beyond what is stored of it. Whatever list it stands in, each field asks once for all of them. */
import type { Coupon } from '../../catalog/coupon.ts';
import type { Product } from '../../catalog/product.ts';
import type { Customer } from '../../customers/customer.ts';
import { isInForce, type PromotionalEntitlement } from '../../customers/promotional-entitlement.ts';
import { CoalescedReads } from '../../records/coalesced-reads.ts';
import { bookOf, bookRef } from '../../subscriptions/subscription-record.ts';
import { accessStatuses, isTrial, type Subscription } from '../../subscriptions/subscription.ts';
import type { ApiContext, FieldCost, FieldResolvers } from '../context.ts';

export const customerFields: FieldResolvers = {
  customerId: ({ refId }: Customer) => refId,
  couponId: ({ coupon }: Customer) => coupon?.couponId,
  coupon: couponOf,
  couponStartDate: ({ coupon }: Customer) => coupon?.startsAt,
  couponEndDate: ({ coupon }: Customer) => coupon?.endsAt,
  subscriptions: liveSubscriptions,
  hasActiveSubscription: async (customer: Customer, _: unknown, context: ApiContext) =>
    (await activeSubscriptions(customer, context)).length > 0,
  totalActiveSubscription: async (customer: Customer, _: unknown, context: ApiContext) =>
    (await activeSubscriptions(customer, context)).length,
  resources,
  eligibleForTrial,
  promotionalEntitlements,
  totalActivePromotionalEntitlements: async (customer: Customer, _: unknown, context: ApiContext) => {
    const now = context.services.clock.now();
    return (await promotionalEntitlements(customer, _, context)).filter((item) => isInForce(item, now))
      .length;
  },
};

/** What a customer usually has of each; memory and the answer's length are what more of them cost. */
const listed: FieldCost = { weight: 2, items: () => 5 };

export const customerFieldCosts: Readonly<Record<string, FieldCost>> = {
  'Customer.coupon': { weight: 2 },
  'Customer.subscriptions': listed,
  'Customer.hasActiveSubscription': { weight: 2 },
  'Customer.totalActiveSubscription': { weight: 2 },
  'Customer.resources': listed,
  'Customer.eligibleForTrial': listed,
  'Customer.promotionalEntitlements': listed,
  'Customer.totalActivePromotionalEntitlements': { weight: 2 },
};

async function couponOf(
  { coupon: applied }: Customer,
  _: unknown,
  { services }: ApiContext,
): Promise<Coupon | undefined> {
  return applied === null ? undefined : services.catalog.coupon(applied.couponId);
}

/** An archived customer shows nothing, also in the answer to archiving. */
async function liveSubscriptions(
  { refId, archivedAt }: Customer,
  _: unknown,
  { services }: ApiContext,
): Promise<readonly Subscription[]> {
  return archivedAt === null ? services.subscriptions.live(refId) : [];
}

async function activeSubscriptions(
  customer: Customer,
  context: ApiContext,
): Promise<readonly Subscription[]> {
  const live = await liveSubscriptions(customer, undefined, context);
  return live.filter(({ status }) => accessStatuses.has(status));
}

interface CustomerResource {
  readonly resourceId: string;
  readonly createdAt: number;
}

async function resources(
  customer: Customer,
  _: unknown,
  context: ApiContext,
): Promise<readonly CustomerResource[]> {
  const firstUse = new Map<string, number>();
  // The oldest comes first.
  for (const { resourceId, createdAt } of await liveSubscriptions(customer, undefined, context)) {
    if (resourceId !== null && !firstUse.has(resourceId)) firstUse.set(resourceId, createdAt);
  }
  return [...firstUse].map(([resourceId, createdAt]) => ({ resourceId, createdAt }));
}

interface TrialEligibility {
  readonly productRefId: string;
  readonly eligible: boolean;
}

/** One trial for each customer and product: contract, section 5.13. */
async function eligibleForTrial(
  customer: Customer,
  _: unknown,
  context: ApiContext,
): Promise<readonly TrialEligibility[]> {
  if (customer.archivedAt !== null) return [];
  const { books, products } = readsOf(context);
  const { refId } = customer;
  const live = await context.services.subscriptions.live(refId);
  const { trialedProductIds } = bookOf(refId, await books.read(bookRef(refId)));
  const trialed = new Set([...trialedProductIds, ...live.filter(isTrial).map(({ productId }) => productId)]);
  return (await products()).map((product) => ({
    productRefId: product.refId,
    eligible: !trialed.has(product.refId),
  }));
}

async function promotionalEntitlements(
  { refId, archivedAt }: Customer,
  _: unknown,
  { services }: ApiContext,
): Promise<readonly PromotionalEntitlement[]> {
  return archivedAt === null ? services.customers.promotionalEntitlements(refId) : [];
}

/** As many as there may be in the catalog. */
const productsMax = 1_000;

interface RequestReads {
  readonly books: CoalescedReads;
  /** Those that are not archived; asked for once a request. */
  readonly products: () => Promise<readonly Product[]>;
}

const readsByRequest = new WeakMap<ApiContext, RequestReads>();

function readsOf(context: ApiContext): RequestReads {
  const known = readsByRequest.get(context);
  if (known !== undefined) return known;
  let products: Promise<readonly Product[]> | undefined;
  const reads = {
    books: new CoalescedReads(context.services.records),
    products: () => (products ??= allProducts(context)),
  };
  readsByRequest.set(context, reads);
  return reads;
}

async function allProducts({ services }: ApiContext): Promise<readonly Product[]> {
  const { items } = await services.catalog.productPage({
    status: null,
    createdFrom: null,
    createdBefore: null,
    order: 'oldest-first',
    after: null,
    before: null,
    end: 'first',
    limit: productsMax,
  });
  return items;
}
