import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareQuantities, parseQuantity, quantityToText, zeroQuantity } from '../quantity.ts';
import { periodAt } from './billing-period.ts';
import { at } from './life-cycle.fixture.ts';
import { priceOfRest } from './proration.ts';

const june = periodAt(at('2026-06-01'), 'MONTHLY', at('2026-06-01'));
const priceFrom = (amount: string, from: number, currency = 'usd', period = june): string =>
  quantityToText(
    priceOfRest({ amount: parseQuantity(amount) ?? zeroQuantity, currency }, period, from).amount,
  );

describe('the price of the rest of a period', () => {
  it.each([
    ['the whole at its first instant', '30', '2026-06-01T00:00:00', '30'],
    ['half of it in the middle', '30', '2026-06-16T00:00:00', '15'],
    ['a day at the last day', '30', '2026-06-30T00:00:00', '1'],
    ['the last second', '2592', '2026-06-30T23:59:59', '0'],
    ['the last second of a high price', '2592000', '2026-06-30T23:59:59', '1'],
    ['all but the first second', '2592000', '2026-06-01T00:00:01', '2591999'],
    ['nothing at the end', '30', '2026-07-01T00:00:00', '0'],
    ['the whole before it', '30', '2026-05-01T00:00:00', '30'],
    ['half a cent, rounded up', '0.01', '2026-06-16T00:00:00', '0.01'],
    ['an amount that binary fractions miss', '1.01', '2026-06-16T00:00:00', '0.51'],
  ])('is %s', (_, amount, from, expected) => {
    expect(priceFrom(amount, at(from))).toBe(expected);
  });

  it('counts a second that has begun, and rounds to the minor unit of the currency', () => {
    expect(priceFrom('2592000', at('2026-06-30T23:59:58') + 1)).toBe('2');
    expect(priceFrom('99', at('2026-06-16'), 'jpy')).toBe('50');
    expect(priceFrom('99', at('2026-06-16'), 'kwd')).toBe('49.5');
  });

  it('is by the days of the month, leap days included', () => {
    const leap = periodAt(at('2024-02-01'), 'MONTHLY', at('2024-02-01'));
    expect(priceFrom('29', at('2024-02-29'), 'usd', leap)).toBe('1');
  });

  it('never grows as time goes by', () => {
    const moment = fc.integer({ min: june.start, max: june.end });
    fc.assert(
      fc.property(moment, moment, fc.integer({ min: 0, max: 1e9 }), (a, b, cents) => {
        const money = { amount: parseQuantity((cents / 100).toFixed(2)) ?? zeroQuantity, currency: 'usd' };
        const [early, late] = [Math.min(a, b), Math.max(a, b)];
        const [more, less] = [priceOfRest(money, june, early), priceOfRest(money, june, late)];
        expect(compareQuantities(more.amount, less.amount)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
