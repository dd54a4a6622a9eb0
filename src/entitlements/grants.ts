/**
 * What one source grants of each feature: a subscription, by its plan, the plans above it, its add-ons and the units
 * that it commits to (facts, sections 4.11 and 5.3), or a promotional entitlement.
 */
import type { PackageEntitlement } from '../catalog/package.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import {
  addQuantities,
  compareQuantities,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../quantity.ts';
import { contentOf } from '../subscriptions/package-version.ts';
import type { Offers, SubscribedUnits, Subscription } from '../subscriptions/subscription.ts';
import type { EffectiveEntitlement } from './entitlement.ts';

/** One source's word on one feature. */
export interface Grant
  extends Pick<
    EffectiveEntitlement,
    'usageLimit' | 'hasUnlimitedUsage' | 'hasSoftLimit' | 'enumValues' | 'resetPeriod'
  > {
  readonly resetPeriodConfiguration: PackageEntitlement['resetPeriodConfiguration'];
  /** False: the source says no, where others may say yes. */
  readonly isGranted: boolean;
  /** Percentages of the limit, ascending. */
  readonly usageThresholds: readonly number[];
}

/** By the feature's refId. */
export type Grants = ReadonlyMap<string, Grant>;

export function promotionalGrant(promotion: PromotionalEntitlement): Grant {
  return grantOf({ ...promotion, isGranted: true });
}

/**
 * By the versions that the subscription is on; of the plans above the newest ones. Committed units take the place
 * of the plan's limit. Of the add-ons' entitlements those that override take the place of what the plan says, the
 * most generous one where there are several, and those that increment add to that, once for each of the quantity.
 */
export function subscriptionGrants(subscription: Subscription, offers: Offers): Grants {
  const { planId, planVersion, units, addons } = subscription;
  const grants = new Map(planGrants(planId, planVersion, offers));
  for (const unit of units) commit(grants, unit);
  const attached = addons.flatMap(({ addonId, version, quantity }) =>
    (contentOf(offers.package(addonId), version)?.entitlements ?? []).map(
      (entitlement): Attached => ({ entitlement, quantity: exact(String(quantity)) }),
    ),
  );
  for (const featureId of new Set(attached.map(({ entitlement }) => entitlement.featureId))) {
    const ofFeature = attached.filter(({ entitlement }) => entitlement.featureId === featureId);
    grants.set(featureId, withAddons(grants.get(featureId), ofFeature));
  }
  return grants;
}

/** The nearest plan that says something of a feature decides. The way up ends where it would go in a circle. */
function planGrants(planId: string, planVersion: number, offers: Offers): Grants {
  const grants = new Map<string, Grant>();
  const seen = new Set<string>();
  let content = contentOf(offers.package(planId), planVersion);
  for (let at = planId; content !== undefined && !seen.has(at); ) {
    seen.add(at);
    for (const entitlement of content.entitlements) {
      if (!grants.has(entitlement.featureId)) grants.set(entitlement.featureId, grantOf(entitlement));
    }
    at = content.parentPlanId ?? at;
    content = offers.package(at)?.versions.at(-1)?.content;
  }
  return grants;
}

function commit(grants: Map<string, Grant>, { featureId, quantity }: SubscribedUnits): void {
  const planned = featureId === null ? noGrant : (grants.get(featureId) ?? noGrant);
  if (featureId === null || (grants.has(featureId) && !planned.isGranted)) return;
  const usageLimit = exact(String(quantity));
  grants.set(featureId, { ...planned, isGranted: true, usageLimit, hasUnlimitedUsage: false });
}

interface Attached {
  readonly entitlement: PackageEntitlement;
  readonly quantity: Quantity;
}

/** `attached` are the add-ons' entitlements to one feature, at least one. */
function withAddons(planned: Grant | undefined, attached: readonly Attached[]): Grant {
  const overrides = attached.filter(({ entitlement }) => entitlement.behavior === 'Override');
  const increments = attached.filter(({ entitlement }) => entitlement.behavior === 'Increment');
  const replacement = mostGenerous(overrides.map(({ entitlement }) => grantOf(entitlement)));
  const added = increments
    .filter(({ entitlement }) => entitlement.isGranted)
    .map(({ entitlement, quantity }) => timesOf(grantOf(entitlement), quantity));
  const base = replacement ?? planned;
  if (added.length === 0) return base ?? noGrant;
  return added.reduce(sumOf, base?.isGranted === true ? base : withResetOf(base, mostGenerous(added)));
}

