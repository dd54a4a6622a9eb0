import { describe, expect, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import { InvoicedAccount } from './accounts.fixture.ts';
import { paymentCollection } from './collected-invoice.ts';
import { at, dayMs, fee, iso, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';

/** April has 30 days, so that 30 is one a day. */
function open(day = '2026-04-01'): InvoicedAccount {
  const seat = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;
  return new InvoicedAccount(
    at(day),
    [makeProduct('app', { subscriptionEndSetup: 'DOWNGRADE_TO_FREE', downgradePlanId: 'free' })],
    [
      makePlan('free', 'app'),
      makePlan('basic', 'app', paid(fee('30'))),
      makePlan('pro', 'app', paid(fee('60'))),
      makePlan('seats', 'app', paid(fee('30', 'MONTHLY', seat))),
      makePlan('trial', 'app', { ...paid(fee('30')), ...trialOf(10) }),
    ],
  );
}

describe('a new subscription that costs something', () => {
  it('waits for its payment: no access, and nothing gives way to it', () => {
    const account = open();
    account.buy('free');
    expect(account.buy('basic').status).toBe('PAYMENT_PENDING');
    expect(account.statusOf('free')).toBe('ACTIVE');
    expect(account.find('free').replacement).toBeNull();
    expect(account.invoiceOf('basic')).toMatchObject({
      status: 'OPEN',
      total: '30',
      amountDue: '30',
      billingReason: 'SUBSCRIPTION_CREATION',
    });
  });

  it('is active when it is paid, and takes the place of what is there and what was scheduled', () => {
    const account = open();
    account.buy('free');
    account.buy('seats', { startDate: at('2026-05-01'), unitQuantity: 1 });
    account.buy('basic');
    expect(account.statusOf('seats')).toBe('NOT_STARTED');
    account.now += 60_000;
    account.answer('basic', 'PAID');
    expect(['basic', 'free', 'seats'].map((refId) => account.statusOf(refId))).toEqual([
      'ACTIVE',
      'CANCELED',
      'CANCELED',
    ]);
    expect(account.find('free')).toMatchObject({
      endedAt: account.now,
      cancelReason: 'UPGRADE_OR_DOWNGRADE',
    });
    expect(account.invoiceOf('basic')).toMatchObject({ status: 'PAID', askAt: null });
  });

  it.each([
    ['ACTION_REQUIRED', 'ACTION_REQUIRED'],
    ['FAILED', 'FAILED'],
    ['PROCESSING', 'PROCESSING'],
    [undefined, 'PROCESSING'],
  ] as const)('goes on waiting when the provider answers %s', (answer, collection) => {
    const account = open();
    account.buy('basic');
    account.answer('basic', answer);
    expect(account.statusOf('basic')).toBe('PAYMENT_PENDING');
    expect(paymentCollection(account.invoiceOf('basic'))).toBe(collection);
    account.answer('basic', 'PAID');
    expect(account.statusOf('basic')).toBe('ACTIVE');
  });

  it('is cancelled after a day, and what it would have replaced goes on', () => {
    const account = open();
    account.buy('basic');
    account.answer('basic', 'PAID');
    account.buy('pro');
    account.until(account.now + dayMs - 1);
    expect(account.statusOf('pro')).toBe('PAYMENT_PENDING');
    account.until(account.now + 1);
    expect(account.find('pro')).toMatchObject({
      status: 'CANCELED',
      cancelReason: 'PENDING_PAYMENT_EXPIRED',
      endedAt: at('2026-04-02'),
    });
    expect(account.invoiceOf('pro')).toMatchObject({ status: 'CANCELED', askAt: null });
    expect(account.statusOf('basic')).toBe('ACTIVE');
  });

  it('gives way to a newer request, and to a change of what it would have replaced', () => {
    const account = open();
    account.buy('basic');
    account.buy('pro');
    expect(account.statusOf('basic')).toBe('CANCELED');
    expect(account.invoiceOf('basic').status).toBe('CANCELED');
    account.answer('pro', 'PAID');
    account.buy('seats', { unitQuantity: 3 });
    account.decide(account.tryCancel('pro', { time: 'IMMEDIATE', prorate: true }), 'pro');
    expect(account.statusOf('seats')).toBe('CANCELED');
    expect(account.invoiceOf('seats').status).toBe('CANCELED');
  });

  it('is given up when what it would have replaced goes to another resource', () => {
    const flat = makePlan('flat', 'sites', paid(fee('30')));
    const account = new InvoicedAccount(at('2026-04-01'), [makeProduct('sites', {}, true)], [flat]);
    account.buy('flat', { resourceId: 'r1' });
    account.answer('flat', 'PAID');
    account.until(at('2026-04-16'));
    account.buy('flat', { refId: 'next', resourceId: 'r1', billingCycleAnchor: 'NOW' });
    expect(account.invoiceOf('next')).toMatchObject({ total: '15', status: 'OPEN' });
    account.decide(account.tryTransfer('flat', 'r2'), 'flat');
    expect(account.statusOf('flat')).toBe('ACTIVE');
    // What goes on is not credited.
    expect(account.statusOf('next')).toBe('CANCELED');
    expect(account.invoiceOf('next').status).toBe('CANCELED');
  });

  it('waits for nothing where there is nothing to pay now: trials, and later starts', () => {
    const account = open();
    expect(account.buy('trial').status).toBe('IN_TRIAL');
    expect(account.buy('basic', { startDate: at('2026-05-01') }).status).toBe('NOT_STARTED');
    expect(account.invoices).toEqual([]);
  });

  it('waits for nothing where what is credited covers it; the rest goes against later invoices', () => {
    const account = open();
    account.buy('pro');
    account.answer('pro', 'PAID');
    account.until(at('2026-04-16'));
    // 30 of 60 are credited, and 15 of them pay the rest of the month.
    expect(account.buy('basic', { refId: 'less' }).status).toBe('ACTIVE');
    expect(account.invoiceOf('less')).toMatchObject({ total: '-15', amountDue: '0', status: 'PAID' });
    expect(account.accounts.credits).toEqual([{ payerId: 'acme', currency: 'usd', amount: '15' }]);
    account.until(at('2026-05-01'));
    expect(account.invoiceOf('less')).toMatchObject({ total: '30', creditApplied: '15', amountDue: '15' });
    expect(account.accounts.credits).toEqual([]);
  });

  it('has its credit back when it is given up, and its money as credit when it is paid after that', () => {
    const account = open();
    account.buy('pro');
    account.answer('pro', 'PAID');
    account.until(at('2026-04-16'));
    account.decide(account.tryCancel('pro', { prorate: true }), 'pro');
    const credits = [{ payerId: 'acme', currency: 'usd', amount: '30' }];
    expect(account.accounts.credits).toEqual(credits);
    account.buy('pro', { refId: 'again' });
    expect(account.invoiceOf('again')).toMatchObject({ creditApplied: '30', amountDue: '30' });
    account.until(account.now + dayMs);
    expect(account.accounts.credits).toEqual(credits);
    account.answer('again', 'PAID');
    expect(account.statusOf('again')).toBe('CANCELED');
    expect(account.accounts.credits).toEqual([{ ...credits[0], amount: '60' }]);
    account.answer('again', 'PAID');
    expect(account.accounts.credits).toEqual([{ ...credits[0], amount: '60' }]);
  });
});

describe('what is subscribed to already', () => {
  it('stays active whatever becomes of the invoice of a change', () => {
    const account = open();
    account.buy('seats', { unitQuantity: 1 });
    account.answer('seats', 'PAID');
    account.until(at('2026-04-16'));
    account.decide(account.tryUpdate('seats', { unitQuantity: 3 }), 'seats');
    expect(account.invoiceOf('seats')).toMatchObject({
      total: '30',
      billingReason: 'SUBSCRIPTION_UPDATE',
      status: 'OPEN',
    });
    account.answer('seats', 'FAILED');
    expect(account.statusOf('seats')).toBe('ACTIVE');
  });

  it('is invoiced for each period once, as of its beginning, though nobody was there', () => {
    const account = open('2026-01-31');
    account.buy('basic');
    account.answer('basic', 'PAID');
    account.until(at('2026-05-10')).until(at('2026-05-30')).until(at('2026-06-01'));
    const periods = account.invoices.map(({ createdAt, billingReason, lineItems: [line] }) =>
      [iso(createdAt), iso(line?.periodEnd ?? null), billingReason].join(' '),
    );
    expect(periods).toEqual([
      '2026-01-31T00:00:00 2026-02-28T00:00:00 SUBSCRIPTION_CREATION',
      '2026-02-28T00:00:00 2026-03-31T00:00:00 BILLING_CYCLE',
      '2026-03-31T00:00:00 2026-04-30T00:00:00 BILLING_CYCLE',
      '2026-04-30T00:00:00 2026-05-31T00:00:00 BILLING_CYCLE',
      '2026-05-31T00:00:00 2026-06-30T00:00:00 BILLING_CYCLE',
    ]);
  });

  it('is invoiced from the end of its trial on', () => {
    const account = open();
    account.buy('trial');
    account.until(at('2026-04-12'));
    expect(account.invoices).toHaveLength(1);
    expect(account.statusOf('trial')).toBe('ACTIVE');
    expect(account.invoiceOf('trial')).toMatchObject({
      createdAt: at('2026-04-11'),
      billingReason: 'SUBSCRIPTION_CREATION',
      status: 'OPEN',
    });
  });

  const half: AppliedCoupon = {
    couponId: 'half',
    percentOff: '50',
    amountsOff: null,
    startsAt: at('2026-04-01'),
    endsAt: null,
  };

  it('is credited as it was charged last, though a coupon came within the period', () => {
    const account = open();
    account.buy('seats', { unitQuantity: 1 });
    account.answer('seats', 'PAID');
    account.until(at('2026-04-16'));
    account.coupon = { ...half, startsAt: account.now };
    const totals = [2, 1, 2, 1].map((unitQuantity) => {
      account.decide(account.tryUpdate('seats', { unitQuantity }), 'seats');
      return account.invoiceOf('seats').total;
    });
    expect(totals).toEqual(['0', '-7.5', '7.5', '-7.5']);
  });

  it('is credited what was paid and to whom, though coupon and payer are others since', () => {
    const account = open();
    account.coupon = half;
    account.buy('basic');
    account.answer('basic', 'PAID');
    account.until(at('2026-04-16'));
    account.coupon = null;
    account.decide(account.tryUpdate('basic', { payingCustomerId: 'parent' }), 'basic');
    account.decide(account.tryCancel('basic', { time: 'IMMEDIATE', prorate: true }), 'basic');
    expect(account.accounts.credits).toEqual([{ payerId: 'acme', currency: 'usd', amount: '7.5' }]);
  });
});
