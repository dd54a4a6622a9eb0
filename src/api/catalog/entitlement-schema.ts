export const packageEntitlementTypeDefs = /* GraphQL */ `
  "What a package grants of one feature."
  type PackageEntitlement {
    "The UUID that Tollgate gave."
    id: ID!
    "The feature's refId."
    featureId: String!
    "The feature."
    feature: Feature
    "False where the package takes the feature away."
    isGranted: Boolean!
    "How much may be used; null for features that have no number, and for unlimited ones."
    usageLimit: Decimal
    "Whether it may be used without a limit."
    hasUnlimitedUsage: Boolean!
    "Whether usage beyond the limit is granted, too."
    hasSoftLimit: Boolean!
    "The values that are granted of an ENUM feature."
    enumValues: [String!]
    "When usage starts from zero again; null for never."
    resetPeriod: EntitlementResetPeriod
    "From when reset periods are counted; null without one, and for days and hours of the calendar in UTC."
    resetPeriodConfiguration: ResetPeriodConfiguration
    "Whether an add-on's value adds to the plan's or takes its place."
    behavior: EntitlementBehavior!
    "The percentages of the limit that are told by webhook when usage reaches them, ascending."
    usageThresholds: [Int!]!
  }

  "When usage starts from zero again."
  enum EntitlementResetPeriod {
    "Every year."
    YEAR
    "Every month."
    MONTH
    "Every week."
    WEEK
    "Every day."
    DAY
    "Every hour."
    HOUR
  }

  "From when reset periods are counted."
  type ResetPeriodConfiguration {
    "From when."
    accordingTo: ResetPeriodAnchor!
  }

  "From when reset periods are counted. Days of the calendar begin at midnight UTC."
  enum ResetPeriodAnchor {
    "From the subscription's start; for every period."
    SubscriptionStart
    "From the first day of the month; for MONTH only."
    StartOfTheMonth
    "From Sunday; for WEEK only."
    EverySunday
    "From Monday; for WEEK only."
    EveryMonday
    "From Tuesday; for WEEK only."
    EveryTuesday
    "From Wednesday; for WEEK only."
    EveryWednesday
    "From Thursday; for WEEK only."
    EveryThursday
    "From Friday; for WEEK only."
    EveryFriday
    "From Saturday; for WEEK only."
    EverySaturday
  }

  "How an add-on's value goes together with the plan's."
  enum EntitlementBehavior {
    "It adds to it, once for each of the add-on."
    Increment
    "It takes its place."
    Override
  }

  "What a package grants; it replaces the draft's list."
  input SetPackageEntitlementsInput {
    "The plan's or add-on's refId or UUID."
    packageId: String!
    "What is granted, at most 400; one for each feature."
    entitlements: [PackageEntitlementInput!]!
  }

  "What a package grants of one feature."
  input PackageEntitlementInput {
    "The feature's refId or UUID."
    featureId: String!
    "False takes the feature away. Granted when absent."
    isGranted: Boolean
    "How much may be used, 0 or above; NUMBER features only."
    usageLimit: Decimal
    "Whether it may be used without a limit; NUMBER features only. So it is when neither this nor a limit is given."
    hasUnlimitedUsage: Boolean
    "Whether usage beyond the limit is granted, too; metered features only. Not when absent."
    hasSoftLimit: Boolean
    "The values that are granted, some of the feature's; required for ENUM features, for no other type."
    enumValues: [String!]
    "When usage starts from zero again; metered features only. Never when absent."
    resetPeriod: EntitlementResetPeriod
    """
    From when reset periods are counted. When absent: from the subscription's start, but for days and hours by the
    calendar in UTC.
    """
    resetPeriodConfiguration: ResetPeriodConfigurationInput
    "Whether an add-on's value adds to the plan's or takes its place. Increment when absent."
    behavior: EntitlementBehavior
    """
    The percentages of the limit that are told by the webhook entitlement.usage_exceeded when usage reaches them: at most
    10, each from 1 to 1,000; metered features only. They hold for the limit that the customer has in the end, together
    with those of everything else that grants the feature. An add-on that overrides takes the place of the plan's.
    """
    usageThresholds: [Int!]
  }

  "From when reset periods are counted."
  input ResetPeriodConfigurationInput {
    "From when; what goes with which period is said at each value."
    accordingTo: ResetPeriodAnchor!
  }
`;
