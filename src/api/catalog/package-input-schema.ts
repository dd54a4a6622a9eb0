/** What is sent about plans and add-ons, and their lists. */
export const packageInputTypeDefs = /* GraphQL */ `
  "Which plans a paywall shows, and for whom."
  input GetPaywallInput {
    "The refId or UUID of a product: only its plans. The error PRODUCT_NOT_FOUND when there is none."
    productId: String
    "A country, ISO 3166-1 alpha-2: only the prices that hold there."
    billingCountryCode: String
  }

  "A plan to create."
  input CreatePlanInput {
    "The caller's own name: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit."
    refId: String!
    "The name that people see, 1 to 255 characters."
    displayName: String!
    "The refId or UUID of its product; it never changes."
    productId: String!
    "What the plan is, at most 4,000 characters."
    description: String
    "The refId or UUID of the plan of the same product whose entitlements it has, too."
    parentPlanId: String
    "The trial that subscriptions start with."
    defaultTrialConfig: DefaultTrialConfigInput
    "The refIds or UUIDs of the add-ons of the same product that go with it, at most 200."
    compatibleAddonIds: [String!]
    "The caller's own data: an object, at most 16 KiB of JSON."
    additionalMetaData: JSON
  }

  "Fields of a plan to change. An absent field stays as it is; null clears it."
  input UpdatePlanInput {
    "The plan's refId or UUID."
    refId: String!
    "The name that people see, 1 to 255 characters. It cannot be cleared."
    displayName: String
    "What the plan is, at most 4,000 characters."
    description: String
    "The refId or UUID of the plan of the same product whose entitlements it has, too. Not itself, not through others either."
    parentPlanId: String
    "The trial that subscriptions start with."
    defaultTrialConfig: DefaultTrialConfigInput
    "The refIds or UUIDs of the add-ons of the same product that go with it, at most 200. They replace those before."
    compatibleAddonIds: [String!]
    "The caller's own data: an object, at most 16 KiB of JSON. It replaces what was there."
    additionalMetaData: JSON
  }

  "Names the plan to archive."
  input ArchivePlanInput {
    "The plan's refId or UUID."
    refId: String!
  }

  "The trial that subscriptions to a plan start with."
  input DefaultTrialConfigInput {
    "How long it takes: 1 to 3,650 days, or 1 to 120 months."
    duration: Int!
    "What the duration is counted in."
    units: TrialPeriodUnits!
    "What becomes of the subscription when the trial ends."
    trialEndBehavior: TrialEndBehavior! = CONVERT_TO_PAID
  }

  "An add-on to create."
  input CreateAddonInput {
    "The caller's own name: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\` and \`-\`, the first one a letter or digit."
    refId: String!
    "The name that people see, 1 to 255 characters."
    displayName: String!
    "The refId or UUID of its product; it never changes."
    productId: String!
    "What the add-on is, at most 4,000 characters."
    description: String
    "How many of it a subscription may have, 1 to 1,000,000; without a bound when absent."
    maxQuantity: Int
    "The refIds or UUIDs of the add-ons of the same product that a subscription must have as well, at most 200."
    dependencies: [String!]
    "The caller's own data: an object, at most 16 KiB of JSON."
    additionalMetaData: JSON
  }

  "Fields of an add-on to change. An absent field stays as it is; null clears it."
  input UpdateAddonInput {
    "The add-on's refId or UUID."
    refId: String!
    "The name that people see, 1 to 255 characters. It cannot be cleared."
    displayName: String
    "What the add-on is, at most 4,000 characters."
    description: String
    "How many of it a subscription may have, 1 to 1,000,000."
    maxQuantity: Int
    "The refIds or UUIDs of the add-ons of the same product that a subscription must have as well, at most 200. They replace those before."
    dependencies: [String!]
    "The caller's own data: an object, at most 16 KiB of JSON. It replaces what was there."
    additionalMetaData: JSON
  }

  "Names the add-on to archive."
  input ArchiveAddonInput {
    "The add-on's refId or UUID."
    refId: String!
  }

  "Which package is published, and for whom."
  input PublishPackageInput {
    "The plan's or add-on's refId or UUID."
    packageId: String!
    "For whom."
    migrationType: PublishMigrationType! = NEW_CUSTOMERS
  }

  "Conditions on plans or add-ons, all of which must hold."
  input PackageFilter {
    "On the product's refId or UUID."
    productId: StringFilter
    "On the status of the package. PUBLISHED: at least one version is published; DRAFT: none is."
    status: PackageStatusFilter
    "On when the package was created."
    createdAt: DateTimeFilter
  }

  "A condition on a package's status."
  input PackageStatusFilter {
    "This status."
    eq: PackageStatus
  }

  "A page of plans."
  type PlanConnection {
    "The plans of this page, with their cursors."
    edges: [PlanEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many plans meet the filter, on all pages."
    totalCount: Int!
  }

  "A plan and its place in the list."
  type PlanEdge {
    "The place in the list; stays valid."
    cursor: String!
    "The plan."
    node: Plan!
  }

  "A page of add-ons."
  type AddonConnection {
    "The add-ons of this page, with their cursors."
    edges: [AddonEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many add-ons meet the filter, on all pages."
    totalCount: Int!
  }

  "An add-on and its place in the list."
  type AddonEdge {
    "The place in the list; stays valid."
    cursor: String!
    "The add-on."
    node: Addon!
  }
`;
