import type { EntitlementCheck } from '../../entitlements/check-entitlement.ts';
import type { AccessDeniedReason } from '../../entitlements/entitlement.ts';
import type { Quantity } from '../../quantity.ts';
import { transformUnits } from '../../usage/unit-transformation.ts';
import { ApiProblem, customerNotFound } from '../api-problem.ts';
import type { ApiContext, ApiModule, ApiServices } from '../context.ts';
import { watch } from './live-updates.ts';
import { updateTypeDefs } from './update-schema.ts';

export const updateModule: ApiModule = {
  typeDefs: updateTypeDefs,
  resolvers: { Subscription: { usageUpdated, entitlementsUpdated } },
  costs: {
    'Subscription.usageUpdated': { weight: 20 },
    'Subscription.entitlementsUpdated': { weight: 100, items: () => 50 },
  },
};

interface UsageUpdate {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string | null;
  readonly currentUsage: Quantity;
  readonly entitlement: EntitlementCheck;
}

interface UsageArguments {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId?: string | null;
}

async function usageUpdated(
  _: unknown,
  { customerId, featureId, resourceId = null }: UsageArguments,
  { services }: ApiContext,
): Promise<AsyncGenerator<UsageUpdate, void>> {
  await assertCustomer(customerId, services);
  const feature = await services.features.feature(featureId);
  if (feature === undefined) {
    const message = `no feature has the refId or id ${JSON.stringify(featureId)}`;
    throw new ApiProblem('FEATURE_NOT_FOUND', message);
  }
  if (feature.meterType === 'None') {
    const message = `the feature ${JSON.stringify(featureId)} is not metered: nothing is counted of it`;
    throw new ApiProblem('VALIDATION_ERROR', message);
  }
  const named = { customerId, featureId: feature.refId, resourceId };
  return watch<UsageUpdate>({
    look: async () => {
      const question = { ...named, requestedUsage: null, requestedValues: null };
      const entitlement = await services.checks.check(question);
      if (isGone(entitlement.accessDeniedReason)) return undefined;
      const currentUsage = entitlement.currentUsage ?? (await usageOfAllTime(named, services));
      return currentUsage === undefined ? undefined : { ...named, currentUsage, entitlement };
    },
    mark: ({ currentUsage, entitlement }) => [
      currentUsage.toFixed(),
      entitlement.reservedUsage?.toFixed(),
      entitlement.entitlement?.usagePeriod?.start,
    ],
  });
}

interface EntitlementsUpdate {
  readonly customerId: string;
  readonly resourceId: string | null;
  readonly accessDeniedReason: AccessDeniedReason | null;
  readonly entitlements: readonly EntitlementCheck[];
}

interface EntitlementsArguments {
  readonly customerId: string;
  readonly resourceId?: string | null;
}

async function entitlementsUpdated(
  _: unknown,
  { customerId, resourceId = null }: EntitlementsArguments,
  { services }: ApiContext,
): Promise<AsyncGenerator<EntitlementsUpdate, void>> {
  await assertCustomer(customerId, services);
  const named = { customerId, resourceId };
  return watch<EntitlementsUpdate>({
    look: async () => {
      const checked = await services.checks.all(named);
      if (!('deniedReason' in checked)) return { ...named, accessDeniedReason: null, entitlements: checked };
      if (isGone(checked.deniedReason)) return undefined;
      return { ...named, accessDeniedReason: checked.deniedReason, entitlements: [] };
    },
    mark: ({ accessDeniedReason, entitlements }) => [accessDeniedReason, entitlements.map(withoutUsage)],
  });
}

async function assertCustomer(customerId: string, { customers }: ApiServices): Promise<void> {
  if ((await customers.customer(customerId)) === undefined) throw customerNotFound(customerId);
}

function isGone(reason: AccessDeniedReason | null): boolean {
  return reason === 'CustomerIsArchived' || reason === 'CustomerNotFound' || reason === 'FeatureNotFound';
}

/** Where nothing is granted usage is counted all the same. */
async function usageOfAllTime(
  { customerId, featureId, resourceId }: Required<UsageArguments> & { readonly resourceId: string | null },
  { features, liveUsage }: ApiServices,
): Promise<Quantity | undefined> {
  const feature = await features.feature(featureId);
  if (feature === undefined) return undefined;
  const [figure] = await liveUsage.current([{ customerId, feature, resourceId, period: null }]);
  return figure && transformUnits(figure.usage, feature.unitTransformation);
}

function withoutUsage({ featureId, isGranted, accessDeniedReason, entitlement }: EntitlementCheck): unknown {
  return { featureId, isGranted, accessDeniedReason, entitlement };
}
