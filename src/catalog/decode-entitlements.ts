/** Checks what a package is to grant (facts, section 1.8) and brings it into its one form. */
import { compareQuantities, parseQuantity, zeroQuantity } from '../quantity.ts';
import { type CatalogProblem, invalid, notFound } from './catalog-problem.ts';
import { isGiven } from './entity-fields.ts';
import type { Feature } from './feature.ts';
import type { PackageEntitlement, ResetAnchor, ResetPeriod } from './package.ts';

export const entitlementsMax = 400;

/** Each costs a customer's record a line, and its receiver a webhook a period. */
const thresholdsMax = 10;
const thresholdPercentMax = 1_000;

/** What a caller may say of an entitlement; null and absent mean the same. */
export interface EntitlementDraft {
  /** The feature's refId. */
  readonly featureId: string;
  readonly isGranted?: boolean | null;
  readonly usageLimit?: string | null;
  readonly hasUnlimitedUsage?: boolean | null;
  readonly hasSoftLimit?: boolean | null;
  readonly enumValues?: readonly string[] | null;
  readonly resetPeriod?: ResetPeriod | null;
  readonly resetPeriodConfiguration?: { readonly accordingTo: ResetAnchor } | null;
  readonly behavior?: PackageEntitlement['behavior'] | null;
  /** Percentages of the limit, in any order. */
  readonly usageThresholds?: readonly number[] | null;
}

export type DecodedEntitlements =
  | { readonly entitlements: readonly PackageEntitlement[] }
  | { readonly problem: CatalogProblem };

const weekdays = [
  'EverySunday',
  'EveryMonday',
  'EveryTuesday',
  'EveryWednesday',
  'EveryThursday',
  'EveryFriday',
  'EverySaturday',
] as const satisfies readonly ResetAnchor[];

/** The first is what stands when nothing is said; days and hours then follow the calendar in UTC. */
const anchors: Readonly<Record<ResetPeriod, readonly [ResetAnchor | null, ...ResetAnchor[]]>> = {
  YEAR: ['SubscriptionStart'],
  MONTH: ['SubscriptionStart', 'StartOfTheMonth'],
  WEEK: ['SubscriptionStart', ...weekdays],
  DAY: [null, 'SubscriptionStart'],
  HOUR: [null, 'SubscriptionStart'],
};

/**
 * `features` has those that the drafts name. An entitlement to a feature that `earlier` grants already keeps its
 * id; the others get one of `newId`.
 */
export function decodeEntitlements(
  drafts: readonly EntitlementDraft[],
  features: ReadonlyMap<string, Feature>,
  earlier: readonly PackageEntitlement[],
  newId: () => string,
): DecodedEntitlements {
  if (drafts.length > entitlementsMax) {
    return { problem: invalid(`a package has at most ${entitlementsMax} entitlements`) };
  }
  const ids = new Map(earlier.map(({ featureId, id }) => [featureId, id]));
  const entitlements = new Map<string, PackageEntitlement>();
  for (const [index, draft] of drafts.entries()) {
    const feature = features.get(draft.featureId);
    if (feature === undefined) return { problem: notFound('feature', draft.featureId) };
    const decoded = entitlements.has(feature.refId)
      ? { problem: 'featureId names a feature that an entry before grants' }
      : decodeEntitlement(draft, feature, ids.get(feature.refId) ?? newId());
    if ('problem' in decoded) return { problem: invalid(`entitlements[${index}]: ${decoded.problem}`) };
    entitlements.set(feature.refId, decoded.entitlement);
  }
  return { entitlements: [...entitlements.values()] };
}

/** One of them; the problem is the text alone, for the caller to say where. */
export function decodeEntitlement(
  draft: EntitlementDraft,
  feature: Feature,
  id: string,
): { readonly entitlement: PackageEntitlement } | { readonly problem: string } {
  const problem = draftProblem(draft, feature);
  return problem === undefined ? { entitlement: entitlementOf(draft, feature, id) } : { problem };
}

function draftProblem(draft: EntitlementDraft, feature: Feature): string | undefined {
  if (feature.featureStatus === 'SUSPENDED') return `the feature ${feature.refId} is archived`;
  return (
    foreignFieldProblem(draft, feature) ??
    limitProblem(draft, feature) ??
    enumProblem(draft, feature) ??
    resetProblem(draft) ??
    thresholdProblem(draft)
  );
}

