import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { Price, PriceTier } from '../catalog/price.ts';
import { type Money, roundMoney } from '../money.ts';
import { addQuantities, quantityToText, subtractQuantities, zeroQuantity } from '../quantity.ts';
import { type Invoice, invoiceOf, partsOf, recurringInvoice } from './invoice.ts';
import { Account, at, fee, iso, makePlan, makeProduct, paid } from './life-cycle.fixture.ts';
import type { Subscription } from './subscription.ts';

const start = at('2026-06-01');
const perUnit = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;

describe('the lines of a period', () => {
  const tiers: readonly PriceTier[] = [
    { upTo: '5', unitAmount: '20', flatAmount: null },
    { upTo: '10', unitAmount: '15', flatAmount: null },
    { upTo: null, unitAmount: '10', flatAmount: null },
  ];
  const fees = ['10', '8', '5'];
  const withFees = tiers.map((tier, place) => ({ ...tier, flatAmount: fees[place] ?? null }));
  const tiered = { ...perUnit, amount: null };

  it.each([
    ['graduated tiers', { ...tiered, tiers, tiersMode: 'GRADUATED' }, 20, '275'],
    ['graduated tiers with fees', { ...tiered, tiers: withFees, tiersMode: 'GRADUATED' }, 20, '298'],
    ['volume tiers', { ...tiered, tiers, tiersMode: 'VOLUME' }, 20, '200'],
    ['a package begun', { ...perUnit, amount: '7', blockSize: '1000' }, 500, '7'],
    ['packages begun', { ...perUnit, amount: '7', blockSize: '1000' }, 1500, '14'],
  ] as const)('are as the facts reckon with %s', (_, price, unitQuantity, amount) => {
    const { lineItems, total } = invoiceFor([fee('0', 'MONTHLY', price)], { unitQuantity });
    expect(lineItems.map((line) => [line.quantity, line.unitPrice, text(line.amount)])).toEqual([
      [unitQuantity, null, amount],
    ]);
    expect(text(total)).toBe(amount);
  });

  it('are fees, units, minimum spend and add-ons; usage is charged in arrears', () => {
    const invoice = invoiceFor(
      [
        fee('10'),
        fee('3', 'MONTHLY', perUnit),
        fee('40', 'MONTHLY', { billingModel: 'MINIMUM_SPEND' }),
        fee('1', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'call' }),
      ],
      { unitQuantity: 2, addons: [{ addonId: 'extra', quantity: 3 }] },
    );
    expect(linesOf(invoice)).toEqual([
      'plan: 1 × 10 = 10',
      'plan: seat: 2 × 3 = 6',
      'plan: minimum spend: 1 × 40 = 40',
      'extra: 3 × 5 = 15',
    ]);
    expect(text(invoice.total)).toBe('71');
    expect(invoice.lineItems.map(({ periodStart, periodEnd }) => [iso(periodStart), iso(periodEnd)])).toEqual(
      invoice.lineItems.map(() => ['2026-06-01T00:00:00', '2026-07-01T00:00:00']),
    );
  });

  it('have the subscription’s own minimum spend in place of the plan’s, in the currency of the prices', () => {
    const prices = [fee('10'), fee('40', 'MONTHLY', { billingModel: 'MINIMUM_SPEND' })];
    const own = (currency: string): readonly string[] =>
      linesOf(invoiceFor(prices, {}, { minimumSpend: { amount: '25.5', currency } }));
    expect(own('usd')).toEqual(['plan: 1 × 10 = 10', 'plan: minimum spend: 1 × 25.5 = 25.5']);
    expect(own('eur')).toEqual(['plan: 1 × 10 = 10', 'plan: minimum spend: 1 × 40 = 40']);
    const usage = fee('1', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'call' });
    const minimumSpend = { amount: '5', currency: 'usd' };
    expect(linesOf(invoiceFor([usage], {}, { minimumSpend }))).toEqual(['plan: minimum spend: 1 × 5 = 5']);
  });

  it('are rounded half-up, each by itself', () => {
    const invoice = invoiceFor([fee('0.005'), fee('0.004', 'MONTHLY', perUnit)], { unitQuantity: 1 });
    expect(invoice.lineItems.map(({ amount }) => text(amount))).toEqual(['0.01', '0']);
    expect(text(invoice.subtotal)).toBe('0.01');
  });

  it('leave out what is had none of', () => {
    expect(linesOf(invoiceFor([fee('10'), fee('3', 'MONTHLY', perUnit)], { unitQuantity: 0 }))).toEqual([
      'plan: 1 × 10 = 10',
    ]);
  });
});

