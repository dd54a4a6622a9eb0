export const priceTypeDefs = /* GraphQL */ `
  "A sum of money."
  type Money {
    "In major units: 49 means 49 dollars. Exact."
    amount: Decimal!
    "The ISO 4217 code in small letters."
    currency: String!
  }

  "A sum of money."
  input MoneyInput {
    "In major units, 0 or above, with at most 12 digits before and after the point."
    amount: Decimal!
    "The ISO 4217 code, in small letters or capitals."
    currency: String! = "usd"
  }

  "One row of a price list."
  type Price {
    "The UUID that Tollgate gave."
    id: ID!
    "What is charged for."
    billingModel: BillingModel!
    "How often it is charged."
    billingPeriod: BillingPeriod!
    "The country that the price is for, ISO 3166-1 alpha-2; null for all that have no price of their own."
    billingCountryCode: String
    "The price of the fee, the unit or the block; null when tiers say it."
    price: Money
    "The refId of the feature whose units are charged; null for fees, and for units that are no feature."
    featureId: String
    "The feature whose units are charged."
    feature: Feature
    "Units are charged in whole blocks of so many; null for single units."
    blockSize: Decimal
    "The price by quantity, from the first unit up; null for a price that does not depend on it."
    tiers: [PriceTier!]
    "How tiers make a price; null without tiers."
    tiersMode: TiersMode
    "The least units that a subscription may commit to; null for 1."
    minUnitQuantity: Int
    "The most units that a subscription may commit to; null without a bound."
    maxUnitQuantity: Int
  }

  "The price of the units above the tier before, up to the end of this one."
  type PriceTier {
    "The last unit that belongs to the tier; null for the last tier, which has no end."
    upTo: Decimal
    "The price of each unit."
    unitPrice: Money
    "Charged once, when the tier is reached."
    flatPrice: Money
  }

  "What is charged for."
  enum BillingModel {
    "A fixed fee, in advance."
    FLAT_FEE
    "Units that a subscription commits to, in advance."
    PER_UNIT
    "Usage of a metered feature, afterwards."
    USAGE_BASED
    "A least sum for each billing period, in advance; usage is drawn from it."
    MINIMUM_SPEND
  }

  "How often a price is charged."
  enum BillingPeriod {
    "Every month."
    MONTHLY
    "Every year."
    ANNUALLY
  }

  "How tiers make a price."
  enum TiersMode {
    "The tier that the quantity lies in sets the price of all units."
    VOLUME
    "Each tier sets the price of the units that lie in it."
    GRADUATED
  }

  "What is charged before anything is used."
  type StartingPrice {
    "How often."
    billingPeriod: BillingPeriod!
    "Fees, the minimum spend and the least units together, rounded to the currency's minor unit."
    price: Money!
  }

  "The price list of a package; it replaces the draft's."
  input PackagePricingInput {
    "The plan's or add-on's refId or UUID."
    packageId: String!
    "PAID packages have prices, the others have none."
    pricingType: PricingType!
    "The price list, at most 500; one for each billing period, billing model, feature and country."
    prices: [PriceInput!]
  }

  """
  One row of a price list. Prices that come together on one invoice have one currency: those without a country, and
  for each country its own with those that it has none of its own for.
  """
  input PriceInput {
    "What is charged for."
    billingModel: BillingModel!
    "How often it is charged."
    billingPeriod: BillingPeriod!
    "The price of the fee, the unit or the block; required unless there are tiers."
    price: MoneyInput
    "The refId or UUID of the NUMBER feature whose units are charged. Required for USAGE_BASED, which takes metered features only; not for fees."
    featureId: String
    "Charges units in whole blocks of so many, a whole number above 0; not with tiers."
    blockSize: Decimal
    "The price by quantity, from the first unit up; 1 to 100. The same ends for both billing periods."
    tiers: [PriceTierInput!]
    "How tiers make a price; required with tiers."
    tiersMode: TiersMode
    "The country that the price is for, ISO 3166-1 alpha-2; all others when absent."
    billingCountryCode: String
    "The least units that a subscription may commit to, 1 to 1,000,000,000; PER_UNIT only."
    minUnitQuantity: Int
    "The most units that a subscription may commit to, 1 to 1,000,000,000; PER_UNIT only."
    maxUnitQuantity: Int
  }

  "The price of the units above the tier before. It has a \`unitPrice\`, a \`flatPrice\` or both."
  input PriceTierInput {
    "The last unit that belongs to the tier, above that of the tier before; null for the last tier."
    upTo: Decimal
    "The price of each unit."
    unitPrice: MoneyInput
    "Charged once, when the tier is reached."
    flatPrice: MoneyInput
  }
`;
