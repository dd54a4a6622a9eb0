import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { Money } from '../money.ts';
import { nextDueAt } from './advance.ts';
import { billChange, type ChangeToBill } from './bill-change.ts';
import { periodAt, type PeriodSpan } from './billing-period.ts';
import type { Invoice } from './invoice.ts';
import { Account, at, dayMs, fee, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';
import type { ProvisionRequest } from './provision.ts';
import { chargesInAdvance } from './subscription-price.ts';
import { previewOf } from './subscription-preview.ts';
import { hasEnded, type Subscription } from './subscription.ts';
import type { UpdateRequest } from './update.ts';

type Step =
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'provision'; readonly planId: string; readonly more: Partial<ProvisionRequest> }
  | { readonly do: 'update'; readonly pick: number; readonly change: Partial<UpdateRequest> }
  | { readonly do: 'cancel'; readonly pick: number; readonly afterDays: number | null };

const strategy = fc.constantFrom(null, 'IMMEDIATE', 'END_OF_BILLING_PERIOD', 'END_OF_BILLING_MONTH');
const billingPeriod = fc.constantFrom('MONTHLY' as const, 'ANNUALLY' as const);
const pick = fc.nat(9);
const provisioning = fc
  .record({
    planId: fc.constantFrom('free', 'small', 'seats', 'big', 'tried'),
    startsInDays: fc.option(fc.integer({ min: 0, max: 50 }), { freq: 1 }),
    billingPeriod,
    scheduleStrategy: strategy,
    billingCycleAnchor: fc.constantFrom('UNCHANGED' as const, 'NOW' as const),
    resourceId: fc.constantFrom(null, 'r1'),
  })
  .map(({ planId, startsInDays, ...more }): Step => {
    const dated = startsInDays === null ? {} : { startDate: startsInDays * dayMs };
    return { do: 'provision', planId, more: { ...more, ...dated } };
  });
const updating = fc
  .record({
    unitQuantity: fc.option(fc.integer({ min: 0, max: 9 })),
    billingPeriod: fc.option(billingPeriod, { freq: 1 }),
    scheduleStrategy: strategy,
  })
  .chain((change) => pick.map((picked): Step => ({ do: 'update', pick: picked, change })));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: provisioning },
  {
    weight: 5,
    arbitrary: fc.integer({ min: 0, max: 70 * 86_400 }).map((seconds): Step => ({ do: 'wait', seconds })),
  },
  { weight: 4, arbitrary: updating },
  fc.record({
    do: fc.constant('cancel' as const),
    pick,
    afterDays: fc.option(fc.integer({ min: 1, max: 60 })),
  }),
);
const history = fc.array(step, { maxLength: 20 });

const always = { couponId: 'c', percentOff: null, amountsOff: null, startsAt: 0, endsAt: null };
const coupon: fc.Arbitrary<AppliedCoupon | null> = fc.constantFrom(
  null,
  { ...always, percentOff: '33.3' },
  { ...always, amountsOff: [{ amount: '12.34', currency: 'usd' }] },
);

describe('whatever a customer does', () => {
  it('what is billed is what was had, by the second, and what is paid for ahead', () => {
    fc.assert(
      fc.property(history, coupon, (steps, customerCoupon) => {
        const ledger = new Ledger(customerCoupon);
        for (const one of steps) ledger.take(one);
        const due = ledger.had + ledger.ahead();
        // Every line, and the discount of every invoice, is rounded by half a cent at most.
        expect(Math.abs(ledger.billed - due)).toBeLessThanOrEqual(ledger.roundings * 0.005 + 1e-6);
      }),
      { numRuns: 300 },
    );
  });

  it('the recurring invoice of a preview is what time bills when that period begins', () => {
    let compared = 0;
    fc.assert(
      fc.property(history, coupon, (steps, customerCoupon) => {
        const ledger = new Ledger(customerCoupon);
        for (const one of steps) {
          const before = ledger.account.portfolio;
          ledger.take(one);
          const { portfolio: after, offers, now } = ledger.account;
          const [only, ...others] = after.subscriptions.filter((item) => !hasEnded(item));
          if (one.do === 'wait' || only === undefined || others.length > 0) continue;
          const payerCoupons = new Map([['acme', customerCoupon]]);
          const change = { before, after, refId: only.refId, offers, payerCoupons, at: now };
          const { recurringInvoice } = previewOf(change);
          const [line] = recurringInvoice.lineItems;
          if (line === undefined) continue;
          const until = new Ledger(customerCoupon);
          until.account.now = now;
          until.account.portfolio = after;
          until.pass(line.periodStart);
          expect(until.last).toEqual(recurringInvoice);
          compared += 1;
        }
      }),
      { numRuns: 100 },
    );
    expect(compared).toBeGreaterThan(20);
  });
});

/** Bills a customer as time goes by, and beside it reckons what the customer had: two ways to the same sum. */
class Ledger {
  readonly account: Account;
  readonly #coupon: AppliedCoupon | null;
  billed = 0;
  /** The worth of the time that has gone by. */
  had = 0;
  roundings = 0;
  last: Invoice | undefined;
  #made = 0;

