import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { PaymentResult } from '../payments/payment-provider.ts';
import { InvoicedAccount } from './accounts.fixture.ts';
import { type CollectedInvoice, invoiceContent } from './collected-invoice.ts';
import { at, dayMs, fee, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';
import { periodAt } from './billing-period.ts';
import { chargesInAdvance } from './subscription-price.ts';
import { previewOf } from './subscription-preview.ts';
import type { PortfolioDecision } from './provision.ts';
import { hasEnded } from './subscription.ts';

interface Step {
  readonly waitSeconds: number;
  readonly operation:
    | { readonly do: 'provision'; readonly planId: string; readonly startsInDays: number | null }
    | { readonly do: 'update'; readonly unitQuantity: number }
    | { readonly do: 'cancel'; readonly prorate: boolean };
  readonly resourceId: 'r1' | 'r2' | null;
  readonly pick: number;
  readonly answer: PaymentResult['status'] | null;
}

const step: fc.Arbitrary<Step> = fc.record({
  waitSeconds: fc.oneof(fc.nat(90_000), fc.nat(70 * 86_400)),
  operation: fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('provision' as const),
        planId: fc.constantFrom('free', 'small', 'seats', 'big', 'tried'),
        startsInDays: fc.option(fc.integer({ min: -40, max: 40 }), { freq: 1 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('update' as const), unitQuantity: fc.nat(9) }) },
    fc.record({ do: fc.constant('cancel' as const), prorate: fc.boolean() }),
  ),
  resourceId: fc.constantFrom(null, 'r1', 'r2'),
  pick: fc.nat(9),
  answer: fc.constantFrom('PAID', 'PAID', 'FAILED', 'ACTION_REQUIRED', null),
});
const history = fc.array(step, { minLength: 1, maxLength: 12 });
const always = { couponId: 'c', percentOff: null, amountsOff: null, startsAt: 0, endsAt: null };
const coupon: fc.Arbitrary<AppliedCoupon | null> = fc.constantFrom(null, { ...always, percentOff: '33.3' });

describe('where payments are collected, whatever a customer does', () => {
  it('the money in previews is the money in invoices, to the line', () => {
    let compared = 0;
    fc.assert(
      fc.property(history, coupon, (steps, customerCoupon) => {
        const account = open(customerCoupon);
        for (const taken of steps) {
          account.until(account.now + taken.waitSeconds * 1_000);
          compared += took(account, taken, (previewed, made) => expect(made).toEqual(previewed));
        }
      }),
      { numRuns: 200 },
    );
    expect(compared).toBeGreaterThan(200);
  });

  it('each period is invoiced once and none is left out, in one go or in many', () => {
    let periods = 0;
    fc.assert(
      fc.property(history, coupon, fc.integer({ min: 1, max: 200 }), (steps, customerCoupon, days) => {
        const account = open(customerCoupon);
        for (const taken of steps) took(account, taken);
        const [start, end] = [account.now, account.now + days * dayMs];
        const often = open(customerCoupon);
        Object.assign(often, { now: start, accounts: account.accounts, portfolio: account.portfolio });
        often.until(start);
        const before = account.invoices.length;
        account.until(end);
        for (let now = start; now < end; now += 6 * dayMs) often.until(Math.min(now + 6 * dayMs, end));
        often.until(end);
        const withoutNames = (items: readonly CollectedInvoice[]): unknown =>
          items.map((invoice) => ({ ...invoice, id: null }));
        expect(withoutNames(often.invoices)).toEqual(withoutNames(account.invoices));
        for (const item of account.portfolio.subscriptions) {
          const { billingAnchor, billingPeriod, trial, refId } = item;
          if (item.status !== 'ACTIVE' || billingAnchor === null || billingPeriod === null) continue;
          if (chargesInAdvance(item, account.offers).length === 0) continue;
          const from = Math.max(start, item.startDate, trial?.endsAt ?? 0);
          const begun: number[] = [];
          for (let next = periodAt(billingAnchor, billingPeriod, from).end; next <= end; ) {
            begun.push(next);
            next = periodAt(billingAnchor, billingPeriod, next).end;
          }
          const cycles = account.invoices
            .slice(before)
            .filter(
              (invoice) => invoice.subscriptionId === refId && invoice.billingReason === 'BILLING_CYCLE',
            )
            .map(({ createdAt }) => createdAt);
          expect(cycles).toEqual(begun);
          periods += begun.length;
        }
      }),
      { numRuns: 150 },
    );
    expect(periods).toBeGreaterThan(50);
  });

  it('what is invoiced is due, covered by credit, or kept as credit: no cent is lost or made', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const account = open(null);
        for (const taken of steps) {
          account.until(account.now + taken.waitSeconds * 1_000);
          took(account, taken);
        }
        const valid = account.invoices.filter(({ status }) => status !== 'CANCELED');
        const sum = (texts: readonly string[]): number =>
          texts.reduce((total, text) => total + Math.round(Number(text) * 100), 0);
        const kept = sum(account.accounts.credits.map(({ amount }) => amount));
        expect(sum(valid.map(({ total }) => total))).toBe(
          sum(valid.map(({ amountDue }) => amountDue)) - kept,
        );
        const waiting = account.portfolio.subscriptions.filter(({ status }) => status === 'PAYMENT_PENDING');
        for (const { refId } of waiting) expect(account.invoiceOf(refId).status).toBe('OPEN');
      }),
      { numRuns: 200 },
    );
  });
});

