export const productTypeDefs = /* GraphQL */ `
  extend type Query {
    "The product with this name; the error PRODUCT_NOT_FOUND when there is none. Archived ones are answered, too."
    product(
      "The product's UUID or refId. Either this or \`refId\` is required."
      id: String
      "The product's refId or UUID."
      refId: String
    ): Product

    "Products, oldest first unless sorted otherwise."
    products(
      "Only products that meet every condition given; without one on the status, none that is archived."
      filter: ProductFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CatalogSort!]
    ): ProductConnection
  }

  extend type Mutation {
    "Creates a product. The error DUPLICATE_ENTITY when the refId is taken; there are at most 1,000 products."
    createProduct(
      "The product."
      input: CreateProductInput!
    ): Product

    "Changes the given fields of a product and leaves the others. What its subscriptions did before stays as it is."
    updateProduct(
      "Which product, and the fields that change."
      input: UpdateProductInput!
    ): Product

    """
    Archives a product: subscriptions stay, but nobody can subscribe to its plans anew, and it is in no list and on
    no paywall. Doing it again changes nothing.
    """
    archiveProduct(
      "Which product."
      input: ArchiveProductInput!
    ): Product
  }

  "What is sold under one name: plans and add-ons, and the rules that their subscriptions follow."
  type Product {
    "The UUID that Tollgate gave."
    id: ID!
    "The caller's own name for the product. It never changes."
    refId: String!
    "The name that people see."
    displayName: String!
    "What the product is."
    description: String
    "Whether a customer may have several subscriptions of the product, one for each resource."
    multipleSubscriptions: Boolean!
    "The customer journey: how subscriptions start, change and end."
    productSettings: ProductSettings!
    "What becomes of counted usage when a customer changes plans."
    usageResetCutoffRule: UsageResetCutoffRule!
    "Whether the product can be subscribed to."
    status: ProductStatus!
    "The caller's own data."
    additionalMetaData: JSON
    "When the product was created."
    createdAt: DateTime!
    "When the product last changed."
    updatedAt: DateTime!
  }

  "Whether a product can be subscribed to."
  enum ProductStatus {
    "It can."
    PUBLISHED
    "It can no more; subscriptions stay."
    ARCHIVED
  }

  "The customer journey of a product. A change of it reaches only what happens later."
  type ProductSettings {
    "How the first subscription of a customer starts."
    subscriptionStartSetup: SubscriptionStartSetup!
    "The refId of the plan that subscriptions start with; null when customers select one."
    subscriptionStartPlanId: String
    "What follows when a subscription ends."
    subscriptionEndSetup: SubscriptionEndSetup!
    "The refId of the plan that ended subscriptions move to; null unless they do."
    downgradePlanId: String
    "When a cancellation takes effect that does not say so itself."
    subscriptionCancellationTime: SubscriptionCancellationTime!
    "Whether downgrades wait for the billing period's end; else they happen at once, with credit."
    downgradeAtEndOfBillingPeriod: Boolean!
    "Whether changes at a billing period's end are prorated."
    prorateAtEndOfBillingPeriod: Boolean!
  }

  "How the first subscription of a customer starts."
  enum SubscriptionStartSetup {
    "With the plan that the customer selects."
    PLAN_SELECTION
    "With a trial of a given plan."
    TRIAL_PERIOD
    "With a given free plan."
    FREE_PLAN
  }

  "What follows when a subscription ends."
  enum SubscriptionEndSetup {
    "A subscription to a given free plan."
    DOWNGRADE_TO_FREE
    "Nothing: access ends."
    CANCEL_SUBSCRIPTION
  }

  "When a cancellation takes effect."
  enum SubscriptionCancellationTime {
    "When the billing period that is paid for ends."
    END_OF_BILLING_PERIOD
    "At once."
    IMMEDIATE
    "On a given date."
    SPECIFIC_DATE
  }

  "What becomes of counted usage when a customer changes plans."
  type UsageResetCutoffRule {
    "The rule."
    behavior: UsageResetCutoffBehavior!
  }

  "What becomes of counted usage when a customer changes plans."
  enum UsageResetCutoffBehavior {
    "It starts from zero."
    ALWAYS_RESET
    "It goes on."
    NEVER_RESET
    "It starts from zero when billing periods are counted from another date then."
    BILLING_PERIOD_CHANGE
  }

  "A product to create."
  input CreateProductInput {
    "The caller's own name: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit."
    refId: String!
    "The name that people see, 1 to 255 characters."
    displayName: String!
    "What the product is, at most 4,000 characters."
    description: String
    "Whether a customer may have several subscriptions of the product, one for each resource. Not when absent."
    multipleSubscriptions: Boolean
    "The customer journey. It may name plans that are yet to be created."
    productSettings: ProductSettingsInput
    "What becomes of counted usage when a customer changes plans. ALWAYS_RESET when absent."
    usageResetCutoffRule: UsageResetCutoffRuleInput
    "The caller's own data: an object, at most 16 KiB of JSON."
    additionalMetaData: JSON
  }

  "Fields of a product to change. An absent field stays as it is; null clears it, or brings back its default."
  input UpdateProductInput {
    "The product's refId or UUID."
    refId: String!
    "The name that people see, 1 to 255 characters. It cannot be cleared."
    displayName: String
    "What the product is, at most 4,000 characters."
    description: String
    "Whether a customer may have several subscriptions of the product, one for each resource."
    multipleSubscriptions: Boolean
    "The settings to change; those that are absent stay as they are."
    productSettings: ProductSettingsInput
    "What becomes of counted usage when a customer changes plans."
    usageResetCutoffRule: UsageResetCutoffRuleInput
    "The caller's own data: an object, at most 16 KiB of JSON. It replaces what was there."
    additionalMetaData: JSON
  }

  "Names the product to archive."
  input ArchiveProductInput {
    "The product's refId or UUID."
    refId: String!
  }

  "The customer journey of a product."
  input ProductSettingsInput {
    "How the first subscription of a customer starts. PLAN_SELECTION unless said otherwise."
    subscriptionStartSetup: SubscriptionStartSetup
    "The refId of the plan that subscriptions start with; required unless customers select one."
    subscriptionStartPlanId: String
    "What follows when a subscription ends. CANCEL_SUBSCRIPTION unless said otherwise."
    subscriptionEndSetup: SubscriptionEndSetup
    "The refId of the free plan that ended subscriptions move to; required with DOWNGRADE_TO_FREE."
    downgradePlanId: String
    "When a cancellation takes effect that does not say so itself. IMMEDIATE unless said otherwise."
    subscriptionCancellationTime: SubscriptionCancellationTime
    "Whether downgrades wait for the billing period's end. Not unless said so."
    downgradeAtEndOfBillingPeriod: Boolean
    "Whether changes at a billing period's end are prorated. Not unless said so."
    prorateAtEndOfBillingPeriod: Boolean
  }

  "What becomes of counted usage when a customer changes plans."
  input UsageResetCutoffRuleInput {
    "The rule."
    behavior: UsageResetCutoffBehavior!
  }

  "Conditions on products, all of which must hold."
  input ProductFilter {
    "On the status."
    status: ProductStatusFilter
    "On when the product was created."
    createdAt: DateTimeFilter
  }

  "A condition on a product's status."
  input ProductStatusFilter {
    "This status."
    eq: ProductStatus
  }

  "An order of what the catalog holds."
  input CatalogSort {
    "What to sort by; equal ones are sorted by refId."
    field: CatalogSortField!
    "The direction."
    direction: SortDirection!
  }

  "What the catalog can be sorted by."
  enum CatalogSortField {
    "When it was created."
    createdAt
  }

  "A page of products."
  type ProductConnection {
    "The products of this page, with their cursors."
    edges: [ProductEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many products meet the filter, on all pages."
    totalCount: Int!
  }

  "A product and its place in the list."
  type ProductEdge {
    "The place in the list; stays valid."
    cursor: String!
    "The product."
    node: Product!
  }
`;
