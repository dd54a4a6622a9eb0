/**
 * The operations and answers that programs outside already use, as definitions: more may be served, nothing of this may
 * go away. An `!` stands where an argument has to be given; answers are free to be null or not.
 */
export const operationsInUse = /* GraphQL */ `
  type Query {
    product(refId: String): Product
    products(filter: ProductFilter, paging: CursorPaging, sorting: [CatalogSort]): ProductConnection
    feature(refId: String): Feature
    features(filter: FeatureFilter, paging: CursorPaging, sorting: [FeatureSort]): FeatureConnection
    plan(refId: String): Plan
    plans(filter: PackageFilter, paging: CursorPaging, sorting: [CatalogSort]): PlanConnection
    addon(refId: String): Addon
    addons(filter: PackageFilter, paging: CursorPaging, sorting: [CatalogSort]): AddonConnection
    coupon(refId: String): Coupon
    coupons(filter: CouponFilter, paging: CursorPaging, sorting: [CatalogSort]): CouponConnection
    paywall(input: GetPaywallInput): Paywall
    getCustomerByRefId(input: GetCustomerByRefIdInput!): Customer
    customers(filter: CustomerFilter, paging: CursorPaging, sorting: [CustomerSort]): CustomerConnection
    getSubscription(input: GetSubscriptionInput!): CustomerSubscription
    subscriptions(
      filter: CustomerSubscriptionFilter
      paging: CursorPaging
      sorting: [CustomerSubscriptionSort]
    ): CustomerSubscriptionConnection
    getActiveSubscriptions(input: GetActiveSubscriptionsInput!): [CustomerSubscription]
    estimateSubscription(input: EstimateSubscriptionInput!): SubscriptionPreview
    estimateSubscriptionUpdate(input: EstimateSubscriptionUpdateInput!): SubscriptionPreview
    previewSubscription(input: PreviewSubscriptionInput!): SubscriptionPreview
    usageHistoryV2(input: UsageHistoryV2Input!): UsageHistoryV2
    measurements(filter: ReportedUsageFilter, paging: CursorPaging): ReportedUsageConnection
    entitlement(query: FetchEntitlementQuery!): Entitlement
    entitlements(query: FetchEntitlementsQuery!): [Entitlement]
    entitlementsState(query: FetchEntitlementsQuery!): EntitlementsState
  }

  type Mutation {
    createProduct(input: CreateProductInput!): Product
    updateProduct(input: UpdateProductInput!): Product
    archiveProduct(input: ArchiveProductInput!): Product
    createFeature(input: CreateFeatureInput!): Feature
    updateFeature(input: UpdateFeatureInput!): Feature
    archiveFeature(input: ArchiveFeatureInput!): Feature
    createPlan(input: CreatePlanInput!): Plan
    updatePlan(input: UpdatePlanInput!): Plan
    createAddon(input: CreateAddonInput!): Addon
    setPackageEntitlements(input: SetPackageEntitlementsInput!): Package
    setPackagePricing(input: PackagePricingInput!): Package
    publishPackage(input: PublishPackageInput!): Package
    createCoupon(input: CreateCouponInput!): Coupon
    provisionCustomer(input: ProvisionCustomerInput!): ProvisionCustomerResult
    updateOneCustomer(input: UpdateCustomerInput!): Customer
    archiveCustomer(input: ArchiveCustomerInput!): Customer
    unarchiveCustomer(input: UnarchiveCustomerInput!): Customer
    provisionSubscriptionV2(subscription: ProvisionSubscriptionInput!): CustomerSubscription
    provisionSubscription(input: ProvisionSubscriptionInput!): ProvisionSubscriptionResult
    updateOneSubscription(input: UpdateSubscriptionInput!): CustomerSubscription
    cancelSubscription(input: SubscriptionCancellationInput!): CustomerSubscription
    cancelSubscriptionUpdates(input: CancelSubscriptionUpdatesInput!): CustomerSubscription
    migrateSubscriptionToLatest(input: SubscriptionMigrationInput!): CustomerSubscription
    grantPromotionalEntitlements(input: GrantPromotionalEntitlementsInput!): [PromotionalEntitlement]
    revokePromotionalEntitlement(input: RevokePromotionalEntitlementInput!): PromotionalEntitlement
    reportUsage(input: ReportUsageInput!): UsageMeasurementWithCurrentUsage
    reportUsageBulk(input: ReportUsageBulkInput!): [UsageMeasurementWithCurrentUsage]
    reportEvent(events: UsageEventsReportInput!): Void
  }

  type Subscription {
    usageUpdated(customerId: String!, featureId: String!): UsageUpdate
    entitlementsUpdated(customerId: String!): EntitlementsUpdate
  }
`;

