import type { EntitlementCheck } from '../../entitlements/check-entitlement.ts';
import type { EntitlementsQuestion } from '../../entitlements/live-checks.ts';
import { compareQuantities, parseQuantity, type Quantity, zeroQuantity } from '../../quantity.ts';
import type { Subscription } from '../../subscriptions/subscription.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext, ApiModule, FieldCost } from '../context.ts';
import { entitlementTypeDefs } from './entitlement-schema.ts';

/** A plan may grant some hundred features; most grant some ten. */
const listed: FieldCost = { weight: 100, items: () => 50 };

export const entitlementModule: ApiModule = {
  typeDefs: entitlementTypeDefs,
  resolvers: {
    Query: { entitlement, entitlements, entitlementsState },
    Entitlement: {
      usageLimit: ({ entitlement: granted }: EntitlementCheck) => granted?.usageLimit,
      hasUnlimitedUsage: ({ entitlement: granted }: EntitlementCheck) => granted?.hasUnlimitedUsage ?? false,
      hasSoftLimit: ({ entitlement: granted }: EntitlementCheck) => granted?.hasSoftLimit,
      enumValues: ({ entitlement: granted }: EntitlementCheck) => granted?.enumValues,
      resetPeriod: ({ entitlement: granted }: EntitlementCheck) => granted?.resetPeriod,
      resetPeriodConfiguration: ({ entitlement: granted }: EntitlementCheck) =>
        granted?.resetPeriodConfiguration,
      usagePeriodStart: ({ entitlement: granted }: EntitlementCheck) => granted?.usagePeriod?.start,
      usagePeriodEnd: ({ entitlement: granted }: EntitlementCheck) => granted?.usagePeriod?.end,
      usagePeriodAnchor: ({ entitlement: granted }: EntitlementCheck) => granted?.usagePeriod?.anchor,
      entitlementUpdatedAt: ({ entitlement: granted }: EntitlementCheck) => granted?.updatedAt,
      usageUpdatedAt: ({ currentUsage, asOf }: EntitlementCheck) => (currentUsage === null ? null : asOf),
      validUntil: ({ entitlement: granted }: EntitlementCheck) => granted?.validUntil,
    },
    ProvisionCustomerResult: { entitlements: provisionedEntitlements },
    ProvisionSubscriptionResult: { entitlements: provisionedEntitlements },
  },
  costs: {
    'Query.entitlement': { weight: 20 },
    'Query.entitlements': listed,
    'Query.entitlementsState': listed,
    'ProvisionCustomerResult.entitlements': listed,
    'ProvisionSubscriptionResult.entitlements': listed,
  },
};

interface RequestedInput {
  readonly requestedUsage?: string | null;
  readonly requestedValues?: readonly string[] | null;
}

interface EntitlementsInput {
  readonly customerId: string;
  readonly resourceId?: string | null;
}

interface EntitlementInput extends EntitlementsInput, RequestedInput {
  readonly featureId: string;
  readonly options?: RequestedInput | null;
}

interface Asked<Query> {
  readonly query: Query;
}

function entitlement(
  _: unknown,
  { query }: Asked<EntitlementInput>,
  { services }: ApiContext,
): Promise<EntitlementCheck> {
  const { featureId, requestedUsage, requestedValues, options } = query;
  return services.checks.check({
    ...questionOf(query),
    featureId,
    requestedUsage: usageOf(requestedUsage ?? options?.requestedUsage ?? null),
    requestedValues: requestedValues ?? options?.requestedValues ?? null,
  });
}

async function entitlements(
  _: unknown,
  { query }: Asked<EntitlementsInput>,
  { services }: ApiContext,
): Promise<readonly EntitlementCheck[]> {
  const checked = await services.checks.all(questionOf(query));
  return 'deniedReason' in checked ? [] : checked;
}

async function entitlementsState(
  _: unknown,
  { query }: Asked<EntitlementsInput>,
  { services }: ApiContext,
): Promise<unknown> {
  const checked = await services.checks.all(questionOf(query));
  return 'deniedReason' in checked
    ? { accessDeniedReason: checked.deniedReason, entitlements: [] }
    : { accessDeniedReason: null, entitlements: checked };
}

/** Of whoever the subscription is for; nothing without one. */
function provisionedEntitlements(
  { subscription }: { readonly subscription: Subscription | null },
  _: unknown,
  context: ApiContext,
): Promise<readonly EntitlementCheck[]> | readonly EntitlementCheck[] {
  return subscription === null ? [] : entitlements(undefined, { query: subscription }, context);
}

function questionOf({ customerId, resourceId }: EntitlementsInput): EntitlementsQuestion {
  return { customerId, resourceId: resourceId === '' ? null : (resourceId ?? null) };
}

function usageOf(text: string | null): Quantity | null {
  if (text === null) return null;
  const quantity = parseQuantity(text);
  if (quantity !== undefined && compareQuantities(quantity, zeroQuantity) >= 0) return quantity;
  throw new ApiProblem('VALIDATION_ERROR', 'query.requestedUsage must be 0 or above');
}
