/** What a customer asks to buy of a plan, checked against what the plan and its add-ons offer. */
import { type CatalogProblem, invalid, notFound } from '../catalog/catalog-problem.ts';
import type { Package, PackageContent } from '../catalog/package.ts';
import { pricesFor } from '../catalog/price-calculation.ts';
import type { BillingPeriod, Price } from '../catalog/price.ts';
import { contentOf, versionAt } from './package-version.ts';
import type { Offers, Selection, SubscribedAddon, SubscribedUnits } from './subscription.ts';

/** Null says nothing: what is there stays, or the plan's own value is taken. */
export interface SelectionRequest {
  readonly billingPeriod: BillingPeriod | null;
  /** All of them: an add-on that is not listed goes. */
  readonly addons: readonly { readonly addonId: string; readonly quantity: number }[] | null;
  /** Those that change: the others stay. */
  readonly billableFeatures: readonly { readonly featureId: string; readonly quantity: number }[] | null;
  /** The quantity of the plan's only charge by the unit. */
  readonly unitQuantity: number | null;
}

export interface SelectionContext {
  readonly planId: string;
  readonly plan: PackageContent;
  readonly productId: string;
  readonly billingCountryCode: string | null;
  /** What a change starts from; null for a new subscription. */
  readonly current: Selection | null;
  readonly offers: Offers;
  readonly now: number;
}

type Chosen<T> = T | { readonly problem: CatalogProblem };

export function chooseSelection(request: SelectionRequest, context: SelectionContext): Chosen<Selection> {
  const billingPeriod = chooseBillingPeriod(request, context);
  if (isProblem(billingPeriod)) return billingPeriod;
  const addons = chooseAddons(request, context);
  if (isProblem(addons)) return addons;
  const units = chooseUnits(request, context, billingPeriod);
  if (isProblem(units)) return units;
  const refusal = addonPriceRefusal(addons, billingPeriod, context);
  return refusal === undefined ? { billingPeriod, addons, units } : problem(refusal);
}

function chooseBillingPeriod(
  request: SelectionRequest,
  context: SelectionContext,
): Chosen<BillingPeriod | null> {
  const { plan, planId, current, billingCountryCode } = context;
  const asked = request.billingPeriod ?? current?.billingPeriod ?? null;
  if (plan.pricingType !== 'PAID') return asked ?? (plan.pricingType === 'CUSTOM' ? null : 'MONTHLY');
  const offered = new Set(plan.prices.map(({ billingPeriod }) => billingPeriod));
  const [only] = offered;
  const chosen = asked ?? (offered.size === 1 ? (only ?? null) : null);
  if (chosen === null) return problem('billingPeriod is required for a paid plan');
  if (pricesFor(plan.prices, chosen, billingCountryCode).length === 0) {
    const where = billingCountryCode === null ? '' : ` in ${billingCountryCode}`;
    return problem(`the plan ${quoted(planId)} has no price for the billingPeriod ${chosen}${where}`);
  }
  return chosen;
}

function chooseAddons(
  { addons: asked }: SelectionRequest,
  context: SelectionContext,
): Chosen<readonly SubscribedAddon[]> {
  const { current, plan } = context;
  if (asked === null) return current?.addons ?? [];
  const ids = asked.map(({ addonId }) => addonId);
  if (new Set(ids).size < ids.length) return problem('addons lists an add-on twice; use its quantity');
  const chosen: SubscribedAddon[] = [];
  for (const { addonId, quantity } of asked) {
    const addon = chooseAddon(addonId, quantity, context);
    if (isProblem(addon)) return addon;
    const missing = addon.content.dependencies.find((dependency) => !ids.includes(dependency));
    if (missing !== undefined) {
      return problem(`the add-on ${quoted(addonId)} needs the add-on ${quoted(missing)} as well`);
    }
    if (!plan.compatibleAddonIds.includes(addonId)) {
      return problem(
        `the add-on ${quoted(addonId)} is not compatible with the plan ${quoted(context.planId)}`,
      );
    }
    chosen.push({ addonId, version: addon.version, quantity });
  }
  return chosen;
}

