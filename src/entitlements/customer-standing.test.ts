import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Package, PackageEntitlement } from '../catalog/package.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import {
  compareQuantities,
  parseQuantity,
  type Quantity,
  quantityToText,
  zeroQuantity,
} from '../quantity.ts';
import { at, dayMs, fee, makePlan, makeProduct, republished } from '../subscriptions/life-cycle.fixture.ts';
import type { Offers, Subscription } from '../subscriptions/subscription.ts';
import { customerStanding, type CustomerStanding, settledCustomer } from './customer-standing.ts';
import type { GrantedEntitlement } from './effective-entitlement.ts';
import { entitled, makeFeature, promoted, startOfTests, subscribed } from './entitlement.fixture.ts';

const features = new Map(
  [
    makeFeature('calls'),
    makeFeature('seats', { meterType: 'FLUCTUATING' }),
    makeFeature('regions', { featureType: 'ENUM', meterType: 'None' }),
    makeFeature('sso', { featureType: 'BOOLEAN', meterType: 'None' }),
    makeFeature('old', { featureType: 'BOOLEAN', meterType: 'None', featureStatus: 'SUSPENDED' }),
  ].map((feature) => [feature.refId, feature]),
);

describe('what a plan grants', () => {
  it('is that of the version the subscription is on', () => {
    const plan = makePlan('pro', 'product', { entitlements: [entitled('calls', 10)] });
    const next = republished(plan, { entitlements: [entitled('calls', 20)] }, at('2026-01-01'));
    expect(callsOf([next], [subscribed('pro')])).toBe('10');
    expect(callsOf([next], [subscribed('pro', { planVersion: 2 })])).toBe('20');
  });

  it('is what the nearest plan above says, where it says nothing itself', () => {
    const plans = [
      makePlan('base', 'product', { entitlements: [entitled('calls', 1), entitled('sso', null, off)] }),
      makePlan('middle', 'product', { parentPlanId: 'base', entitlements: [entitled('calls', 2)] }),
      makePlan('top', 'product', { parentPlanId: 'middle', entitlements: [entitled('seats', 9)] }),
    ];
    expect(callsOf(plans, [subscribed('top')])).toBe('2');
    const standing = standingOf(plans, [subscribed('top')]);
    expect(standing.of('sso', null)).toEqual({ deniedReason: 'Revoked' });
    expect(namesOf(standing)).toEqual(['calls', 'seats']);
  });

  it('can take away what the plan above grants, and can add up to no circle', () => {
    const plans = [
      makePlan('a', 'product', { parentPlanId: 'b', entitlements: [entitled('calls', null, off)] }),
      makePlan('b', 'product', {
        parentPlanId: 'a',
        entitlements: [entitled('calls', 5), entitled('seats', 5)],
      }),
    ];
    expect(callsOf(plans, [subscribed('a')])).toBe('Revoked');
    expect(callsOf(plans, [subscribed('b')])).toBe('5');
  });

  it('has the thresholds of everything that grants it', () => {
    const plan = makePlan('pro', 'product', { entitlements: [withThresholds(10, [80, 100])] });
    const extra = makePlan('extra', 'product', { entitlements: [withThresholds(5, [50, 80])] });
    const addons = [{ addonId: 'extra', version: 1, quantity: 2 }];
    const thresholdsOf = (more: Partial<Subscription>, promotions: PromotionalEntitlement[] = []) =>
      standingOf([plan, extra], [subscribed('pro', more)], { promotions }).of('calls', null);
    expect(thresholdsOf({})).toMatchObject({ usageThresholds: [80, 100] });
    expect(thresholdsOf({ addons })).toMatchObject({ usageThresholds: [50, 80, 100] });
    expect(thresholdsOf({}, [promoted('calls', 99)])).toMatchObject({ usageThresholds: [80, 100] });
  });

  it('is limited to the units that are committed to', () => {
    const plan = makePlan('pro', 'product', {
      entitlements: [entitled('calls', null, { resetPeriod: 'DAY' })],
    });
    const units = [
      { featureId: 'calls', quantity: 7 },
      { featureId: 'seats', quantity: 3 },
    ];
    const standing = standingOf(
      [plan],
      [subscribed('pro', { units: [...units, { featureId: null, quantity: 1 }] })],
    );
    expect(standing.of('calls', null)).toMatchObject({ hasUnlimitedUsage: false, resetPeriod: 'DAY' });
    expect(limitOf(standing, 'calls')).toBe('7');
    expect(limitOf(standing, 'seats')).toBe('3');
    expect(
      limitOf(
        standingOf([plan], [subscribed('pro', { units: [{ featureId: 'calls', quantity: 0 }] })]),
        'calls',
      ),
    ).toBe('0');
  });
});

