/** What everything that a customer has comes to for one feature: the best of all of it (facts, section 5.3). */
import type { Denial, EffectiveEntitlement, SpendLimit, UsagePeriod } from './entitlement.ts';
import { type Grant, type Grants, mostGenerous } from './grants.ts';
import { usagePeriodAt } from './usage-period.ts';

/** A subscription that gives access, or a promotional entitlement that holds. */
export interface EntitlementOrigin {
  /** Tells it from the customer's others. */
  readonly name: string;
  /** Whose usage counts against what it grants; null for that of the whole customer. */
  readonly resourceId: string | null;
  /** From when usage counts that starts from zero again, epoch ms. */
  readonly usageAnchor: number;
  /** See `Subscription.usageResetAt`. */
  readonly usageResetAt: number | null;
  readonly grants: Grants;
  /** When what it grants last changed, epoch ms. */
  readonly updatedAt: number;
  readonly budget: SpendLimit | null;
}

export interface GrantedEntitlement extends EffectiveEntitlement {
  /** Percentages of the limit that are told when usage reaches them, ascending; of all that grants it. */
  readonly usageThresholds: readonly number[];
  /** When what is granted last changed, epoch ms. */
  readonly updatedAt: number;
}

/**
 * `changesAt` is when something that the customer has next begins, ends or changes, epoch ms; null for never. The
 * order of the origins makes no difference.
 */
export function effectiveEntitlement(
  featureId: string,
  origins: readonly EntitlementOrigin[],
  changesAt: number | null,
  now: number,
): GrantedEntitlement | Denial {
  const candidates = origins.toSorted(byScope).flatMap((origin): readonly Candidate[] => {
    const grant = origin.grants.get(featureId);
    return grant === undefined ? [] : [{ ...grant, origin }];
  });
  if (candidates.length === 0) return { deniedReason: 'NoFeatureEntitlementInSubscription' };
  const best = mostGenerous(candidates);
  if (best?.isGranted !== true) return { deniedReason: 'Revoked' };
  const { origin, usageLimit, hasUnlimitedUsage, hasSoftLimit, enumValues, resetPeriod } = best;
  const usagePeriod = periodOf(best, now);
  return {
    featureId,
    usageResourceId: origin.resourceId,
    usageLimit: hasUnlimitedUsage ? null : usageLimit,
    hasUnlimitedUsage,
    hasSoftLimit,
    enumValues,
    resetPeriod,
    resetPeriodConfiguration: best.resetPeriodConfiguration,
    usagePeriod,
    validUntil: earliest([usagePeriod?.end ?? null, changesAt]),
    budgets: budgetsOf(candidates, featureId),
    usageThresholds: best.usageThresholds,
    updatedAt: Math.max(...candidates.map((candidate) => candidate.origin.updatedAt)),
  };
}

/** Null where nothing is ahead. */
export function earliest(instants: readonly (number | null)[]): number | null {
  const given = instants.filter((instant) => instant !== null);
  return given.length === 0 ? null : Math.min(...given);
}

interface Candidate extends Grant {
  readonly origin: EntitlementOrigin;
}

/** Where limits are equal, that which counts the least usage: of a resource rather than of all, and from later on. */
function byScope(a: EntitlementOrigin, b: EntitlementOrigin): number {
  const byResource = Number(a.resourceId === null) - Number(b.resourceId === null);
  return byResource === 0 ? Number(a.name > b.name) - Number(a.name < b.name) : byResource;
}

function periodOf({ resetPeriod, ...grant }: Candidate, now: number): UsagePeriod | null {
  if (resetPeriod === null) return null;
  const accordingTo = grant.resetPeriodConfiguration?.accordingTo ?? null;
  return usagePeriodAt({ resetPeriod, accordingTo }, grant.origin, now);
}

function budgetsOf(candidates: readonly Candidate[], featureId: string): readonly SpendLimit[] {
  const budgets: SpendLimit[] = [];
  for (const { isGranted, origin } of candidates) {
    if (!isGranted) continue;
    const { budget } = origin;
    if (budget === null || !budget.prices.some((price) => price.featureId === featureId)) return [];
    budgets.push(budget);
  }
  return budgets;
}
