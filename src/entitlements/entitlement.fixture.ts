/** Features, plans and subscriptions to work entitlements out from. */
import { randomUUID } from 'node:crypto';
import type { Feature } from '../catalog/feature.ts';
import type { PackageEntitlement } from '../catalog/package.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import { at } from '../subscriptions/life-cycle.fixture.ts';
import type { Subscription } from '../subscriptions/subscription.ts';

export const startOfTests = at('2026-05-15T12:00:00');

export function makeFeature(refId: string, more: Partial<Feature> = {}): Feature {
  return {
    id: `id-of-${refId}`,
    refId,
    displayName: refId,
    description: null,
    featureType: 'NUMBER',
    meterType: 'INCREMENTAL',
    featureUnits: null,
    featureUnitsPlural: null,
    enumConfiguration: null,
    unitTransformation: null,
    meter: null,
    featureStatus: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    ...more,
  };
}

/** As an API user writes it: a limit, or nothing for one without an end. */
export function entitled(
  featureId: string,
  usageLimit: number | null = null,
  more: Partial<PackageEntitlement> = {},
): PackageEntitlement {
  return {
    id: `to-${featureId}`,
    featureId,
    isGranted: true,
    usageLimit: usageLimit === null ? null : String(usageLimit),
    hasUnlimitedUsage: usageLimit === null && more.enumValues === undefined,
    hasSoftLimit: false,
    enumValues: null,
    resetPeriod: null,
    resetPeriodConfiguration: null,
    behavior: 'Increment',
    ...more,
  };
}

/** Active since the first of May 2026, to version 1 of the plan. */
export function subscribed(planId: string, more: Partial<Subscription> = {}): Subscription {
  const startDate = more.startDate ?? at('2026-05-01');
  return {
    id: randomUUID(),
    refId: `subscription-${planId}`,
    customerId: 'acme',
    resourceId: null,
    productId: 'product',
    planId,
    planVersion: 1,
    pricingType: 'PAID',
    billingPeriod: 'MONTHLY',
    billingCountryCode: null,
    status: 'ACTIVE',
    startDate,
    billingAnchor: startDate,
    usageAnchor: startDate,
    usageResetAt: null,
    trial: null,
    cancellation: null,
    endedAt: null,
    cancelReason: null,
    scheduledUpdates: [],
    replacement: null,
    payingCustomerId: null,
    coupon: null,
    latestInvoiceId: null,
    charged: null,
    minimumSpend: null,
    budget: null,
    addons: [],
    units: [],
    additionalMetaData: null,
    createdAt: startDate,
    ...more,
  };
}

export function promoted(
  featureId: string,
  usageLimit: number | null,
  more: Partial<PromotionalEntitlement> = {},
): PromotionalEntitlement {
  const { isGranted: _isGranted, behavior: _behavior, ...entitlement } = entitled(featureId, usageLimit);
  const startDate = more.startDate ?? at('2026-05-10');
  return {
    ...entitlement,
    customerId: 'acme',
    description: null,
    isVisible: true,
    period: 'LIFETIME',
    startDate,
    endDate: null,
    createdAt: startDate,
    updatedAt: startDate,
    ...more,
  };
}
