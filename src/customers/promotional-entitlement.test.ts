import { describe, expect, it } from 'vitest';
import type { Feature } from '../catalog/feature.ts';
import {
  granted,
  isInForce,
  type PromotionalChange,
  type PromotionalDraft,
  type PromotionalEntitlement,
  promotionalEntitlementsMax,
  revoked,
} from './promotional-entitlement.ts';

const now = Date.parse('2024-01-31T12:00:00Z');
const seats = featureOf({ refId: 'seats', featureType: 'NUMBER', meterType: 'FLUCTUATING' });
const sso = featureOf({ refId: 'sso', featureType: 'BOOLEAN' });
const features = new Map([seats, sso].map((feature) => [feature.refId, feature]));

describe('granting', () => {
  it('answers the whole of it, with what stands where nothing is said', () => {
    expect(grant([], { featureId: 'sso' })).toEqual([
      {
        id: 'id-1',
        customerId: 'acme',
        featureId: 'sso',
        description: null,
        usageLimit: null,
        hasUnlimitedUsage: false,
        hasSoftLimit: false,
        enumValues: null,
        isVisible: true,
        resetPeriod: null,
        resetPeriodConfiguration: null,
        period: 'LIFETIME',
        startDate: now,
        endDate: null,
        createdAt: now,
        updatedAt: now,
      },
    ]);
  });

  it.each([
    ['ONE_WEEK', '2024-02-07T12:00:00.000Z'],
    ['ONE_MONTH', '2024-02-29T12:00:00.000Z'],
    ['SIX_MONTH', '2024-07-31T12:00:00.000Z'],
    ['ONE_YEAR', '2025-01-31T12:00:00.000Z'],
  ] as const)('for %s ends at %s', (period, end) => {
    const [item] = grant([], { featureId: 'sso', period });
    expect(new Date(item?.endDate ?? 0).toISOString()).toBe(end);
  });

  it('ends on a given date, which makes the period CUSTOM', () => {
    const [item] = grant([], { featureId: 'sso', customEndDate: now + 1 });
    expect(item).toMatchObject({ period: 'CUSTOM', endDate: now + 1 });
    expect(item && [isInForce(item, now), isInForce(item, now + 1), isInForce(item, now - 1)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('again for the same feature takes the place of the one before', () => {
    const before = grant([], { featureId: 'seats', usageLimit: '5' }, { featureId: 'sso' });
    const after = grant(before, { featureId: 'seats', usageLimit: '7' });
    expect(after.map(({ featureId, usageLimit }) => [featureId, usageLimit])).toEqual([
      ['sso', null],
      ['seats', '7'],
    ]);
  });

  it.each([
    [{ featureId: 'none' }, 'FEATURE_NOT_FOUND', /"none"/],
    [{ featureId: 'sso', usageLimit: '5' }, 'VALIDATION_ERROR', /\[1\]: usageLimit does not go with .* sso/],
    [{ featureId: 'seats' }, 'VALIDATION_ERROR', /\[1\]: featureId names a feature that an entry before/],
    [{ featureId: 'sso', period: 'CUSTOM' }, 'VALIDATION_ERROR', /\[1\]: customEndDate is required/],
    [{ featureId: 'sso', customEndDate: now }, 'VALIDATION_ERROR', /\[1\]: customEndDate must lie ahead/],
    [
      { featureId: 'sso', period: 'ONE_WEEK', customEndDate: now + 1 },
      'VALIDATION_ERROR',
      /customEndDate goes with the period CUSTOM only/,
    ],
    [{ featureId: 'sso', description: 'x'.repeat(4_001) }, 'VALIDATION_ERROR', /description must have/],
  ] as const)('grants nothing at all where one is wrong: %j', (draft, code, message) => {
    expect(change([], { featureId: 'seats', usageLimit: '5' }, draft)).toEqual({
      problem: { code, message: expect.stringMatching(message) },
    });
  });

  it('has a bound, for which those that have ended make room', () => {
    const full = Array.from({ length: promotionalEntitlementsMax }, (_, index) =>
      entitlementOf({ featureId: `feature-${index}` }),
    );
    expect(change(full, { featureId: 'sso' })).toMatchObject({
      problem: { code: 'VALIDATION_ERROR', message: expect.stringContaining('at most 200') },
    });
    const [first = entitlementOf({}), ...others] = full;
    const withEnded = [{ ...first, endDate: now }, ...others];
    expect(allOf(change(withEnded, { featureId: 'sso' })).map(({ featureId }) => featureId)).toEqual([
      ...others.map(({ featureId }) => featureId),
      'sso',
    ]);
  });
});

describe('revoking', () => {
  const existing = [entitlementOf({ featureId: 'sso' }), entitlementOf({ featureId: 'seats' })];

  it('takes it away, and answers it ended', () => {
    expect(revoked(existing, 'sso', now + 5)).toEqual({
      all: [existing[1]],
      changed: [{ ...existing[0], endDate: now + 5, updatedAt: now + 5 }],
    });
  });

  it('leaves the end of one that has ended', () => {
    const ended = entitlementOf({ featureId: 'sso', endDate: now + 1 });
    expect(revoked([ended], 'sso', now + 5)).toEqual({ all: [], changed: [ended] });
  });

  it('needs one', () => {
    expect(revoked(existing, 'other', now)).toMatchObject({ problem: { code: 'VALIDATION_ERROR' } });
  });
});

function grant(
  existing: readonly PromotionalEntitlement[],
  ...drafts: readonly PromotionalDraft[]
): readonly PromotionalEntitlement[] {
  return allOf(change(existing, ...drafts));
}

function change(
  existing: readonly PromotionalEntitlement[],
  ...drafts: readonly PromotionalDraft[]
): PromotionalChange {
  let made = 0;
  const newId = (): string => {
    made += 1;
    return `id-${made}`;
  };
  return granted(existing, drafts, { customerId: 'acme', features, newId, now });
}

function allOf(outcome: PromotionalChange): readonly PromotionalEntitlement[] {
  expect(outcome).not.toHaveProperty('problem');
  return 'all' in outcome ? outcome.all : [];
}

function entitlementOf(fields: Partial<PromotionalEntitlement>): PromotionalEntitlement {
  const [item] = grant([], { featureId: 'sso' });
  if (item === undefined) throw new Error('nothing was granted');
  return { ...item, ...fields };
}

function featureOf(fields: Pick<Feature, 'refId' | 'featureType'> & Partial<Feature>): Feature {
  return {
    id: `id-of-${fields.refId}`,
    displayName: fields.refId,
    description: null,
    meterType: 'None',
    featureUnits: null,
    featureUnitsPlural: null,
    enumConfiguration: null,
    unitTransformation: null,
    meter: null,
    featureStatus: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    ...fields,
  };
}