describe('what add-ons grant', () => {
  const plan = makePlan('pro', 'product', {
    entitlements: [entitled('calls', 10, { resetPeriod: 'MONTH' })],
  });

  it.each([
    [
      'adds up, each as often as it is there',
      [
        ['five', 2],
        ['seven', 1],
      ],
      '27',
    ],
    [
      'takes the place of the plan, the greatest of them',
      [
        ['only-3', 1],
        ['only-4', 5],
      ],
      '4',
    ],
    [
      'adds to what takes the place',
      [
        ['only-3', 1],
        ['five', 2],
      ],
      '13',
    ],
    [
      'makes it unlimited',
      [
        ['endless', 1],
        ['five', 1],
      ],
      'unlimited',
    ],
    ['takes it away', [['never', 1]], 'Revoked'],
    [
      'brings it back',
      [
        ['never', 1],
        ['five', 1],
      ],
      '5',
    ],
  ] as const)('%s', (_, attached, expected) => {
    const addons = [
      addon('five', entitled('calls', 5)),
      addon('seven', entitled('calls', 7)),
      addon('only-3', entitled('calls', 3, { behavior: 'Override' })),
      addon('only-4', entitled('calls', 4, { behavior: 'Override' })),
      addon('endless', entitled('calls')),
      addon('never', entitled('calls', null, { ...off, behavior: 'Override' })),
    ];
    for (const order of [attached, attached.toReversed()]) {
      const chosen = order.map(([addonId, quantity]) => ({ addonId, version: 1, quantity }));
      expect(callsOf([plan, ...addons], [subscribed('pro', { addons: chosen })])).toBe(expected);
    }
  });

  it('joins values, softens limits, and keeps the periods of the plan', () => {
    const items = [
      makePlan('pro', 'product', {
        entitlements: [
          entitled('calls', 10, { resetPeriod: 'MONTH' }),
          entitled('regions', null, { enumValues: ['us'] }),
        ],
      }),
      addon('soft', entitled('calls', 1, { hasSoftLimit: true, resetPeriod: 'DAY' })),
      addon('eu', entitled('regions', null, { enumValues: ['eu', 'us'] })),
      addon('alone', entitled('seats', 2, { resetPeriod: 'WEEK' })),
    ];
    const addons = ['soft', 'eu', 'alone'].map((addonId) => ({ addonId, version: 1, quantity: 1 }));
    const standing = standingOf(items, [subscribed('pro', { addons })]);
    expect(standing.of('calls', null)).toMatchObject({ hasSoftLimit: true, resetPeriod: 'MONTH' });
    expect(standing.of('regions', null)).toMatchObject({
      enumValues: ['eu', 'us'],
      hasUnlimitedUsage: false,
    });
    expect(standing.of('seats', null)).toMatchObject({ resetPeriod: 'WEEK' });
  });
});

