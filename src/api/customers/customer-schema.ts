export const customerTypeDefs = /* GraphQL */ `
  extend type Query {
    "The customer with this refId; the error CUSTOMER_NOT_FOUND when there is none."
    getCustomerByRefId(
      "Which customer."
      input: GetCustomerByRefIdInput!
    ): Customer

    "Customers, oldest first unless sorted otherwise."
    customers(
      "Only customers that meet every condition given."
      filter: CustomerFilter
      "Which page of them."
      paging: CursorPaging
      "The order; only its first entry counts."
      sorting: [CustomerSort!]
    ): CustomerConnection
  }

  extend type Mutation {
    """
    Creates a customer, or updates the given fields of the one that has this id: sending the same again changes
    nothing. Raw events that were reported for this customer before count from now on. With subscriptionParams the
    customer gets a subscription in the same step: both are stored or, with an error, neither is.
    """
    provisionCustomer(
      "The customer."
      input: ProvisionCustomerInput!
    ): ProvisionCustomerResult

    """
    Updates a customer. Only the given fields change; null clears one. The error CUSTOMER_NOT_FOUND when there is
    no such customer.
    """
    updateOneCustomer(
      "Which customer, and the fields that change."
      input: UpdateCustomerInput!
    ): Customer

    """
    Archives a customer: name and e-mail are erased wherever they are kept, and no list, query or answer shows the
    customer any more. A customer with a paid subscription is refused unless it is to be cancelled. Usage stays
    counted. Invoices in an integrated billing system are left alone. The error
    CUSTOMER_NOT_FOUND when there is no such customer.
    """
    archiveCustomer(
      "Which customer."
      input: ArchiveCustomerInput!
    ): Customer

    "Shows an archived customer again. Its name and e-mail are not brought back."
    unarchiveCustomer(
      "Which customer."
      input: UnarchiveCustomerInput!
    ): Customer
  }

  "Whom usage is counted for."
  type Customer {
    "The UUID that Tollgate gave."
    id: ID!
    "The caller's own name for the customer, which usage is reported for. It never changes."
    refId: String!
    "The same as \`refId\`."
    customerId: String!
    "The customer's name."
    name: String
    "The customer's e-mail address."
    email: String
    "The caller's own data, given back as it came."
    additionalMetaData: JSON
    "The refId of the coupon that the customer has."
    couponId: String
    "The coupon that the customer has: a discount on all that the customer pays for."
    coupon: Coupon
    "From when on the coupon discounts."
    couponStartDate: DateTime
    "From when on the coupon no longer discounts; null for never."
    couponEndDate: DateTime
    "The payment provider's reference of the customer's payment method; null where there is none, or no provider."
    billingId: String
    "The customer's subscriptions that have not ended, oldest first; at most 160."
    subscriptions: [CustomerSubscription!]!
    "Whether one of them gives access now, in trial or active."
    hasActiveSubscription: Boolean!
    "How many of them give access now, in trial or active."
    totalActiveSubscription: Int!
    "What these subscriptions are for, where a customer has several to one product."
    resources: [CustomerResource!]!
    "For each product that is not archived, whether a trial begins by itself where a plan of it has one."
    eligibleForTrial: [EligibleForTrial!]!
    "What was granted beside what is bought, at most 200, those that have ended included as long as there is room."
    promotionalEntitlements: [PromotionalEntitlement!]!
    "How many of them hold now."
    totalActivePromotionalEntitlements: Int!
    "When the customer was provisioned."
    createdAt: DateTime!
    "When one of the customer's own fields last changed."
    updatedAt: DateTime!
  }

  "What a customer has a subscription for: a site, a workspace, a project."
  type CustomerResource {
    "The caller's name for it."
    resourceId: String!
    "When the oldest subscription for it that has not ended was provisioned."
    createdAt: DateTime!
  }

  "Whether a customer can have a trial of a product by itself; a subscription's trialOverrideConfiguration may grant another."
  type EligibleForTrial {
    "The product's refId."
    productRefId: String!
    "False once the customer has, or had, a trial of it."
    eligible: Boolean!
  }

  "A customer to create or to update."
  input ProvisionCustomerInput {
    """
    The refId: 1 to 255 letters, digits, \`_\`, \`|\`, \`.\`, \`@\` and \`-\`, the first one a letter or digit. One is made
    when absent: \`customer-\` and six hexadecimal digits.
    """
    customerId: String
    "The customer's name, 1 to 255 characters."
    name: String
    "The customer's e-mail address, at most 255 characters."
    email: String
    """
    The refId or UUID of an active coupon; null takes away the one that the customer has. Giving the same one again
    changes nothing: neither does its time begin anew, nor does it matter whether it is archived by now.
    """
    couponId: String
    "The caller's own data: a JSON object of at most 16 KiB. It replaces what was there."
    additionalMetaData: JSON
    """
    The subscription that the customer is to start with, subject to the product's customer journey. A customer who has
    one to that product that has not ended keeps it as it is. None when null or absent.
    """
    subscriptionParams: SubscriptionParamsInput
    """
    How the customer is billed: passed on to the integration and kept nowhere. What is not given is none.
    """
    billingInformation: BillingInformationInput
  }

  "What provisioning a customer led to."
  type ProvisionCustomerResult {
    "The customer as it is now."
    customer: Customer!
    "The customer's subscription to the product that was asked for; null without subscriptionParams."
    subscription: CustomerSubscription
    "What the customer may use by way of the subscription made; empty without one."
    entitlements: [Entitlement!]!
    "How it came to be this subscription."
    subscriptionDecisionStrategy: SubscriptionDecisionStrategy!
  }

  "A customer's fields that change."
  input UpdateCustomerInput {
    "The customer's refId. Either this or \`refId\` is required."
    customerId: String
    "The same as \`customerId\`."
    refId: String
    "The customer's name, 1 to 255 characters; null clears it."
    name: String
    "The customer's e-mail address, at most 255 characters; null clears it."
    email: String
    "The refId or UUID of an active coupon; null takes away the one that the customer has. The same one again changes nothing."
    couponId: String
    "The caller's own data: a JSON object of at most 16 KiB that replaces what was there; null clears it."
    additionalMetaData: JSON
    """
    How the customer is billed: passed on to the integration and kept nowhere. The whole object is needed each time.
    """
    billingInformation: BillingInformationInput
  }

  "Names the customer to archive."
  input ArchiveCustomerInput {
    "The customer's refId. Either this or \`refId\` is required."
    customerId: String
    "The same as \`customerId\`."
    refId: String
    "Cancels the customer's paid subscriptions at once. Without it a customer who has one is not archived."
    cancelSubscriptions: Boolean = false
  }

  "Names the customer to show again."
  input UnarchiveCustomerInput {
    "The customer's refId. Either this or \`refId\` is required."
    customerId: String
    "The same as \`customerId\`."
    refId: String
  }

  "Names one customer."
  input GetCustomerByRefIdInput {
    "The customer's refId. Either this or \`refId\` is required."
    customerId: String
    "The same as \`customerId\`."
    refId: String
  }

  "Conditions on customers, all of which must hold."
  input CustomerFilter {
    "On the refId."
    refId: StringFilter
    "On the refId too."
    customerId: StringFilter
    "On the name."
    name: StringFilter
    "On the e-mail address."
    email: StringFilter
    "On when the customer was provisioned."
    createdAt: DateTimeFilter
  }

  "A condition on a text."
  input StringFilter {
    "Equal to this, letter case included."
    eq: String
  }

  "Conditions on an instant, all of which must hold."
  input DateTimeFilter {
    "Later than this."
    gt: DateTime
    "At this or later."
    gte: DateTime
    "Earlier than this."
    lt: DateTime
    "At this or earlier."
    lte: DateTime
  }

  "An order of customers."
  input CustomerSort {
    "What to sort by; equal ones are sorted by refId."
    field: CustomerSortField!
    "The direction."
    direction: SortDirection!
  }

  "What customers can be sorted by."
  enum CustomerSortField {
    "When the customer was provisioned."
    createdAt
  }

  "A page of customers."
  type CustomerConnection {
    "The customers of this page, with their cursors."
    edges: [CustomerEdge!]!
    "Where the page lies in the list."
    pageInfo: PageInfo!
    "How many customers meet the filter, on all pages."
    totalCount: Int!
  }

  "A customer's place in a list."
  type CustomerEdge {
    "The place, for \`after\` and \`before\`. It stays valid."
    cursor: String!
    "The customer."
    node: Customer!
  }
`;
