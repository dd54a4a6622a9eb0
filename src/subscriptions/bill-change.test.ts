import { beforeEach, describe, expect, it } from 'vitest';
import type { BilledChange } from './bill-change.ts';
import { billOf, billOfTime, linesOf, nothing, openAccount, sums, text } from './billing.fixture.ts';
import { recurringInvoice } from './invoice.ts';
import { type Account, at, fee, paid, republished } from './life-cycle.fixture.ts';

let account: Account;

/** A month of 30 days, so that a dollar a day is 30 a month. */
beforeEach(() => {
  openAt('2026-06-01');
});

describe('a plan change within a period', () => {
  it('credits the unused part of the old price and charges the rest of the period at the new one', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const billed = bill(() => account.provision('p60'));
    expect(sums(billed)).toEqual({ credit: '15', charge: '30', net: '15', discount: '0', total: '15' });
    expect(billed.proration.prorationDate).toBe(at('2026-06-16'));
    expect(linesOf(billed.invoice)).toEqual([
      'Unused time: p30 | 1 × 30 | -15 | 2026-06-16T00:00:00 – 2026-07-01T00:00:00',
      'Remaining time: p60 | 1 × 60 | 30 | 2026-06-16T00:00:00 – 2026-07-01T00:00:00',
    ]);
  });

  it.each([
    ['the first second, all of it', '2026-06-01T00:00:00', '2592000', '5184000'],
    ['the second second, all but one second', '2026-06-01T00:00:01', '2591999', '5183998'],
    ['the last second, that second', '2026-06-30T23:59:59', '1', '2'],
    ['the first second of the next period, all of that', '2026-07-01T00:00:00', '2592000', '5184000'],
  ])('on %s', (_, instant, credit, charge) => {
    account.provision('p1-a-second');
    account.until(at(instant));
    expect(sums(bill(() => account.provision('p2-a-second')))).toMatchObject({ credit, charge });
  });

  it('counts from the day that an anchor at the month’s end is clamped to, and back', () => {
    openAt('2026-01-31');
    account.provision('p31');
    // The period from 28 February to 31 March has 31 days.
    account.until(at('2026-03-15'));
    expect(sums(bill(() => account.provision('p62')))).toMatchObject({
      credit: '16',
      charge: '32',
      net: '16',
    });
    // That from 31 March to 30 April has 30: 15/30 of 62, and of 31.
    account.until(at('2026-04-15'));
    expect(sums(bill(() => account.provision('p31', { refId: 'back' })))).toMatchObject({
      credit: '31',
      charge: '15.5',
      net: '-15.5',
    });
  });

  it.each([
    ['365 days', '2026-01-01', '2026-03-15T12:00:00', '291.5', '583'],
    ['366 days of a leap year', '2028-01-01', '2028-03-15T12:00:00', '290.7', '581.41'],
    ['the year from a leap day on', '2028-02-29', '2029-02-27', '1', '2'],
  ])('is by the seconds of an annual period: %s', (_, start, instant, credit, charge) => {
    openAt(start);
    account.provision('p365', { billingPeriod: 'ANNUALLY' });
    account.until(at(instant));
    const billed = bill(() => account.provision('p730', { billingPeriod: 'ANNUALLY' }));
    expect(sums(billed)).toMatchObject({ credit, charge });
  });

  it.each([
    ['jpy', '15', '50', '35'],
    ['kwd', '15', '49.5', '34.5'],
    ['usd', '15', '49.5', '34.5'],
  ])('rounds each line to the minor unit of %s', (currency, credit, charge, net) => {
    openAt('2026-06-01', currency);
    account.provision('p30');
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.provision('p99')))).toMatchObject({ credit, charge, net });
  });

  it('rounds three digits of a Kuwaiti dinar', () => {
    openAt('2026-06-01', 'kwd');
    account.provision('p30');
    // 86,399 of 2,592,000 seconds are left: 0.99998… and 3.29996….
    account.until(at('2026-06-30T00:00:01'));
    expect(sums(bill(() => account.provision('p99')))).toMatchObject({ credit: '1', charge: '3.3' });
    account.until(at('2026-06-30T12:34:56'));
    // 41,104 seconds: 99 × 41104 / 2592000 = 1.56994…, 30 × … = 0.47574….
    expect(sums(bill(() => account.provision('p30', { refId: 'back' })))).toMatchObject({
      credit: '1.57',
      charge: '0.476',
      net: '-1.094',
    });
  });

  it('to a free plan is a credit', () => {
    account.provision('p30');
    account.until(at('2026-06-11'));
    const billed = bill(() => account.provision('free'));
    expect(sums(billed)).toEqual({ credit: '20', charge: '0', net: '-20', discount: '0', total: '-20' });
  });

  it('to a lower price credits more than it charges: the total is negative', () => {
    account.provision('p60');
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.provision('p30')))).toMatchObject({ net: '-15', total: '-15' });
  });

  it('to another billing period charges all of the period that starts anew', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const billed = bill(() => account.provision('p365', { billingPeriod: 'ANNUALLY' }));
    expect(sums(billed)).toMatchObject({ credit: '15', charge: '365', net: '350' });
    expect(linesOf(billed.invoice)[1]).toBe(
      'p365 | 1 × 365 | 365 | 2026-06-16T00:00:00 – 2027-06-16T00:00:00',
    );
    expect(billed.invoice.lineItems.map(({ proration }) => proration)).toEqual([true, false]);
  });

  it('with billingCycleAnchor NOW charges a whole period', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const billed = bill(() => account.provision('p60', { billingCycleAnchor: 'NOW' }));
    expect(sums(billed)).toMatchObject({ credit: '15', charge: '60' });
  });

  it('in another currency is two invoices, which are not set off against one another', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const billed = bill(() => account.provision('local', { billingCountryCode: 'DK' }));
    expect(sums(billed)).toMatchObject({ credit: '0', charge: '100', total: '100' });
    expect(billed.invoice.currency).toBe('dkk');
    expect(billed.otherInvoices.map(({ currency, total }) => [currency, text(total)])).toEqual([
      ['usd', '-15'],
    ]);
  });

  it('that another customer is to pay for is not set off against what the first one paid', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const billed = bill(() => account.provision('p60', { payingCustomerId: 'holding' }));
    expect(
      [billed.invoice, ...billed.otherInvoices].map(({ payerId, total }) => [payerId, text(total)]),
    ).toEqual([
      ['holding', '30'],
      ['acme', '-15'],
    ]);
  });

  it('to the same plan at the same price nets to zero', () => {
    account.provision('p30');
    expect(sums(bill(() => account.provision('p30', { refId: 'again' })))).toMatchObject({
      credit: '30',
      charge: '30',
      net: '0',
      total: '0',
    });
  });
});