describe('several subscriptions', () => {
  const plans = [
    makePlan('pro', 'product', { entitlements: [entitled('calls', 10)] }),
    makePlan('other', 'product', { entitlements: [entitled('calls', 30), entitled('sso')] }),
  ];
  const trial = {
    endsAt: startOfTests + dayMs,
    endBehavior: 'CANCEL_SUBSCRIPTION',
    endsSoonToldAt: 0,
  } as const;

  it('grant the better of a paid plan and a trial beside it, until that ends', () => {
    const both = [subscribed('pro'), subscribed('other', { status: 'IN_TRIAL', trial })];
    expect(callsOf(plans, both)).toBe('30');
    expect(standingOf(plans, both).of('calls', null)).toMatchObject({ validUntil: trial.endsAt });
    expect(callsOf(plans, both, { now: trial.endsAt })).toBe('10');
  });

  it('grant, where limits are equal, what starts from zero more often', () => {
    const weekly = makePlan('weekly', 'product', {
      entitlements: [entitled('calls', 30, { resetPeriod: 'WEEK' })],
    });
    const standing = standingOf([...plans, weekly], [subscribed('other'), subscribed('weekly')]);
    expect(standing.of('calls', null)).toMatchObject({ resetPeriod: 'WEEK' });
  });

  it.each(['NOT_STARTED', 'PAYMENT_PENDING', 'CANCELED', 'EXPIRED'] as const)(
    'grant nothing while %s',
    (status) => {
      const startDate = status === 'NOT_STARTED' ? startOfTests + dayMs : at('2026-05-01');
      expect(callsOf(plans, [subscribed('pro', { status, startDate, usageAnchor: null })])).toBe(
        'NoActiveSubscription',
      );
    },
  );

  it('are seen by resource: its own and those of the whole customer', () => {
    const product = makeProduct('product', {}, true);
    const all = [subscribed('pro'), subscribed('other', { resourceId: 'site' })];
    const standing = standingOf(plans, all, { product });
    expect(limitOf(standing, 'calls')).toBe('10');
    expect(standing.of('calls', null)).toMatchObject({ usageResourceId: null });
    expect(standing.of('calls', 'site')).toMatchObject({ usageResourceId: 'site' });
    expect(limitOf(standing, 'calls', 'site')).toBe('30');
    expect(limitOf(standing, 'sso')).toBe('NoFeatureEntitlementInSubscription');
    expect(limitOf(standing, 'calls', 'elsewhere')).toBe('CustomerResourceNotFound');
    expect(standing.all('elsewhere')).toEqual({ deniedReason: 'CustomerResourceNotFound' });
    const others = standingOf(plans, [all[1] ?? subscribed('other')], { product });
    expect(limitOf(others, 'calls')).toBe('NoActiveSubscription');
    expect(others.all(null)).toEqual({ deniedReason: 'NoActiveSubscription' });
  });

  it('know a resource whose subscription has ended', () => {
    expect(limitOf(standingOf(plans, [], { resourceIds: ['site'] }), 'calls', 'site')).toBe(
      'NoActiveSubscription',
    );
  });
});

describe('promotional entitlements', () => {
  const plans = [
    makePlan('pro', 'product', { entitlements: [entitled('calls', 10, { resetPeriod: 'MONTH' })] }),
  ];

  it('hold without a subscription, and count from their own start', () => {
    const monthly = {
      resetPeriod: 'MONTH',
      resetPeriodConfiguration: { accordingTo: 'StartOfTheMonth' },
    } as const;
    const standing = standingOf([], [], { promotions: [promoted('calls', 3, monthly)] });
    expect(standing.of('calls', null)).toMatchObject({
      usagePeriod: { start: at('2026-05-01'), end: at('2026-06-01') },
    });
    expect(namesOf(standing)).toEqual(['calls']);
    expect(limitOf(standing, 'seats')).toBe('NoActiveSubscription');
  });

  it('raise what is bought, and count what that counts', () => {
    const promotion = promoted('calls', 30, {
      resetPeriod: 'MONTH',
      resetPeriodConfiguration: { accordingTo: 'StartOfTheMonth' },
    });
    const usageAnchor = at('2026-05-03');
    const standing = standingOf(plans, [subscribed('pro', { usageAnchor, usageResetAt: usageAnchor })], {
      promotions: [promotion],
    });
    expect(limitOf(standing, 'calls')).toBe('30');
    expect(standing.of('calls', null)).toMatchObject({ usagePeriod: { start: usageAnchor } });
    const lower = standingOf(plans, [subscribed('pro')], { promotions: [promoted('calls', 3)] });
    expect(limitOf(lower, 'calls')).toBe('10');
  });

  it('count the usage of the resource that is asked about, where that has a subscription', () => {
    const promotions = [promoted('seats', 5)];
    const standing = standingOf(plans, [subscribed('pro', { resourceId: 'site' })], { promotions });
    expect(standing.of('seats', 'site')).toMatchObject({ usageResourceId: 'site' });
    expect(standing.of('seats', null)).toMatchObject({ usageResourceId: null });
  });

  it('hold from their start to their end', () => {
    const promotions = [promoted('calls', 3, { startDate: startOfTests + 5, endDate: startOfTests + 9 })];
    const limitAt = (now: number): string => limitOf(standingOf([], [], { promotions, now }), 'calls');
    expect([4, 5, 8, 9].map((after) => limitAt(startOfTests + after))).toEqual([
      'NoActiveSubscription',
      '3',
      '3',
      'NoActiveSubscription',
    ]);
    expect(standingOf([], [], { promotions, now: startOfTests + 5 }).of('calls', null)).toMatchObject({
      validUntil: startOfTests + 9,
    });
  });
});

