import { beforeEach, describe, expect, it } from 'vitest';
import {
  Account,
  at,
  fee,
  iso,
  makePlan,
  makeProduct,
  paid,
  problemOf,
  republished,
  trialOf,
} from './life-cycle.fixture.ts';

const start = at('2026-01-31');
let account: Account;

beforeEach(() => {
  const seats = fee('10', 'MONTHLY', {
    billingModel: 'PER_UNIT',
    featureId: 'seats',
    minUnitQuantity: 2,
    maxUnitQuantity: 50,
  });
  account = new Account(
    start,
    [
      makeProduct('app'),
      makeProduct('journey', {
        subscriptionEndSetup: 'DOWNGRADE_TO_FREE',
        downgradePlanId: 'j-free',
        subscriptionCancellationTime: 'END_OF_BILLING_PERIOD',
        downgradeAtEndOfBillingPeriod: true,
      }),
      makeProduct('sites', {}, true),
    ],
    [
      makePlan('free', 'app'),
      makePlan('basic', 'app', paid(fee('10'), fee('100', 'ANNUALLY'))),
      makePlan('pro', 'app', {
        ...paid(fee('50'), seats),
        ...trialOf(14),
        compatibleAddonIds: ['extra', 'more'],
      }),
      makePlan('gold', 'app', { ...paid(fee('90')), ...trialOf(7, 'CANCEL_SUBSCRIPTION') }),
      makePlan('custom', 'app', { pricingType: 'CUSTOM' }),
      makePlan('extra', 'app', { ...paid(fee('5')), maxQuantity: 3 }, 'ADDON'),
      makePlan('more', 'app', { ...paid(fee('5')), dependencies: ['extra'] }, 'ADDON'),
      makePlan('j-free', 'journey'),
      makePlan('j-paid', 'journey', { ...paid(fee('20')), ...trialOf(10, 'CANCEL_SUBSCRIPTION') }),
      makePlan('j-more', 'journey', paid(fee('40'))),
      makePlan('site', 'sites', paid(fee('20'))),
      makePlan('site-plus', 'sites', { ...paid(fee('30')), ...trialOf(10) }),
    ],
  );
});

