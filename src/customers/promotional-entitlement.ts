/** What a customer is granted of a feature beside what is bought (facts, section 1.11): the rules, pure. */
import { dayMs, monthsLater } from '../calendar.ts';
import { type CatalogProblem, invalid, notFound } from '../catalog/catalog-problem.ts';
import { decodeEntitlement, type EntitlementDraft } from '../catalog/decode-entitlements.ts';
import { descriptionProblem, isGiven } from '../catalog/entity-fields.ts';
import type { Feature } from '../catalog/feature.ts';
import type { PackageEntitlement } from '../catalog/package.ts';

/**
 * Holds for the customer as a whole, with every subscription and with none. A customer has at most one for each
 * feature, the one granted last.
 */
export interface PromotionalEntitlement
  extends Omit<PackageEntitlement, 'isGranted' | 'behavior' | 'usageThresholds'> {
  /** The customer's refId. */
  readonly customerId: string;
  readonly description: string | null;
  /** Whether it is to be shown to the customer; it holds in either case. */
  readonly isVisible: boolean;
  readonly period: PromotionalPeriod;
  /** Half-open, epoch ms. */
  readonly startDate: number;
  /** Null for a lifetime. */
  readonly endDate: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type PromotionalPeriod = 'ONE_WEEK' | 'ONE_MONTH' | 'SIX_MONTH' | 'ONE_YEAR' | 'LIFETIME' | 'CUSTOM';

/** What a caller may say of one; null and absent mean the same. */
export interface PromotionalDraft
  extends Omit<EntitlementDraft, 'isGranted' | 'behavior' | 'usageThresholds'> {
  readonly description?: string | null;
  readonly isVisible?: boolean | null;
  /** Absent: CUSTOM with a `customEndDate`, else LIFETIME. */
  readonly period?: PromotionalPeriod | null;
  /** Epoch ms. */
  readonly customEndDate?: number | null;
}

/** A customer's: they are kept in one record, which one script of Redis reads and writes with the customer's own. */
export const promotionalEntitlementsMax = 200;

/** A customer's entitlements as they are to be, and the ones that the change was about. */
export type PromotionalChange =
  | { readonly all: readonly PromotionalEntitlement[]; readonly changed: readonly PromotionalEntitlement[] }
  | { readonly problem: CatalogProblem };

export function isInForce({ startDate, endDate }: PromotionalEntitlement, now: number): boolean {
  return startDate <= now && (endDate === null || now < endDate);
}

/**
 * Each grant takes the place of the one that the customer has of the same feature: all of them or, with a problem,
 * none. `features` has those that the drafts name, by the name given.
 */
export function granted(
  existing: readonly PromotionalEntitlement[],
  drafts: readonly PromotionalDraft[],
  { customerId, features, newId, now }: GrantContext,
): PromotionalChange {
  if (drafts.length > promotionalEntitlementsMax) return { problem: tooMany };
  const grants = new Map<string, PromotionalEntitlement>();
  for (const [index, draft] of drafts.entries()) {
    const feature = features.get(draft.featureId);
    if (feature === undefined) return { problem: notFound('feature', draft.featureId) };
    const decoded = grants.has(feature.refId)
      ? { problem: 'featureId names a feature that an entry before grants' }
      : decodeGrant(draft, feature, { customerId, id: newId(), now });
    if ('problem' in decoded) {
      return { problem: invalid(`promotionalEntitlements[${index}]: ${decoded.problem}`) };
    }
    grants.set(feature.refId, decoded.grant);
  }
  const changed = [...grants.values()];
  const others = existing.filter(({ featureId }) => !grants.has(featureId));
  const all = [...others, ...changed];
  if (all.length <= promotionalEntitlementsMax) return { all, changed };
  // Those that have ended are kept to be shown, as long as there is room.
  const current = all.filter((item) => isInForce(item, now));
  return current.length > promotionalEntitlementsMax ? { problem: tooMany } : { all: current, changed };
}

export interface GrantContext {
  readonly customerId: string;
  readonly features: ReadonlyMap<string, Feature>;
  readonly newId: () => string;
  /** Epoch ms. */
  readonly now: number;
}

/** Takes it away, and answers it as it ends. `featureId` is the feature's refId. */
export function revoked(
  existing: readonly PromotionalEntitlement[],
  featureId: string,
  now: number,
): PromotionalChange {
  const found = existing.find((item) => item.featureId === featureId);
  if (found === undefined) {
    const name = JSON.stringify(featureId);
    return { problem: invalid(`the customer has no promotional entitlement to the feature ${name}`) };
  }
  const ended = isInForce(found, now) ? { ...found, endDate: now, updatedAt: now } : found;
  return { all: existing.filter((item) => item !== found), changed: [ended] };
}

const tooMany = invalid(`a customer has at most ${promotionalEntitlementsMax} promotional entitlements`);

function decodeGrant(
  draft: PromotionalDraft,
  feature: Feature,
  { customerId, id, now }: { readonly customerId: string; readonly id: string; readonly now: number },
): { readonly grant: PromotionalEntitlement } | { readonly problem: string } {
  const { description = null, isVisible, customEndDate } = draft;
  const problem = descriptionProblem(description);
  if (problem !== undefined) return { problem };
  const period = draft.period ?? (isGiven(customEndDate) ? 'CUSTOM' : 'LIFETIME');
  const endDate = endOf(period, customEndDate ?? null, now);
  if (typeof endDate === 'string') return { problem: endDate };
  const decoded = decodeEntitlement(draft, feature, id);
  if ('problem' in decoded) return decoded;
  const { isGranted: _isGranted, behavior: _behavior, ...entitlement } = decoded.entitlement;
  return {
    grant: {
      ...entitlement,
      customerId,
      description,
      isVisible: isVisible ?? true,
      period,
      startDate: now,
      endDate,
      createdAt: now,
      updatedAt: now,
    },
  };
}

/** Null for never; a text says why there is none. */
function endOf(period: PromotionalPeriod, customEndDate: number | null, now: number): number | null | string {
  if (period === 'CUSTOM') {
    if (customEndDate === null) return 'customEndDate is required with the period CUSTOM';
    return customEndDate > now ? customEndDate : 'customEndDate must lie ahead';
  }
  if (customEndDate !== null) return 'customEndDate goes with the period CUSTOM only';
  return ends[period](now);
}

const ends: Readonly<Record<Exclude<PromotionalPeriod, 'CUSTOM'>, (start: number) => number | null>> = {
  ONE_WEEK: (start) => start + 7 * dayMs,
  ONE_MONTH: (start) => monthsLater(start, 1),
  SIX_MONTH: (start) => monthsLater(start, 6),
  ONE_YEAR: (start) => monthsLater(start, 12),
  LIFETIME: () => null,
};