describe('refusals', () => {
  const plans = [makePlan('pro', 'product', { entitlements: [entitled('sso'), entitled('old')] })];

  it.each([
    ['CustomerNotFound', undefined, 'nothing', 'site'],
    ['CustomerIsArchived', { isArchived: true }, 'nothing', 'site'],
    ['FeatureNotFound', {}, 'nothing', 'site'],
    ['CustomerResourceNotFound', {}, 'old', 'site'],
    ['Revoked', {}, 'old', null],
    ['NoFeatureEntitlementInSubscription', {}, 'calls', null],
  ] as const)('%s comes before those that follow', (reason, customer, featureId, resourceId) => {
    const standing =
      customer === undefined
        ? customerStanding(undefined, (name) => features.get(name), startOfTests)
        : standingOf(plans, [subscribed('pro')], customer);
    expect(standing.of(featureId, resourceId)).toEqual({ deniedReason: reason });
  });

  it('leave the suspended feature out of the list', () => {
    expect(namesOf(standingOf(plans, [subscribed('pro')]))).toEqual(['sso']);
  });
});

describe('validUntil', () => {
  const plans = [
    makePlan('pro', 'product', { entitlements: [entitled('calls', 10, { resetPeriod: 'MONTH' })] }),
  ];
  const later = startOfTests + 3 * dayMs;

  it.each([
    ['the end of the usage period', {}, at('2026-06-01')],
    [
      'a cancellation',
      { cancellation: { at: later, onGivenDate: true, action: 'DEFAULT', prorate: false } },
      later,
    ],
    ['a scheduled change', { scheduledUpdates: [{ at: later, type: 'UNIT_AMOUNT', units: [] }] }, later],
    [
      'the end of a trial',
      { status: 'IN_TRIAL', trial: { endsAt: later, endBehavior: 'CONVERT_TO_PAID', endsSoonToldAt: null } },
      later,
    ],
  ] as const)('is %s', (_, more, validUntil) => {
    expect(standingOf(plans, [subscribed('pro', more)]).of('calls', null)).toMatchObject({ validUntil });
  });

  it('is when a promotional entitlement begins or another subscription takes the place', () => {
    const next = subscribed('pro', {
      refId: 'next',
      status: 'NOT_STARTED',
      startDate: later,
      usageAnchor: null,
    });
    expect(standingOf(plans, [subscribed('pro'), next]).of('calls', null)).toMatchObject({
      validUntil: later,
    });
    const promotions = [promoted('seats', 1, { startDate: later })];
    expect(standingOf(plans, [subscribed('pro')], { promotions }).of('calls', null)).toMatchObject({
      validUntil: later,
    });
  });

  it('is never where nothing is ahead', () => {
    const plain = [makePlan('pro', 'product', { entitlements: [entitled('calls', 10)] })];
    expect(standingOf(plain, [subscribed('pro')]).of('calls', null)).toMatchObject({
      validUntil: null,
      usagePeriod: null,
    });
  });
});

describe('hard budgets', () => {
  const prices = [fee('0.1', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'calls' })];
  const content = {
    pricingType: 'PAID',
    prices,
    entitlements: [entitled('calls'), entitled('seats', 2)],
  } as const;
  const plans = [makePlan('payg', 'product', content)];
  const budget = { limit: '5', hasSoftLimit: false };

  it('bar what is paid from them, in the billing period', () => {
    const standing = standingOf(plans, [subscribed('payg', { budget })]);
    const period = { start: at('2026-05-01'), end: at('2026-06-01'), anchor: at('2026-05-01') };
    expect(standing.of('calls', null)).toMatchObject({ budgets: [{ period, resourceId: null, prices }] });
    expect(standing.of('seats', null)).toMatchObject({ budgets: [] });
  });

  it('bar nothing where they are soft, or something else grants it', () => {
    const soft = subscribed('payg', { budget: { ...budget, hasSoftLimit: true } });
    expect(standingOf(plans, [soft]).of('calls', null)).toMatchObject({ budgets: [] });
    const promotions = [promoted('calls', 1)];
    const both = standingOf(plans, [subscribed('payg', { budget })], { promotions });
    expect(both.of('calls', null)).toMatchObject({ budgets: [] });
  });
});