describe('trials', () => {
  it('come from the plan, and are converted at their end to what is paid for from then on', () => {
    const trial = account.provision('pro');
    expect([trial.status, iso(trial.trial?.endsAt ?? null)]).toEqual(['IN_TRIAL', '2026-02-14T00:00:00']);
    account.until(at('2026-02-13T23:59:59'));
    expect(account.statusOf('pro')).toBe('IN_TRIAL');
    account.until(at('2026-02-14'));
    expect(account.find('pro')).toMatchObject({ status: 'ACTIVE', billingAnchor: at('2026-02-14') });
  });

  it('that are not to be converted end as expired', () => {
    account.provision('gold');
    account.until(at('2026-03-01'));
    expect(account.find('gold')).toMatchObject({
      status: 'EXPIRED',
      endedAt: at('2026-02-07'),
      cancelReason: 'TRIAL_ENDED',
    });
  });

  it('are skipped with skipTrial', () => {
    expect(account.provision('pro', { skipTrial: true }).status).toBe('ACTIVE');
  });

  it('are had once for each customer and product', () => {
    account.provision('gold');
    account.until(at('2026-03-01'));
    expect(account.provision('pro').status).toBe('ACTIVE');
    expect(account.provision('site-plus').status).toBe('IN_TRIAL');
  });

  it('are granted once more, or denied, by trialOverrideConfiguration', () => {
    const override = { isTrial: true, trialEndDate: at('2026-04-01'), trialEndBehavior: null };
    account.provision('gold');
    account.until(at('2026-03-01'));
    expect(account.provision('pro', { trialOverride: override })).toMatchObject({
      status: 'IN_TRIAL',
      trial: { endsAt: at('2026-04-01'), endBehavior: 'CONVERT_TO_PAID' },
    });
    const denied = { isTrial: false, trialEndDate: null, trialEndBehavior: null };
    expect(account.provision('site-plus', { trialOverride: denied }).status).toBe('ACTIVE');
    expect(problemOf(account.tryProvision('pro', { trialOverride: override, skipTrial: true }))).toContain(
      'contradict',
    );
    const endless = { ...override, trialEndDate: null };
    expect(problemOf(account.tryProvision('free', { trialOverride: endless }))).toContain('trialEndDate');
  });

  it('of a higher plan run beside a paid one, and take its place when they are converted', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.provision('pro');
    expect([account.statusOf('basic'), account.statusOf('pro')]).toEqual(['ACTIVE', 'IN_TRIAL']);
    account.until(at('2026-02-14'));
    expect(account.find('basic')).toMatchObject({
      status: 'CANCELED',
      endedAt: at('2026-02-14'),
      cancelReason: 'UPGRADE_OR_DOWNGRADE',
    });
    expect(account.statusOf('pro')).toBe('ACTIVE');
  });

  it('go on beside a paid plan that is bought during them', () => {
    account.provision('pro');
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    expect([account.statusOf('basic'), account.statusOf('pro')]).toEqual(['ACTIVE', 'IN_TRIAL']);
  });

  it('of a plan end when the plan itself is bought, as does the other subscription', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.provision('pro');
    account.until(at('2026-02-03'));
    const bought = account.provision('pro', { refId: 'bought' });
    expect(bought).toMatchObject({ status: 'ACTIVE', startDate: at('2026-02-03') });
    expect(account.find('pro')).toMatchObject({ status: 'CANCELED', cancelReason: 'TRIAL_CONVERTED' });
    expect(account.find('basic')).toMatchObject({ status: 'CANCELED', endedAt: at('2026-02-03') });
  });

  it('are extended, which takes a scheduled cancellation back', () => {
    account.provision('pro');
    account.cancel('pro', { time: 'END_OF_BILLING_PERIOD' });
    expect(account.find('pro').cancellation?.at).toBe(at('2026-02-14'));
    const extended = account.update('pro', { trialEndDate: at('2026-03-01') });
    expect([extended.trial?.endsAt, extended.cancellation]).toEqual([at('2026-03-01'), null]);
    expect(problemOf(account.tryUpdate('pro', { trialEndDate: start }))).toContain('must lie ahead');
    account.provision('site', {});
    expect(problemOf(account.tryUpdate('site', { trialEndDate: at('2026-03-01') }))).toContain('in trial');
  });

  it('give way to another trial of the product', () => {
    const trialOverride = { isTrial: true, trialEndDate: null, trialEndBehavior: null };
    account.provision('pro');
    account.provision('gold', { trialOverride });
    expect([account.statusOf('pro'), account.statusOf('gold')]).toEqual(['CANCELED', 'IN_TRIAL']);
  });
});