function open(customerCoupon: AppliedCoupon | null): InvoicedAccount {
  const seat = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;
  const account = new InvoicedAccount(
    at('2027-12-31'),
    [makeProduct('app'), makeProduct('sites', {}, true)],
    [
      makePlan('free', 'app'),
      makePlan('small', 'app', paid(fee('9.99'))),
      makePlan('seats', 'app', paid(fee('5'), fee('7.77', 'MONTHLY', seat))),
      makePlan('tried', 'app', { ...paid(fee('19.01')), ...trialOf(10) }),
      makePlan('big', 'sites', paid(fee('1234.56'))),
    ],
  );
  account.coupon = customerCoupon;
  return account.until(account.now);
}

/** Takes the step, with the provider's answer at once; answers whether a preview was held against an invoice. */
function took(
  account: InvoicedAccount,
  { operation, pick, resourceId, answer }: Step,
  compare: (previewed: unknown, made: unknown) => void = () => {},
): number {
  const known = account.portfolio.subscriptions.filter((item) => !hasEnded(item));
  const picked = known[pick % Math.max(known.length, 1)]?.refId;
  const refId = operation.do === 'provision' ? `s${account.portfolio.subscriptions.length}` : picked;
  if (refId === undefined) return 0;
  const decision = decided(account, operation, refId, resourceId);
  if ('problem' in decision) return 0;
  const payerCoupons = new Map([['acme', account.coupon]]);
  const change = { before: account.portfolio, after: decision.portfolio, offers: account.offers };
  const { immediateInvoice } = previewOf({ ...change, refId, payerCoupons, at: account.now });
  const before = account.invoices.length;
  account.decide(decision, refId);
  const [made] = account.invoices.slice(before);
  const previewed = immediateInvoice.lineItems.length === 0 ? undefined : invoiceContent(immediateInvoice);
  compare(previewed, made && contentOf(made));
  if (made?.status === 'OPEN' && answer !== null) account.answer(refId, answer);
  return made === undefined ? 0 : 1;
}

function decided(
  account: InvoicedAccount,
  operation: Step['operation'],
  refId: string,
  resourceId: string | null,
): PortfolioDecision {
  if (operation.do === 'cancel')
    return account.tryCancel(refId, { time: 'IMMEDIATE', prorate: operation.prorate });
  if (operation.do === 'update') return account.tryUpdate(refId, { unitQuantity: operation.unitQuantity });
  const { planId, startsInDays } = operation;
  const startDate = startsInDays === null ? null : account.now + startsInDays * dayMs;
  return account.tryProvision(planId, { refId, startDate, resourceId, billingPeriod: 'MONTHLY' });
}

function contentOf(invoice: CollectedInvoice): unknown {
  const { payerId, currency, lineItems, subtotal, discount, tax, total } = invoice;
  return { payerId, currency, lineItems, subtotal, discount, tax, total };
}
