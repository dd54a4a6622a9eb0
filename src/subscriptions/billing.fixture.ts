/** Plans whose prices are easy to divide, and what changes of a customer's subscriptions to them cost. */
import { expect } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { BillingPeriod, Price } from '../catalog/price.ts';
import type { Money } from '../money.ts';
import { quantityToText } from '../quantity.ts';
import { billChange, type BilledChange } from './bill-change.ts';
import type { Invoice } from './invoice.ts';
import { Account, at, fee, iso, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';

export const nothing = { credit: '0', charge: '0', net: '0', discount: '0', total: '0' };

/** On the day, with nothing. Plans are named by their price. */
export function openAccount(start: string, currency = 'usd'): Account {
  const price = (amount: string, period: BillingPeriod = 'MONTHLY', more: Partial<Price> = {}): Price =>
    fee(amount, period, { currency, ...more });
  const flat = (refId: string, amount: string): ReturnType<typeof makePlan> =>
    makePlan(refId, 'app', paid(price(amount)));
  const seat = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;
  return new Account(
    at(start),
    [makeProduct('app')],
    [
      ...['30', '31', '60', '62', '99'].map((amount) => flat(`p${amount}`, amount)),
      flat('p1-a-second', '2592000'),
      flat('p2-a-second', '5184000'),
      makePlan('p365', 'app', paid(price('365', 'ANNUALLY'))),
      makePlan('p730', 'app', paid(price('730', 'ANNUALLY'))),
      makePlan('free', 'app'),
      makePlan('custom', 'app', { pricingType: 'CUSTOM' }),
      makePlan(
        'usage',
        'app',
        paid(price('1', 'MONTHLY', { billingModel: 'USAGE_BASED', featureId: 'call' })),
      ),
      makePlan('trial', 'app', { ...paid(price('30')), ...trialOf(14) }),
      makePlan(
        'local',
        'app',
        paid(price('30'), price('200', 'MONTHLY', { billingCountryCode: 'DK', currency: 'dkk' })),
      ),
      makePlan('seats', 'app', {
        ...paid(price('30', 'MONTHLY', seat), price('365', 'ANNUALLY', seat)),
        compatibleAddonIds: ['extra'],
      }),
      makePlan('extra', 'app', paid(price('6'), price('60', 'ANNUALLY')), 'ADDON'),
    ],
  );
}

/** What the change costs that somebody asks for. */
export function billOf(
  account: Account,
  change: () => unknown,
  coupon: AppliedCoupon | null = null,
): BilledChange {
  const before = account.portfolio;
  change();
  const { portfolio: after, offers, now } = account;
  return billChange(
    { before, after, offers, payerCoupons: new Map([['acme', coupon]]), at: now, cause: 'request' },
    empty,
  );
}

/** What the change costs that time makes at this instant. */
export function billOfTime(account: Account, instant: string): BilledChange {
  const before = account.until(at(instant) - 1).portfolio;
  const { portfolio: after, offers, now } = account.until(at(instant));
  return billChange({ before, after, offers, payerCoupons: new Map(), at: now, cause: 'time' }, empty);
}

export function sums({ proration, invoice }: BilledChange): Readonly<Record<string, string>> {
  const { credit, charge, net } = proration;
  expect(text(invoice.subtotal)).toBe(text(net));
  const { discount, total } = invoice;
  return Object.fromEntries(
    Object.entries({ credit, charge, net, discount, total }).map(([name, money]) => [name, text(money)]),
  );
}

export function linesOf({ lineItems }: Invoice): readonly string[] {
  return lineItems.map(({ description, quantity, unitPrice, amount, periodStart, periodEnd }) =>
    [
      description,
      `${quantity} × ${unitPrice === null ? '?' : text(unitPrice)}`,
      text(amount),
      `${iso(periodStart)} – ${iso(periodEnd)}`,
    ].join(' | '),
  );
}

export function text({ amount }: Money): string {
  return quantityToText(amount);
}

const empty = { payerId: 'acme', currency: 'usd' };