describe('the effective entitlement', () => {
  const limits = fc.option(fc.integer({ min: 0, max: 50 }), { nil: null });
  const resets = fc.constantFrom(null, 'HOUR', 'DAY', 'WEEK', 'MONTH', 'YEAR');
  const said = fc.record({
    limit: limits,
    resetPeriod: resets,
    hasSoftLimit: fc.boolean(),
    isGranted: fc.boolean(),
  });
  const sources = fc.array(said, { minLength: 1, maxLength: 6 });

  it('is never less than any one source, and the same in any order', () => {
    fc.assert(
      fc.property(sources, fc.option(said, { nil: null }), fc.nat(5), (all, promotion, turn) => {
        const plans = all.map(({ limit, ...more }, place) =>
          makePlan(`plan-${place}`, `product-${place}`, {
            entitlements: [entitled('calls', limit, { ...more, hasUnlimitedUsage: limit === null })],
          }),
        );
        const subscriptions = plans.map(({ refId, productId }) => subscribed(refId, { productId }));
        const promotions =
          promotion === null
            ? []
            : [promoted('calls', promotion.limit, { hasSoftLimit: promotion.hasSoftLimit })];
        const together = standingOf(plans, subscriptions, { promotions }).of('calls', null);
        const turned = [...subscriptions.slice(turn), ...subscriptions.slice(0, turn)].toReversed();
        expect(standingOf(plans, turned, { promotions }).of('calls', null)).toEqual(together);
        const single = subscriptions.map((one) => standingOf(plans, [one]).of('calls', null));
        const alone = standingOf([], [], { promotions }).of('calls', null);
        for (const one of [...single, alone]) if (!('deniedReason' in one)) expectAtLeast(together, one);
      }),
    );
  });
});

const off = { isGranted: false, hasUnlimitedUsage: false } as const;

interface Circumstances {
  readonly promotions?: readonly PromotionalEntitlement[];
  readonly now?: number;
  readonly product?: ReturnType<typeof makeProduct>;
  readonly isArchived?: boolean;
  readonly resourceIds?: readonly string[];
}

function standingOf(
  packages: readonly Package[],
  subscriptions: readonly Subscription[],
  circumstances: Circumstances = {},
): CustomerStanding {
  const {
    promotions = [],
    now = startOfTests,
    product = makeProduct('product'),
    isArchived = false,
  } = circumstances;
  const offers: Offers = {
    product: (refId) => (refId === product.refId ? product : makeProduct(refId)),
    package: (refId) => packages.find((item) => item.refId === refId),
    coupon: () => undefined,
  };
  const portfolio = { subscriptions, trialedProductIds: [] };
  const resourceIds = new Set(circumstances.resourceIds ?? []);
  const settled = settledCustomer({ isArchived, portfolio, promotions, resourceIds }, offers, now);
  return customerStanding(settled, (name) => features.get(name), now);
}

function addon(refId: string, entitlement: PackageEntitlement): Package {
  return makePlan(refId, 'product', { entitlements: [entitlement] }, 'ADDON');
}

/** The limit, or why there is none. */
function limitOf(standing: CustomerStanding, featureId: string, resourceId: string | null = null): string {
  const entitlement = standing.of(featureId, resourceId);
  if ('deniedReason' in entitlement) return entitlement.deniedReason;
  return entitlement.usageLimit === null ? 'unlimited' : quantityToText(entitlement.usageLimit);
}

function withThresholds(limit: number, usageThresholds: readonly number[]): PackageEntitlement {
  return entitled('calls', limit, { usageThresholds });
}

function callsOf(
  packages: readonly Package[],
  subscriptions: readonly Subscription[],
  circumstances: Circumstances = {},
): string {
  return limitOf(standingOf(packages, subscriptions, circumstances), 'calls');
}

function namesOf(standing: CustomerStanding): readonly string[] {
  const all = standing.all(null);
  if ('deniedReason' in all) throw new Error(all.deniedReason);
  return all.map(({ featureId }) => featureId);
}

function expectAtLeast(whole: ReturnType<CustomerStanding['of']>, part: GrantedEntitlement): void {
  if ('deniedReason' in whole) return expect.fail(`denied: ${whole.deniedReason}`);
  expect(whole.hasUnlimitedUsage || !part.hasUnlimitedUsage).toBe(true);
  expect(whole.hasSoftLimit || !part.hasSoftLimit).toBe(true);
  if (!whole.hasUnlimitedUsage)
    expect(compareQuantities(exact(whole.usageLimit), exact(part.usageLimit))).toBeGreaterThanOrEqual(0);
}

function exact(quantity: Quantity | null): Quantity {
  return quantity ?? parseQuantity('0') ?? zeroQuantity;
}
