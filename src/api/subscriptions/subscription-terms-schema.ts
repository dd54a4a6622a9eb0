/** What is agreed on beside what is bought: the same when a subscription is made and when it is changed. */
export const termsInputFields = /* GraphQL */ `
    "A discount on what the subscription costs. Null takes away the one that it has."
    appliedCoupon: AppliedCouponInput
    """
    The least that a billing period costs, above 0 and in the currency of the prices; it takes the place of the plan's
    own minimum. Null takes it away.
    """
    minimumSpend: MoneyInput
    "The most that metered usage may cost in a billing period. Null takes it away."
    budget: BudgetInput
    "The refId of the customer who pays, where that is another one; null where it is not."
    payingCustomerId: String
  `;

export const termsTypeDefs = /* GraphQL */ `
  "A coupon to give to a subscription."
  input AppliedCouponInput {
    """
    The coupon's refId or UUID. It has to be active and, where it takes off amounts, to have one in the currency of the
    prices.
    """
    couponId: String!
    "How it is given."
    configuration: AppliedCouponConfigurationInput
  }

  "How a coupon is given."
  input AppliedCouponConfigurationInput {
    """
    From when on it discounts: the subscription's start when absent, or now where it has started. It ends by itself
    after the coupon's months, on the same day of the month or the month's last one.
    """
    startDate: DateTime
  }

  "The most that metered usage may cost."
  input BudgetInput {
    "In major units and in the currency of the prices, above 0."
    limit: Decimal!
    "True to be told of only; false to be denied beyond it."
    hasSoftLimit: Boolean! = false
  }

  "The most that metered usage may cost in a billing period."
  type Budget {
    "In major units, in the currency of the prices."
    limit: Decimal!
    "Whether it is only told of; usage beyond a hard one is denied."
    hasSoftLimit: Boolean!
  }

  "A coupon that a subscription has."
  type SubscriptionCoupon {
    "The coupon."
    coupon: Coupon!
    "Whether its time is over."
    status: SubscriptionCouponStatus!
    "From when on it discounts."
    startDate: DateTime!
    "The first instant at which it no longer does; null for never."
    endDate: DateTime
  }

  "Whether the time of a subscription's coupon is over."
  enum SubscriptionCouponStatus {
    "It discounts, or will once it starts."
    ACTIVE
    "It no longer discounts."
    EXPIRED
  }

  extend type CustomerSubscription {
    "The coupon that it has, if any; the customer's own is not among them. One that was taken away is gone."
    coupons: [SubscriptionCoupon!]!
    "The least that a billing period costs, where that was agreed on; null where the plan's own minimum holds."
    minimumSpend: Money
    "The most that metered usage may cost in a billing period; null for no bound."
    budget: Budget
    "Who pays, where that is another customer; null where it is not, and when that customer is archived."
    payingCustomer: Customer
  }
`;