describe('what costs nothing now', () => {
  it.each(['free', 'custom', 'usage', 'trial'])('a subscription to %s', (planId) => {
    expect(sums(bill(() => account.provision(planId)))).toEqual(nothing);
  });

  it('a start that lies ahead, and a downgrade that waits', () => {
    expect(sums(bill(() => account.provision('p30', { startDate: at('2026-06-10') })))).toEqual(nothing);
    account.until(at('2026-06-20'));
    const wait = { scheduleStrategy: 'END_OF_BILLING_PERIOD' } as const;
    expect(sums(bill(() => account.provision('free', wait)))).toEqual(nothing);
  });

  it('a back-dated start: the first charge is that of the next period', () => {
    const billed = bill(() => account.provision('p30', { startDate: at('2026-05-15') }));
    expect(sums(billed)).toEqual(nothing);
    // What replaces it is charged from now on: one of the 31 days from 15 May.
    account.until(at('2026-06-14'));
    expect(sums(bill(() => account.provision('p62')))).toMatchObject({ credit: '0', charge: '2' });
  });

  it('a back-dated subscription is credited from its first charged period on', () => {
    account.provision('p30', { startDate: at('2026-05-16') });
    account.until(at('2026-06-15'));
    expect(sums(bill(() => account.cancel('p30', { prorate: true })))).toEqual(nothing);
    openAt('2026-06-01');
    account.provision('p30', { startDate: at('2026-05-16') });
    account.until(at('2026-07-01'));
    // From 16 June to 16 July; half of it is left.
    expect(sums(bill(() => account.cancel('p30', { prorate: true })))).toMatchObject({ credit: '15' });
  });

  it('a change of what is not charged, and of nothing', () => {
    account.provision('seats', { unitQuantity: 3, billingPeriod: 'MONTHLY' });
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.update('seats', { additionalMetaData: { a: 1 } })))).toEqual(nothing);
    expect(sums(bill(() => account.update('seats', { unitQuantity: 3 })))).toEqual(nothing);
  });

  it('changes of a trial', () => {
    account.provision('trial');
    expect(sums(bill(() => account.update('trial', { trialEndDate: at('2026-07-01') })))).toEqual(nothing);
  });

  it('an end without proration, or at the period’s end', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.cancel('p30', { prorate: false })))).toEqual(nothing);
    account.provision('p30', { refId: 'other' });
    const time = 'END_OF_BILLING_PERIOD';
    expect(sums(bill(() => account.cancel('other', { time, prorate: true })))).toEqual(nothing);
  });
});