describe('a subscription that takes the place of another', () => {
  it('does so at once, and goes on with its billing periods', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.until(at('2026-02-10'));
    expect(account.provision('pro', { skipTrial: true })).toMatchObject({
      status: 'ACTIVE',
      startDate: at('2026-02-10'),
      billingAnchor: start,
    });
    expect(account.find('basic')).toMatchObject({ status: 'CANCELED', endedAt: at('2026-02-10') });
    expect(
      account.provision('basic', { refId: 'b2', billingCycleAnchor: 'NOW', billingPeriod: 'MONTHLY' }),
    ).toMatchObject({ billingAnchor: at('2026-02-10') });
  });

  it('does so at its start date S, when that lies ahead', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.provision('gold', { skipTrial: true, startDate: at('2026-05-05') });
    expect(account.find('basic')).toMatchObject({
      status: 'ACTIVE',
      replacement: { at: at('2026-05-05'), planId: 'gold', planVersion: 1, type: 'PLAN' },
    });
    account.until(at('2026-05-04T23:59:59'));
    expect([account.statusOf('basic'), account.statusOf('gold')]).toEqual(['ACTIVE', 'NOT_STARTED']);
    account.until(at('2026-06-01'));
    expect(account.find('basic')).toMatchObject({ status: 'CANCELED', endedAt: at('2026-05-05') });
    expect(account.statusOf('gold')).toBe('ACTIVE');
  });

  it('leaves it alone when it is cancelled before it starts', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.provision('gold', { skipTrial: true, startDate: at('2026-05-05') });
    account.cancel('gold', { time: 'END_OF_BILLING_PERIOD' });
    expect([account.statusOf('gold'), account.find('basic').replacement]).toEqual(['CANCELED', null]);
    expect(account.until(at('2026-06-01')).statusOf('basic')).toBe('ACTIVE');
  });

  it('takes also the place of one that is scheduled', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.provision('gold', { skipTrial: true, startDate: at('2026-05-05') });
    account.provision('pro', { skipTrial: true });
    expect([account.statusOf('gold'), account.statusOf('pro')]).toEqual(['CANCELED', 'ACTIVE']);
  });

  it('may have started in the past', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY', startDate: at('2025-12-15') });
    expect(account.find('basic')).toMatchObject({ status: 'ACTIVE', billingAnchor: at('2025-12-15') });
    account.provision('pro', { startDate: at('2026-01-20'), skipTrial: true });
    expect(account.find('basic').endedAt).toBe(at('2026-01-20'));
    account.provision('free', { startDate: at('2025-06-01') });
    expect(account.find('pro').endedAt).toBe(at('2026-01-20'));
  });

  it('is told by resource where the product allows several', () => {
    const one = { billingPeriod: 'MONTHLY', resourceId: 'one' } as const;
    account.provision('site', { refId: 'a', ...one });
    account.provision('site', { refId: 'b', ...one, resourceId: 'two' });
    account.provision('site', { refId: 'c', ...one, resourceId: null });
    account.provision('site', { refId: 'd', ...one });
    expect(['a', 'b', 'c', 'd'].map((refId) => account.statusOf(refId))).toEqual([
      'CANCELED',
      'ACTIVE',
      'ACTIVE',
      'ACTIVE',
    ]);
    account.provision('basic', { ...one });
    account.provision('free', { resourceId: 'two' });
    expect(account.statusOf('basic')).toBe('CANCELED');
  });

  it('waits for the end of the paid period when it is a downgrade and the journey says so', () => {
    account.provision('j-more');
    account.until(at('2026-02-10'));
    const lower = account.provision('j-paid', { skipTrial: true });
    expect(lower).toMatchObject({ status: 'NOT_STARTED', startDate: at('2026-02-28') });
    expect(account.find('j-more').replacement?.type).toBe('DOWNGRADE');
    account.until(at('2026-03-05'));
    expect(account.find('j-paid')).toMatchObject({ status: 'ACTIVE', billingAnchor: start });
    expect(account.provision('j-more', { refId: 'up' }).status).toBe('ACTIVE');
    expect(account.provision('j-free', { scheduleStrategy: 'IMMEDIATE' }).status).toBe('ACTIVE');
  });

  it('starts with the version that is the newest on that day', () => {
    const basic = account.packages.get('basic');
    if (basic === undefined) throw new Error('no plan');
    account.packages.set('basic', republished(basic, {}, at('2026-03-01')));
    const monthly = { billingPeriod: 'MONTHLY' } as const;
    expect(account.provision('basic', { ...monthly, refId: 'now' }).planVersion).toBe(1);
    account.provision('basic', { ...monthly, startDate: at('2026-03-01'), refId: 'later' });
    account.until(at('2026-02-28'));
    expect(account.find('later').planVersion).toBe(1);
    account.until(at('2026-04-01'));
    expect(account.find('later').planVersion).toBe(2);
    expect(account.find('now').planVersion).toBe(1);
  });
});

