import { beforeEach, describe, expect, it } from 'vitest';
import type { UsageResetBehavior } from '../catalog/product.ts';
import { Account, at, fee, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';

const start = at('2026-01-31');
const later = at('2026-02-10');
const monthly = { billingPeriod: 'MONTHLY' } as const;
let account: Account;

beforeEach(() => {
  account = new Account(
    start,
    [],
    [
      makePlan('free', 'app'),
      makePlan('basic', 'app', paid(fee('10'), fee('100', 'ANNUALLY'))),
      makePlan('pro', 'app', paid(fee('50'))),
      makePlan('tried', 'app', { ...paid(fee('20')), ...trialOf(14) }),
      makePlan('expiring', 'app', { ...paid(fee('20')), ...trialOf(5, 'CANCEL_SUBSCRIPTION') }),
    ],
  );
});

function under(behavior: UsageResetBehavior): void {
  const product = makeProduct('app', { subscriptionEndSetup: 'DOWNGRADE_TO_FREE', downgradePlanId: 'free' });
  account.products.set('app', { ...product, usageResetCutoffRule: { behavior } });
}

/** Subscribes to the one, then on a later day to the other. */
function moved(from: string, to: string, more = {}): number | null {
  account.provision(from, monthly);
  account.until(later);
  return account.provision(to, { refId: 'second', skipTrial: true, ...monthly, ...more }).usageAnchor;
}

describe('usage is counted from', () => {
  it.each([
    ['ALWAYS_RESET', later, later, later, later],
    ['NEVER_RESET', start, start, start, start],
    ['BILLING_PERIOD_CHANGE', start, later, later, later],
  ] as const)('the start, or that of what gives way, under %s', (behavior, kept, anew, unpaid, trial) => {
    const cases = [
      () => moved('basic', 'pro'),
      () => moved('basic', 'pro', { billingCycleAnchor: 'NOW' }),
      () => moved('free', 'pro'),
      () => moved('tried', 'tried'),
    ];
    const found = cases.map((run) => {
      account.portfolio = { subscriptions: [], trialedProductIds: [] };
      account.now = start;
      under(behavior);
      return run();
    });
    expect(found).toEqual([kept, anew, unpaid, trial]);
  });

  it('the start of a trial, also once it is converted', () => {
    under('ALWAYS_RESET');
    expect(account.provision('tried').usageAnchor).toBe(start);
    account.until(at('2026-03-01'));
    expect(account.find('tried')).toMatchObject({
      status: 'ACTIVE',
      billingAnchor: at('2026-02-14'),
      usageAnchor: start,
    });
  });

  it('nowhere before the start', () => {
    under('NEVER_RESET');
    account.provision('basic', monthly);
    account.provision('pro', { ...monthly, startDate: later });
    expect(account.find('pro').usageAnchor).toBeNull();
    expect(account.until(later).find('pro').usageAnchor).toBe(start);
  });

  it('the same by the free plan that follows an end, where usage is never reset', () => {
    under('NEVER_RESET');
    account.provision('expiring');
    account.until(later);
    const free = account.portfolio.subscriptions.find(({ planId }) => planId === 'free');
    expect(free).toMatchObject({ startDate: at('2026-02-05'), usageAnchor: start });
  });

  it('the subscription, where a trial beside it gives way as well', () => {
    under('NEVER_RESET');
    account.provision('basic', monthly);
    account.until(at('2026-02-03'));
    account.provision('tried');
    account.until(later);
    expect(account.provision('tried', { refId: 'bought' })).toMatchObject({
      status: 'ACTIVE',
      usageAnchor: start,
    });
  });
});

describe('that a trial ends soon', () => {
  const told = (refId: string): number | null | undefined => account.find(refId).trial?.endsSoonToldAt;

  beforeEach(() => under('ALWAYS_RESET'));

  it('is told seven days before its end', () => {
    account.provision('tried');
    expect(account.until(at('2026-02-06T23:59:59')) && told('tried')).toBeNull();
    expect(account.until(at('2026-02-07')) && told('tried')).toBe(at('2026-02-07'));
    expect(account.until(at('2026-03-07')) && told('tried')).toBe(at('2026-02-07'));
  });

  it('is told at the start of one that is shorter, and not before', () => {
    account.provision('expiring', { startDate: later });
    expect(told('expiring')).toBeNull();
    expect(account.until(later) && told('expiring')).toBe(later);
  });

  it('is told again when the end is put off until it is not soon any more', () => {
    account.provision('tried');
    account.until(later);
    account.update('tried', { trialEndDate: at('2026-02-16') });
    expect(told('tried')).toBe(at('2026-02-07'));
    account.update('tried', { trialEndDate: at('2026-03-01') });
    expect(told('tried')).toBeNull();
    expect(account.until(at('2026-02-25')) && told('tried')).toBe(at('2026-02-22'));
  });

  it('is told when the end is moved to where it is soon', () => {
    account.provision('tried');
    account.update('tried', { trialEndDate: at('2026-02-02') });
    expect(told('tried')).toBe(start);
  });
});

describe('usage is set to zero', () => {
  it.each([
    ['ALWAYS_RESET', later],
    ['NEVER_RESET', null],
    ['BILLING_PERIOD_CHANGE', null],
  ] as const)(
    'by a change of plans under %s as the rule says, and never by a first plan',
    (behavior, resetAt) => {
      under(behavior);
      moved('basic', 'pro');
      expect(account.find('basic').usageResetAt).toBeNull();
      expect(account.find('second').usageResetAt).toBe(resetAt);
    },
  );

  it('by the free plan that follows an end, unless the rule never does', () => {
    for (const [behavior, resetAt] of [
      ['ALWAYS_RESET', later],
      ['NEVER_RESET', null],
    ] as const) {
      account.portfolio = { subscriptions: [], trialedProductIds: [] };
      account.now = start;
      under(behavior);
      account.provision('basic', monthly);
      account.until(later).cancel('basic', { time: 'IMMEDIATE' });
      expect(account.portfolio.subscriptions.find(({ planId }) => planId === 'free')?.usageResetAt).toBe(
        resetAt,
      );
    }
  });
});
