/** What plans and add-ons have in common. */
const packageFields = /* GraphQL */ `
    "The UUID that Tollgate gave."
    id: ID!
    "The caller's own name for the package, unlike that of any other plan or add-on. It never changes."
    refId: String!
    "The name that people see."
    displayName: String!
    "What the package is."
    description: String
    "The refId of its product."
    productId: String!
    "Its product."
    product: Product
    "DRAFT when this is a draft; else whether the package can be subscribed to."
    status: PackageStatus!
    "The number of this version, from 1 on; of a draft the number that it will have."
    versionNumber: Int!
    "Whether this is the newest published version."
    isLatest: Boolean!
    "When this version was published; null for a draft."
    publishedAt: DateTime
    "Whether subscriptions of earlier versions move to this one by themselves; null for a draft."
    migrationType: PublishMigrationType
    "Whether it costs something; null while nothing was said of it."
    pricingType: PricingType
    "The price list; on a paywall for a country, what holds there."
    prices: [Price!]!
    "What a PAID package costs at the least, for each billing period that it has; where no country is asked for, by the prices without one."
    startingPrices: [StartingPrice!]!
    "What the package grants."
    entitlements: [PackageEntitlement!]!
    "The caller's own data."
    additionalMetaData: JSON
    "When the package was created."
    createdAt: DateTime!
    "When the package last changed, its draft included."
    updatedAt: DateTime!
`;

