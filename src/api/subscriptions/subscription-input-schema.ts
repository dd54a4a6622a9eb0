import { termsInputFields } from './subscription-terms-schema.ts';

/** What a subscription can be asked for with, also in a preview of it. */
export const provisionInputFields = /* GraphQL */ `
    "The customer's refId."
    customerId: String!
    "The plan's refId or UUID; it has to be published."
    planId: String!
    """
    The refId: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit. One is made when
    absent: \`subscription-\`, the plan's refId and six hexadecimal digits.
    """
    subscriptionId: String
    "How often it is billed. Required for a paid plan that has prices for both periods; MONTHLY for a free one."
    billingPeriod: BillingPeriod
    "The add-ons, at most 100. Each has to be compatible with the plan."
    addons: [SubscriptionAddonInput!]
    "Units of the features that the plan charges by the unit; the least units where not given."
    billableFeatures: [BillableFeatureInput!]
    "The units, where the plan has one charge by the unit."
    unitQuantity: Int
    "What the subscription is for, where a customer has several to one product: 1 to 255 characters, as in \`subscriptionId\`."
    resourceId: String
    "The country whose prices hold, ISO 3166-1 alpha-2 in capitals; the prices of no country where it has none of its own."
    billingCountryCode: String
    """
    When it starts; now when absent. One in the past counts billing periods from there. One that lies ahead takes the
    newest versions of the plan and add-ons of that day.
    """
    startDate: DateTime
    "Starts without the plan's trial."
    skipTrial: Boolean = false
    "Grants a trial, or denies it, whatever the plan says and the customer has had."
    trialOverrideConfiguration: TrialOverrideConfigurationInput
    """
    When it takes the place of a paid subscription, where \`startDate\` is absent. Without it at once, but for a
    downgrade under a customer journey that lets those wait. A trial does not wait.
    """
    scheduleStrategy: ScheduleStrategy
    "Whether it goes on with the billing periods of the paid subscription that it takes the place of."
    billingCycleAnchor: BillingCycleAnchor = UNCHANGED
    "When it is to end."
    cancellationDate: DateTime
    "The caller's own data: a JSON object of at most 16 KiB."
    additionalMetaData: JSON
  ${termsInputFields}`;

/** What can be changed of a subscription, also in an estimate of it. */
export const updateInputFields = /* GraphQL */ `
    "The subscription's refId or UUID."
    subscriptionId: String!
    "Another billing period, which starts anew."
    billingPeriod: BillingPeriod
    "All add-ons from now on, at most 100: one that is not listed goes. New ones come in their newest version."
    addons: [SubscriptionAddonInput!]
    "Units of the features that change."
    billableFeatures: [BillableFeatureInput!]
    "The units, where the plan has one charge by the unit."
    unitQuantity: Int
    "Another end of the trial. A later one takes a scheduled cancellation back."
    trialEndDate: DateTime
    "When it is to end; null takes a scheduled cancellation back."
    cancellationDate: DateTime
    """
    When fewer units or add-ons, or a shorter billing period, take effect; as the product's customer journey says when
    absent. Trials, and plans that are not paid, are changed at once.
    """
    scheduleStrategy: ScheduleStrategy
    "The caller's own data: a JSON object of at most 16 KiB that replaces what was there; null clears it."
    additionalMetaData: JSON
  ${termsInputFields}`;

