import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  compareQuantities,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  quantityToText,
  zeroQuantity,
} from '../quantity.ts';
import { amountFor, pricesFor, startingAmount } from './price-calculation.ts';
import type { Price, PriceTier } from './price.ts';

const perUnit: Price = {
  id: 'price',
  billingModel: 'PER_UNIT',
  billingPeriod: 'MONTHLY',
  billingCountryCode: null,
  currency: 'usd',
  amount: '10',
  featureId: 'seats',
  blockSize: null,
  tiers: null,
  tiersMode: null,
  minUnitQuantity: null,
  maxUnitQuantity: null,
};

function quantity(text: string | number): Quantity {
  const parsed = parseQuantity(String(text));
  if (parsed === undefined) throw new Error(`${text} is no number`);
  return parsed;
}

function amount(price: Partial<Price>, units: string | number): string {
  return quantityToText(amountFor({ ...perUnit, ...price }, quantity(units)));
}

function tiered(tiersMode: Price['tiersMode'], tiers: readonly PriceTier[]): Partial<Price> {
  return { amount: null, tiersMode, tiers };
}

function tier(upTo: string | null, unitAmount: string | null, flatAmount: string | null = null): PriceTier {
  return { upTo, unitAmount, flatAmount };
}

const perTier = [tier('5', '20'), tier('10', '15'), tier(null, '10')];
const withFees = [tier('5', '20', '10'), tier('10', '15', '8'), tier(null, '10', '5')];

describe('the worked examples of the facts', () => {
  it.each([
    ['500 units in packages of 1,000', { blockSize: '1000', amount: '1' }, 500, '1'],
    ['1,500 units in packages of 1,000', { blockSize: '1000', amount: '1' }, 1_500, '2'],
    ['graduated 5 at 20, 5 at 15, 10 at 10', tiered('GRADUATED', perTier), 20, '275'],
    ['the same with fees of 10, 8 and 5', tiered('GRADUATED', withFees), 20, '298'],
    ['volume, 20 at 10', tiered('VOLUME', perTier), 20, '200'],
  ])('%s', (_, price, units, expected) => {
    expect(amount(price, units)).toBe(expected);
  });
});