export const answersInUse = /* GraphQL */ `
  type Package {
    id: ID
    refId: String
    versionNumber: Int
    status: PackageStatus
  }
  type Plan {
    id: ID
    refId: String
    displayName: String
    description: String
    additionalMetaData: JSON
    versionNumber: Int
    status: PackageStatus
  }
  type Customer {
    id: ID
    refId: String
    customerId: String
    name: String
    email: String
  }
  type ProvisionCustomerResult {
    customer: Customer
    subscription: CustomerSubscription
    entitlements: [Entitlement]
    subscriptionDecisionStrategy: SubscriptionDecisionStrategy
  }
  type ProvisionSubscriptionResult {
    id: ID
    status: ProvisionSubscriptionStatus
    subscription: CustomerSubscription
    entitlements: [Entitlement]
    checkoutUrl: String
    isScheduled: Boolean
  }
  type CustomerSubscription {
    id: ID
    refId: String
    subscriptionId: String
    status: SubscriptionStatus
    startDate: DateTime
    endDate: DateTime
    trialEndDate: DateTime
    cancellationDate: DateTime
    effectiveEndDate: DateTime
    currentBillingPeriodStart: DateTime
    currentBillingPeriodEnd: DateTime
    additionalMetaData: JSON
    prices: [Price]
    totalPrice: SubscriptionTotalPrice
    pricingType: PricingType
    plan: Plan
    addons: [SubscriptionAddon]
    customer: Customer
    resource: SubscriptionResource
    paymentCollection: PaymentCollection
    latestInvoice: SubscriptionInvoice
    futureUpdates: [SubscriptionFutureUpdate]
  }
  type SubscriptionAddon {
    quantity: Int
    addon: Addon
  }
  type SubscriptionResource {
    resourceId: String
  }
  type SubscriptionInvoice {
    billingId: String
    status: SubscriptionInvoiceStatus
    createdAt: DateTime
    updatedAt: DateTime
    requiresAction: Boolean
    paymentUrl: String
    paymentSecret: String
    errorMessage: String
  }
  type SubscriptionFutureUpdate {
    scheduledExecutionTime: DateTime
    scheduleStatus: SubscriptionScheduleStatus
    subscriptionScheduleType: SubscriptionScheduleType
  }
  type SubscriptionTotalPrice {
    subTotal: Money
    total: Money
  }
  type Money {
    amount: Decimal
    currency: String
  }
  type SubscriptionPreview {
    isPlanDowngrade: Boolean
    billingPeriodRange: BillingPeriodRange
    proration: PreviewProration
    immediateInvoice: PreviewInvoice
    recurringInvoice: PreviewInvoice
  }
  type BillingPeriodRange {
    start: DateTime
    end: DateTime
  }
  type PreviewProration {
    prorationDate: DateTime
    credit: Money
    charge: Money
    net: Money
  }
  type PreviewInvoice {
    subtotal: Money
    discount: Money
    tax: Money
    total: Money
    lineItems: [PreviewInvoiceLineItem]
  }
  type PreviewInvoiceLineItem {
    description: String
    quantity: Int
    unitPrice: Money
    amount: Money
    proration: Boolean
    periodStart: DateTime
    periodEnd: DateTime
  }
  type UsageMeasurementWithCurrentUsage {
    id: ID
    measurementId: ID
    customerId: String
    featureId: String
    resourceId: String
    value: Decimal
    timestamp: DateTime
    currentUsage: Decimal
    usageLimit: Decimal
    usagePeriodStart: DateTime
    usagePeriodEnd: DateTime
    nextResetDate: DateTime
    duplicate: Boolean
  }
  type UsageHistoryV2 {
    totalUsage: Decimal
    periods: [UsageHistoryPeriod]
    series: [UsageHistorySeries]
    markers: [UsageHistoryMarker]
  }
  type UsageHistoryPeriod {
    periodStart: DateTime
    periodEnd: DateTime
    usage: Decimal
  }
  type UsageHistorySeries {
    tags: [UsageHistoryTag]
    points: [UsageHistoryPoint]
  }
  type UsageHistoryTag {
    key: String
    value: String
  }
  type UsageHistoryPoint {
    timestamp: DateTime
    value: Decimal
    isResetPoint: Boolean
  }
  type UsageHistoryMarker {
    timestamp: DateTime
    type: UsageHistoryMarkerType
  }
  type Entitlement {
    isGranted: Boolean
    accessDeniedReason: AccessDeniedReason
    feature: Feature
    usageLimit: Decimal
    hasUnlimitedUsage: Boolean
    hasSoftLimit: Boolean
    currentUsage: Decimal
    requestedUsage: Decimal
    enumValues: [String]
    requestedValues: [String]
    resetPeriod: EntitlementResetPeriod
    resetPeriodConfiguration: ResetPeriodConfiguration
    usagePeriodStart: DateTime
    usagePeriodEnd: DateTime
    usagePeriodAnchor: DateTime
    entitlementUpdatedAt: DateTime
    usageUpdatedAt: DateTime
    validUntil: Float
  }
  type EntitlementsState {
    accessDeniedReason: AccessDeniedReason
    entitlements: [Entitlement]
  }
`;
