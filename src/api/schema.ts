/**
 * The whole API: each area of the domain is one module with its share of the schema and its resolvers.
 * `schema.graphql` beside this file is the result as text; a test holds it equal to what is served.
 */
import type { GraphQLSchema } from 'graphql';
import { couponModule } from './catalog/coupon-module.ts';
import { featureModule } from './catalog/feature-module.ts';
import { packageModule } from './catalog/package-module.ts';
import { productModule } from './catalog/product-module.ts';
import type { FieldCost } from './context.ts';
import { customerModule } from './customers/customer-module.ts';
import { promotionalModule } from './customers/promotional-module.ts';
import { entitlementModule } from './entitlements/entitlement-module.ts';
import { makeExecutableSchema } from './graphql/executable-schema.ts';
import { previewModule } from './subscriptions/preview-module.ts';
import { subscriptionModule } from './subscriptions/subscription-module.ts';
import { updateModule } from './updates/update-module.ts';
import { usageModule } from './usage/usage-module.ts';

const modules = [
  productModule,
  featureModule,
  packageModule,
  couponModule,
  customerModule,
  promotionalModule,
  subscriptionModule,
  previewModule,
  entitlementModule,
  usageModule,
  updateModule,
];

export const apiSchema: GraphQLSchema = makeExecutableSchema(modules);

/** By `Type.field`; a field that is not listed costs 1. */
export const fieldCosts: ReadonlyMap<string, FieldCost> = new Map(
  modules.flatMap((module) => Object.entries(module.costs)),
);