  constructor(customerCoupon: AppliedCoupon | null) {
    this.#coupon = customerCoupon;
    const seat = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;
    const seats = [fee('7.77', 'MONTHLY', seat), fee('77', 'ANNUALLY', seat)];
    const rows = (month: string, year: string): ReturnType<typeof paid> =>
      paid(fee(month), fee(year, 'ANNUALLY'));
    this.account = new Account(
      at('2027-12-31'),
      [makeProduct('app', { downgradeAtEndOfBillingPeriod: true }), makeProduct('sites', {}, true)],
      [
        makePlan('free', 'app'),
        makePlan('small', 'app', rows('9.99', '99.9')),
        makePlan('seats', 'app', paid(fee('5'), fee('50', 'ANNUALLY'), ...seats)),
        makePlan('tried', 'app', { ...rows('19.01', '190'), ...trialOf(10) }),
        makePlan('big', 'sites', rows('1234.56', '12345')),
      ],
    );
  }

  take(taken: Step): void {
    const { account } = this;
    if (taken.do === 'wait') {
      this.pass(account.now + taken.seconds * 1_000);
      return;
    }
    const before = account.portfolio;
    try {
      this.#ask(taken);
    } catch {
      // What is refused changes nothing, and costs nothing.
      return;
    }
    this.#bill({ before, cause: 'request' });
  }

  /** Time goes on, and stops wherever it has something to do, or a period begins. */
  pass(until: number): void {
    const { account } = this;
    for (let next = this.#nextAt(); next <= until; next = this.#nextAt()) {
      const before = account.portfolio;
      this.#go(next);
      this.#bill({ before, cause: 'time' });
    }
    this.#go(until);
  }

  /** The worth of the time that is paid for and has not gone by. */
  ahead(): number {
    const { now } = this.account;
    return this.#running()
      .map(([item, { start, end }]) => (this.#worth(item) * (end - now)) / (end - start))
      .reduce((sum, worth) => sum + worth, 0);
  }

  #ask(taken: Exclude<Step, { do: 'wait' }>): void {
    const { account } = this;
    if (taken.do === 'provision') {
      this.#made += 1;
      const { startDate } = taken.more;
      const dated = typeof startDate === 'number' ? { startDate: account.now + startDate } : {};
      account.provision(taken.planId, { ...taken.more, ...dated, refId: `s${this.#made}` });
      return;
    }
    const known = account.portfolio.subscriptions;
    const refId = known[taken.pick % Math.max(known.length, 1)]?.refId ?? 'none';
    if (taken.do === 'update') account.update(refId, taken.change);
    else {
      const endDate = taken.afterDays === null ? null : account.now + taken.afterDays * dayMs;
      account.cancel(refId, { endDate, prorate: true });
    }
  }

  #bill(change: Pick<ChangeToBill, 'before' | 'cause'>): void {
    const { portfolio: after, offers, now } = this.account;
    const payerCoupons = new Map([['acme', this.#coupon]]);
    const whole = { ...change, after, offers, payerCoupons, at: now };
    const { invoice, otherInvoices } = billChange(whole, { payerId: 'acme', currency: 'usd' });
    if (otherInvoices.length > 0) throw new Error('an invoice in another currency, or to another payer');
    this.last = invoice;
    this.billed += numberOf(invoice.total);
    this.roundings += invoice.lineItems.length + 1;
  }

  #go(to: number): void {
    const { account } = this;
    for (const [item, { start, end }] of this.#running()) {
      this.had += (this.#worth(item) * (Math.min(to, end) - account.now)) / (end - start);
    }
    account.until(to);
  }

  #nextAt(): number {
    const { portfolio, offers } = this.account;
    const due = nextDueAt(portfolio, offers) ?? Number.POSITIVE_INFINITY;
    return Math.min(due, ...this.#running().map(([, { end }]) => end));
  }

  /** What is paid for, with the period that it is in. */
  #running(): readonly (readonly [Subscription, PeriodSpan])[] {
    const { portfolio, now } = this.account;
    return portfolio.subscriptions.flatMap((item) =>
      item.status === 'ACTIVE' && item.billingAnchor !== null && item.billingPeriod !== null
        ? [[item, periodAt(item.billingAnchor, item.billingPeriod, now)] as const]
        : [],
    );
  }

  /** Of a whole period, after the discount. */
  #worth(item: Subscription): number {
    const price = chargesInAdvance(item, this.account.offers)
      .map(numberOf)
      .reduce((sum, amount) => sum + amount, 0);
    const percentOff = Number(this.#coupon?.percentOff ?? 0);
    const amountOff = Number(this.#coupon?.amountsOff?.[0]?.amount ?? 0);
    return price - (price * percentOff) / 100 - Math.min(amountOff, price);
  }
}

function numberOf({ amount }: Pick<Money, 'amount'>): number {
  return Number(amount);
}