/** Nothing yet, counted by the periods of what is added to it. */
function withResetOf(base: Grant | undefined, added: Grant | undefined): Grant {
  const { resetPeriod, resetPeriodConfiguration } = base ?? added ?? noGrant;
  return { ...noGrant, resetPeriod, resetPeriodConfiguration };
}

function timesOf(grant: Grant, quantity: Quantity): Grant {
  const { usageLimit } = grant;
  return { ...grant, usageLimit: usageLimit === null ? null : multiplyQuantities(usageLimit, quantity) };
}

function sumOf(a: Grant, b: Grant): Grant {
  const hasUnlimitedUsage = a.hasUnlimitedUsage || b.hasUnlimitedUsage;
  return {
    ...a,
    isGranted: true,
    usageLimit: hasUnlimitedUsage ? null : sumOfLimits(a.usageLimit, b.usageLimit),
    hasUnlimitedUsage,
    hasSoftLimit: a.hasSoftLimit || b.hasSoftLimit,
    enumValues: unionOf(a.enumValues, b.enumValues),
    usageThresholds: thresholdsOf([a, b]),
  };
}

function sumOfLimits(a: Quantity | null, b: Quantity | null): Quantity | null {
  return a === null || b === null ? (a ?? b) : addQuantities(a, b);
}

/** The values of both in one order, whichever comes first; null where neither has any. */
export function unionOf(a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null {
  if (a === null || b === null) return a ?? b;
  return [...new Set([...a, ...b])].toSorted();
}

/** All of them, each once. */
export function thresholdsOf(given: readonly Pick<Grant, 'usageThresholds'>[]): readonly number[] {
  return [...new Set(given.flatMap(({ usageThresholds }) => usageThresholds))].toSorted((a, b) => a - b);
}

/**
 * Undefined of none. Whichever it is, it has everything that any of them has: values, thresholds, and a limit that is
 * soft.
 */
export function mostGenerous<G extends Grant>(grants: readonly G[]): G | undefined {
  const [greatest] = grants.filter(({ isGranted }) => isGranted).toSorted(byGenerosity);
  if (greatest === undefined) return grants[0];
  const given = grants.filter(({ isGranted }) => isGranted);
  return {
    ...greatest,
    hasSoftLimit: given.some(({ hasSoftLimit }) => hasSoftLimit),
    enumValues: given.map(({ enumValues }) => enumValues).reduce(unionOf),
    usageThresholds: thresholdsOf(given),
  };
}

/** The greatest limit first; of equal ones that which starts from zero more often, then by name, so that it is one. */
function byGenerosity(a: Grant, b: Grant): number {
  if (a.hasUnlimitedUsage !== b.hasUnlimitedUsage) return a.hasUnlimitedUsage ? -1 : 1;
  const byLimit = compareQuantities(b.usageLimit ?? zeroQuantity, a.usageLimit ?? zeroQuantity);
  if (byLimit !== 0) return byLimit;
  const byReset = resetRank(a) - resetRank(b);
  if (byReset !== 0) return byReset;
  const [nameOfA, nameOfB] = [a, b].map((grant) => grant.resetPeriodConfiguration?.accordingTo ?? '');
  return (nameOfA ?? '') < (nameOfB ?? '') ? -1 : Number(nameOfA !== nameOfB);
}

function resetRank({ resetPeriod }: Grant): number {
  return resetPeriod === null ? resetOrder.length : resetOrder.indexOf(resetPeriod);
}

const resetOrder: readonly Grant['resetPeriod'][] = ['HOUR', 'DAY', 'WEEK', 'MONTH', 'YEAR'];

const noGrant: Grant = {
  isGranted: false,
  usageLimit: null,
  hasUnlimitedUsage: false,
  hasSoftLimit: false,
  enumValues: null,
  resetPeriod: null,
  resetPeriodConfiguration: null,
  usageThresholds: [],
};

function grantOf(entitlement: Omit<PackageEntitlement, 'id' | 'featureId' | 'behavior'>): Grant {
  const { isGranted, usageLimit, hasUnlimitedUsage, hasSoftLimit } = entitlement;
  const { enumValues, resetPeriod, resetPeriodConfiguration, usageThresholds = [] } = entitlement;
  return {
    isGranted,
    usageLimit: usageLimit === null ? null : exact(usageLimit),
    hasUnlimitedUsage,
    hasSoftLimit,
    enumValues: enumValues === null ? null : enumValues.toSorted(),
    resetPeriod,
    resetPeriodConfiguration,
    usageThresholds,
  };
}

/** Of a stored amount, which was checked when it came in. */
function exact(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error('a stored entitlement holds a limit that is no number');
  return quantity;
}
