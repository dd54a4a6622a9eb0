import { describe, expect, it } from 'vitest';
import { parseCurrency, roundMoney } from './money.ts';
import { parseQuantity, quantityToText, zeroQuantity } from './quantity.ts';

describe('parseCurrency', () => {
  it('takes ISO 4217 in any case', () => {
    expect(['USD', 'usd', 'Dkk', 'jpy'].map(parseCurrency)).toEqual(['usd', 'usd', 'dkk', 'jpy']);
  });

  it.each(['', 'us', 'dollar', 'xyz', 'dem', '$', 'usd '])('refuses %j', (text) => {
    expect(parseCurrency(text)).toBeUndefined();
  });
});

describe('roundMoney', () => {
  it.each([
    ['0.125', 'usd', '0.13'],
    ['0.124999999999999999999999', 'usd', '0.12'],
    ['-0.125', 'usd', '-0.13'],
    ['1.005', 'eur', '1.01'],
    ['99.5', 'jpy', '100'],
    ['99.49', 'krw', '99'],
    ['1.0005', 'kwd', '1.001'],
    ['12', 'usd', '12'],
  ])('makes %s %s to %s', (text, currency, rounded) => {
    const money = roundMoney({ amount: parseQuantity(text) ?? zeroQuantity, currency });
    expect([quantityToText(money.amount), money.currency]).toEqual([rounded, currency]);
  });
});
