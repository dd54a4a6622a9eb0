/** Plans and add-ons, which are both packages: what is granted and at which price (facts, sections 1.5, 1.6 and 1.8). */
import type { Price } from './price.ts';

export type PackageType = 'PLAN' | 'ADDON';
export type PackageStatus = 'DRAFT' | 'PUBLISHED' | 'ARCHIVED';
export type PricingType = 'FREE' | 'PAID' | 'CUSTOM';
export type MigrationType = 'NEW_CUSTOMERS' | 'ALL_CUSTOMERS';
export type TrialUnits = 'DAY' | 'MONTH';
export type TrialEndBehavior = 'CONVERT_TO_PAID' | 'CANCEL_SUBSCRIPTION';

export type ResetPeriod = 'YEAR' | 'MONTH' | 'WEEK' | 'DAY' | 'HOUR';
export type ResetAnchor =
  | 'SubscriptionStart'
  | 'StartOfTheMonth'
  | 'EverySunday'
  | 'EveryMonday'
  | 'EveryTuesday'
  | 'EveryWednesday'
  | 'EveryThursday'
  | 'EveryFriday'
  | 'EverySaturday';

/** What a package grants of one feature; a package has at most one for each feature. */
export interface PackageEntitlement {
  readonly id: string;
  /** The feature's refId. */
  readonly featureId: string;
  readonly isGranted: boolean;
  /** An exact decimal; null for features that have no number, and for unlimited ones. */
  readonly usageLimit: string | null;
  readonly hasUnlimitedUsage: boolean;
  readonly hasSoftLimit: boolean;
  readonly enumValues: readonly string[] | null;
  /** When usage starts from zero again; null for never. */
  readonly resetPeriod: ResetPeriod | null;
  /** Null without a reset period, and for days and hours that follow the calendar in UTC. */
  readonly resetPeriodConfiguration: { readonly accordingTo: ResetAnchor } | null;
  /** Whether an add-on's value adds to the plan's or takes its place. */
  readonly behavior: 'Increment' | 'Override';
  /** Percentages of the limit that are told when usage reaches them, ascending. Absent when there are none. */
  readonly usageThresholds?: readonly number[];
}

export interface TrialConfig {
  readonly duration: number;
  readonly units: TrialUnits;
  readonly trialEndBehavior: TrialEndBehavior;
}

/** What one version of a package says. Other packages and features are named by refId. */
export interface PackageContent {
  readonly displayName: string;
  readonly description: string | null;
  readonly pricingType: PricingType | null;
  readonly prices: readonly Price[];
  readonly entitlements: readonly PackageEntitlement[];
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  /** Plans only: the plan whose entitlements this one has too. */
  readonly parentPlanId: string | null;
  /** Plans only. */
  readonly compatibleAddonIds: readonly string[];
  /** Plans only. */
  readonly defaultTrialConfig: TrialConfig | null;
  /** Add-ons only: how many of it a subscription may have; null bounds nothing. */
  readonly maxQuantity: number | null;
  /** Add-ons only: the add-ons that a subscription must have as well. */
  readonly dependencies: readonly string[];
}

export interface PackageVersion {
  /** From 1 on, without gaps. */
  readonly versionNumber: number;
  readonly content: PackageContent;
  readonly publishedAt: number;
  /** Whether subscriptions of earlier versions move to this one by themselves. */
  readonly migrationType: MigrationType;
}

/** A plan or an add-on. Edits go to the draft; publishing makes the draft the next version. */
export interface Package {
  readonly id: string;
  /** The caller's name; never changes. */
  readonly refId: string;
  readonly type: PackageType;
  /** The product's refId; never changes. */
  readonly productId: string;
  /** Null while there is nothing that is not published. */
  readonly draft: PackageContent | null;
  /** Oldest first. */
  readonly versions: readonly PackageVersion[];
  /** DRAFT until the first version is published. */
  readonly status: PackageStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export function latestVersion({ versions }: Package): PackageVersion | undefined {
  return versions.at(-1);
}

/** What the next version would say: the draft, else the latest version. */
export function currentContent(item: Package): PackageContent {
  const content = item.draft ?? latestVersion(item)?.content;
  if (content === undefined) throw new Error('a package has neither a draft nor a version');
  return content;
}
