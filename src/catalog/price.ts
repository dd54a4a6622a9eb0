/** What a package costs (facts, section 1.9). Amounts are exact decimal texts in major units. */

export type BillingModel = 'FLAT_FEE' | 'PER_UNIT' | 'USAGE_BASED' | 'MINIMUM_SPEND';
export const billingPeriods = ['MONTHLY', 'ANNUALLY'] as const;
export type BillingPeriod = (typeof billingPeriods)[number];
export type TiersMode = 'VOLUME' | 'GRADUATED';

/** Units above the tier before and up to `upTo`, inclusive. */
export interface PriceTier {
  /** Null for the last tier, which has no end. */
  readonly upTo: string | null;
  readonly unitAmount: string | null;
  /** Charged once, when the tier is reached. */
  readonly flatAmount: string | null;
}

/** One row of a price list: the only one of its model, feature, billing period and country. */
export interface Price {
  readonly id: string;
  readonly billingModel: BillingModel;
  readonly billingPeriod: BillingPeriod;
  /** ISO 3166-1 alpha-2 in capitals; null for the price where no other is set for a country. */
  readonly billingCountryCode: string | null;
  /** ISO 4217 in small letters. */
  readonly currency: string;
  /** Of the fee, the unit or the block; null where tiers say it. */
  readonly amount: string | null;
  /** The feature whose units are charged; null for fees and for units that are no feature. */
  readonly featureId: string | null;
  /** Units are charged in whole blocks of this size. */
  readonly blockSize: string | null;
  readonly tiers: readonly PriceTier[] | null;
  readonly tiersMode: TiersMode | null;
  /** The units that a subscription of a PER_UNIT price may commit to; null bounds nothing. */
  readonly minUnitQuantity: number | null;
  readonly maxUnitQuantity: number | null;
}
