/** What a customer has subscribed to, and where it stands in its life (facts, sections 1.12 and 4). */
import type { AppliedCoupon, Coupon } from '../catalog/coupon.ts';
import type { Package, PricingType, TrialEndBehavior } from '../catalog/package.ts';
import type { BillingPeriod } from '../catalog/price.ts';
import type { Product } from '../catalog/product.ts';

export type SubscriptionStatus =
  | 'NOT_STARTED'
  | 'IN_TRIAL'
  | 'ACTIVE'
  | 'PAYMENT_PENDING'
  | 'CANCELED'
  | 'EXPIRED';

/** Spelled as the facts publish them. */
export type CancelReason =
  | 'UPGRADE_OR_DOWNGRADE'
  | 'TRIAL_ENDED'
  | 'TRIAL_CONVERTED'
  | 'Immediate'
  | 'ScheduledCancellation'
  | 'PENDING_PAYMENT_EXPIRED'
  | 'CustomerArchived';

/** Instants are epoch ms; names of other entities are their refIds. */
export interface Subscription extends Selection {
  readonly id: string;
  /** The caller's name, or a made one; never changes. */
  readonly refId: string;
  readonly customerId: string;
  readonly resourceId: string | null;
  readonly productId: string;
  readonly planId: string;
  /** The published version that holds for it; the newest one of the day it starts. */
  readonly planVersion: number;
  readonly pricingType: PricingType | null;
  readonly billingCountryCode: string | null;
  readonly status: SubscriptionStatus;
  readonly startDate: number;
  /** Where billing periods are counted from. Null before the start: then that of what it replaces is kept. */
  readonly billingAnchor: number | null;
  /**
   * Where usage that resets is counted from; follows the product's reset rule when a plan takes the place of
   * another. Null before the start.
   */
  readonly usageAnchor: number | null;
  /**
   * When the change of a plan last set usage that resets to zero; null where none has, so that periods of the
   * calendar are counted whole although the subscription began inside one.
   */
  readonly usageResetAt: number | null;
  /** Kept when the trial is over. */
  readonly trial: Trial | null;
  /** Asked for and not yet in effect, or carried out. */
  readonly cancellation: Cancellation | null;
  readonly endedAt: number | null;
  readonly cancelReason: CancelReason | null;
  readonly scheduledUpdates: readonly ScheduledUpdate[];
  /** What will take its place, as far as is known; follows from the customer's other subscriptions. */
  readonly replacement: Replacement | null;
  /** The customer who pays, where that is another one; a refId. */
  readonly payingCustomerId: string | null;
  readonly coupon: AppliedCoupon | null;
  /** Takes the place of the plan's own minimum spend; an exact decimal in major units, ISO 4217 in small letters. */
  readonly minimumSpend: { readonly amount: string; readonly currency: string } | null;
  /** The most that metered usage may cost in a billing period, in the currency of the prices. */
  readonly budget: Budget | null;
  /** The invoice made last for it; null while there is none, as where no payments are collected. */
  readonly latestInvoiceId: string | null;
  /** How it was invoiced last; null until then. What is credited of that goes back the same way. */
  readonly charged: ChargedAs | null;
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  readonly createdAt: number;
}

export interface ChargedAs {
  /** The refId of the customer who paid. */
  readonly payerId: string;
  readonly coupon: AppliedCoupon | null;
}

/** What is bought of the plan. */
export interface Selection {
  readonly billingPeriod: BillingPeriod | null;
  /** One for each add-on. */
  readonly addons: readonly SubscribedAddon[];
  /** One for each charge of the plan that is by the unit. */
  readonly units: readonly SubscribedUnits[];
}

export interface SubscribedAddon {
  readonly addonId: string;
  readonly version: number;
  readonly quantity: number;
}

export interface SubscribedUnits {
  /** Null for units that are no feature. */
  readonly featureId: string | null;
  readonly quantity: number;
}

export interface Budget {
  /** An exact decimal in major units. */
  readonly limit: string;
  /** Soft ones are told of, hard ones deny. */
  readonly hasSoftLimit: boolean;
}

export interface Trial {
  readonly endsAt: number;
  readonly endBehavior: TrialEndBehavior;
  /** When it was due to be told that the trial ends soon; null while it is not. */
  readonly endsSoonToldAt: number | null;
}

export interface Cancellation {
  readonly at: number;
  /** True when the caller named the date itself. */
  readonly onGivenDate: boolean;
  /** Whether the customer journey's downgrade to a free plan follows. */
  readonly action: 'DEFAULT' | 'REVOKE_ENTITLEMENTS';
  /** Whether the unused time is to be credited; kept for billing. */
  readonly prorate: boolean;
}

export type ScheduledUpdate =
  | { readonly at: number; readonly type: 'ADDON'; readonly addons: readonly SubscribedAddon[] }
  | { readonly at: number; readonly type: 'UNIT_AMOUNT'; readonly units: readonly SubscribedUnits[] }
  | { readonly at: number; readonly type: 'BILLING_PERIOD'; readonly billingPeriod: BillingPeriod }
  | { readonly at: number; readonly type: 'MIGRATE_TO_LATEST' };

export interface Replacement {
  readonly at: number;
  readonly planId: string;
  readonly planVersion: number;
  readonly type: 'PLAN' | 'DOWNGRADE';
}

/** One customer's subscriptions, which are decided on together. */
export interface Portfolio {
  /** Those that have not ended before, in no order. */
  readonly subscriptions: readonly Subscription[];
  /** The products whose one trial the customer has had or has. */
  readonly trialedProductIds: readonly string[];
}

/** The catalog at the moment of a decision. */
export interface Offers {
  product(refId: string): Product | undefined;
  package(refId: string): Package | undefined;
  coupon(refId: string): Coupon | undefined;
}

/** Statuses in which the customer may use what was bought (facts, section 4.3). */
export const accessStatuses: ReadonlySet<SubscriptionStatus> = new Set(['IN_TRIAL', 'ACTIVE']);

export function hasEnded({ status }: Subscription): boolean {
  return status === 'CANCELED' || status === 'EXPIRED';
}

/** Whether it has not begun and may yet: for its date, or to be paid. */
export function isWaiting({ status }: Subscription): boolean {
  return status === 'NOT_STARTED' || status === 'PAYMENT_PENDING';
}

/** Whether it is, or would start as, a trial. */
export function isTrial({ status, trial }: Subscription): boolean {
  return status === 'IN_TRIAL' || (status === 'NOT_STARTED' && trial !== null);
}
