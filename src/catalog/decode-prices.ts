/** Checks a price list as a caller sends it (facts, section 1.9) and brings it into its one form. */
import { parseCurrency } from '../money.ts';
import {
  compareQuantities,
  parseQuantity,
  type Quantity,
  roundQuantityUp,
  zeroQuantity,
} from '../quantity.ts';
import { type CatalogProblem, invalid, notFound } from './catalog-problem.ts';
import { isGiven } from './entity-fields.ts';
import type { Feature } from './feature.ts';
import type { PackageContent, PricingType } from './package.ts';
import {
  type BillingModel,
  type BillingPeriod,
  billingPeriods,
  type Price,
  type PriceTier,
  type TiersMode,
} from './price.ts';
import { pricesFor } from './price-calculation.ts';

export const priceLimits = {
  pricesMax: 500,
  tiersMax: 100,
  unitsMax: 1_000_000_000,
  /** Digits of an amount before and after the point. */
  amountDigitsMax: 12,
} as const;

export interface MoneyDraft {
  readonly amount: string;
  readonly currency: string;
}

/** What a caller may say of a price; null and absent mean the same. */
export interface PriceDraft {
  readonly billingModel: BillingModel;
  readonly billingPeriod: BillingPeriod;
  readonly price?: MoneyDraft | null;
  /** The feature's refId. */
  readonly featureId?: string | null;
  readonly blockSize?: string | null;
  readonly tiers?: readonly TierDraft[] | null;
  readonly tiersMode?: TiersMode | null;
  readonly billingCountryCode?: string | null;
  readonly minUnitQuantity?: number | null;
  readonly maxUnitQuantity?: number | null;
}

interface TierDraft {
  readonly upTo?: string | null;
  readonly unitPrice?: MoneyDraft | null;
  readonly flatPrice?: MoneyDraft | null;
}

export type DecodedPricing =
  | { readonly pricing: Pick<PackageContent, 'pricingType' | 'prices'> }
  | { readonly problem: CatalogProblem };

/** `features` has those that the drafts name. A row that `earlier` has too keeps its id; the others get a `newId`. */
export function decodePricing(
  { pricingType, drafts }: { readonly pricingType: PricingType; readonly drafts: readonly PriceDraft[] },
  features: ReadonlyMap<string, Feature>,
  earlier: readonly Price[],
  newId: () => string,
): DecodedPricing {
  const countProblem = countOfPrices(pricingType, drafts.length);
  if (countProblem !== undefined) return { problem: invalid(countProblem) };
  const ids = new Map(earlier.map((price) => [rowOf(price), price.id]));
  const rows = new Map<string, Price>();
  for (const [index, draft] of drafts.entries()) {
    const { featureId } = draft;
    const feature = isGiven(featureId) ? features.get(featureId) : undefined;
    if (isGiven(featureId) && feature === undefined) return { problem: notFound('feature', featureId) };
    const problem = modelProblem(draft, feature) ?? amountsProblem(draft) ?? boundsProblem(draft);
    if (problem !== undefined) return { problem: invalid(`prices[${index}]: ${problem}`) };
    const row = rowOf(priceOf(draft, ''));
    if (rows.has(row)) {
      const message = `prices[${index}]: a price before has the same billingPeriod, billingModel, featureId and billingCountryCode`;
      return { problem: invalid(message) };
    }
    rows.set(row, priceOf(draft, ids.get(row) ?? newId()));
  }
  const prices = [...rows.values()];
  const problem = currencyProblem(prices) ?? periodsProblem(prices);
  return problem === undefined ? { pricing: { pricingType, prices } } : { problem: invalid(problem) };
}

function countOfPrices(pricingType: PricingType, count: number): string | undefined {
  if (count > priceLimits.pricesMax) return `a package has at most ${priceLimits.pricesMax} prices`;
  if (pricingType === 'PAID') return count === 0 ? 'a PAID package needs at least one of prices' : undefined;
  return count > 0 ? `a ${pricingType} package has no prices; the pricingType PAID has` : undefined;
}