describe('cancelling', () => {
  it.each([
    ['IMMEDIATE', 'CANCELED', '2026-02-10'],
    ['END_OF_BILLING_PERIOD', 'ACTIVE', '2026-02-28'],
  ] as const)('%s', (time, status, end) => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.until(at('2026-02-10'));
    expect(account.cancel('basic', { time }).status).toBe(status);
    account.until(at('2026-03-01'));
    expect(account.find('basic')).toMatchObject({ status: 'CANCELED', endedAt: at(end) });
  });

  it('on a SPECIFIC_DATE, which has to be given and to lie ahead', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.cancel('basic', { time: 'SPECIFIC_DATE', endDate: at('2026-07-01') });
    account.until(at('2026-06-30T23:59:59'));
    expect(account.statusOf('basic')).toBe('ACTIVE');
    account.until(at('2026-07-01'));
    expect(account.find('basic')).toMatchObject({
      status: 'CANCELED',
      cancelReason: 'ScheduledCancellation',
    });
    account.provision('gold', { skipTrial: true });
    expect(problemOf(account.tryCancel('gold', { time: 'SPECIFIC_DATE' }))).toContain('endDate is required');
    expect(problemOf(account.tryCancel('gold', { endDate: start }))).toContain('must lie ahead');
  });

  it('of a trial on a date behind its end makes the trial last until then', () => {
    account.provision('pro');
    account.cancel('pro', { endDate: at('2026-03-15') });
    account.until(at('2026-03-14'));
    expect(account.statusOf('pro')).toBe('IN_TRIAL');
    expect(account.until(at('2026-03-15')).statusOf('pro')).toBe('CANCELED');
  });

  it('is taken back while it lies ahead', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.cancel('basic', { time: 'END_OF_BILLING_PERIOD' });
    account.update('basic', { cancellationDate: null });
    expect(account.until(at('2026-12-01')).statusOf('basic')).toBe('ACTIVE');
  });

  it('a second time is refused', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.cancel('basic');
    expect(problemOf(account.tryCancel('basic'))).toContain('it is cancelled');
  });

  it('needs a billing period to wait for', () => {
    account.provision('custom');
    expect(problemOf(account.tryCancel('custom', { time: 'END_OF_BILLING_PERIOD' }))).toContain(
      'no billing period',
    );
  });

  it('is followed by the free plan where the journey has one, unless access is to be revoked', () => {
    account.provision('j-more');
    account.cancel('j-more');
    expect(account.find('j-more').status).toBe('ACTIVE');
    account.until(at('2026-03-15'));
    const free = account.portfolio.subscriptions.find(({ planId }) => planId === 'j-free');
    expect(free).toMatchObject({ status: 'ACTIVE', startDate: at('2026-02-28'), pricingType: 'FREE' });
    expect(free?.refId).toMatch(/^subscription-j-free-[0-9a-f]{12}$/);
    expect(free?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    account.provision('j-more', { refId: 'again' });
    account.cancel('again', { time: 'IMMEDIATE', action: 'REVOKE_ENTITLEMENTS' });
    expect(account.portfolio.subscriptions.filter(({ status }) => status === 'ACTIVE')).toEqual([]);
  });

  it('of a trial leads to the free plan as well, and not beside a paid one', () => {
    account.provision('j-paid');
    account.until(at('2026-02-10'));
    expect(account.statusOf('j-paid')).toBe('EXPIRED');
    expect(account.portfolio.subscriptions.map(({ planId, status }) => [planId, status])).toEqual([
      ['j-paid', 'EXPIRED'],
      ['j-free', 'ACTIVE'],
    ]);
  });
});

