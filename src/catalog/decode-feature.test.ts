import { describe, expect, it } from 'vitest';
import { decodeFeature, type FeatureDraft } from './decode-feature.ts';

const calls: FeatureDraft = { refId: 'api-calls', displayName: 'API calls', featureType: 'NUMBER' };
const count = { aggregation: { function: 'COUNT' }, filters: [] };

describe('a feature as a caller sends it', () => {
  it('needs no more than a refId, a name and a type', () => {
    expect(decodeFeature(calls)).toEqual({
      feature: {
        refId: 'api-calls',
        displayName: 'API calls',
        description: null,
        featureType: 'NUMBER',
        meterType: 'None',
        featureUnits: null,
        featureUnitsPlural: null,
        enumConfiguration: null,
        unitTransformation: null,
        meter: null,
        featureStatus: 'NEW',
        additionalMetaData: null,
      },
    });
  });

  it('counts up when it has a meter and nothing else is said', () => {
    expect(decodeFeature({ ...calls, meter: count })).toMatchObject({
      feature: {
        meterType: 'INCREMENTAL',
        meter: { aggregation: { function: 'COUNT', field: null }, filters: [] },
      },
    });
    expect(decodeFeature({ ...calls, meter: count, meterType: 'FLUCTUATING' })).toMatchObject({
      feature: { meterType: 'FLUCTUATING' },
    });
  });

  it('rounds up when its unit is divided and nothing else is said', () => {
    expect(
      decodeFeature({ ...calls, meterType: 'INCREMENTAL', unitTransformation: { divide: '1024' } }),
    ).toMatchObject({
      feature: {
        unitTransformation: { divide: '1024', round: 'UP', featureUnits: null, featureUnitsPlural: null },
      },
    });
  });

  it.each<[string, Partial<FeatureDraft>, RegExp]>([
    ['an empty refId', { refId: '' }, /^refId/],
    ['an @ in the refId', { refId: 'a@b' }, /^refId/],
    ['a refId of 256 characters', { refId: 'x'.repeat(256) }, /^refId/],
    ['an empty name', { displayName: '' }, /^displayName/],
    ['an overlong unit', { featureUnits: 'x'.repeat(256) }, /^featureUnits/],
    ['an overlong description', { description: 'x'.repeat(4_001) }, /^description/],
    ['a metered BOOLEAN', { featureType: 'BOOLEAN', meterType: 'INCREMENTAL' }, /^BOOLEAN features/],
    ['an ENUM with a meter', { featureType: 'ENUM', meter: count }, /^ENUM features/],
    ['a meter beside meterType None', { meter: count, meterType: 'None' }, /^a feature with a meter/],
    ['a meter that is wrong', { meter: { aggregation: { function: 'SUM' } } }, /^meter\.aggregation/],
    ['values on a NUMBER', { enumConfiguration: [{ value: 'a', displayName: 'A' }] }, /ENUM features only/],
    ['an ENUM without values', { featureType: 'ENUM' }, /1 to 500 values/],
    ['an ENUM with an empty value', { featureType: 'ENUM', enumConfiguration: [enumValue('')] }, /1 to 255/],
    [
      'an ENUM with a value twice',
      { featureType: 'ENUM', enumConfiguration: [enumValue('a'), enumValue('a')] },
      /twice/,
    ],
    ['a unit divided by 0', { meterType: 'INCREMENTAL', unitTransformation: { divide: '0' } }, /above 0/],
    ['a divided unit without a meter', { unitTransformation: { divide: '2' } }, /metered features only/],
    ['metadata with a number', { additionalMetaData: { a: 1 } }, /strings only/],
  ])('is refused with %s', (_, fault, message) => {
    expect(decodeFeature({ ...calls, ...fault })).toEqual({ problem: expect.stringMatching(message) });
  });
});

function enumValue(value: string): { value: string; displayName: string } {
  return { value, displayName: 'Value' };
}