function rowOf({ billingPeriod, billingModel, featureId, billingCountryCode }: Price): string {
  return JSON.stringify([billingPeriod, billingModel, featureId, billingCountryCode]);
}

function isPerUnit({ billingModel }: Pick<PriceDraft, 'billingModel'>): boolean {
  return billingModel === 'PER_UNIT' || billingModel === 'USAGE_BASED';
}

/** What goes with which model. */
function modelProblem(draft: PriceDraft, feature: Feature | undefined): string | undefined {
  const { billingModel } = draft;
  const foreign =
    (isPerUnit(draft)
      ? billingModel === 'USAGE_BASED' && (['minUnitQuantity', 'maxUnitQuantity'] as const)
      : (['featureId', 'blockSize', 'tiers', 'tiersMode', 'minUnitQuantity', 'maxUnitQuantity'] as const)) ||
    [];
  const given = foreign.find((field) => isGiven(draft[field]));
  if (given !== undefined) return `${given} does not go with the billingModel ${billingModel}`;
  if (billingModel === 'USAGE_BASED' && feature === undefined)
    return 'featureId is required with USAGE_BASED';
  if (feature === undefined) return undefined;
  if (feature.featureStatus === 'SUSPENDED') return `the feature ${feature.refId} is archived`;
  if (feature.featureType !== 'NUMBER') return `units of a ${feature.featureType} feature cannot be charged`;
  return billingModel === 'USAGE_BASED' && feature.meterType === 'None'
    ? `usage of the feature ${feature.refId} is not metered, so it cannot be charged`
    : undefined;
}

function amountsProblem(draft: PriceDraft): string | undefined {
  const { price, tiers, tiersMode, blockSize } = draft;
  if (!isGiven(tiers)) {
    if (isGiven(tiersMode)) return 'tiersMode goes with tiers only';
    return isGiven(price) ? moneyProblem('price', price) : 'price is required, or tiers for units';
  }
  if (isGiven(price)) return 'price and tiers exclude one another';
  if (isGiven(blockSize)) return 'blockSize and tiers exclude one another';
  if (!isGiven(tiersMode)) return 'tiersMode is required with tiers: GRADUATED or VOLUME';
  return tiersProblem(tiers);
}

function tiersProblem(tiers: readonly TierDraft[]): string | undefined {
  const { tiersMax } = priceLimits;
  if (tiers.length === 0 || tiers.length > tiersMax) return `tiers must have 1 to ${tiersMax} entries`;
  let below: Quantity = zeroQuantity;
  for (const [index, { upTo, unitPrice, flatPrice }] of tiers.entries()) {
    const at = `tiers[${index}]`;
    const isLast = index === tiers.length - 1;
    if (isLast && isGiven(upTo)) return `${at}.upTo must be null: the last tier has no end`;
    if (!isLast) {
      const end = parseQuantity(upTo ?? '');
      if (end === undefined || compareQuantities(end, below) <= 0) {
        return `${at}.upTo must be a number above that of the tier before; only the last is null`;
      }
      below = end;
    }
    if (!isGiven(unitPrice) && !isGiven(flatPrice)) return `${at} needs a unitPrice or a flatPrice`;
    const problem =
      (isGiven(unitPrice) ? moneyProblem(`${at}.unitPrice`, unitPrice) : undefined) ??
      (isGiven(flatPrice) ? moneyProblem(`${at}.flatPrice`, flatPrice) : undefined);
    if (problem !== undefined) return problem;
  }
  const currencies = new Set(tiers.flatMap(moneyOfTier).map(({ currency }) => parseCurrency(currency)));
  return currencies.size > 1 ? 'all amounts of tiers must have one currency' : undefined;
}

const amountPattern = new RegExp(
  `^[0-9]{1,${priceLimits.amountDigitsMax}}(\\.[0-9]{1,${priceLimits.amountDigitsMax}})?$`,
);

export function moneyProblem(field: string, { amount, currency }: MoneyDraft): string | undefined {
  if (!amountPattern.test(amount)) {
    const { amountDigitsMax } = priceLimits;
    return `${field}.amount must be 0 or above, with at most ${amountDigitsMax} digits before and after the point`;
  }
  return parseCurrency(currency) === undefined
    ? `${field}.currency must be an ISO 4217 code such as usd`
    : undefined;
}

