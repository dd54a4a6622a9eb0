import { randomUUID } from 'node:crypto';
import type { Feature } from '../../catalog/feature.ts';
import {
  granted,
  isInForce,
  type PromotionalChange,
  type PromotionalDraft,
  type PromotionalEntitlement,
  promotionalEntitlementsMax,
  revoked,
} from '../../customers/promotional-entitlement.ts';
import { ApiProblem, featureNotFound } from '../api-problem.ts';
import type { Input } from '../catalog/catalog-call.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import { promotionalTypeDefs } from './promotional-schema.ts';

export const promotionalModule: ApiModule = {
  typeDefs: promotionalTypeDefs,
  resolvers: {
    Mutation: { grantPromotionalEntitlements, revokePromotionalEntitlement },
    PromotionalEntitlement: { feature, status },
  },
  costs: {
    'Mutation.grantPromotionalEntitlements': { weight: 50 },
    'Mutation.revokePromotionalEntitlement': { weight: 50 },
    'PromotionalEntitlement.feature': { weight: 2 },
  },
};

async function grantPromotionalEntitlements(
  _: unknown,
  {
    input,
  }: Input<{ readonly customerId: string; readonly promotionalEntitlements: readonly PromotionalDraft[] }>,
  { services, audit }: ApiContext,
): Promise<readonly PromotionalEntitlement[]> {
  const { customerId, promotionalEntitlements: drafts } = input;
  // Beyond the bound none is granted whatever they are, so no more features than that are asked for.
  const named = drafts.slice(0, promotionalEntitlementsMax).map(({ featureId }) => featureId);
  const features = new Map<string, Feature>();
  await Promise.all(
    named.map(async (name) => {
      const found = await services.catalog.feature(name);
      if (found !== undefined) features.set(name, found);
    }),
  );
  return changedBy(
    await services.customers.changePromotionalEntitlements(
      customerId,
      audit('grantPromotionalEntitlements'),
      (existing) =>
        granted(existing, drafts, { customerId, features, newId: randomUUID, now: services.clock.now() }),
    ),
  );
}

async function revokePromotionalEntitlement(
  _: unknown,
  { input }: Input<{ readonly customerId: string; readonly featureId: string }>,
  { services, audit }: ApiContext,
): Promise<PromotionalEntitlement | undefined> {
  const { customerId, featureId } = input;
  const found = await services.catalog.feature(featureId);
  const [item] = changedBy(
    await services.customers.changePromotionalEntitlements(
      customerId,
      audit('revokePromotionalEntitlement'),
      (existing) =>
        found === undefined
          ? { problem: featureNotFound(featureId) }
          : revoked(existing, found.refId, services.clock.now()),
    ),
  );
  return item;
}

function changedBy(change: PromotionalChange): readonly PromotionalEntitlement[] {
  if ('changed' in change) return change.changed;
  throw new ApiProblem(change.problem.code, change.problem.message);
}

function feature(
  { featureId }: PromotionalEntitlement,
  _: unknown,
  { services }: ApiContext,
): Promise<Feature | undefined> {
  return services.catalog.feature(featureId);
}

function status(item: PromotionalEntitlement, _: unknown, { services }: ApiContext): 'Active' | 'Expired' {
  return isInForce(item, services.clock.now()) ? 'Active' : 'Expired';
}
