import { describe, expect, it } from 'vitest';
import type { Coupon } from '../catalog/coupon.ts';
import type { Customer } from '../customers/customer.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import type { ChangeEntry, ChangeWrite } from '../records/change-log.ts';
import type { RecordKind } from '../records/record-kinds.ts';
import { makeCoupon, makePlan, makeProduct } from '../subscriptions/life-cycle.fixture.ts';
import type { Subscription, SubscriptionStatus, Trial } from '../subscriptions/subscription.ts';
import { customersGrantedOtherwise, lifecycleEvents } from './lifecycle-events.ts';
import { lifecyclePayload } from './lifecycle-payload.ts';

const at = Date.parse('2026-05-01T12:00:00Z');
const weekMs = 7 * 86_400_000;

describe('the events of a commit', () => {
  const pro = makePlan('pro', 'app');
  const draft = { ...pro, versions: [], status: 'DRAFT' as const, draft: pro.versions[0]?.content ?? null };
  const second = {
    ...pro,
    versions: [...pro.versions, ...pro.versions.map((v) => ({ ...v, versionNumber: 2 }))],
  };
  const product = makeProduct('app');
  const coupon: Coupon = makeCoupon('half', { percentOff: '50' });
  const feature = { refId: 'seats', featureStatus: 'ACTIVE' };

  it.each([
    ['product', undefined, product, 'product.created'],
    ['product', product, { ...product, displayName: 'New' }, 'product.updated'],
    ['product', product, { ...product, status: 'ARCHIVED' }, 'product.archived'],
    ['product', { ...product, status: 'ARCHIVED' }, product, 'product.updated'],
    ['feature', undefined, feature, 'feature.created'],
    ['feature', feature, { ...feature, displayName: 'New' }, 'feature.updated'],
    ['feature', feature, { ...feature, featureStatus: 'SUSPENDED' }, 'feature.archived'],
    ['coupon', undefined, coupon, 'coupon.created'],
    ['coupon', coupon, { ...coupon, status: 'ARCHIVED' }, 'coupon.archived'],
    ['package', undefined, draft, 'plan.created'],
    ['package', draft, { ...draft, updatedAt: 1 }, 'plan.updated'],
    ['package', draft, pro, 'plan.published'],
    ['package', pro, { ...pro, draft: draft.draft }, 'plan.updated'],
    ['package', pro, second, 'plan.published'],
    ['package', pro, { ...pro, status: 'ARCHIVED' }, 'plan.archived'],
    ['package', undefined, { ...draft, type: 'ADDON' }, 'addon.created'],
    ['package', { ...draft, type: 'ADDON' }, { ...pro, type: 'ADDON' }, 'addon.published'],
    ['customer', undefined, customerWith({}), 'customer.created'],
    ['customer', customerWith({}), customerWith({}), 'customer.updated'],
    ['customer', customerWith({}), customerWith({ archivedAt: at }), 'customer.deleted'],
    ['customer', customerWith({ archivedAt: at }), customerWith({}), 'customer.created'],
  ] as const)('of a %s %#', (kind, before, after, type) => {
    expect(typesOf(writeOf(kind, before, after))).toEqual([type]);
  });

  it('of usage that reached a threshold tell what was noted last', () => {
    const period = { usagePeriodStart: at, usagePeriodEnd: at + weekMs };
    const [eighty, hundred] = [80, 100].map((threshold) => {
      return { threshold, currentUsage: String(threshold), usageLimit: '100', ...period };
    });
    const noted = { customerId: 'acme', featureId: 'seats', resourceId: 'site' };
    const before = { ...noted, told: [eighty] };
    const [event, ...others] = lifecycleEvents(
      entryOf(writeOf('usage-threshold', before, { ...noted, told: [hundred] })),
    );
    expect(others).toEqual([]);
    expect(event).toMatchObject({
      type: 'entitlement.usage_exceeded',
      about: [
        { kind: 'customer', key: 'acme' },
        { kind: 'feature', key: 'seats' },
      ],
      exceeded: { ...hundred, resourceId: 'site' },
    });
  });

  it.each([
    ['is first given', undefined, subscriptionWith('ACTIVE'), []],
    ['moves', subscriptionWith('ACTIVE'), subscriptionWith('ACTIVE', { planVersion: 2 }), ['acme']],
    ['ends', subscriptionWith('ACTIVE'), subscriptionWith('CANCELED'), ['acme']],
    ['is renamed', subscriptionWith('ACTIVE'), withMetadata('ACTIVE'), []],
  ] as const)(
    'know whose entitlements are others than before: a subscription that %s',
    (_, before, after, expected) => {
      const entry = entryOf(writeOf('subscription', before, after));
      expect([...customersGrantedOtherwise(entry)]).toEqual(expected);
    },
  );

  it('know whose entitlements are others than before: what was granted beside and is so no more', () => {
    const grants = (...featureIds: readonly string[]) => ({ entitlements: featureIds.map(promotionOf) });
    const given = entryOf(writeOf('promotional-entitlement', grants(), grants('seats')));
    expect([...customersGrantedOtherwise(given)]).toEqual([]);
    const taken = entryOf(writeOf('promotional-entitlement', grants('seats'), grants('sso')));
    expect([...customersGrantedOtherwise(taken)]).toEqual(['acme']);
  });

  it('tell the customer who pays of a payment that failed, once for a reason', () => {
    const asked = { payerId: 'holding', subscriptionId: 'sub-1', errorMessage: null };
    const declined = { ...asked, errorMessage: 'declined' };
    const about = [
      { kind: 'invoice', key: 'key' },
      { kind: 'customer', key: 'holding' },
      { kind: 'subscription', key: 'sub-1' },
    ];
    const [event, ...others] = lifecycleEvents(entryOf(writeOf('invoice', asked, declined)));
    expect(event).toMatchObject({ type: 'customer.payment_failed', about });
    expect(others).toEqual([]);
    expect(typesOf(writeOf('invoice', undefined, asked))).toEqual([]);
    expect(typesOf(writeOf('invoice', declined, { ...declined, attempts: 2 }))).toEqual([]);
  });

  it('say nothing of our own bookkeeping, of an archived customer who changes, or of what is written as it was', () => {
    const gone = customerWith({ archivedAt: at });
    const same = subscriptionWith('ACTIVE');
    const book = { customerId: 'acme' };
    expect(typesOf(writeOf('customer', gone, { ...gone, updatedAt: 2 }))).toEqual([]);
    expect(typesOf(writeOf('subscription', same, same))).toEqual([]);
    expect(typesOf(writeOf('subscription-book', undefined, book))).toEqual([]);
  });

  const trial: Trial = { endsAt: at + 2 * weekMs, endBehavior: 'CONVERT_TO_PAID', endsSoonToldAt: null };
  const told: Trial = { ...trial, endsSoonToldAt: at + weekMs };
  const inTrial = subscriptionWith('IN_TRIAL', { trial });

  it.each([
    ['made', undefined, subscriptionWith('ACTIVE'), ['created'], true],
    ['made for later', undefined, subscriptionWith('NOT_STARTED'), ['created'], false],
    ['started', subscriptionWith('NOT_STARTED'), subscriptionWith('ACTIVE'), ['updated'], true],
    ['given metadata', subscriptionWith('ACTIVE'), withMetadata('ACTIVE'), ['updated'], false],
    ['moved', subscriptionWith('ACTIVE'), subscriptionWith('ACTIVE', { planVersion: 2 }), ['updated'], true],
    [
      'to be cancelled',
      subscriptionWith('ACTIVE'),
      subscriptionWith('ACTIVE', {
        cancellation: { at: at + weekMs, onGivenDate: false, action: 'DEFAULT', prorate: false },
      }),
      ['updated'],
      false,
    ],
    ['cancelled', subscriptionWith('ACTIVE'), subscriptionWith('CANCELED'), ['canceled'], true],
    ['cancelled before', subscriptionWith('NOT_STARTED'), subscriptionWith('CANCELED'), ['canceled'], false],
    ['ended and touched', subscriptionWith('CANCELED'), withMetadata('CANCELED'), ['updated'], false],
    [
      'near its trial end',
      inTrial,
      subscriptionWith('IN_TRIAL', { trial: told }),
      ['trial.ends_soon'],
      false,
    ],
    [
      'told of and put off',
      subscriptionWith('IN_TRIAL', { trial: told }),
      subscriptionWith('IN_TRIAL', { trial: { ...told, endsSoonToldAt: null } }),
      ['updated'],
      false,
    ],
    [
      'a short trial',
      undefined,
      subscriptionWith('IN_TRIAL', { trial: told }),
      ['created', 'trial.ends_soon'],
      true,
    ],
    ['converted', inTrial, subscriptionWith('ACTIVE', { trial }), ['trial_converted'], false],
    ['expired', inTrial, subscriptionWith('EXPIRED', { trial }), ['trial_expired'], true],
    [
      'replaced by the paid one',
      inTrial,
      subscriptionWith('CANCELED', { trial, cancelReason: 'TRIAL_CONVERTED' }),
      ['trial_converted', 'canceled'],
      true,
    ],
  ] as const)('of a subscription that is %s', (_what, before, after, types, changesAccess) => {
    expect(typesOf(writeOf('subscription', before, after))).toEqual([
      ...types.map((type) => `subscription.${type}`),
      ...(changesAccess ? ['entitlements.updated'] : []),
    ]);
  });

  it('tell of the entitlements of a customer once, however many changes they come from', () => {
    const sso = promotionOf('sso');
    const events = lifecycleEvents(
      entryOf(
        writeOf('subscription', undefined, subscriptionWith('ACTIVE')),
        writeOf('subscription', subscriptionWith('ACTIVE'), subscriptionWith('CANCELED')),
        writeOf(
          'promotional-entitlement',
          { entitlements: [promotionOf('old'), promotionOf('same')] },
          {
            entitlements: [promotionOf('same'), sso],
          },
        ),
      ),
    );
    expect(events.map(({ type, featureId }) => [type, featureId])).toEqual([
      ['subscription.created', null],
      ['subscription.canceled', null],
      ['promotional_entitlement.granted', 'sso'],
      ['promotional_entitlement.revoked', 'old'],
      ['entitlements.updated', null],
    ]);
    expect(events.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4].map((n) => `commit-1-${n}`));
    expect(events[0]?.about.map(({ kind, key }) => [kind, key])).toEqual([
      ['subscription', 'sub-1'],
      ['customer', 'acme'],
      ['package', 'pro'],
    ]);
  });
});

