import { provisionInputFields, updateInputFields } from './subscription-input-schema.ts';

export const previewTypeDefs = /* GraphQL */ `
  extend type Query {
    """
    What provisioning this subscription would cost. Nothing is changed by asking; what \`provisionSubscription\` would
    refuse is refused with the same error.
    """
    previewSubscription(
      "The subscription."
      input: PreviewSubscriptionInput!
    ): SubscriptionPreview

    "The same as \`previewSubscription\`."
    estimateSubscription(
      "The subscription."
      input: EstimateSubscriptionInput!
    ): SubscriptionPreview

    """
    What changing a subscription would cost. Nothing is changed by asking; what \`updateOneSubscription\` would refuse
    is refused with the same error.
    """
    estimateSubscriptionUpdate(
      "Which subscription, and what changes."
      input: EstimateSubscriptionUpdateInput!
    ): SubscriptionPreview
  }

  "A subscription that might be provisioned."
  input PreviewSubscriptionInput {${provisionInputFields}}

  "A subscription that might be provisioned."
  input EstimateSubscriptionInput {${provisionInputFields}}

  "A change that might be made of a subscription."
  input EstimateSubscriptionUpdateInput {${updateInputFields}}

  "What an operation would cost, to the minor unit of the currency."
  type SubscriptionPreview {
    """
    Whether a paid subscription would give way to a lesser plan: one that it does not lead to by inheritance, and
    that is free or starts at a lower price.
    """
    isPlanDowngrade: Boolean!
    """
    The billing period that the subscription would be in, or its first one where it starts later; a trial is one
    period. Null for a CUSTOM plan without a period.
    """
    billingPeriodRange: BillingPeriodRange
    "What the change comes to, before discounts. All zero where it takes effect later."
    proration: PreviewProration!
    """
    What would be charged at once. Trials, FREE and CUSTOM plans cost nothing, nor does what starts later; usage is
    charged in arrears. A back-dated subscription is charged from the first period on that begins once it is there.
    """
    immediateInvoice: PreviewInvoice!
    "What cannot be set off against it, because it is in another currency, or another customer's to pay."
    otherInvoices: [PreviewInvoice!]!
    """
    What the next whole billing period would be charged with at its start, with what is scheduled until then, such as
    a trial's end or a coupon's. It has no lines where the subscription would have ended.
    """
    recurringInvoice: PreviewInvoice!
  }

  "A billing period, half-open."
  type BillingPeriodRange {
    "Its first instant."
    start: DateTime!
    "The first instant after it."
    end: DateTime!
  }

  "What a change within a billing period comes to, by the second."
  type PreviewProration {
    "The instant that it is counted from."
    prorationDate: DateTime!
    "The unused part of the price that ends; not negative."
    credit: Money!
    "The rest of the period at the price that begins, or all of it where periods start anew; not negative."
    charge: Money!
    "The charge less the credit: what the immediate invoice's lines add up to."
    net: Money!
  }

  "An invoice, in one currency. The total is the subtotal less the discount, with the tax."
  type PreviewInvoice {
    "The sum of the lines. Negative where more is credited than charged; the total is then a credit for later invoices."
    subtotal: Money!
    """
    What coupons take off: a percentage of the lines, or a fixed amount for each period, of which a part of a period
    has its share. Negative where more is taken back with a credit than is given.
    """
    discount: Money!
    "Always 0: taxes are the billing provider's."
    tax: Money!
    "What is to be paid."
    total: Money!
    "The lines."
    lineItems: [PreviewInvoiceLineItem!]!
  }

  "A line of an invoice."
  type PreviewInvoiceLineItem {
    "What it is for."
    description: String!
    "The units, or how many times a fee is charged."
    quantity: Int!
    "The price of one unit for a whole period; null where tiers or blocks set it."
    unitPrice: Money
    "Rounded half-up to the minor unit, once. Negative for a credit."
    amount: Money!
    "Whether it is for a part of a billing period."
    proration: Boolean!
    "The first instant of what it is for."
    periodStart: DateTime!
    "The first instant after it."
    periodEnd: DateTime!
  }
`;
