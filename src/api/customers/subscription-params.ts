/** The subscription that a customer is provisioned with in the same call. */
import type { NewSubscription } from '../../subscriptions/subscription-register.ts';
import { newSubscriptionOf, type ProvisionInput } from '../subscriptions/subscription-module.ts';

export type SubscriptionParamsInput = Pick<
  ProvisionInput,
  | 'planId'
  | 'billingPeriod'
  | 'resourceId'
  | 'addons'
  | 'billableFeatures'
  | 'unitQuantity'
  | 'billingCountryCode'
  | 'startDate'
  | 'skipTrial'
  | 'trialOverrideConfiguration'
  | 'appliedCoupon'
  | 'additionalMetaData'
>;

/** A problem of what is asked for is thrown as such. */
export function firstSubscriptionOf(params: SubscriptionParamsInput, customerId: string): NewSubscription {
  return newSubscriptionOf({ ...params, customerId });
}

export const subscriptionParamsTypeDefs = /* GraphQL */ `
  "The first subscription of a customer to a product."
  input SubscriptionParamsInput {
    "The plan's refId or UUID. The product's customer journey may put its own plan in the place of it."
    planId: String!
    "How often it is billed. Required for a paid plan that has prices for both periods; MONTHLY for a free one."
    billingPeriod: BillingPeriod
    "What the subscription is for, where a customer has several to one product: 1 to 255 characters, as in \`customerId\`, without \`@\`."
    resourceId: String
    "The add-ons, at most 100. Each has to be compatible with the plan."
    addons: [SubscriptionAddonInput!]
    "Units of the features that the plan charges by the unit; the least units where not given."
    billableFeatures: [BillableFeatureInput!]
    "The units, where the plan has one charge by the unit."
    unitQuantity: Int
    "The country whose prices hold, ISO 3166-1 alpha-2 in capitals; the prices of no country where it has none of its own."
    billingCountryCode: String
    "When it starts; now when absent."
    startDate: DateTime
    "Starts without the plan's trial. A customer journey that starts with a trial takes no notice of it."
    skipTrial: Boolean = false
    "Grants a trial, or denies it, whatever the plan says. A customer journey that starts with a trial takes its end from here."
    trialOverrideConfiguration: TrialOverrideConfigurationInput
    "A discount on what the subscription costs."
    appliedCoupon: AppliedCouponInput
    "The caller's own data about the subscription: a JSON object of at most 16 KiB."
    additionalMetaData: JSON
  }

  "How it came to be the subscription that a customer is provisioned with."
  enum SubscriptionDecisionStrategy {
    "It is the one that was asked for."
    REQUESTED_PLAN
    "The product's customer journey starts with a free plan, which took the place of the plan that was asked for."
    START_WITH_FREE_PLAN
    """
    The product's customer journey starts with a trial of its plan, which took the place of what was asked for. Customers
    who have had the product's trial get the plan that was asked for.
    """
    START_WITH_TRIAL
    "The customer had one to this product (and resource, where it has several) already: it was left as it is."
    EXISTING_SUBSCRIPTION
    "None was asked for."
    NO_SUBSCRIPTION
  }
`;