describe('the payload', () => {
  it('is flat, with what it is about in the names and forms of the API', () => {
    const [event] = lifecycleEvents(entryOf(writeOf('subscription', undefined, subscriptionWith('ACTIVE'))));
    if (event === undefined) throw new Error('there is no event');
    const bodies = [subscriptionWith('ACTIVE'), customerWith({}), makePlan('pro', 'app')];
    const records = event.about.map((ref, place) => ({ ...ref, version: 1, body: bodies[place] }));
    expect(lifecyclePayload(event, records)).toMatchObject({
      type: 'subscription.created',
      messageId: 'commit-1-0',
      traceId: 't-1',
      timestamp: '2026-05-01T12:00:00.000Z',
      actor: 'k-1',
      subscription: { refId: 'sub-1', subscriptionId: 'sub-1', status: 'ACTIVE', trialEndDate: null },
      customer: { refId: 'acme', customerId: 'acme', name: 'Acme', createdAt: '2026-05-01T12:00:00.000Z' },
      plan: { refId: 'pro', displayName: 'pro', versionNumber: 1, status: 'PUBLISHED' },
    });
    // What is gone is left out.
    expect(Object.keys(lifecyclePayload(event, [undefined, undefined, undefined]))).toEqual([
      'type',
      'messageId',
      'traceId',
      'timestamp',
      'actor',
    ]);
  });
});

