import { beforeEach, describe, expect, it } from 'vitest';
import {
  Account,
  at,
  fee,
  makeCoupon,
  makePlan,
  makeProduct,
  paid,
  problemOf,
} from './life-cycle.fixture.ts';

const start = at('2026-01-31');
const monthly = { billingPeriod: 'MONTHLY' } as const;
let account: Account;

beforeEach(() => {
  account = new Account(
    start,
    [makeProduct('app')],
    [
      makePlan('basic', 'app', paid(fee('10'))),
      makePlan('euro', 'app', paid(fee('10', 'MONTHLY', { currency: 'eur' }))),
      makePlan('free', 'app'),
    ],
  );
  for (const coupon of [
    makeCoupon('third', { percentOff: '33.3', durationInMonths: 1 }),
    makeCoupon('dollars', { amountsOff: [{ amount: '5', currency: 'usd' }] }),
    makeCoupon('former', { percentOff: '10', status: 'ARCHIVED' }),
  ]) {
    account.coupons.set(coupon.refId, coupon);
  }
});

describe('a coupon', () => {
  it('is copied, and ends by the calendar: on the 31st it ends on the last of February', () => {
    const { coupon } = account.provision('basic', { ...monthly, appliedCoupon: from('third') });
    expect(coupon).toEqual({
      couponId: 'third',
      percentOff: '33.3',
      amountsOff: null,
      startsAt: start,
      endsAt: at('2026-02-28'),
    });
  });

  it('begins with the subscription, on the day that is given, or now', () => {
    const later = { startDate: at('2026-03-03'), appliedCoupon: from('dollars') };
    expect(account.provision('basic', { ...monthly, ...later }).coupon).toMatchObject({
      startsAt: at('2026-03-03'),
      endsAt: null,
    });
    const dated = account.update('basic', { appliedCoupon: from('third', at('2026-04-30')) });
    expect([dated.coupon?.startsAt, dated.coupon?.endsAt]).toEqual([at('2026-04-30'), at('2026-05-30')]);
    account.until(at('2026-03-20'));
    expect(account.update('basic', { appliedCoupon: from('third') }).coupon?.startsAt).toBe(at('2026-03-20'));
  });

  it('stays with an update that does not speak of it, and goes with null', () => {
    account.provision('basic', { ...monthly, appliedCoupon: from('dollars') });
    expect(account.update('basic', { additionalMetaData: {} }).coupon?.couponId).toBe('dollars');
    expect(account.update('basic', { appliedCoupon: null }).coupon).toBeNull();
  });

  it.each([
    ['none', 'basic', 'no coupon has the refId or id "none"'],
    ['former', 'basic', '"former" is archived'],
    ['dollars', 'euro', '"dollars" takes nothing off in eur'],
  ])('%s cannot be given to %s', (couponId, planId, expected) => {
    const problem = problemOf(account.tryProvision(planId, { ...monthly, appliedCoupon: from(couponId) }));
    expect(problem).toContain('VALIDATION_ERROR');
    expect(problem).toContain(expected);
  });
});

describe('a minimum spend, a budget and who pays', () => {
  it('are kept, changed one by one, and taken away with null', () => {
    const terms = {
      minimumSpend: { amount: '100.5', currency: 'USD' },
      budget: { limit: '500', hasSoftLimit: true },
      payingCustomerId: 'parent',
    };
    const kept = { ...terms, minimumSpend: { amount: '100.5', currency: 'usd' } };
    expect(account.provision('basic', { ...monthly, ...terms })).toMatchObject(kept);
    expect(account.update('basic', { budget: null })).toMatchObject({ ...kept, budget: null });
    expect(account.update('basic', { minimumSpend: null, payingCustomerId: 'acme' })).toMatchObject({
      minimumSpend: null,
      payingCustomerId: null,
    });
  });

  it.each([
    [{ minimumSpend: { amount: '1', currency: 'eur' } }, 'minimumSpend.currency must be usd'],
    [{ minimumSpend: { amount: '0.00', currency: 'usd' } }, 'minimumSpend.amount must be above 0'],
    [{ minimumSpend: { amount: '-1', currency: 'usd' } }, 'minimumSpend.amount must be'],
    [{ minimumSpend: { amount: '1', currency: 'xxx' } }, 'minimumSpend.currency must be an ISO 4217 code'],
    [{ budget: { limit: '0', hasSoftLimit: false } }, 'budget.limit must be above 0'],
    [{ budget: { limit: '-3', hasSoftLimit: false } }, 'budget.limit must be'],
  ])('%o is refused', (terms, expected) => {
    expect(problemOf(account.tryProvision('basic', { ...monthly, ...terms }))).toContain(expected);
    account.provision('basic', monthly);
    expect(problemOf(account.tryUpdate('basic', terms))).toContain(expected);
  });

  it('may be in any currency where the plan has no prices', () => {
    const minimumSpend = { amount: '7', currency: 'eur' };
    expect(account.provision('free', { minimumSpend }).minimumSpend).toEqual(minimumSpend);
  });
});

function from(
  couponId: string,
  startDate: number | null = null,
): { couponId: string; startDate: number | null } {
  return { couponId, startDate };
}