describe('a price', () => {
  it.each([
    ['a fee, whatever the quantity', { billingModel: 'FLAT_FEE', amount: '49.90' }, 7, '49.9'],
    ['a minimum spend', { billingModel: 'MINIMUM_SPEND', amount: '100' }, 0, '100'],
    ['units, exactly', { amount: '0.00001' }, '123456789.5', '1234.567895'],
    ['no units', {}, 0, '0'],
    ['a full package', { blockSize: '1000', amount: '3' }, 1_000, '3'],
    ['one unit more than a package', { blockSize: '1000', amount: '3' }, 1_001, '6'],
    ['a hair more than a package', { blockSize: '3', amount: '1' }, `3.${'0'.repeat(29)}1`, '2'],
    ['no package', { blockSize: '1000', amount: '3' }, 0, '0'],
    ['the last unit of a graduated tier', tiered('GRADUATED', withFees), 5, '110'],
    ['the first unit of the next', tiered('GRADUATED', withFees), 6, '133'],
    ['the last unit of a volume tier', tiered('VOLUME', withFees), 5, '110'],
    ['the first unit of the next volume tier', tiered('VOLUME', withFees), 6, '98'],
    ['a stair step', tiered('VOLUME', [tier('10', null, '50'), tier(null, null, '80')]), 10, '50'],
    ['the next stair step', tiered('VOLUME', [tier('10', null, '50'), tier(null, null, '80')]), 11, '80'],
    ['part of a unit', tiered('GRADUATED', perTier), '5.5', '107.5'],
    ['nothing in tiers with fees', tiered('GRADUATED', withFees), 0, '0'],
    ['nothing in a volume with fees', tiered('VOLUME', withFees), 0, '0'],
  ] as const)('charges %s', (_, price, units, expected) => {
    expect(amount(price, units)).toBe(expected);
  });

  const amounts = fc.integer({ min: 0, max: 100_000 }).map((cents) => quantityToText(quantity(cents / 100)));
  const graduated = fc
    .tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { maxLength: 6 }),
      fc.array(fc.tuple(amounts, amounts), { minLength: 7, maxLength: 7 }),
    )
    .map(([ends, prices]) => {
      const bounds = [...ends.toSorted((a, b) => a - b).map(String), null];
      return bounds.map((upTo, at) => tier(upTo, prices[at]?.[0] ?? '0', prices[at]?.[1] ?? '0'));
    });

  it('never charges less for more in graduated tiers', () => {
    fc.assert(
      fc.property(graduated, fc.nat(2_000), fc.nat(100), (tiers, units, more) => {
        const price = { ...perUnit, ...tiered('GRADUATED', tiers) };
        const less = amountFor(price, quantity(units));
        return compareQuantities(less, amountFor(price, quantity(units + more))) <= 0;
      }),
    );
  });

  it('adds up unit by unit in graduated tiers', () => {
    fc.assert(
      fc.property(graduated, fc.integer({ min: 0, max: 60 }), (tiers, units) => {
        let sum = zeroQuantity;
        let below = 0;
        for (const { upTo, unitAmount, flatAmount } of tiers) {
          const end = Math.min(units, upTo === null ? units : Number(upTo));
          if (end > below) sum = addQuantities(sum, quantity(flatAmount ?? '0'));
          for (; below < end; below += 1) sum = addQuantities(sum, quantity(unitAmount ?? '0'));
        }
        const price = { ...perUnit, ...tiered('GRADUATED', tiers) };
        return compareQuantities(amountFor(price, quantity(units)), sum) === 0;
      }),
    );
  });

  it('charges the fewest packages that hold all units', () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.integer({ min: 1, max: 5_000 }), (units, size) => {
        const price: Price = { ...perUnit, amount: '1', blockSize: String(size) };
        const blocks = amountFor(price, quantity(units));
        const held = multiplyQuantities(blocks, quantity(size));
        const isEnough = compareQuantities(held, quantity(units)) >= 0;
        return isEnough && compareQuantities(held, quantity(units + size)) < 0;
      }),
    );
  });
});

describe('pricesFor', () => {
  const fee: Price = { ...perUnit, id: 'fee', billingModel: 'FLAT_FEE', featureId: null };
  const danishFee: Price = { ...fee, id: 'fee-dk', billingCountryCode: 'DK' };
  const danishExtra: Price = { ...perUnit, id: 'calls-dk', featureId: 'calls', billingCountryCode: 'DK' };
  const yearly: Price = { ...fee, id: 'yearly', billingPeriod: 'ANNUALLY' };
  const list = [fee, perUnit, danishFee, danishExtra, yearly];

  it.each([
    ['MONTHLY', null, ['fee', 'price']],
    ['MONTHLY', 'SE', ['fee', 'price']],
    ['MONTHLY', 'DK', ['fee-dk', 'calls-dk', 'price']],
    ['ANNUALLY', 'DK', ['yearly']],
  ] as const)('answers for %s in %s', (period, country, ids) => {
    expect(pricesFor(list, period, country).map(({ id }) => id)).toEqual(ids);
  });
});

describe('startingAmount', () => {
  it('has fees, the minimum spend and the least units, and no usage', () => {
    const prices: readonly Price[] = [
      { ...perUnit, billingModel: 'FLAT_FEE', amount: '49.9' },
      { ...perUnit, billingModel: 'MINIMUM_SPEND', amount: '100' },
      { ...perUnit, amount: '0.1', minUnitQuantity: 3 },
      { ...perUnit, featureId: 'pages', amount: '2' },
      { ...perUnit, billingModel: 'USAGE_BASED', amount: '1000' },
    ];
    expect(quantityToText(startingAmount(prices))).toBe('152.2');
    expect(quantityToText(startingAmount([]))).toBe('0');
  });
});
