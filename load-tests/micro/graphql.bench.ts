/** A check over GraphQL without what it asks Redis: the document, its bounds and its answer. */
import { execute, parse, validate } from 'graphql';
import { bench, do_not_optimize, group } from 'mitata';
import type { ApiContext } from '../../src/api/context.ts';
import { OperationReader } from '../../src/api/graphql/operation-reader.ts';
import { apiSchema, fieldCosts } from '../../src/api/schema.ts';
import type { EntitlementCheck } from '../../src/entitlements/check-entitlement.ts';
import { makeFeature } from '../../src/entitlements/entitlement.fixture.ts';
import { parseQuantity, zeroQuantity } from '../../src/quantity.ts';

const query = `query ($query: FetchEntitlementQuery!) {
  entitlement(query: $query) {
    isGranted accessDeniedReason currentUsage requestedUsage usageLimit hasUnlimitedUsage usagePeriodEnd
    feature { refId displayName featureType }
  }
}`;
const variables = { query: { customerId: 'customer-1', featureId: 'seats' } };

const checked: EntitlementCheck = {
  featureId: 'seats',
  feature: makeFeature('seats'),
  isGranted: false,
  accessDeniedReason: 'RequestedUsageExceedingLimit',
  entitlement: null,
  currentUsage: parseQuantity('12') ?? zeroQuantity,
  reservedUsage: zeroQuantity,
  requestedUsage: parseQuantity('1') ?? zeroQuantity,
  requestedValues: null,
  asOf: Date.now(),
};
const checks = { check: () => Promise.resolve(checked) };
// The one service that the resolver of a check looks at.
const contextValue = { services: { checks } } as unknown as ApiContext;

group('a check over GraphQL', () => {
  bench('parse', () => do_not_optimize(parse(query)));
  const document = parse(query);
  bench('validate', () => do_not_optimize(validate(apiSchema, document)));
  const reader = new OperationReader(apiSchema, fieldCosts);
  bench('read a known document and weigh it', () => {
    const read = reader.read({ query, variables });
    if (!('errors' in read)) do_not_optimize(read.problems());
  });
  bench('execute', async () =>
    do_not_optimize(await execute({ schema: apiSchema, document, variableValues: variables, contextValue })),
  );
});