describe('what time does', () => {
  it('converts a trial: its first period is charged then', () => {
    account.provision('trial');
    const billed = pass('2026-06-15');
    expect(sums(billed)).toMatchObject({ credit: '0', charge: '30' });
    expect(linesOf(billed.invoice)).toEqual([
      'trial | 1 × 30 | 30 | 2026-06-15T00:00:00 – 2026-07-15T00:00:00',
    ]);
  });

  it('starts a replacement at the period’s end: what it replaces was not charged for that period', () => {
    account.provision('p60');
    account.until(at('2026-06-20'));
    account.provision('p30', { scheduleStrategy: 'END_OF_BILLING_PERIOD' });
    expect(sums(pass('2026-07-01'))).toMatchObject({ credit: '0', charge: '30' });
  });

  it('carries an update out at the period’s end, and within one', () => {
    const wait = { scheduleStrategy: 'END_OF_BILLING_PERIOD' } as const;
    account.provision('seats', { unitQuantity: 6, billingPeriod: 'MONTHLY' });
    account.update('seats', { ...wait, unitQuantity: 2 });
    expect(sums(pass('2026-07-01'))).toMatchObject({ credit: '0', charge: '60' });
    openAt('2026-01-01');
    account.provision('seats', { unitQuantity: 2, billingPeriod: 'ANNUALLY' });
    account.until(at('2026-01-20'));
    account.update('seats', { unitQuantity: 1, scheduleStrategy: 'END_OF_BILLING_MONTH' });
    // 334 of 365 days are left, at 365 a seat.
    expect(sums(pass('2026-02-01'))).toMatchObject({ credit: '668', charge: '334', net: '-334' });
  });

  it('begins a period: it is charged as the recurring invoice says, and only then', () => {
    account.provision('p30');
    expect(sums(pass('2026-06-30T23:59:59'))).toEqual(nothing);
    const billed = pass('2026-07-01');
    expect(billed.invoice).toEqual(recurringInvoice(account.find('p30'), account.offers, null, account.now));
    expect(sums(billed)).toMatchObject({ credit: '0', charge: '30' });
    expect(sums(pass('2026-07-02'))).toEqual(nothing);
  });

  it('ends on a given date what is credited, where the cancellation says so', () => {
    account.provision('p30');
    account.cancel('p30', { endDate: at('2026-06-21'), prorate: true });
    expect(sums(pass('2026-06-21'))).toMatchObject({ credit: '10', charge: '0' });
  });
});

