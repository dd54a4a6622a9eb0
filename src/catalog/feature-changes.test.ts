import { describe, expect, it } from 'vitest';
import { decodeFeature, type FeatureDraft } from './decode-feature.ts';
import { archiveFeature, changeFeature, type FeatureFields } from './feature-changes.ts';
import type { Feature } from './feature.ts';

function made(draft: Partial<FeatureDraft> = {}): Feature {
  const decoded = decodeFeature({ refId: 'calls', displayName: 'Calls', featureType: 'NUMBER', ...draft });
  if ('problem' in decoded) throw new Error(decoded.problem);
  return { ...decoded.feature, id: 'id', createdAt: 1, updatedAt: 1 };
}

const meter = {
  aggregation: { function: 'SUM', field: 'bytes' },
  filters: [{ conditions: [{ field: 'status', operation: 'IN', values: ['200', '201'] }] }],
};

describe('a feature', () => {
  it('keeps its meter when something else changes', () => {
    const feature = made({ meter });
    expect(changeFeature(feature, { displayName: 'x' }, 2)).toEqual({
      feature: { ...feature, displayName: 'x', updatedAt: 2 },
    });
  });

  it('keeps its status and identity', () => {
    const feature: Feature = { ...made({ meter }), featureStatus: 'ACTIVE' };
    const changed = changeFeature(feature, { meter: { aggregation: { function: 'COUNT' } } }, 2);
    expect(changed).toMatchObject({
      feature: { id: 'id', createdAt: 1, featureStatus: 'ACTIVE', meter: { filters: [] } },
    });
  });

  it('is the very same when nothing changes', () => {
    const feature = made({ meter });
    expect(changeFeature(feature, { displayName: 'Calls', meter, description: undefined }, 2)).toEqual({
      feature,
    });
    const archived = archiveFeature(feature, 2);
    expect(archived).toMatchObject({ featureStatus: 'SUSPENDED', updatedAt: 2 });
    expect(archiveFeature(archived, 3)).toBe(archived);
  });

  it.each<[string, FeatureFields]>([
    ['a feature with a meter needs', { meter }],
    ['unitTransformation belongs to metered', { unitTransformation: { divide: '2' } }],
    ['displayName', { displayName: '' }],
    ['enumConfiguration belongs to ENUM', { enumConfiguration: [{ value: 'a', displayName: 'a' }] }],
    ['strings only', { additionalMetaData: { a: 1 } }],
  ])('that is not metered is refused: %s', (message, fields) => {
    expect(changeFeature(made(), fields, 2)).toEqual({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });
});
