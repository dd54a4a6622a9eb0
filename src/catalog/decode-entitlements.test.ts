import { describe, expect, it } from 'vitest';
import { decodeEntitlements, type EntitlementDraft, entitlementsMax } from './decode-entitlements.ts';
import type { Feature } from './feature.ts';
import type { PackageEntitlement, ResetAnchor, ResetPeriod } from './package.ts';

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
const enumConfiguration = ['eu', 'us'].map((value) => ({ value, displayName: value }));
const features = new Map(
  [
    feature,
    { ...feature, refId: 'sso', featureType: 'BOOLEAN', meterType: 'None' },
    { ...feature, refId: 'nodes', meterType: 'None' },
    { ...feature, refId: 'region', featureType: 'ENUM', meterType: 'None', enumConfiguration },
    { ...feature, refId: 'gone', featureStatus: 'SUSPENDED' },
  ].map((item) => [item.refId, item as Feature]),
);

function decode(...drafts: readonly EntitlementDraft[]): ReturnType<typeof decodeEntitlements> {
  let made = 0;
  return decodeEntitlements(drafts, features, [], () => `id-${(made += 1)}`);
}

const granted: PackageEntitlement = {
  id: 'id-1',
  featureId: 'calls',
  isGranted: true,
  usageLimit: null,
  hasUnlimitedUsage: true,
  hasSoftLimit: false,
  enumValues: null,
  resetPeriod: null,
  resetPeriodConfiguration: null,
  behavior: 'Increment',
};

describe('an entitlement', () => {
  it.each<[string, EntitlementDraft, Partial<PackageEntitlement>]>([
    ['a metered feature without a limit', { featureId: 'calls' }, {}],
    [
      'a metered feature with all there is',
      {
        featureId: 'calls',
        usageLimit: '10.5',
        hasSoftLimit: true,
        resetPeriod: 'WEEK',
        resetPeriodConfiguration: { accordingTo: 'EveryMonday' },
        behavior: 'Override',
        usageThresholds: [1000, 80, 1],
      },
      {
        usageLimit: '10.5',
        hasUnlimitedUsage: false,
        hasSoftLimit: true,
        resetPeriod: 'WEEK',
        resetPeriodConfiguration: { accordingTo: 'EveryMonday' },
        behavior: 'Override',
        usageThresholds: [1, 80, 1000],
      },
    ],
    ['a metered feature without thresholds', { featureId: 'calls', usageThresholds: [] }, {}],
    ['a flag', { featureId: 'sso' }, { featureId: 'sso', hasUnlimitedUsage: false }],
    [
      'a flag that says no',
      { featureId: 'sso', hasSoftLimit: false, hasUnlimitedUsage: false },
      { featureId: 'sso', hasUnlimitedUsage: false },
    ],
    [
      'a number',
      { featureId: 'nodes', usageLimit: '0' },
      { featureId: 'nodes', usageLimit: '0', hasUnlimitedUsage: false },
    ],
    [
      'values',
      { featureId: 'region', enumValues: ['us'] },
      { featureId: 'region', enumValues: ['us'], hasUnlimitedUsage: false },
    ],
    [
      'what is taken away',
      { featureId: 'region', isGranted: false },
      { featureId: 'region', isGranted: false, hasUnlimitedUsage: false },
    ],
  ])('grants %s', (_, draft, expected) => {
    expect(decode(draft)).toEqual({ entitlements: [{ ...granted, ...expected }] });
  });

  it.each<[ResetPeriod, ResetAnchor | null]>([
    ['YEAR', 'SubscriptionStart'],
    ['MONTH', 'SubscriptionStart'],
    ['WEEK', 'SubscriptionStart'],
    ['DAY', null],
    ['HOUR', null],
  ])('of a %s is counted from %s when nothing is said', (resetPeriod, anchor) => {
    expect(decode({ featureId: 'calls', resetPeriod })).toMatchObject({
      entitlements: [{ resetPeriodConfiguration: anchor === null ? null : { accordingTo: anchor } }],
    });
  });

  it.each<[ResetPeriod, ResetAnchor]>([
    ['YEAR', 'StartOfTheMonth'],
    ['MONTH', 'EverySunday'],
    ['WEEK', 'StartOfTheMonth'],
    ['DAY', 'EverySunday'],
    ['HOUR', 'StartOfTheMonth'],
  ])('of a %s is not counted by %s', (resetPeriod, accordingTo) => {
    const draft = { featureId: 'calls', resetPeriod, resetPeriodConfiguration: { accordingTo } };
    expect(decode(draft)).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
  });

  it.each<[string, EntitlementDraft]>([
    ['usageLimit does not go with', { featureId: 'sso', usageLimit: '1' }],
    [
      'hasUnlimitedUsage does not go with',
      { featureId: 'region', hasUnlimitedUsage: true, enumValues: ['eu'] },
    ],
    ['which is a metered NUMBER', { featureId: 'calls', enumValues: ['eu'] }],
    ['which is a NUMBER that is not metered', { featureId: 'nodes', enumValues: ['eu'] }],
    ['hasSoftLimit does not go with', { featureId: 'nodes', usageLimit: '1', hasSoftLimit: true }],
    ['resetPeriod does not go with', { featureId: 'nodes', usageLimit: '1', resetPeriod: 'DAY' }],
    ['usageLimit is required', { featureId: 'calls', hasUnlimitedUsage: false }],
    ['exclude one another', { featureId: 'calls', usageLimit: '1', hasUnlimitedUsage: true }],
    ['0 or above', { featureId: 'calls', usageLimit: '-1' }],
    ['enumValues is required: some of eu, us', { featureId: 'region' }],
    ['is none of eu, us', { featureId: 'region', enumValues: ['eu', 'mars'] }],
    ['a value twice', { featureId: 'region', enumValues: ['eu', 'eu'] }],
    [
      'goes with a resetPeriod only',
      { featureId: 'calls', resetPeriodConfiguration: { accordingTo: 'SubscriptionStart' } },
    ],
    ['usageThresholds does not go with', { featureId: 'nodes', usageLimit: '1', usageThresholds: [80] }],
    ['from 1 to 1000', { featureId: 'calls', usageThresholds: [0] }],
    ['from 1 to 1000', { featureId: 'calls', usageThresholds: [1_001] }],
    ['a percentage twice', { featureId: 'calls', usageThresholds: [80, 80] }],
    [
      'more than 10',
      { featureId: 'calls', usageThresholds: Array.from({ length: 11 }, (_, each) => each + 1) },
    ],
    ['is archived', { featureId: 'gone' }],
  ])('is refused: %s', (message, draft) => {
    expect(decode(draft)).toEqual({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });

  it('is one for each feature, which must exist', () => {
    expect(decode({ featureId: 'calls' }, { featureId: 'calls' })).toMatchObject({
      problem: { message: expect.stringContaining('entitlements[1]') },
    });
    expect(decode({ featureId: 'none' })).toMatchObject({ problem: { code: 'FEATURE_NOT_FOUND' } });
    const many = Array.from({ length: entitlementsMax + 1 }, () => ({ featureId: 'calls' }));
    expect(decode(...many)).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
  });

  it('keeps its id as long as it is for the same feature', () => {
    const earlier = [{ ...granted, id: 'kept' }];
    const drafts = [{ featureId: 'sso' }, { featureId: 'calls', usageLimit: '5' }];
    expect(decodeEntitlements(drafts, features, earlier, () => 'new')).toMatchObject({
      entitlements: [{ id: 'new' }, { id: 'kept', usageLimit: '5' }],
    });
  });
});
