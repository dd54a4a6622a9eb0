/** What a customer may use of a feature, and why or why not (facts, section 5). */
import type { ResetAnchor, ResetPeriod } from '../catalog/package.ts';
import type { Price } from '../catalog/price.ts';
import type { Quantity } from '../quantity.ts';

export type AccessDeniedReason =
  | 'FeatureNotFound'
  | 'CustomerNotFound'
  | 'CustomerIsArchived'
  | 'CustomerResourceNotFound'
  | 'NoActiveSubscription'
  | 'NoFeatureEntitlementInSubscription'
  | 'RequestedUsageExceedingLimit'
  | 'RequestedValuesMismatch'
  | 'BudgetExceeded'
  | 'FeatureTypeMismatch'
  | 'Revoked'
  | 'InsufficientCredits'
  | 'EntitlementNotFound'
  | 'Unknown';

/** What the customer's subscriptions and promotional grants come to for one feature, before usage is looked at. */
export interface EffectiveEntitlement {
  /** The feature's refId. */
  readonly featureId: string;
  /**
   * Whose usage counts against the limit: that of this resource, or, when null, all of the customer's together with
   * usage that names no resource.
   */
  readonly usageResourceId: string | null;
  /** Null when unlimited, and for features without a number. */
  readonly usageLimit: Quantity | null;
  readonly hasUnlimitedUsage: boolean;
  readonly hasSoftLimit: boolean;
  readonly enumValues: readonly string[] | null;
  readonly resetPeriod: ResetPeriod | null;
  readonly resetPeriodConfiguration: { readonly accordingTo: ResetAnchor } | null;
  /** The period that usage is counted in now; null: usage never starts from zero again. */
  readonly usagePeriod: UsagePeriod | null;
  /** When this has to be worked out anew, epoch ms, unless something changes before; null for never. */
  readonly validUntil: number | null;
  /** Hard ones of all that grants it; empty as soon as something grants it without one. */
  readonly budgets: readonly SpendLimit[];
}

/** What metered usage may cost in a billing period at most. */
export interface SpendLimit {
  readonly limit: Quantity;
  /** Whose usage is paid from it; null for all of the customer's. */
  readonly resourceId: string | null;
  readonly period: UsagePeriod;
  /** USAGE_BASED ones, each with its feature. */
  readonly prices: readonly Price[];
}

/** Half-open [start, end), epoch ms. */
export interface UsagePeriod {
  readonly start: number;
  readonly end: number;
  /** Where periods are counted from. */
  readonly anchor: number;
}

/** Why nothing is granted, whatever the usage. */
export interface Denial {
  readonly deniedReason: AccessDeniedReason;
}

/** One customer's entitlements as they stood at one moment. */
export interface CustomerEntitlements {
  /** `resourceId` null asks for the customer as a whole. */
  of(featureId: string, resourceId: string | null): EffectiveEntitlement | Denial;
  /** Every feature that is granted, by refId; a denial when there can be none. */
  all(resourceId: string | null): readonly EffectiveEntitlement[] | Denial;
}

/** Works entitlements out from live state: always as of now. A few round trips however many customers are asked for. */
export interface EntitlementSource {
  /** By refId; every customer that was asked for is in it, unknown ones too. */
  entitlements(customerIds: readonly string[]): Promise<ReadonlyMap<string, CustomerEntitlements>>;
}
