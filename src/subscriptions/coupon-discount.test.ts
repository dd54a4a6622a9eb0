import { beforeEach, describe, expect, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { BilledChange } from './bill-change.ts';
import { billOf, openAccount, sums } from './billing.fixture.ts';
import { type Account, at } from './life-cycle.fixture.ts';
import type { Subscription } from './subscription.ts';

let account: Account;

beforeEach(() => {
  openAt('2026-06-01');
});

describe('coupons', () => {
  const twenty: AppliedCoupon = {
    couponId: 'twenty',
    percentOff: '20',
    amountsOff: null,
    startsAt: at('2026-01-01'),
    endsAt: null,
  };
  const fiveOff = { ...twenty, percentOff: null, amountsOff: [{ amount: '5', currency: 'usd' }] };

  it.each([
    ['a percentage', twenty, '6', '24'],
    ['a fixed amount', fiveOff, '5', '25'],
    ['more than the price', { ...fiveOff, amountsOff: [{ amount: '50', currency: 'usd' }] }, '30', '0'],
    [
      'an amount in another currency',
      { ...fiveOff, amountsOff: [{ amount: '5', currency: 'eur' }] },
      '0',
      '30',
    ],
    ['one that starts now', { ...twenty, startsAt: at('2026-06-01') }, '6', '24'],
    ['one that starts later', { ...twenty, startsAt: at('2026-06-01') + 1 }, '0', '30'],
    ['one that has ended now', { ...twenty, endsAt: at('2026-06-01') }, '0', '30'],
    ['one that ends later', { ...twenty, endsAt: at('2026-06-01') + 1 }, '6', '24'],
  ])('take off the first period %s', (_, coupon, discount, total) => {
    expect(sums(bill(() => account.provision('p30'), coupon))).toMatchObject({ discount, total, net: '30' });
  });

  it('of the subscription go before the customer’s, as long as they hold', () => {
    const own = { ...twenty, percentOff: '50' };
    account.provision('p30');
    give('p30', own);
    account.until(at('2026-06-16'));
    // 15 with half off against 30 with a fifth off.
    expect(sums(bill(() => account.provision('p60'), twenty))).toMatchObject({
      credit: '15',
      charge: '30',
      discount: '-1.5',
      total: '16.5',
    });
    openAt('2026-06-01');
    account.provision('p30');
    give('p30', { ...own, endsAt: at('2026-05-01') });
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.provision('p60'), twenty))).toMatchObject({ discount: '3', total: '12' });
  });

  it('of the customer who pays are what counts, not of the one who has it', () => {
    const payingCustomerId = 'holding';
    expect(sums(bill(() => account.provision('p30', { payingCustomerId }), twenty))).toMatchObject({
      discount: '0',
      total: '30',
    });
  });

  it('take their percentage off a change’s subtotal, rounded once', () => {
    account.provision('p30');
    account.until(at('2026-06-30'));
    // 1 against 3.3: a fifth of 2.3.
    expect(sums(bill(() => account.provision('p99'), twenty))).toMatchObject({
      discount: '0.46',
      total: '1.84',
    });
  });

  it('of a fixed amount are once off a period, however often it is changed', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    // Paid 25 for p30; the rest is then half of 25 against half of 55.
    expect(sums(bill(() => account.provision('p60'), fiveOff))).toMatchObject({ discount: '0', total: '15' });
  });

  it('are taken back with what is credited: no more comes back than was paid', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.cancel('p30', { prorate: true }), twenty))).toEqual({
      credit: '15',
      charge: '0',
      net: '-15',
      discount: '-3',
      total: '-12',
    });
    openAt('2026-06-01');
    account.provision('p30');
    account.until(at('2026-06-16'));
    const late = { ...twenty, startsAt: at('2026-06-10') };
    expect(sums(bill(() => account.cancel('p30', { prorate: true }), late))).toMatchObject({ total: '-15' });
  });
});

function openAt(start: string): void {
  account = openAccount(start);
}

function bill(change: () => unknown, customerCoupon: AppliedCoupon | null = null): BilledChange {
  return billOf(account, change, customerCoupon);
}

function give(refId: string, coupon: AppliedCoupon): void {
  const subscriptions = account.portfolio.subscriptions.map(
    (item): Subscription => (item.refId === refId ? { ...item, coupon } : item),
  );
  account.portfolio = { ...account.portfolio, subscriptions };
}
