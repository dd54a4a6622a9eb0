import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CustomerEntitlements } from '../entitlements/entitlement.ts';
import { quantityToText } from '../quantity.ts';
import { decodeTerms, encodeTerms, noTerms, termsOf, type UsageTerms } from './usage-terms.ts';
import { aGrant, amount } from './worker.fixture.ts';

const period = { start: 10, end: 20 };
const units = { divide: '1000', round: 'UP', featureUnits: 'GB', featureUnitsPlural: null } as const;
const granting = (of: CustomerEntitlements['of']): CustomerEntitlements => ({
  of,
  all: () => ({ deniedReason: 'Unknown' }),
});
const own = { featureId: 'seats', resourceId: 'site' };

test('terms are those of the entitlement that the resource has, or the customer as a whole', () => {
  const asked: unknown[] = [];
  const entitlements = granting((...ask) => {
    asked.push(ask);
    return aGrant('5', { usageResourceId: ask[1], usagePeriod: { ...period, anchor: 3 } });
  });
  const ofSite = termsOf(own, entitlements, units);
  expect(ofSite).toEqual({
    limit: amount('5'),
    isHardLimit: true,
    usageScope: 'resource',
    period,
    chargedPeriods: [],
    units,
  });
  expect(termsOf({ ...own, resourceId: '' }, entitlements, null)).toMatchObject({
    usageScope: 'customer',
    units: null,
  });
  expect(asked).toEqual([
    ['seats', 'site'],
    ['seats', null],
  ]);
});

test('a resource that is unknown uses what the customer as a whole has', () => {
  const entitlements = granting((_, resourceId) =>
    resourceId === null ? aGrant('5') : { deniedReason: 'CustomerResourceNotFound' },
  );
  const terms = termsOf(own, entitlements, null);
  expect(terms).toMatchObject({ limit: amount('5'), isHardLimit: true, usageScope: 'customer' });
});

test('usage is counted in the periods of the budgets, too, that it is paid from', () => {
  const [month, other] = [
    { start: 3, end: 33, anchor: 3 },
    { start: 4, end: 34, anchor: 4 },
  ];
  const budgets = [
    { limit: amount('9'), resourceId: null, period: month, prices: [] },
    { limit: amount('9'), resourceId: 'site', period: other, prices: [] },
  ];
  const ofSite = granting(() => aGrant('5', { usageResourceId: 'site', budgets }));
  expect(termsOf(own, ofSite, null).chargedPeriods).toEqual([{ start: 4, end: 34 }]);
  const ofAll = granting(() => aGrant('5', { budgets }));
  expect(termsOf(own, ofAll, null).chargedPeriods).toEqual([{ start: 3, end: 33 }]);
});

test('a soft limit is told and refuses nothing; without a grant, or without a limit, there is none', () => {
  const soft = granting(() => aGrant('5', { hasSoftLimit: true }));
  expect(termsOf(own, soft, null)).toMatchObject({ limit: amount('5'), isHardLimit: false });
  const unlimited = granting(() => aGrant(null));
  expect(termsOf(own, unlimited, null)).toMatchObject({ limit: null, isHardLimit: false });
  const denied = granting(() => ({ deniedReason: 'NoActiveSubscription' }));
  expect(termsOf(own, denied, units)).toEqual({ ...noTerms, usageScope: 'resource', units });
  expect(termsOf({ ...own, resourceId: '' }, denied, units)).toEqual({ ...noTerms, units });
});

test('a manifest gives terms back as they were put in, exactly and in order, equal ones written once', () => {
  const anyTerms: fc.Arbitrary<UsageTerms> = fc.record({
    limit: fc.constantFrom(null, amount('0'), amount('1.000000000000000000000000000001')),
    isHardLimit: fc.boolean(),
    usageScope: fc.constantFrom('resource' as const, 'customer' as const),
    period: fc.constantFrom(null, period, { start: -5, end: 5 }),
    chargedPeriods: fc.constantFrom([], [period], [period, { start: 0, end: 1 }]),
    units: fc.constantFrom(null, { divide: '0.5', round: 'DOWN' as const }),
  });
  const texts = (terms: readonly UsageTerms[]) =>
    terms.map((each) => ({ ...each, limit: each.limit && quantityToText(each.limit) }));
  fc.assert(
    fc.property(fc.array(anyTerms, { maxLength: 20 }), (terms) => {
      expect(texts(decodeTerms(encodeTerms(terms)))).toEqual(texts(terms));
    }),
  );
  expect(encodeTerms([]).length).toBe(0);
  const many = encodeTerms(Array.from({ length: 1_000 }, () => ({ ...noTerms, period })));
  expect(many.length).toBeLessThan(2_200);
});