describe('quantities', () => {
  beforeEach(() => {
    account.provision('seats', { unitQuantity: 4, billingPeriod: 'MONTHLY' });
    account.until(at('2026-06-16'));
  });

  it('that grow are charged at once, for the rest of the period', () => {
    const billed = bill(() => account.update('seats', { unitQuantity: 6 }));
    expect(sums(billed)).toMatchObject({ credit: '60', charge: '90', net: '30' });
    expect(linesOf(billed.invoice)).toEqual([
      'Unused time: seats: seat | 4 × 30 | -60 | 2026-06-16T00:00:00 – 2026-07-01T00:00:00',
      'Remaining time: seats: seat | 6 × 30 | 90 | 2026-06-16T00:00:00 – 2026-07-01T00:00:00',
    ]);
  });

  it('that are scheduled to shrink, Q0 → Q1, cost nothing; then Q2 below, at and above Q0', () => {
    const later = { scheduleStrategy: 'END_OF_BILLING_PERIOD' } as const;
    expect(sums(bill(() => account.update('seats', { ...later, unitQuantity: 2 })))).toEqual(nothing);
    expect(sums(bill(() => account.update('seats', { ...later, unitQuantity: 3 })))).toEqual(nothing);
    expect(sums(bill(() => account.update('seats', { ...later, unitQuantity: 4 })))).toEqual(nothing);
    account.update('seats', { ...later, unitQuantity: 2 });
    expect(sums(bill(() => account.update('seats', { ...later, unitQuantity: 5 })))).toMatchObject({
      credit: '60',
      charge: '75',
      net: '15',
    });
  });

  it('that shrink at once are credited', () => {
    expect(sums(bill(() => account.update('seats', { unitQuantity: 1 })))).toMatchObject({ net: '-45' });
  });

  it('of add-ons are charged with the plan', () => {
    const addons = [{ addonId: 'extra', quantity: 3 }];
    const billed = bill(() => account.update('seats', { addons }));
    expect(sums(billed)).toMatchObject({ credit: '60', charge: '69', net: '9' });
    expect(linesOf(billed.invoice).at(-1)).toContain('Remaining time: extra | 3 × 6 | 9 |');
  });
});

describe('other changes', () => {
  it('of the billing period charge all of the new one', () => {
    account.provision('seats', { unitQuantity: 2, billingPeriod: 'MONTHLY' });
    account.until(at('2026-06-16'));
    expect(sums(bill(() => account.update('seats', { billingPeriod: 'ANNUALLY' })))).toMatchObject({
      credit: '30',
      charge: '730',
    });
  });

  it('to the latest version charge the difference of the prices', () => {
    account.provision('p30');
    account.until(at('2026-06-16'));
    const plan = account.packages.get('p30');
    if (plan === undefined) throw new Error('no plan');
    account.packages.set('p30', republished(plan, paid(fee('36')), account.now));
    expect(sums(bill(() => account.migrate('p30')))).toMatchObject({ credit: '15', charge: '18', net: '3' });
  });

  it('an end with proration is credited', () => {
    account.provision('p30');
    account.until(at('2026-06-21'));
    expect(sums(bill(() => account.cancel('p30', { prorate: true })))).toMatchObject({ net: '-10' });
  });

  it('a trial of the same plan that is bought is charged in full', () => {
    account.provision('trial');
    account.until(at('2026-06-05'));
    expect(sums(bill(() => account.provision('trial', { refId: 'bought' })))).toMatchObject({
      credit: '0',
      charge: '30',
    });
  });
});

function openAt(start: string, currency?: string): void {
  account = openAccount(start, currency);
}

function bill(change: () => unknown): BilledChange {
  return billOf(account, change);
}

function pass(instant: string): BilledChange {
  return billOfTime(account, instant);
}