function chooseAddon(
  addonId: string,
  quantity: number,
  { offers, current, now, productId }: SelectionContext,
): Chosen<{ readonly version: number; readonly content: PackageContent }> {
  const addon = offers.package(addonId);
  if (addon?.type !== 'ADDON' || addon.productId !== productId) {
    return { problem: notFound('add-on', addonId) };
  }
  const kept = current?.addons.find((item) => item.addonId === addonId);
  const version = kept?.version ?? newestVersion(addon, now);
  const content = version === undefined ? undefined : contentOf(addon, version);
  if (version === undefined || content === undefined) {
    const message = `the add-on ${quoted(addonId)} has no published version to subscribe to`;
    return { problem: { code: 'ADDON_NOT_FOUND', message } };
  }
  const { maxQuantity } = content;
  if (quantity < 1 || (maxQuantity !== null && quantity > maxQuantity)) {
    const allowed = maxQuantity === null ? 'at least 1' : `1 to ${maxQuantity}`;
    return problem(`the quantity of the add-on ${quoted(addonId)} must be ${allowed}`);
  }
  return { version, content };
}

/** Paid add-ons are billed with the plan: for the same period, in the same currency. */
function addonPriceRefusal(
  addons: readonly SubscribedAddon[],
  billingPeriod: BillingPeriod | null,
  { plan, billingCountryCode, offers }: SelectionContext,
): string | undefined {
  const pricesIn = (content: PackageContent): readonly Price[] =>
    billingPeriod === null ? [] : pricesFor(content.prices, billingPeriod, billingCountryCode);
  let currency = pricesIn(plan)[0]?.currency;
  for (const { addonId, version } of addons) {
    const content = contentOf(offers.package(addonId), version);
    if (content?.pricingType !== 'PAID') continue;
    const [price] = pricesIn(content);
    if (price === undefined)
      return `the add-on ${quoted(addonId)} has no price for the plan's billing period`;
    currency ??= price.currency;
    if (price.currency !== currency) {
      return `the add-on ${quoted(addonId)} is priced in ${price.currency}, and the plan in ${currency}`;
    }
  }
  return undefined;
}

function chooseUnits(
  { billableFeatures, unitQuantity }: SelectionRequest,
  { plan, planId, current, billingCountryCode }: SelectionContext,
  billingPeriod: BillingPeriod | null,
): Chosen<readonly SubscribedUnits[]> {
  const prices = billingPeriod === null ? [] : pricesFor(plan.prices, billingPeriod, billingCountryCode);
  const charges = prices.filter(({ billingModel }) => billingModel === 'PER_UNIT');
  const asked = new Map<string | null, number>();
  for (const { featureId, quantity } of billableFeatures ?? []) {
    if (asked.has(featureId)) return problem(`billableFeatures lists the feature ${quoted(featureId)} twice`);
    asked.set(featureId, quantity);
  }
  const [first] = charges;
  if (unitQuantity !== null) {
    if (first === undefined || charges.length > 1 || asked.size > 0) {
      return problem('unitQuantity is for a plan with one charge by the unit; use billableFeatures');
    }
    asked.set(first.featureId, unitQuantity);
  }
  const unknown = [...asked.keys()].find((id) => !charges.some(({ featureId }) => featureId === id));
  if (unknown !== undefined) {
    return problem(
      `the plan ${quoted(planId)} has no charge by the unit for the feature ${quoted(unknown ?? '')}`,
    );
  }
  const chosen: SubscribedUnits[] = [];
  for (const charge of charges) {
    const { featureId, minUnitQuantity } = charge;
    const before = current?.units.find((units) => units.featureId === featureId)?.quantity;
    const quantity = asked.get(featureId) ?? before ?? minUnitQuantity ?? 1;
    const refusal = quantityRefusal(charge, quantity);
    if (refusal !== undefined) return problem(refusal);
    chosen.push({ featureId, quantity });
  }
  return chosen;
}

function quantityRefusal(
  { featureId, minUnitQuantity, maxUnitQuantity }: Price,
  quantity: number,
): string | undefined {
  const min = minUnitQuantity ?? 0;
  if (quantity >= min && quantity <= (maxUnitQuantity ?? Number.POSITIVE_INFINITY)) return undefined;
  const name = featureId === null ? 'units' : `units of ${quoted(featureId)}`;
  const allowed = maxUnitQuantity === null ? `at least ${min}` : `${min} to ${maxUnitQuantity}`;
  return `the quantity of ${name} must be ${allowed}`;
}

/** Nothing new is sold of what is archived. */
function newestVersion(item: Package, now: number): number | undefined {
  return item.status === 'ARCHIVED' ? undefined : versionAt(item, now)?.versionNumber;
}

function isProblem<T>(chosen: Chosen<T>): chosen is { readonly problem: CatalogProblem } {
  return typeof chosen === 'object' && chosen !== null && 'problem' in chosen;
}

function problem(message: string): { readonly problem: CatalogProblem } {
  return { problem: invalid(message) };
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
