/** The input fields that programs outside already use; an `!` stands where one has to be given. */
const catalogInputs = /* GraphQL */ `
  input CreateProductInput {
    refId: String!
    displayName: String!
    description: String
    multipleSubscriptions: Boolean
    productSettings: ProductSettingsInput
    usageResetCutoffRule: UsageResetCutoffRuleInput
    additionalMetaData: JSON
  }
  input CreateFeatureInput {
    refId: String!
    displayName: String!
    description: String
    featureType: FeatureType!
    meterType: MeterType
    featureUnits: String
    featureUnitsPlural: String
    enumConfiguration: [FeatureEnumValueInput]
    unitTransformation: UnitTransformationInput
    meter: MeterInput
    additionalMetaData: JSON
  }
  input MeterInput {
    aggregation: MeterAggregationInput!
    filters: [MeterFilterInput]
  }
  input MeterAggregationInput {
    function: AggregationFunction!
    field: String
  }
  input MeterFilterInput {
    conditions: [MeterConditionInput]!
  }
  input MeterConditionInput {
    field: String!
    operation: FilterOperation!
    value: String
    values: [String]
  }
  input CreatePlanInput {
    refId: String!
    displayName: String!
    productId: String!
    description: String
    parentPlanId: String
    defaultTrialConfig: DefaultTrialConfigInput
    compatibleAddonIds: [String]
    additionalMetaData: JSON
  }
  input DefaultTrialConfigInput {
    duration: Int!
    units: TrialPeriodUnits!
    trialEndBehavior: TrialEndBehavior
  }
  input UpdatePlanInput {
    refId: String!
    displayName: String
    description: String
    parentPlanId: String
    defaultTrialConfig: DefaultTrialConfigInput
    compatibleAddonIds: [String]
    additionalMetaData: JSON
  }
  input CreateAddonInput {
    refId: String!
    displayName: String!
    productId: String!
    description: String
    maxQuantity: Int
    dependencies: [String]
    additionalMetaData: JSON
  }
  input SetPackageEntitlementsInput {
    packageId: String!
    entitlements: [PackageEntitlementInput]!
  }
  input PackageEntitlementInput {
    featureId: String!
    isGranted: Boolean
    usageLimit: Decimal
    hasUnlimitedUsage: Boolean
    hasSoftLimit: Boolean
    enumValues: [String]
    resetPeriod: EntitlementResetPeriod
    resetPeriodConfiguration: ResetPeriodConfigurationInput
    behavior: EntitlementBehavior
  }
  input ResetPeriodConfigurationInput {
    accordingTo: ResetPeriodAnchor!
  }
  input PackagePricingInput {
    packageId: String!
    pricingType: PricingType!
    prices: [PriceInput]
  }
  input PriceInput {
    billingModel: BillingModel!
    billingPeriod: BillingPeriod!
    price: MoneyInput
    featureId: String
    blockSize: Decimal
    tiers: [PriceTierInput]
    tiersMode: TiersMode
    billingCountryCode: String
    minUnitQuantity: Int
    maxUnitQuantity: Int
  }
  input MoneyInput {
    amount: Decimal!
    currency: String
  }
  input PriceTierInput {
    upTo: Decimal
    unitPrice: MoneyInput
    flatPrice: MoneyInput
  }
  input PublishPackageInput {
    packageId: String!
    migrationType: PublishMigrationType
  }
`;

const customerInputs = /* GraphQL */ `
  input ProvisionCustomerInput {
    customerId: String
    name: String
    email: String
    couponId: String
    additionalMetaData: JSON
    billingInformation: BillingInformationInput
    subscriptionParams: SubscriptionParamsInput
  }
  input UpdateCustomerInput {
    customerId: String
    refId: String
    name: String
    email: String
    billingInformation: BillingInformationInput
  }
  input GetCustomerByRefIdInput {
    customerId: String
  }
  input ArchiveCustomerInput {
    customerId: String
    cancelSubscriptions: Boolean
  }
  input UnarchiveCustomerInput {
    customerId: String
  }
  input BillingInformationInput {
    billingAddress: BillingAddressInput
    shippingAddress: BillingAddressInput
    taxIds: [TaxIdInput]
    paymentMethodId: String
    currency: String
    metadata: JSON
  }
  input BillingAddressInput {
    country: String
    city: String
    state: String
    addressLine1: String
    addressLine2: String
    postalCode: String
    phoneNumber: String
  }
  input TaxIdInput {
    type: String!
    value: String!
  }
  input CursorPaging {
    first: Int
    after: String
    last: Int
    before: String
  }
`;

const subscriptionInputs = /* GraphQL */ `
  input ProvisionSubscriptionInput {
    customerId: String!
    planId: String!
    subscriptionId: String
    billingPeriod: BillingPeriod
    billingCountryCode: String
    addons: [SubscriptionAddonInput]
    billableFeatures: [BillableFeatureInput]
    unitQuantity: Int
    additionalMetaData: JSON
    resourceId: String
    startDate: DateTime
    skipTrial: Boolean
    trialOverrideConfiguration: TrialOverrideConfigurationInput
  }
  input SubscriptionAddonInput {
    addonId: String!
    quantity: Int
  }
  input BillableFeatureInput {
    featureId: String!
    quantity: Int!
  }
  input TrialOverrideConfigurationInput {
    isTrial: Boolean!
    trialEndDate: DateTime
    trialEndBehavior: TrialEndBehavior
  }
  input GetSubscriptionInput {
    subscriptionId: String!
  }
  input UpdateSubscriptionInput {
    subscriptionId: String!
    billingPeriod: BillingPeriod
    addons: [SubscriptionAddonInput]
    billableFeatures: [BillableFeatureInput]
    unitQuantity: Int
    trialEndDate: DateTime
    additionalMetaData: JSON
  }
  input SubscriptionCancellationInput {
    subscriptionId: String!
    subscriptionCancellationTime: SubscriptionCancellationTime
    endDate: DateTime
    subscriptionCancellationAction: SubscriptionCancellationAction
    prorate: Boolean
  }
  input SubscriptionMigrationInput {
    subscriptionId: String!
    subscriptionMigrationTime: SubscriptionMigrationTime
  }
  input GetActiveSubscriptionsInput {
    customerId: String!
    resourceId: String
  }
  input FetchEntitlementQuery {
    customerId: String!
    featureId: String!
    resourceId: String
    requestedUsage: Decimal
    requestedValues: [String]
  }
`;

const usageInputs = /* GraphQL */ `
  input ReportUsageInput {
    customerId: String!
    featureId: String!
    value: Decimal!
    updateBehavior: UsageUpdateBehavior
    resourceId: String
    createdAt: DateTime
    dimensions: JSON
    idempotencyKey: String
    rejectIfExceeded: Boolean
  }
  input ReportUsageBulkInput {
    usages: [ReportUsageInput]!
  }
  input UsageEventsReportInput {
    events: [UsageEventReportInput]!
  }
  input UsageEventReportInput {
    customerId: String!
    eventName: String!
    idempotencyKey: String!
    resourceId: String
    timestamp: DateTime
    dimensions: JSON
  }
  input UsageHistoryV2Input {
    customerId: String!
    featureId: String!
    resourceId: String
    startDate: DateTime!
    endDate: DateTime
    groupBy: String
    interval: UsageInterval
    timezone: String
  }
  input ReportedUsageFilter {
    customerId: String
    featureId: String
    eventName: String
    from: DateTime
    to: DateTime
  }
`;

export const inputsInUse = catalogInputs + customerInputs + subscriptionInputs + usageInputs;
