/** Whether a customer may use what is asked for, given what is granted and what is used (facts, section 5.3). Pure. */
import type { Feature } from '../catalog/feature.ts';
import { addQuantities, compareQuantities, parseQuantity, type Quantity, zeroQuantity } from '../quantity.ts';
import type { GrantedEntitlement } from './effective-entitlement.ts';
import type { AccessDeniedReason, Denial } from './entitlement.ts';

/** What is asked for beyond the feature itself; null for nothing in particular. */
export interface RequestedAccess {
  /** Not negative. Of a metered feature one unit is asked for when nothing is said (contract, 5.5). */
  readonly requestedUsage: Quantity | null;
  readonly requestedValues: readonly string[] | null;
}

export interface KnownUsage {
  /** In the units of the limit; zero for features that are not metered. */
  readonly currentUsage: Quantity;
  /** What active reservations add to it. */
  readonly reservedUsage: Quantity;
  /** Whether a hard budget is used up that the feature is paid from. */
  readonly isBudgetSpent: boolean;
  /** Epoch ms: everything acknowledged up to then is in it. */
  readonly asOf: number;
}

/** A refusal is a result like any other. */
export interface EntitlementCheck extends RequestedAccess {
  /** The feature's refId, or the name that was asked for where there is no such feature. */
  readonly featureId: string;
  readonly feature: Feature | null;
  readonly isGranted: boolean;
  /** Null exactly when it is granted. */
  readonly accessDeniedReason: AccessDeniedReason | null;
  /** Null where nothing is granted, whatever the usage. */
  readonly entitlement: GrantedEntitlement | null;
  /** Null for features that are not metered, and where nothing is granted. */
  readonly currentUsage: Quantity | null;
  /** What active reservations add to it where the limit is looked at; null as above. */
  readonly reservedUsage: Quantity | null;
  readonly asOf: number;
}

/** `featureId` is the name that was asked for, and `feature` what it stands for, where it stands for anything. */
export function checkEntitlement(
  featureId: string,
  feature: Feature | undefined,
  entitlement: GrantedEntitlement | Denial,
  usage: KnownUsage,
  requested: RequestedAccess,
): EntitlementCheck {
  const asked = { ...requested, featureId: feature?.refId ?? featureId, feature: feature ?? null };
  const { asOf } = usage;
  if ('deniedReason' in entitlement || feature === undefined) {
    const reason = 'deniedReason' in entitlement ? entitlement.deniedReason : 'FeatureNotFound';
    return {
      ...asked,
      isGranted: false,
      accessDeniedReason: reason,
      entitlement: null,
      currentUsage: null,
      reservedUsage: null,
      asOf,
    };
  }
  const isMetered = isMeteredFeature(feature);
  const requestedUsage = requested.requestedUsage ?? (isMetered ? oneUnit : null);
  const reason = refusalOf(feature, entitlement, usage, { ...requested, requestedUsage });
  return {
    ...asked,
    requestedUsage,
    isGranted: reason === null,
    accessDeniedReason: reason,
    entitlement,
    currentUsage: isMetered ? usage.currentUsage : null,
    reservedUsage: isMetered ? usage.reservedUsage : null,
    asOf,
  };
}

export function isMeteredFeature({ meterType }: Feature): boolean {
  return meterType !== 'None';
}

const oneUnit = parseQuantity('1') ?? zeroQuantity;

function refusalOf(
  { featureType }: Feature,
  { enumValues, hasSoftLimit, hasUnlimitedUsage, usageLimit }: GrantedEntitlement,
  { currentUsage, reservedUsage, isBudgetSpent }: KnownUsage,
  { requestedUsage, requestedValues }: RequestedAccess,
): AccessDeniedReason | null {
  const asksForValues = requestedValues !== null && requestedValues.length > 0;
  if (asksForValues && featureType !== 'ENUM') return 'FeatureTypeMismatch';
  if (requestedUsage !== null && featureType !== 'NUMBER') return 'FeatureTypeMismatch';
  if (asksForValues && !requestedValues.every((value) => enumValues?.includes(value))) {
    return 'RequestedValuesMismatch';
  }
  if (isBudgetSpent) return 'BudgetExceeded';
  if (requestedUsage === null || hasUnlimitedUsage || hasSoftLimit || usageLimit === null) return null;
  const used = addQuantities(addQuantities(currentUsage, reservedUsage), requestedUsage);
  return compareQuantities(used, usageLimit) <= 0 ? null : 'RequestedUsageExceedingLimit';
}
