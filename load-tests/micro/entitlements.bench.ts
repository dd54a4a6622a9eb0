/** What a check works out in the process, once its figures are there. */
import { bench, do_not_optimize, group } from 'mitata';
import { checkEntitlement } from '../../src/entitlements/check-entitlement.ts';
import { customerStanding, settledCustomer } from '../../src/entitlements/customer-standing.ts';
import {
  entitled,
  makeFeature,
  startOfTests,
  subscribed,
} from '../../src/entitlements/entitlement.fixture.ts';
import { usagePeriodAt } from '../../src/entitlements/usage-period.ts';
import { parseQuantity, zeroQuantity } from '../../src/quantity.ts';
import { makePlan, makeProduct } from '../../src/subscriptions/life-cycle.fixture.ts';
import type { Offers } from '../../src/subscriptions/subscription.ts';

const now = startOfTests;
const names = Array.from({ length: 10 }, (_, index) => `feature-${index}`);
const features = new Map(names.map((name) => [name, makeFeature(name)]));
const plan = makePlan('pro', 'product', {
  entitlements: names.map((name) => entitled(name, 1_000, { resetPeriod: 'MONTH' })),
});
const offers: Offers = {
  product: (refId) => makeProduct(refId),
  package: (refId) => (refId === plan.refId ? plan : undefined),
  coupon: () => undefined,
};
const state = {
  isArchived: false,
  portfolio: { subscriptions: [subscribed('pro')], trialedProductIds: [] },
  promotions: [],
  resourceIds: new Set<string>(),
};
const settled = settledCustomer(state, offers, now);
const standing = customerStanding(settled, (name) => features.get(name), now);

group('a check of a customer with ten features', () => {
  bench('settle the customer', () => do_not_optimize(settledCustomer(state, offers, now)));
  bench('effective entitlement', () => do_not_optimize(standing.of('feature-3', null)));
  bench('all effective entitlements', () => do_not_optimize(standing.all(null)));
  const entitlement = standing.of('feature-3', null);
  const feature = features.get('feature-3');
  const figures = {
    currentUsage: parseQuantity('123') ?? zeroQuantity,
    reservedUsage: zeroQuantity,
    isBudgetSpent: false,
    asOf: now,
  };
  const requested = { requestedUsage: null, requestedValues: null };
  bench('decide', () =>
    do_not_optimize(checkEntitlement('feature-3', feature, entitlement, figures, requested)),
  );
  const counted = { usageAnchor: now - 86_400_000, usageResetAt: null };
  bench('usage period', () =>
    do_not_optimize(usagePeriodAt({ resetPeriod: 'MONTH', accordingTo: null }, counted, now)),
  );
});
