export const subscriptionTypeDefs = /* GraphQL */ `
  extend type Query {
    "The subscription with this name; the error SUBSCRIPTION_NOT_FOUND when there is none, or its customer is archived."
    getSubscription(
      "Which subscription."
      input: GetSubscriptionInput!
    ): CustomerSubscription

    "Subscriptions in every status but those of archived customers, oldest first unless sorted otherwise."
    subscriptions(
      "Only subscriptions that meet every condition given."
      filter: CustomerSubscriptionFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CustomerSubscriptionSort!]
    ): CustomerSubscriptionConnection

    """
    The subscriptions that give a customer access now, in trial or active, oldest first. The error
    CUSTOMER_NOT_FOUND when there is no such customer.
    """
    getActiveSubscriptions(
      "Whose."
      input: GetActiveSubscriptionsInput!
    ): [CustomerSubscription!]
  }

  extend type Mutation {
    """
    Subscribes a customer to a plan, or moves the customer to another one. A trial of one plan runs beside a
    subscription to another plan of the product; a plan that the customer has in trial is not a trial when it is
    provisioned again. In all other cases the subscription that the customer has to the product (where it allows
    several, for the resource) is cancelled at the new one's start date. Where a payment provider is integrated and
    something is to be paid at once, all that happens when it is paid; what is not paid within a day is cancelled.
    """
    provisionSubscriptionV2(
      "The subscription."
      subscription: ProvisionSubscriptionInput!
    ): CustomerSubscription

    "As \`provisionSubscriptionV2\`, and says how it went."
    provisionSubscription(
      "The subscription."
      input: ProvisionSubscriptionInput!
    ): ProvisionSubscriptionResult

    """
    Changes a subscription that stays on its plan. What is not given stays as it is. A change that takes something
    away and nothing more may wait, see \`scheduleStrategy\`; all others happen at once. Either takes the place of
    what was scheduled before.
    """
    updateOneSubscription(
      "Which subscription, and what changes."
      input: UpdateSubscriptionInput!
    ): CustomerSubscription

    "Ends a subscription, now or later. One that has not started does not start."
    cancelSubscription(
      "Which subscription, and when."
      input: SubscriptionCancellationInput!
    ): CustomerSubscription

    """
    Takes back what is scheduled for a subscription: its updates, and the subscription that would take its place.
    A scheduled cancellation is taken back by \`updateOneSubscription\`.
    """
    cancelSubscriptionUpdates(
      "Which subscription."
      input: CancelSubscriptionUpdatesInput!
    ): CustomerSubscription

    """
    Moves a subscription to the latest versions of its plan and add-ons; one that is on them stays as it is. A free
    plan that has become paid or custom, and a custom one that has become paid, has to be provisioned anew, and so has
    one whose latest version does not offer what the subscription has. Takes the place of what was scheduled.
    """
    migrateSubscriptionToLatest(
      "Which subscription, and when."
      input: SubscriptionMigrationInput!
    ): CustomerSubscription

    """
    Moves a subscription to another resource of its customer. Where the product allows several subscriptions, a
    resource that has one already is refused.
    """
    transferSubscriptionToResource(
      "Which subscription, and where to."
      input: TransferSubscriptionToResourceInput!
    ): CustomerSubscription

    """
    Says that a subscription's newest invoice was paid outside, such as by a bank transfer. One that waited for its
    payment starts; saying it again changes nothing.
    """
    markInvoicePaid(
      "Which subscription."
      input: MarkInvoicePaidInput!
    ): CustomerSubscription
  }

  "A customer's subscription to a plan."
  type CustomerSubscription {
    "The UUID that Tollgate gave."
    id: ID!
    "The subscription's name, the caller's own or a made one. It never changes."
    refId: String!
    "The same as \`refId\`."
    subscriptionId: String!
    "Where it stands in its life."
    status: SubscriptionStatus!
    "Who has it."
    customer: Customer
    "The resource that it is for; null for one of the customer as a whole."
    resource: SubscriptionResource
    "The plan, in the version that the subscription is on."
    plan: Plan!
    "The add-ons."
    addons: [SubscriptionAddon!]!
    "The units that it commits to of each feature that the plan charges by the unit."
    billableFeatures: [BillableFeature!]!
    "The units that it commits to, where the plan has one charge by the unit."
    unitQuantity: Int
    "The prices that hold for it: the plan's, then the add-ons'."
    prices: [Price!]!
    "What a billing period costs before anything is used; null where nothing is charged in advance."
    totalPrice: SubscriptionTotalPrice
    "Whether the plan costs something."
    pricingType: PricingType
    "How often it is billed; null for a CUSTOM plan without a period."
    billingPeriod: BillingPeriod
    "The country whose prices hold, ISO 3166-1 alpha-2; null for those of no country."
    billingCountryCode: String
    "When it started or is to start."
    startDate: DateTime!
    "The date that a cancellation named; null without one."
    endDate: DateTime
    "When access ended or is to end, as far as is known."
    effectiveEndDate: DateTime
    "When the trial ended or ends; null without one."
    trialEndDate: DateTime
    "The trial that it started with; null without one."
    trial: SubscriptionTrial
    "When it was or is to be cancelled; null where it is not."
    cancellationDate: DateTime
    "Why it ended; null while it has not."
    cancelReason: SubscriptionCancelReason
    "Where the billing period that it is in starts, or of one that has ended was in; a trial is one period."
    currentBillingPeriodStart: DateTime
    "Where that billing period ends: the first instant that is no longer inside."
    currentBillingPeriodEnd: DateTime
    "Where billing periods are counted from; null before the start."
    billingCycleAnchor: DateTime
    "How the payment stands; NOT_REQUIRED where nothing is left to pay, or no payment provider is integrated."
    paymentCollection: PaymentCollection!
    "The newest invoice; null while there is none, as where no payment provider is integrated."
    latestInvoice: SubscriptionInvoice
    "What is scheduled, earliest first."
    futureUpdates: [SubscriptionFutureUpdate!]!
    "The caller's own data, given back as it came."
    additionalMetaData: JSON
    "When it was provisioned."
    createdAt: DateTime!
  }

  "Where a subscription stands in its life. It gives access in IN_TRIAL and ACTIVE."
  enum SubscriptionStatus {
    "It starts later."
    NOT_STARTED
    "It gives access and is not billed."
    IN_TRIAL
    "It gives access."
    ACTIVE
    "It starts when it is paid."
    PAYMENT_PENDING
    "It was cancelled, or another one took its place."
    CANCELED
    "Its trial ended without being converted."
    EXPIRED
  }

  "Why a subscription ended."
  enum SubscriptionCancelReason {
    "Another subscription took its place."
    UPGRADE_OR_DOWNGRADE
    "Its trial was over."
    TRIAL_ENDED
    "The plan that was tried was subscribed to."
    TRIAL_CONVERTED
    "Somebody cancelled it with immediate effect."
    Immediate
    "A cancellation that was scheduled took effect."
    ScheduledCancellation
    "It was not paid within a day."
    PENDING_PAYMENT_EXPIRED
    "Its customer was archived."
    CustomerArchived
  }

  "How a subscription's payment stands."
  enum PaymentCollection {
    "Nothing has to be paid."
    NOT_REQUIRED
    "The payment is on its way."
    PROCESSING
    "The payment failed."
    FAILED
    "The customer has to confirm the payment."
    ACTION_REQUIRED
  }

  "What a subscription is for, within its customer: a site, a workspace, a project."
  type SubscriptionResource {
    "The caller's own name for the resource."
    resourceId: String!
  }

  "An add-on of a subscription."
  type SubscriptionAddon {
    "How many of it."
    quantity: Int!
    "The add-on, in the version that the subscription is on."
    addon: Addon!
  }

  "Units that a subscription commits to."
  type BillableFeature {
    "The feature's refId."
    featureId: String!
    "How many units."
    quantity: Int!
  }

  "What a billing period costs."
  type SubscriptionTotalPrice {
    "The sum of the lines."
    subTotal: Money!
    "What is to be paid."
    total: Money!
  }

  "The trial that a subscription started with."
  type SubscriptionTrial {
    "What happens at its end."
    trialEndBehavior: TrialEndBehavior!
  }

  "What a subscription is charged for, as collected by the payment provider."
  type SubscriptionInvoice {
    "Its id at the payment provider; null until the provider has answered, and where nothing was left to collect."
    billingId: String
    "Where it stands."
    status: SubscriptionInvoiceStatus!
    "When it was made."
    createdAt: DateTime!
    "When it last changed."
    updatedAt: DateTime!
    "Whether the customer has to act to complete the payment."
    requiresAction: Boolean!
    "Where the customer can pay."
    paymentUrl: String
    "The secret that the customer's own device needs to complete the payment; kept nowhere, and asked of the provider."
    paymentSecret: String
    "Why the payment failed."
    errorMessage: String
    "The sum of its lines less discounts; below zero for a credit."
    total: Money!
    "What was left to pay of it after the credit of earlier invoices."
    amountDue: Money!
    "The currency, a code of ISO 4217 in small letters."
    currency: String!
    "Why it was made."
    billingReason: SubscriptionInvoiceBillingReason!
    "What it charges and credits, as the preview answered it."
    lineItems: [PreviewInvoiceLineItem!]!
  }

  "Why an invoice was made."
  enum SubscriptionInvoiceBillingReason {
    "A subscription began to be charged for."
    SUBSCRIPTION_CREATION
    "A subscription changed."
    SUBSCRIPTION_UPDATE
    "A billing period began."
    BILLING_CYCLE
  }

  "Where an invoice stands."
  enum SubscriptionInvoiceStatus {
    "To be paid."
    OPEN
    "Not to be paid any more."
    CANCELED
    "Paid."
    PAID
  }

  "A change of a subscription that is scheduled."
  type SubscriptionFutureUpdate {
    "When it takes effect."
    scheduledExecutionTime: DateTime!
    "Where it stands: SCHEDULED."
    scheduleStatus: SubscriptionScheduleStatus!
    "What changes."
    subscriptionScheduleType: SubscriptionScheduleType!
    "The plan that takes its place; null for other changes."
    targetPackage: Plan
  }

  "Where a scheduled change stands."
  enum SubscriptionScheduleStatus {
    "It takes effect at its time."
    SCHEDULED
  }

  "What a scheduled change is about."
  enum SubscriptionScheduleType {
    "A plan that is less."
    DOWNGRADE
    "Another plan."
    PLAN
    "The billing period."
    BILLING_PERIOD
    "The units."
    UNIT_AMOUNT
    "The add-ons."
    ADDON
    "The versions of the plan and the add-ons."
    MIGRATE_TO_LATEST
  }

  "How provisioning a subscription went."
  type ProvisionSubscriptionResult {
    "The subscription's UUID."
    id: ID!
    "Whether it has to be paid first."
    status: ProvisionSubscriptionStatus!
    "The subscription."
    subscription: CustomerSubscription
    "Where the customer has to pay first; null where nothing is to be paid, or the provider has no such place."
    checkoutUrl: String
    "Whether it starts later."
    isScheduled: Boolean!
  }

  "How provisioning a subscription went."
  enum ProvisionSubscriptionStatus {
    "The subscription is there."
    SUCCESS
    "It waits for its payment, and gives no access before."
    PAYMENT_REQUIRED
  }

  "A page of subscriptions."
  type CustomerSubscriptionConnection {
    "The subscriptions of this page, with their cursors."
    edges: [CustomerSubscriptionEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many subscriptions meet the filter, on all pages."
    totalCount: Int!
  }

  "A subscription's place in a list."
  type CustomerSubscriptionEdge {
    "The place, for \`after\` and \`before\`. It stays valid."
    cursor: String!
    "The subscription."
    node: CustomerSubscription!
  }
`;