function typesOf(...writes: readonly ChangeWrite[]): readonly string[] {
  return lifecycleEvents(entryOf(...writes)).map(({ type }) => type);
}

function entryOf(...writes: readonly ChangeWrite[]): ChangeEntry {
  const audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at };
  return { id: '1-0', commit: 'commit-1', audit, writes, letters: [] };
}

function writeOf(kind: RecordKind, before: unknown, after: unknown): ChangeWrite {
  const text = (body: unknown): string => (body === undefined ? '' : JSON.stringify(body));
  const keys: Partial<Record<RecordKind, string>> = {
    subscription: 'sub-1',
    'promotional-entitlement': 'acme',
  };
  return {
    kind,
    key: keys[kind] ?? 'key',
    version: 1,
    before: text(before),
    after: text(after),
    indexes: '[]',
  };
}

function customerWith(fields: Partial<Customer>): Customer {
  const who = {
    id: 'c-1',
    refId: 'acme',
    name: 'Acme',
    email: null,
    additionalMetaData: null,
    coupon: null,
    billingId: null,
  };
  return { ...who, createdAt: at, updatedAt: at, archivedAt: null, ...fields };
}

function withMetadata(status: SubscriptionStatus): Subscription {
  return subscriptionWith(status, { additionalMetaData: { note: 1 } });
}

function subscriptionWith(status: SubscriptionStatus, fields: Partial<Subscription> = {}): Subscription {
  const names = {
    id: 's-1',
    refId: 'sub-1',
    customerId: 'acme',
    resourceId: null,
    productId: 'app',
    planId: 'pro',
  };
  const bought = {
    planVersion: 1,
    pricingType: 'PAID',
    billingPeriod: 'MONTHLY',
    addons: [],
    units: [],
  } as const;
  const none = { trial: null, cancellation: null, endedAt: null, cancelReason: null, replacement: null };
  const terms = {
    payingCustomerId: null,
    coupon: null,
    minimumSpend: null,
    budget: null,
    latestInvoiceId: null,
    charged: null,
    billingCountryCode: null,
  };
  const dates = { startDate: at, billingAnchor: at, usageAnchor: at, usageResetAt: null, createdAt: at };
  const whole = {
    ...names,
    ...bought,
    ...none,
    ...terms,
    ...dates,
    scheduledUpdates: [],
    additionalMetaData: null,
  };
  return { ...whole, status, ...fields };
}

function promotionOf(featureId: string): Partial<PromotionalEntitlement> {
  return { featureId, startDate: at, endDate: null };
}
