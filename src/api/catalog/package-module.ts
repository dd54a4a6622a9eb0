import type { ApiModule, FieldCost } from '../context.ts';
import { pageSizeOf } from '../graphql/connection.ts';
import { packageEntitlementTypeDefs } from './entitlement-schema.ts';
import { packageFieldResolvers } from './package-fields.ts';
import { packageInputTypeDefs } from './package-input-schema.ts';
import { packageMutations } from './package-mutations.ts';
import { packageQueries } from './package-queries.ts';
import { packageTypeDefs } from './package-schema.ts';
import { priceTypeDefs } from './price-schema.ts';

/**
 * What a package usually has of each. The most that it may have would forbid everyday queries; what these cost is
 * memory and the length of the answer, for they are read in one round trip each.
 */
const listed: FieldCost = { weight: 1, items: () => 10 };

export const packageModule: ApiModule = {
  typeDefs: [packageTypeDefs, packageInputTypeDefs, priceTypeDefs, packageEntitlementTypeDefs].join('\n'),
  resolvers: { Query: packageQueries, Mutation: packageMutations, ...packageFieldResolvers },
  costs: {
    'Query.plan': { weight: 10 },
    'Query.plans': { weight: 50, items: pageSizeOf },
    'Query.addon': { weight: 10 },
    'Query.addons': { weight: 50, items: pageSizeOf },
    'Query.paywall': { weight: 50 },
    'Paywall.plans': { weight: 10, items: () => 20 },
    ...Object.fromEntries(Object.keys(packageMutations).map((name) => [`Mutation.${name}`, { weight: 50 }])),
    ...costsOfType('Package'),
    ...costsOfType('Addon'),
    ...costsOfType('Plan'),
    'Plan.parentPlan': { weight: 2 },
    'Plan.compatibleAddons': listed,
    'Plan.inheritedEntitlements': { weight: 10, items: () => 10 },
  },
};

function costsOfType(type: string): Readonly<Record<string, FieldCost>> {
  return {
    [`${type}.product`]: { weight: 2 },
    [`${type}.prices`]: listed,
    [`${type}.entitlements`]: listed,
  };
}