export const subscriptionInputTypeDefs = /* GraphQL */ `
  "Names one subscription."
  input GetSubscriptionInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
  }

  "Whose subscriptions."
  input GetActiveSubscriptionsInput {
    "The customer's refId."
    customerId: String!
    "Only those for this resource; without it, only those of the customer as a whole."
    resourceId: String
  }

  "A subscription to provision."
  input ProvisionSubscriptionInput {${provisionInputFields}}

  "An add-on, and how many of it."
  input SubscriptionAddonInput {
    "The add-on's refId or UUID; it has to be published."
    addonId: String!
    "How many, at least 1."
    quantity: Int! = 1
  }

  "Units of a feature."
  input BillableFeatureInput {
    "The feature's refId."
    featureId: String!
    "How many units, at least 0."
    quantity: Int!
  }

  "Whether a subscription starts with a trial."
  input TrialOverrideConfigurationInput {
    "True for a trial, false for none."
    isTrial: Boolean!
    "When the trial ends; as the plan says when absent."
    trialEndDate: DateTime
    "What happens then; as the plan says when absent, else CONVERT_TO_PAID."
    trialEndBehavior: TrialEndBehavior
  }

  "When a change takes effect."
  enum ScheduleStrategy {
    "At once."
    IMMEDIATE
    "At the end of the billing period."
    END_OF_BILLING_PERIOD
    "At the next monthly return of the day that billing periods are counted from."
    END_OF_BILLING_MONTH
  }

  "Where billing periods are counted from."
  enum BillingCycleAnchor {
    "From where they are counted already."
    UNCHANGED
    "From the start of the new subscription."
    NOW
  }

  "Changes of a subscription. Null means as much as absent, but where it is said."
  input UpdateSubscriptionInput {${updateInputFields}}

  "A subscription to end."
  input SubscriptionCancellationInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
    "When it ends; as the product's customer journey says when absent. At the end of its period a trial ends with the trial."
    subscriptionCancellationTime: SubscriptionCancellationTime
    "The date, for SPECIFIC_DATE. One behind a trial's end makes the trial last until then."
    endDate: DateTime
    "What follows the end."
    subscriptionCancellationAction: SubscriptionCancellationAction = DEFAULT
    "Whether unused time is to be credited; kept with the cancellation for billing. As the journey says when absent."
    prorate: Boolean
  }

  "What follows a cancellation."
  enum SubscriptionCancellationAction {
    "As the product's customer journey says: nothing, or its free plan."
    DEFAULT
    "Nothing: access ends."
    REVOKE_ENTITLEMENTS
  }

  "A subscription to move to the latest versions."
  input SubscriptionMigrationInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
    "When. Trials, and what has no billing period or has not started, move at once."
    subscriptionMigrationTime: SubscriptionMigrationTime = IMMEDIATE
  }

  "When a subscription moves to the latest versions."
  enum SubscriptionMigrationTime {
    "At once. What is charged in advance is charged and credited by the second until the billing period ends."
    IMMEDIATE
    "At the end of the billing period, to the versions that are the latest then."
    END_OF_BILLING_PERIOD
  }

  "A subscription to move to another resource."
  input TransferSubscriptionToResourceInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
    "The resource that it is for from now on: 1 to 255 characters, as in \`subscriptionId\`."
    destinationResourceId: String!
  }

  "Names the subscription whose updates are taken back."
  input CancelSubscriptionUpdatesInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
  }

  "Names the subscription whose newest invoice was paid."
  input MarkInvoicePaidInput {
    "The subscription's refId or UUID."
    subscriptionId: String!
  }

  "Conditions on subscriptions, all of which must hold."
  input CustomerSubscriptionFilter {
    "On the refId."
    subscriptionId: StringFilter
    "On the customer's refId."
    customerId: StringFilter
    "On the plan's refId."
    planId: StringFilter
    "On the product's refId."
    productId: StringFilter
    "On the resource."
    resourceId: StringFilter
    "On the status."
    status: SubscriptionStatusFilter
    "On whether the plan costs something."
    pricingType: PricingTypeFilter
    "On when it was provisioned."
    createdAt: DateTimeFilter
  }

  "A condition on a status."
  input SubscriptionStatusFilter {
    "Equal to this."
    eq: SubscriptionStatus
  }

  "A condition on whether a plan costs something."
  input PricingTypeFilter {
    "Equal to this."
    eq: PricingType
  }

  "An order of subscriptions."
  input CustomerSubscriptionSort {
    "What to sort by; equal ones are sorted by refId."
    field: CustomerSubscriptionSortField!
    "The direction."
    direction: SortDirection!
  }

  "What subscriptions can be sorted by."
  enum CustomerSubscriptionSortField {
    "When they were provisioned."
    createdAt
  }
`;
