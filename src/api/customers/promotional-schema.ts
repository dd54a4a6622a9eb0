export const promotionalTypeDefs = /* GraphQL */ `
  extend type Mutation {
    """
    Grants a customer features beside what is bought, with every subscription and with none. A grant takes the place
    of the one that the customer has of the same feature. All of them are granted or, with an error, none:
    CUSTOMER_NOT_FOUND, FEATURE_NOT_FOUND, or VALIDATION_ERROR where a value does not go with the feature.
    """
    grantPromotionalEntitlements(
      "To whom, and what."
      input: GrantPromotionalEntitlementsInput!
    ): [PromotionalEntitlement!]

    """
    Takes a promotional entitlement away, and answers it as it ended. The error VALIDATION_ERROR when the customer has
    none to that feature.
    """
    revokePromotionalEntitlement(
      "From whom, and which."
      input: RevokePromotionalEntitlementInput!
    ): PromotionalEntitlement
  }

  "A feature that is granted to a customer beside what is bought."
  type PromotionalEntitlement {
    "The UUID that Tollgate gave."
    id: ID!
    "The customer's refId."
    customerId: String!
    "The feature's refId."
    featureId: String!
    "The feature."
    feature: Feature
    "What it is granted for."
    description: String
    "How much may be used; null for features that have no number, and for unlimited ones."
    usageLimit: Decimal
    "Whether it may be used without a limit."
    hasUnlimitedUsage: Boolean!
    "Whether usage beyond the limit is granted, too."
    hasSoftLimit: Boolean!
    "The values that are granted of an ENUM feature."
    enumValues: [String!]
    "Whether it is to be shown to the customer; it holds in either case."
    isVisible: Boolean!
    "When usage starts from zero again; null for never."
    resetPeriod: EntitlementResetPeriod
    "From when reset periods are counted; null without one, and for days and hours of the calendar in UTC."
    resetPeriodConfiguration: ResetPeriodConfiguration
    "For how long it was granted."
    period: PromotionalEntitlementPeriod!
    "Whether it holds now."
    status: PromotionalEntitlementStatus!
    "From when on it holds."
    startDate: DateTime!
    "When it ends; null for a lifetime."
    endDate: DateTime
    "When it was granted."
    createdAt: DateTime!
    "When it last changed."
    updatedAt: DateTime!
  }

  "Whether a promotional entitlement holds."
  enum PromotionalEntitlementStatus {
    "It does."
    Active
    "It did, until its end."
    Expired
  }

  "How long a promotional entitlement holds, from its granting on. A month ends on the same day, or a short month's last."
  enum PromotionalEntitlementPeriod {
    "1 week."
    ONE_WEEK
    "1 month."
    ONE_MONTH
    "6 months."
    SIX_MONTH
    "1 year."
    ONE_YEAR
    "For ever."
    LIFETIME
    "Until the customEndDate."
    CUSTOM
  }

  "Features to grant to a customer."
  input GrantPromotionalEntitlementsInput {
    "The customer's refId."
    customerId: String!
    "What is granted, one for each feature. A customer has at most 200, those that have ended not counted."
    promotionalEntitlements: [PromotionalEntitlementInput!]!
  }

  "What is granted of one feature."
  input PromotionalEntitlementInput {
    "The feature's refId or UUID."
    featureId: String!
    "What it is granted for, at most 4,000 characters."
    description: String
    "How much may be used, 0 or above; NUMBER features only."
    usageLimit: Decimal
    "Whether it may be used without a limit; NUMBER features only. So it is when neither this nor a limit is given."
    hasUnlimitedUsage: Boolean
    "Whether usage beyond the limit is granted, too; metered features only. Not when absent."
    hasSoftLimit: Boolean
    "The values that are granted, some of the feature's; required for ENUM features, for no other type."
    enumValues: [String!]
    "Whether it is to be shown to the customer. It is when absent."
    isVisible: Boolean
    "When usage starts from zero again; metered features only. Never when absent."
    resetPeriod: EntitlementResetPeriod
    """
    From when reset periods are counted. When absent: from the subscription's start, but for days and hours by the
    calendar in UTC.
    """
    resetPeriodConfiguration: ResetPeriodConfigurationInput
    "For how long. When absent: CUSTOM with a customEndDate, else LIFETIME."
    period: PromotionalEntitlementPeriod
    "The end, which lies ahead; for the period CUSTOM only, and required there."
    customEndDate: DateTime
  }

  "A promotional entitlement to take away."
  input RevokePromotionalEntitlementInput {
    "The customer's refId."
    customerId: String!
    "The feature's refId or UUID."
    featureId: String!
  }
`;