describe('the recurring invoice', () => {
  it('is discounted as of the period’s start', () => {
    const coupon = { ...percent('20'), startsAt: start, endsAt: at('2026-07-01') };
    expect(text(invoiceFor([fee('10')], {}, { coupon }).total)).toBe('8');
    expect(text(invoiceFor([fee('10')], {}, { coupon }, at('2026-07-01')).total)).toBe('10');
  });

  it('of what costs nothing is empty, in the currency of its prices', () => {
    const usage = { billingModel: 'USAGE_BASED', featureId: 'call', currency: 'eur' } as const;
    const { lineItems, total } = invoiceFor([fee('1', 'MONTHLY', usage)], {});
    expect([lineItems, text(total), total.currency]).toEqual([[], '0', 'eur']);
  });
});

it('adds up: the lines to the subtotal, and subtotal less discount to the total', () => {
  const price = fc.record({
    cents: fc.integer({ min: 0, max: 1_000_000 }),
    digits: fc.integer({ min: 0, max: 5 }),
  });
  const coupon = fc.oneof(
    fc.integer({ min: 1, max: 10_000 }).map((hundredths) => percent(String(hundredths / 100))),
    fc.integer({ min: 1, max: 10_000 }).map((cents) => fixed(String(cents / 100))),
    fc.constant(null),
  );
  const currency = fc.constantFrom('usd', 'jpy', 'kwd');
  const second = fc.integer({ min: 0, max: 2_592_000 });
  fc.assert(
    fc.property(
      fc.array(price, { minLength: 1, maxLength: 4 }),
      coupon,
      currency,
      second,
      (list, applied, code, from) => {
        const prices = list.map(({ cents, digits }, place) =>
          fee((cents / 10 ** digits).toFixed(digits), 'MONTHLY', {
            ...perUnit,
            featureId: `f${place}`,
            currency: code,
          }),
        );
        const { subscription, offers } = subscribed(prices, {});
        const rest = {
          period: { start, end: at('2026-07-01') },
          from: start + from * 1_000,
          coupon: applied && {
            ...applied,
            amountsOff: applied.amountsOff?.map((off) => ({ ...off, currency: code })) ?? null,
          },
        };
        const [charge, credit] = (['charge', 'credit'] as const).map((kind) =>
          invoiceOf(partsOf(subscription, offers, { ...rest, kind }), { payerId: 'acme', currency: code }),
        );
        if (charge === undefined || credit === undefined) throw new Error('no invoice');
        for (const { lineItems, subtotal, discount, total } of [charge, credit]) {
          const sum = lineItems.map(({ amount }) => amount.amount).reduce(addQuantities, zeroQuantity);
          expect(text(subtotal)).toBe(quantityToText(sum));
          expect(text(total)).toBe(quantityToText(subtractQuantities(sum, discount.amount)));
          for (const money of [subtotal, discount, total]) expect(text(roundMoney(money))).toBe(text(money));
        }
        expect(charge.total.amount.isNegative() && !charge.total.amount.isZero()).toBe(false);
        expect(text(credit.total)).toBe(
          quantityToText(subtractQuantities(zeroQuantity, charge.total.amount)),
        );
      },
    ),
  );
});

function percent(percentOff: string): AppliedCoupon {
  return { couponId: 'c', percentOff, amountsOff: null, startsAt: 0, endsAt: null };
}

function fixed(amount: string): AppliedCoupon {
  return { ...percent('0'), percentOff: null, amountsOff: [{ amount, currency: 'usd' }] };
}

interface Selected {
  readonly unitQuantity?: number;
  readonly addons?: readonly { readonly addonId: string; readonly quantity: number }[];
}

function subscribed(
  prices: readonly Price[],
  selected: Selected,
): { subscription: Subscription; offers: Account['offers'] } {
  const plan = makePlan('plan', 'app', { ...paid(...prices), compatibleAddonIds: ['extra'] });
  const extra = makePlan('extra', 'app', paid(fee('5')), 'ADDON');
  const account = new Account(start, [makeProduct('app')], [plan, extra]);
  return { subscription: account.provision('plan', selected), offers: account.offers };
}

function invoiceFor(
  prices: readonly Price[],
  selected: Selected,
  terms: Partial<Subscription> = {},
  periodStart = start,
): Invoice {
  const { subscription, offers } = subscribed(prices, selected);
  return recurringInvoice({ ...subscription, ...terms }, offers, null, periodStart);
}

function linesOf({ lineItems }: Invoice): readonly string[] {
  return lineItems.map(
    ({ description, quantity, unitPrice, amount }) =>
      `${description}: ${quantity} × ${unitPrice === null ? '?' : text(unitPrice)} = ${text(amount)}`,
  );
}

function text({ amount }: Money): string {
  return quantityToText(amount);
}
