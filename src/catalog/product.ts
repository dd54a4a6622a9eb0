/** What is sold under one name, with the rules that its subscriptions follow (facts, section 1.4). */

export type SubscriptionStartSetup = 'PLAN_SELECTION' | 'TRIAL_PERIOD' | 'FREE_PLAN';
export type SubscriptionEndSetup = 'DOWNGRADE_TO_FREE' | 'CANCEL_SUBSCRIPTION';
export type SubscriptionCancellationTime = 'END_OF_BILLING_PERIOD' | 'IMMEDIATE' | 'SPECIFIC_DATE';
export type UsageResetBehavior = 'ALWAYS_RESET' | 'NEVER_RESET' | 'BILLING_PERIOD_CHANGE';

/** The customer journey. A change of it reaches only what happens later. */
export interface ProductSettings {
  readonly subscriptionStartSetup: SubscriptionStartSetup;
  /** The refId of the plan that subscriptions start with; given unless customers select one. */
  readonly subscriptionStartPlanId: string | null;
  readonly subscriptionEndSetup: SubscriptionEndSetup;
  /** The refId of the plan that ended subscriptions move to; given for DOWNGRADE_TO_FREE. */
  readonly downgradePlanId: string | null;
  readonly subscriptionCancellationTime: SubscriptionCancellationTime;
  /** Downgrades wait for the billing period's end; else they happen at once, with credit. */
  readonly downgradeAtEndOfBillingPeriod: boolean;
  readonly prorateAtEndOfBillingPeriod: boolean;
}

export interface Product {
  readonly id: string;
  /** The caller's name; never changes. */
  readonly refId: string;
  readonly displayName: string;
  readonly description: string | null;
  /** Whether a customer may have several subscriptions, one for each resource. */
  readonly multipleSubscriptions: boolean;
  readonly productSettings: ProductSettings;
  /** What becomes of counted usage when a customer changes plans. */
  readonly usageResetCutoffRule: { readonly behavior: UsageResetBehavior };
  readonly status: 'PUBLISHED' | 'ARCHIVED';
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}
