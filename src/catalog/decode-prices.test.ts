import { describe, expect, it } from 'vitest';
import { decodePricing, type PriceDraft } from './decode-prices.ts';
import type { Feature } from './feature.ts';
import type { PricingType } from './package.ts';

const feature: Feature = {
  id: 'id',
  refId: 'calls',
  displayName: 'Calls',
  description: null,
  featureType: 'NUMBER',
  meterType: 'INCREMENTAL',
  featureUnits: null,
  featureUnitsPlural: null,
  enumConfiguration: null,
  unitTransformation: null,
  meter: null,
  featureStatus: 'NEW',
  additionalMetaData: null,
  createdAt: 0,
  updatedAt: 0,
};
const features = new Map(
  [
    feature,
    { ...feature, refId: 'nodes', meterType: 'None' },
    { ...feature, refId: 'sso', featureType: 'BOOLEAN', meterType: 'None' },
    { ...feature, refId: 'gone', featureStatus: 'SUSPENDED' },
  ].map((item) => [item.refId, item as Feature]),
);

function decode(
  drafts: readonly PriceDraft[],
  pricingType: PricingType = 'PAID',
): ReturnType<typeof decodePricing> {
  return decodePricing({ pricingType, drafts }, features, [], () => 'new');
}

const usd = (amount: string): { amount: string; currency: string } => ({ amount, currency: 'USD' });
const fee: PriceDraft = { billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price: usd('49') };
const usage: PriceDraft = { ...fee, billingModel: 'USAGE_BASED', featureId: 'calls' };
const units: PriceDraft = { ...fee, billingModel: 'PER_UNIT', featureId: 'nodes' };
const tiered: PriceDraft = {
  ...usage,
  price: null,
  tiersMode: 'VOLUME',
  tiers: [{ upTo: '10', unitPrice: usd('2') }, { flatPrice: usd('5') }],
};