function boundsProblem(draft: PriceDraft): string | undefined {
  const { blockSize, minUnitQuantity, maxUnitQuantity, billingCountryCode } = draft;
  const { unitsMax } = priceLimits;
  const block = isGiven(blockSize) ? parseQuantity(blockSize) : undefined;
  if (isGiven(blockSize) && (block === undefined || !isPositiveWhole(block))) {
    return 'blockSize must be a whole number above 0';
  }
  for (const [field, value] of Object.entries({ minUnitQuantity, maxUnitQuantity })) {
    if (isGiven(value) && (value < 1 || value > unitsMax)) return `${field} must be 1 to ${unitsMax}`;
  }
  if (isGiven(minUnitQuantity) && isGiven(maxUnitQuantity) && minUnitQuantity > maxUnitQuantity) {
    return 'minUnitQuantity must be at most maxUnitQuantity';
  }
  return isGiven(billingCountryCode) && !/^[a-zA-Z]{2}$/.test(billingCountryCode)
    ? 'billingCountryCode must be the two letters of ISO 3166-1, such as DK'
    : undefined;
}

function isPositiveWhole(quantity: Quantity): boolean {
  return (
    compareQuantities(quantity, zeroQuantity) > 0 &&
    compareQuantities(roundQuantityUp(quantity), quantity) === 0
  );
}

function moneyOfTier({ unitPrice, flatPrice }: TierDraft): readonly MoneyDraft[] {
  return [unitPrice, flatPrice].filter(isGiven);
}

function priceOf(draft: PriceDraft, id: string): Price {
  const { price, tiers, featureId = null, blockSize = null, tiersMode = null } = draft;
  const [money] = isGiven(price) ? [price] : (tiers ?? []).flatMap(moneyOfTier);
  return {
    id,
    billingModel: draft.billingModel,
    billingPeriod: draft.billingPeriod,
    billingCountryCode: draft.billingCountryCode?.toUpperCase() ?? null,
    currency: parseCurrency(money?.currency ?? '') ?? '',
    amount: price?.amount ?? null,
    featureId,
    blockSize,
    tiers: tiers?.map(tierOf) ?? null,
    tiersMode,
    minUnitQuantity: draft.minUnitQuantity ?? null,
    maxUnitQuantity: draft.maxUnitQuantity ?? null,
  };
}

function tierOf({ upTo = null, unitPrice, flatPrice }: TierDraft): PriceTier {
  return { upTo, unitAmount: unitPrice?.amount ?? null, flatAmount: flatPrice?.amount ?? null };
}

/** An invoice has one currency, so all that can come together on one must have the same. */
function currencyProblem(prices: readonly Price[]): string | undefined {
  const countries = [null, ...new Set(prices.map((price) => price.billingCountryCode).filter(isGiven))];
  for (const country of countries) {
    for (const billingPeriod of billingPeriods) {
      const currencies = new Set(pricesFor(prices, billingPeriod, country).map(({ currency }) => currency));
      if (currencies.size > 1) {
        const where = country === null ? 'where no country has its own' : `for ${country}`;
        return `the ${billingPeriod} prices ${where} must have one currency; they have ${[...currencies].join(', ')}`;
      }
    }
  }
  return undefined;
}

/** A quantity lies in the same tier however it is billed. */
function periodsProblem(prices: readonly Price[]): string | undefined {
  const bounds = new Map<string, string>();
  for (const price of prices) {
    if (price.tiers === null) continue;
    const { billingModel, featureId, billingCountryCode } = price;
    const charge = JSON.stringify([billingModel, featureId, billingCountryCode]);
    const ends = JSON.stringify(price.tiers.map(({ upTo }) => upTo));
    if ((bounds.get(charge) ?? ends) !== ends) {
      return `the tiers of the ${billingModel} price must end at the same units for both billing periods`;
    }
    bounds.set(charge, ends);
  }
  return undefined;
}