describe('updating', () => {
  const seatsOf = (refId: string): number | undefined => account.find(refId).units[0]?.quantity;

  beforeEach(() => {
    account.provision('pro', { skipTrial: true, unitQuantity: 10 });
    account.until(at('2026-02-10'));
  });

  it('adds units at once, and takes them away at once unless something says otherwise', () => {
    account.update('pro', { unitQuantity: 12 });
    expect(seatsOf('pro')).toBe(12);
    account.update('pro', { billableFeatures: [{ featureId: 'seats', quantity: 3 }] });
    expect(seatsOf('pro')).toBe(3);
  });

  it('with fewer units waits for the end of the period: Q0 to Q1, then Q2 below, at and above Q0', () => {
    const later = { scheduleStrategy: 'END_OF_BILLING_PERIOD' } as const;
    account.update('pro', { unitQuantity: 5, ...later });
    expect([seatsOf('pro'), account.find('pro').scheduledUpdates]).toEqual([
      10,
      [{ at: at('2026-02-28'), type: 'UNIT_AMOUNT', units: [{ featureId: 'seats', quantity: 5 }] }],
    ]);
    account.update('pro', { unitQuantity: 7, ...later });
    expect(account.find('pro').scheduledUpdates).toMatchObject([{ units: [{ quantity: 7 }] }]);
    account.update('pro', { unitQuantity: 10, ...later });
    expect(account.find('pro').scheduledUpdates).toEqual([]);
    account.update('pro', { unitQuantity: 5, ...later });
    account.update('pro', { unitQuantity: 11, ...later });
    expect([seatsOf('pro'), account.find('pro').scheduledUpdates]).toEqual([11, []]);
    account.update('pro', { unitQuantity: 5, ...later });
    expect(account.until(at('2026-02-28')).find('pro').units).toEqual([{ featureId: 'seats', quantity: 5 }]);
  });

  it('takes back what is scheduled, a plan too', () => {
    account.update('pro', { unitQuantity: 5, scheduleStrategy: 'END_OF_BILLING_PERIOD' });
    account.provision('free', { scheduleStrategy: 'END_OF_BILLING_PERIOD' });
    expect(account.find('pro').replacement?.type).toBe('DOWNGRADE');
    account.takeBack('pro');
    expect(account.statusOf('free')).toBe('CANCELED');
    account.until(at('2026-04-01'));
    expect([account.statusOf('pro'), seatsOf('pro')]).toEqual(['ACTIVE', 10]);
  });

  it('replaces the whole list of add-ons', () => {
    account.update('pro', { addons: [{ addonId: 'extra', quantity: 2 }] });
    expect(account.find('pro').addons).toEqual([{ addonId: 'extra', version: 1, quantity: 2 }]);
    account.update('pro', { addons: [] });
    expect(account.find('pro').addons).toEqual([]);
  });

  it('to another billing period starts it anew', () => {
    account.provision('basic', { billingPeriod: 'MONTHLY' });
    account.update('basic', { billingPeriod: 'ANNUALLY' });
    expect(account.find('basic')).toMatchObject({
      billingPeriod: 'ANNUALLY',
      billingAnchor: at('2026-02-10'),
    });
    account.update('basic', { billingPeriod: 'MONTHLY', scheduleStrategy: 'END_OF_BILLING_MONTH' });
    expect(account.find('basic').scheduledUpdates[0]?.at).toBe(at('2026-03-10'));
    account.until(at('2026-03-20'));
    expect(account.find('basic')).toMatchObject({
      billingPeriod: 'MONTHLY',
      billingAnchor: at('2026-03-10'),
    });
  });

  it('keeps metadata unless it is given', () => {
    account.update('pro', { additionalMetaData: { a: 1 } });
    expect(account.update('pro', { unitQuantity: 12 }).additionalMetaData).toEqual({ a: 1 });
    expect(account.update('pro', { additionalMetaData: null }).additionalMetaData).toBeNull();
  });
});

describe('what cannot be bought', () => {
  it.each([
    ['an unknown plan', 'none', {}, 'PLAN_NOT_FOUND'],
    ['an add-on as a plan', 'extra', {}, 'PLAN_NOT_FOUND'],
    ['a paid plan without a billing period', 'basic', {}, 'billingPeriod is required'],
    ['a period without a price', 'pro', { billingPeriod: 'ANNUALLY' }, 'no price'],
    ['an unknown add-on', 'pro', { addons: [{ addonId: 'none', quantity: 1 }] }, 'ADDON_NOT_FOUND'],
    ['too many of an add-on', 'pro', { addons: [{ addonId: 'extra', quantity: 4 }] }, '1 to 3'],
    ['an add-on without the one it needs', 'pro', { addons: [{ addonId: 'more', quantity: 1 }] }, 'needs'],
    [
      'an add-on that is not compatible',
      'free',
      { addons: [{ addonId: 'extra', quantity: 1 }] },
      'not compatible',
    ],
    ['too few units', 'pro', { unitQuantity: 1 }, '2 to 50'],
    ['too many units', 'pro', { unitQuantity: 51 }, '2 to 50'],
    ['units that are not charged for', 'free', { unitQuantity: 1 }, 'unitQuantity'],
    [
      'units of another feature',
      'pro',
      { billableFeatures: [{ featureId: 'other', quantity: 1 }] },
      'no charge by the unit',
    ],
    ['a cancellation before the start', 'free', { cancellationDate: start }, 'cancellationDate'],
    ['a bad name', 'free', { refId: 'a b' }, 'subscriptionId must'],
  ] as const)('%s', (_, planId, request, expected) => {
    expect(problemOf(account.tryProvision(planId, request))).toContain(expected);
  });

  it('a plan that was never published', () => {
    const free = account.packages.get('free');
    if (free === undefined) throw new Error('no plan');
    account.packages.set('draft', { ...free, refId: 'draft', versions: [], status: 'DRAFT' });
    expect(problemOf(account.tryProvision('draft'))).toContain('publish it first');
  });
});