describe('a price list', () => {
  it('comes into one form', () => {
    expect(decode([fee, { ...tiered, billingCountryCode: 'dk' }])).toEqual({
      pricing: {
        pricingType: 'PAID',
        prices: [
          {
            id: 'new',
            billingModel: 'FLAT_FEE',
            billingPeriod: 'MONTHLY',
            billingCountryCode: null,
            currency: 'usd',
            amount: '49',
            featureId: null,
            blockSize: null,
            tiers: null,
            tiersMode: null,
            minUnitQuantity: null,
            maxUnitQuantity: null,
          },
          {
            id: 'new',
            billingModel: 'USAGE_BASED',
            billingPeriod: 'MONTHLY',
            billingCountryCode: 'DK',
            currency: 'usd',
            amount: null,
            featureId: 'calls',
            blockSize: null,
            tiers: [
              { upTo: '10', unitAmount: '2', flatAmount: null },
              { upTo: null, unitAmount: null, flatAmount: '5' },
            ],
            tiersMode: 'VOLUME',
            minUnitQuantity: null,
            maxUnitQuantity: null,
          },
        ],
      },
    });
  });

  it.each<[PricingType, number]>([
    ['FREE', 0],
    ['CUSTOM', 0],
    ['PAID', 1],
  ])('of the type %s has %i prices or more', (pricingType, count) => {
    const drafts = [fee].slice(0, count);
    const others = [fee].slice(0, 1 - count);
    expect(decode(drafts, pricingType)).toMatchObject({ pricing: { pricingType } });
    expect(decode(others, pricingType)).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
  });

  it.each<[string, PriceDraft[]]>([
    ['units of several kinds', [fee, units, { ...units, featureId: null }, { ...units, featureId: 'calls' }]],
    [
      'units in packages, with bounds',
      [{ ...units, blockSize: '100', minUnitQuantity: 1, maxUnitQuantity: 1 }],
    ],
    ['a minimum spend', [{ ...fee, billingModel: 'MINIMUM_SPEND' }, usage]],
    ['both periods with the same tiers', [tiered, { ...tiered, billingPeriod: 'ANNUALLY' }]],
    [
      'countries in their own currency',
      [fee, { ...fee, billingCountryCode: 'DK', price: { amount: '300', currency: 'dkk' } }],
    ],
    ['nothing', [{ ...fee, price: usd('0') }]],
  ])('takes %s', (_, drafts) => {
    const decoded = decode(drafts);
    expect('pricing' in decoded && decoded.pricing.prices).toHaveLength(drafts.length);
  });

  it.each<[string, PriceDraft[]]>([
    ['featureId does not go with', [{ ...fee, featureId: 'calls' }]],
    ['blockSize does not go with', [{ ...fee, blockSize: '5' }]],
    ['tiers does not go with', [{ ...tiered, billingModel: 'MINIMUM_SPEND', featureId: null }]],
    ['minUnitQuantity does not go with', [{ ...usage, minUnitQuantity: 1 }]],
    ['featureId is required', [{ ...usage, featureId: null }]],
    ['is not metered', [{ ...usage, featureId: 'nodes' }]],
    ['BOOLEAN feature cannot be charged', [{ ...units, featureId: 'sso' }]],
    ['is archived', [{ ...usage, featureId: 'gone' }]],
    ['price is required', [{ ...fee, price: null }]],
    ['price and tiers exclude', [{ ...tiered, price: usd('1') }]],
    ['blockSize and tiers exclude', [{ ...tiered, blockSize: '2' }]],
    ['tiersMode is required', [{ ...tiered, tiersMode: null }]],
    ['tiersMode goes with tiers only', [{ ...usage, tiersMode: 'VOLUME' }]],
    ['1 to 100 entries', [{ ...tiered, tiers: [] }]],
    ['tiers[0].upTo must be null', [{ ...tiered, tiers: [{ upTo: '5', unitPrice: usd('1') }] }]],
    [
      'tiers[1].upTo must be a number above',
      [
        {
          ...tiered,
          tiers: [
            { upTo: '5', unitPrice: usd('1') },
            { upTo: '5', unitPrice: usd('1') },
            { unitPrice: usd('1') },
          ],
        },
      ],
    ],
    ['needs a unitPrice or a flatPrice', [{ ...tiered, tiers: [{}] }]],
    [
      'one currency',
      [{ ...tiered, tiers: [{ unitPrice: usd('1'), flatPrice: { amount: '1', currency: 'eur' } }] }],
    ],
    ['price.amount must be 0 or above', [{ ...fee, price: usd('-1') }]],
    ['12 digits', [{ ...fee, price: usd('1234567890123') }]],
    ['ISO 4217', [{ ...fee, price: { amount: '1', currency: 'zzz' } }]],
    ['blockSize must be a whole number', [{ ...units, blockSize: '1.5' }]],
    ['blockSize must be a whole number', [{ ...units, blockSize: '0' }]],
    ['minUnitQuantity must be 1 to', [{ ...units, minUnitQuantity: 0 }]],
    ['must be at most maxUnitQuantity', [{ ...units, minUnitQuantity: 3, maxUnitQuantity: 2 }]],
    ['ISO 3166-1', [{ ...fee, billingCountryCode: 'DNK' }]],
    ['prices[1]: a price before has the same', [fee, fee]],
    [
      'a price before has the same',
      [
        { ...fee, billingCountryCode: 'dk' },
        { ...fee, billingCountryCode: 'DK' },
      ],
    ],
    [
      'must end at the same units for both billing periods',
      [tiered, { ...tiered, billingPeriod: 'ANNUALLY', tiers: [{ unitPrice: usd('1') }] }],
    ],
    [
      'the MONTHLY prices where no country has its own',
      [fee, { ...units, price: { amount: '1', currency: 'eur' } }],
    ],
  ])('is refused: %s', (message, drafts) => {
    expect(decode(drafts)).toEqual({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });

  it('names features that exist', () => {
    expect(decode([{ ...usage, featureId: 'none' }])).toMatchObject({
      problem: { code: 'FEATURE_NOT_FOUND' },
    });
  });
});
