/** The fields of packages that lead to other entities, and prices as they are shown. */
import type { Catalog } from '../../catalog/catalog.ts';
import type { Feature } from '../../catalog/feature.ts';
import { packageLimits } from '../../catalog/package-changes.ts';
import type { PackageEntitlement } from '../../catalog/package.ts';
import { type BillingPeriod, type Price, type PriceTier, billingPeriods } from '../../catalog/price.ts';
import { pricesFor, startingAmount } from '../../catalog/price-calculation.ts';
import type { Product } from '../../catalog/product.ts';
import { type Money, roundMoney } from '../../money.ts';
import type { ApiContext, FieldResolvers } from '../context.ts';
import { editedView, latestView, type PackageView } from './package-view.ts';

const packageFields: FieldResolvers = { product, prices, startingPrices, draft };

export const packageFieldResolvers: Readonly<Record<string, FieldResolvers>> = {
  Plan: { ...packageFields, parentPlan, inheritedEntitlements, compatibleAddons },
  Addon: packageFields,
  PackageEntitlement: { feature, usageThresholds },
  Price: { feature, price: feeOf, tiers: tiersOf },
};

function product(
  { productId }: PackageView,
  _: unknown,
  { services }: ApiContext,
): Promise<Product | undefined> {
  return services.catalog.product(productId);
}

async function feature(
  { featureId }: { readonly featureId: string | null },
  _: unknown,
  { services }: ApiContext,
): Promise<Feature | undefined> {
  return featureId === null ? undefined : services.catalog.feature(featureId);
}

function prices({ prices: all, billingCountryCode }: PackageView): readonly Price[] {
  if (billingCountryCode === null) return all;
  return billingPeriods.flatMap((period) => pricesFor(all, period, billingCountryCode));
}

function usageThresholds({ usageThresholds: told }: PackageEntitlement): readonly number[] {
  return told ?? [];
}

function startingPrices({
  prices: all,
  billingCountryCode,
}: PackageView): readonly { readonly billingPeriod: BillingPeriod; readonly price: Money }[] {
  return billingPeriods.flatMap((billingPeriod) => {
    const held = pricesFor(all, billingPeriod, billingCountryCode);
    const currency = held[0]?.currency;
    if (currency === undefined) return [];
    return [{ billingPeriod, price: roundMoney({ amount: startingAmount(held), currency }) }];
  });
}

function draft({ source, publishedAt }: PackageView): PackageView | null {
  return source.draft === null || publishedAt === null ? null : editedView(source);
}

async function parentPlan(
  { parentPlanId }: PackageView,
  _: unknown,
  { services }: ApiContext,
): Promise<PackageView | null> {
  const parent = parentPlanId === null ? undefined : await services.catalog.package(parentPlanId);
  return parent === undefined ? null : latestView(parent);
}

/** The nearest plan above that says something of a feature decides. */
async function inheritedEntitlements(
  { entitlements, parentPlanId }: PackageView,
  _: unknown,
  { services }: ApiContext,
): Promise<readonly PackageEntitlement[]> {
  const granted = new Set(entitlements.map(({ featureId }) => featureId));
  const inherited: PackageEntitlement[] = [];
  for (const ancestor of await ancestorsOf(parentPlanId, services.catalog)) {
    for (const entitlement of ancestor.entitlements) {
      if (!granted.has(entitlement.featureId)) inherited.push(entitlement);
      granted.add(entitlement.featureId);
    }
  }
  return inherited;
}

/** Two changes at the same moment may close a circle of plans, so the way up is bounded. */
async function ancestorsOf(parentPlanId: string | null, catalog: Catalog): Promise<readonly PackageView[]> {
  const ancestors: PackageView[] = [];
  let above = parentPlanId;
  while (above !== null && ancestors.length < packageLimits.ancestorsMax) {
    const plan = await catalog.package(above);
    if (plan === undefined) break;
    const view = latestView(plan);
    ancestors.push(view);
    above = view.parentPlanId;
  }
  return ancestors;
}

async function compatibleAddons(
  { compatibleAddonIds, billingCountryCode }: PackageView,
  _: unknown,
  { services }: ApiContext,
): Promise<readonly PackageView[]> {
  const addons = await Promise.all(compatibleAddonIds.map((refId) => services.catalog.package(refId)));
  return addons.flatMap((addon) =>
    addon === undefined || addon.status === 'ARCHIVED' ? [] : [latestView(addon, billingCountryCode)],
  );
}

interface ShownMoney {
  readonly amount: string;
  readonly currency: string;
}

function feeOf({ amount, currency }: Price): ShownMoney | null {
  return moneyOf(amount, currency);
}

function tiersOf({ tiers, currency }: Price): readonly ShownTier[] | null {
  const shown = ({ upTo, unitAmount, flatAmount }: PriceTier): ShownTier => ({
    upTo,
    unitPrice: moneyOf(unitAmount, currency),
    flatPrice: moneyOf(flatAmount, currency),
  });
  return tiers?.map(shown) ?? null;
}

interface ShownTier {
  readonly upTo: string | null;
  readonly unitPrice: ShownMoney | null;
  readonly flatPrice: ShownMoney | null;
}

function moneyOf(amount: string | null, currency: string): ShownMoney | null {
  return amount === null ? null : { amount, currency };
}