export const packageTypeDefs = /* GraphQL */ `
  extend type Query {
    """
    The plan with this name: its newest published version, or its draft while none is published. The error
    PLAN_NOT_FOUND when there is none. Archived ones are answered, too.
    """
    plan(
      "The plan's UUID or refId. Either this or \`refId\` is required."
      id: String
      "The plan's refId or UUID."
      refId: String
      "This published version instead; PLAN_NOT_FOUND when there is none."
      versionNumber: Int
    ): Plan

    "Plans, each as \`plan\` answers it, oldest first unless sorted otherwise."
    plans(
      "Only plans that meet every condition given; without one on the status, none that is archived."
      filter: PackageFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CatalogSort!]
    ): PlanConnection

    """
    The add-on with this name: its newest published version, or its draft while none is published. The error
    ADDON_NOT_FOUND when there is none. Archived ones are answered, too.
    """
    addon(
      "The add-on's UUID or refId. Either this or \`refId\` is required."
      id: String
      "The add-on's refId or UUID."
      refId: String
      "This published version instead; ADDON_NOT_FOUND when there is none."
      versionNumber: Int
    ): Addon

    "Add-ons, each as \`addon\` answers it, oldest first unless sorted otherwise."
    addons(
      "Only add-ons that meet every condition given; without one on the status, none that is archived."
      filter: PackageFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CatalogSort!]
    ): AddonConnection

    """
    What can be subscribed to: published plans of products that are not archived, free ones first, then by their
    starting price, CUSTOM ones last.
    """
    paywall(
      "Which plans, and for whom."
      input: GetPaywallInput
    ): Paywall
  }

  extend type Mutation {
    """
    Creates a plan as a draft: nobody can subscribe to it before \`publishPackage\`. The error DUPLICATE_ENTITY when a
    plan or an add-on has the refId; there are at most 10,000 of both together.
    """
    createPlan(
      "The plan."
      input: CreatePlanInput!
    ): Plan

    "Changes the given fields of a plan's draft and answers the draft. What is published stays until the next publishing."
    updatePlan(
      "Which plan, and the fields that change."
      input: UpdatePlanInput!
    ): Plan

    "Archives a plan: subscriptions stay, nobody can subscribe to it anew. Doing it again changes nothing."
    archivePlan(
      "Which plan."
      input: ArchivePlanInput!
    ): Plan

    """
    Creates an add-on as a draft: nobody can have it before \`publishPackage\`. The error DUPLICATE_ENTITY when a plan
    or an add-on has the refId; there are at most 10,000 of both together.
    """
    createAddon(
      "The add-on."
      input: CreateAddonInput!
    ): Addon

    "Changes the given fields of an add-on's draft and answers the draft. What is published stays until the next publishing."
    updateAddon(
      "Which add-on, and the fields that change."
      input: UpdateAddonInput!
    ): Addon

    "Archives an add-on: subscriptions keep it, nobody can have it anew. Doing it again changes nothing."
    archiveAddon(
      "Which add-on."
      input: ArchiveAddonInput!
    ): Addon

    "Replaces what the package's draft grants, and answers the draft."
    setPackageEntitlements(
      "Which package, and what it grants."
      input: SetPackageEntitlementsInput!
    ): Package

    "Replaces the price list of the package's draft, and answers the draft."
    setPackagePricing(
      "Which package, and what it costs."
      input: PackagePricingInput!
    ): Package

    "Makes the package's draft its next version. The error VALIDATION_ERROR when nothing was changed since the last one."
    publishPackage(
      "Which package, and for whom."
      input: PublishPackageInput!
    ): Package
  }

  "A plan or an add-on: one version of it, or its draft."
  interface Package {
${packageFields}  }

  "What a customer subscribes to: one version of it, or its draft."
  type Plan implements Package {
${packageFields}    "The refId of the plan whose entitlements this one has, too."
    parentPlanId: String
    "The newest published version of the plan whose entitlements this one has, too; its draft while none is published."
    parentPlan: Plan
    "What it has of the plans that it inherits from, where it grants nothing of the feature itself."
    inheritedEntitlements: [PackageEntitlement!]!
    "The refIds of the add-ons that go with it."
    compatibleAddonIds: [String!]!
    "The add-ons that go with it, but for archived ones."
    compatibleAddons: [Addon!]!
    "The trial that subscriptions start with; null for none."
    defaultTrialConfig: DefaultTrialConfig
    "The edits that are not published yet; null when there are none, or this is the draft itself."
    draft: Plan
  }

  "What a subscription can have beside its plan: one version of it, or its draft."
  type Addon implements Package {
${packageFields}    "How many of it a subscription may have; null without a bound."
    maxQuantity: Int
    "The refIds of the add-ons that a subscription must have as well."
    dependencies: [String!]!
    "The edits that are not published yet; null when there are none, or this is the draft itself."
    draft: Addon
  }

  "Where a package stands in its life."
  enum PackageStatus {
    "Not published."
    DRAFT
    "It can be subscribed to."
    PUBLISHED
    "It can be subscribed to no more; subscriptions stay."
    ARCHIVED
  }

  "Whether a package costs something."
  enum PricingType {
    "Nothing."
    FREE
    "What its price list says."
    PAID
    "What is agreed on with each customer."
    CUSTOM
  }

  "For whom a version is published."
  enum PublishMigrationType {
    "For those who subscribe from now on; others stay on their version until they are migrated."
    NEW_CUSTOMERS
    """
    For all: subscriptions of earlier versions move to it by themselves within moments, but for those that would begin to
    be billed or for which it has no price.
    """
    ALL_CUSTOMERS
  }

  "The trial that subscriptions to a plan start with."
  type DefaultTrialConfig {
    "How long it takes."
    duration: Int!
    "What the duration is counted in."
    units: TrialPeriodUnits!
    "What becomes of the subscription when the trial ends."
    trialEndBehavior: TrialEndBehavior!
  }

  "What a trial's duration is counted in."
  enum TrialPeriodUnits {
    "Days of 24 hours."
    DAY
    "Months of the calendar."
    MONTH
  }

  "What becomes of a subscription when its trial ends."
  enum TrialEndBehavior {
    "It goes on, and is charged."
    CONVERT_TO_PAID
    "It ends."
    CANCEL_SUBSCRIPTION
  }

  "What can be subscribed to."
  type Paywall {
    "The plans, at most 1,000."
    plans: [Plan!]!
  }
`;