/** A feature's kind decides what can be said of it; a field that says no to something is no harm. */
function foreignFieldProblem(draft: EntitlementDraft, feature: Feature): string | undefined {
  const { featureType, meterType } = feature;
  const isMetered = meterType !== 'None';
  const given = {
    usageLimit: isGiven(draft.usageLimit) && featureType !== 'NUMBER',
    hasUnlimitedUsage: draft.hasUnlimitedUsage === true && featureType !== 'NUMBER',
    enumValues: isGiven(draft.enumValues) && featureType !== 'ENUM',
    hasSoftLimit: draft.hasSoftLimit === true && !isMetered,
    resetPeriod: isGiven(draft.resetPeriod) && !isMetered,
    usageThresholds: (draft.usageThresholds ?? []).length > 0 && !isMetered,
  };
  const foreign = Object.entries(given).find(([, isForeign]) => isForeign)?.[0];
  if (foreign === undefined) return undefined;
  const number = isMetered ? 'a metered NUMBER' : 'a NUMBER that is not metered';
  const kind = featureType === 'NUMBER' ? number : featureType;
  return `${foreign} does not go with the feature ${feature.refId}, which is ${kind}`;
}

function limitProblem(
  { isGranted, usageLimit, hasUnlimitedUsage }: EntitlementDraft,
  { featureType }: Feature,
): string | undefined {
  if (!isGiven(usageLimit)) {
    const isLimited = featureType === 'NUMBER' && isGranted !== false && hasUnlimitedUsage === false;
    return isLimited ? 'usageLimit is required, or hasUnlimitedUsage must be true' : undefined;
  }
  if (hasUnlimitedUsage === true) return 'usageLimit and hasUnlimitedUsage exclude one another';
  const limit = parseQuantity(usageLimit);
  return limit === undefined || compareQuantities(limit, zeroQuantity) < 0
    ? 'usageLimit must be a number, 0 or above'
    : undefined;
}

function enumProblem({ isGranted, enumValues }: EntitlementDraft, feature: Feature): string | undefined {
  if (feature.featureType !== 'ENUM') return undefined;
  const allowed = (feature.enumConfiguration ?? []).map(({ value }) => value);
  if ((enumValues ?? []).length === 0) {
    return isGranted === false
      ? undefined
      : `enumValues is required: some of ${allowed.slice(0, 20).join(', ')}`;
  }
  const values = enumValues ?? [];
  if (new Set(values).size < values.length) return 'enumValues names a value twice';
  const unknown = values.find((value) => !allowed.includes(value));
  if (unknown === undefined) return undefined;
  const quoted = JSON.stringify(unknown.slice(0, 100));
  return `enumValues: ${quoted} is none of ${allowed.slice(0, 20).join(', ')}`;
}

function resetProblem({ resetPeriod, resetPeriodConfiguration }: EntitlementDraft): string | undefined {
  if (!isGiven(resetPeriodConfiguration)) return undefined;
  if (!isGiven(resetPeriod)) return 'resetPeriodConfiguration goes with a resetPeriod only';
  const allowed = anchors[resetPeriod].filter(isGiven);
  return allowed.includes(resetPeriodConfiguration.accordingTo)
    ? undefined
    : `resetPeriodConfiguration.accordingTo must be ${allowed.join(' or ')} with the resetPeriod ${resetPeriod}`;
}

function thresholdProblem({ usageThresholds }: EntitlementDraft): string | undefined {
  const thresholds = usageThresholds ?? [];
  if (thresholds.length > thresholdsMax) return `usageThresholds has more than ${thresholdsMax} entries`;
  if (new Set(thresholds).size < thresholds.length) return 'usageThresholds names a percentage twice';
  const isPercentage = (each: number): boolean =>
    Number.isInteger(each) && each >= 1 && each <= thresholdPercentMax;
  return thresholds.every(isPercentage)
    ? undefined
    : `usageThresholds must be percentages of the limit, whole numbers from 1 to ${thresholdPercentMax}`;
}

function entitlementOf(draft: EntitlementDraft, feature: Feature, id: string): PackageEntitlement {
  const { usageLimit = null, enumValues = null, resetPeriod = null } = draft;
  const isGranted = draft.isGranted ?? true;
  const usageThresholds = (draft.usageThresholds ?? []).toSorted((a, b) => a - b);
  return {
    id,
    featureId: feature.refId,
    isGranted,
    usageLimit,
    hasUnlimitedUsage: isGranted && feature.featureType === 'NUMBER' && usageLimit === null,
    hasSoftLimit: draft.hasSoftLimit ?? false,
    enumValues,
    resetPeriod,
    resetPeriodConfiguration: anchorOf(draft),
    behavior: draft.behavior ?? 'Increment',
    ...(usageThresholds.length === 0 ? {} : { usageThresholds }),
  };
}

function anchorOf({
  resetPeriod,
  resetPeriodConfiguration,
}: EntitlementDraft): PackageEntitlement['resetPeriodConfiguration'] {
  if (!isGiven(resetPeriod)) return null;
  if (isGiven(resetPeriodConfiguration)) return { accordingTo: resetPeriodConfiguration.accordingTo };
  const [accordingTo] = anchors[resetPeriod];
  return accordingTo === null ? null : { accordingTo };
}
