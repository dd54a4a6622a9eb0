export const updateTypeDefs = /* GraphQL */ `
  extend type Subscription {
    """
    Usage of a feature, each time that it changed: by reported usage, raw events, a correction, or a period that began;
    and each time that other reservations count beside it. The errors CUSTOMER_NOT_FOUND and FEATURE_NOT_FOUND when
    there are none. Ends when the customer is archived.
    """
    usageUpdated(
      "The customer's refId."
      customerId: String!
      "The feature's refId or id; one that is metered."
      featureId: String!
      "Only this resource; all of the customer's usage when absent."
      resourceId: String
    ): UsageUpdate!

    """
    What a customer may use, each time that it changed: by a subscription, a promotional entitlement, the catalog, time,
    or a limit that usage or reservations have reached. They alone do not count. The error CUSTOMER_NOT_FOUND when there
    is no such customer. Ends when the customer is archived.
    """
    entitlementsUpdated(
      "The customer's refId."
      customerId: String!
      "The resource, see \`FetchEntitlementQuery\`."
      resourceId: String
    ): EntitlementsUpdate!
  }

  "Usage of a feature after it changed."
  type UsageUpdate {
    "The customer's refId."
    customerId: String!
    "The feature's refId."
    featureId: String!
    "The resource that was asked for."
    resourceId: String
    "Usage in the current period, or over all time where no entitlement sets a period."
    currentUsage: Decimal!
    "What the customer may still use of the feature."
    entitlement: Entitlement!
  }

  "What a customer may use after it changed."
  type EntitlementsUpdate {
    "The customer's refId."
    customerId: String!
    "The resource that was asked for."
    resourceId: String
    "Why there are no entitlements; null when there are."
    accessDeniedReason: AccessDeniedReason
    "Every feature that the customer is entitled to, by refId."
    entitlements: [Entitlement!]!
  }
`;
