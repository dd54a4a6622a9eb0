export const entitlementTypeDefs = /* GraphQL */ `
  extend type Query {
    """
    Whether a customer may use a feature now. A refusal is an answer, not an error: isGranted is false then, and
    accessDeniedReason says why, also for a customer or a feature that there is not.
    """
    entitlement(
      "Which customer and feature, and what is asked for."
      query: FetchEntitlementQuery!
    ): Entitlement

    "Every feature that a customer is entitled to, by refId; empty where there can be none."
    entitlements(
      "Which customer."
      query: FetchEntitlementsQuery!
    ): [Entitlement!]

    "As \`entitlements\`, and why there are none."
    entitlementsState(
      "Which customer."
      query: FetchEntitlementsQuery!
    ): EntitlementsState
  }

  "Asks whether a customer may use a feature."
  input FetchEntitlementQuery {
    "The customer's refId."
    customerId: String!
    "The feature's refId or id."
    featureId: String!
    """
    The resource that is to use it: what is granted to it and to the customer as a whole counts. Without it only the
    latter.
    """
    resourceId: String
    "How much is to be used, 0 or above; 1 of a metered feature when absent. For NUMBER features only."
    requestedUsage: Decimal
    "The values that are to be used, all of them. For ENUM features only."
    requestedValues: [String!]
    "The same two again, for callers that send them so; those beside it go first."
    options: FetchEntitlementOptions
  }

  "What is asked for of a feature."
  input FetchEntitlementOptions {
    "How much is to be used, 0 or above."
    requestedUsage: Decimal
    "The values that are to be used."
    requestedValues: [String!]
  }

  "Asks what a customer may use."
  input FetchEntitlementsQuery {
    "The customer's refId."
    customerId: String!
    "The resource that is to use it, see \`FetchEntitlementQuery\`."
    resourceId: String
  }

  "What a customer may use, or why nothing."
  type EntitlementsState {
    "Why there can be no entitlement; null where there can be."
    accessDeniedReason: AccessDeniedReason
    "Every feature that the customer is entitled to, by refId."
    entitlements: [Entitlement!]!
  }

  """
  What a customer may use of a feature: the best of all subscriptions, with the plans that theirs inherit from, their
  add-ons and committed units, of trials and of promotional entitlements. The greatest limit holds, with its reset
  period; the values of all are there.
  """
  type Entitlement {
    "Whether the customer may use what was asked for now."
    isGranted: Boolean!
    "Why not; null where it is granted."
    accessDeniedReason: AccessDeniedReason
    "The feature; null where there is none of that name."
    feature: Feature
    "How much may be used; null for unlimited ones, for features that have no number, and where nothing is granted."
    usageLimit: Decimal
    "Whether it may be used without a limit."
    hasUnlimitedUsage: Boolean!
    "Whether usage beyond the limit is granted, too."
    hasSoftLimit: Boolean
    """
    What has been used in the current period, or ever where usage is never reset; in the limit's units. It includes
    every measurement that was acknowledged. Null for features that are not metered, and where nothing is granted.
    """
    currentUsage: Decimal
    "What active reservations add to currentUsage where the limit is looked at; null where that is null."
    reservedUsage: Decimal
    "How much was asked for."
    requestedUsage: Decimal
    "The values that are granted of an ENUM feature."
    enumValues: [String!]
    "The values that were asked for."
    requestedValues: [String!]
    "When usage starts from zero again; null for never."
    resetPeriod: EntitlementResetPeriod
    "From when reset periods are counted; null without one, and for days and hours of the calendar in UTC."
    resetPeriodConfiguration: ResetPeriodConfiguration
    "When the current period began, or when usage began to count in it; null where usage is never reset."
    usagePeriodStart: DateTime
    "When the current period ends, exclusive; null where usage is never reset."
    usagePeriodEnd: DateTime
    "From when reset periods are counted; null where usage is never reset."
    usagePeriodAnchor: DateTime
    "When what is granted last changed; null where nothing is."
    entitlementUpdatedAt: DateTime
    "Everything acknowledged up to then is in currentUsage; null without one."
    usageUpdatedAt: DateTime
    """
    When this has to be asked for anew, in epoch milliseconds, unless something changes before: the end of the usage
    period, of a trial, of a subscription or of a promotional entitlement, or a change that is scheduled. Null for
    never.
    """
    validUntil: Float
  }

  extend type ProvisionSubscriptionResult {
    "What the customer may use from now on, by way of this and everything else."
    entitlements: [Entitlement!]!
  }

  "Why something is not granted."
  enum AccessDeniedReason {
    "There is no such feature."
    FeatureNotFound
    "There is no such customer."
    CustomerNotFound
    "The customer is archived."
    CustomerIsArchived
    "The customer has never had a subscription for this resource."
    CustomerResourceNotFound
    "No subscription of the customer gives access now."
    NoActiveSubscription
    "Nothing that the customer has says anything of the feature."
    NoFeatureEntitlementInSubscription
    "Current, reserved and requested usage together pass the limit."
    RequestedUsageExceedingLimit
    "A value that was asked for is not granted."
    RequestedValuesMismatch
    "What the metered usage costs has reached the subscription's budget."
    BudgetExceeded
    "Usage was asked for of a feature without a number, or values of one that has none."
    FeatureTypeMismatch
    "The feature is archived, or what the customer has takes it away."
    Revoked
    "Kept for programs that know it; not answered, since there are no credits."
    InsufficientCredits
    "Kept for programs that know it; not answered, since every refusal has a reason of its own."
    EntitlementNotFound
    "Kept for programs that know it; not answered, since every refusal has a reason of its own."
    Unknown
  }
`;
