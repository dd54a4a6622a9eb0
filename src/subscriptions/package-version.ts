/** Which published version of a package holds, and what moving from one to another means. */
import type { Package, PackageContent, PackageVersion } from '../catalog/package.ts';
import { pricesFor, startingAmount } from '../catalog/price-calculation.ts';
import {
  compareQuantities,
  divideQuantity,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../quantity.ts';
import type { Offers, Subscription } from './subscription.ts';

/** The newest version that was published by then. */
export function versionAt(item: Package | undefined, instant: number): PackageVersion | undefined {
  return item?.versions.findLast(({ publishedAt }) => publishedAt <= instant);
}

export function contentOf(item: Package | undefined, version: number): PackageContent | undefined {
  return item?.versions.find(({ versionNumber }) => versionNumber === version)?.content;
}

/** The instances of the plan's and the add-ons' versions from then on; what is gone from the catalog stays. */
export function withVersionsAt(subscription: Subscription, offers: Offers, instant: number): Subscription {
  const plan = versionAt(offers.package(subscription.planId), instant);
  return {
    ...subscription,
    planVersion: plan?.versionNumber ?? subscription.planVersion,
    pricingType: plan === undefined ? subscription.pricingType : plan.content.pricingType,
    addons: subscription.addons.map((addon) => ({
      ...addon,
      version: versionAt(offers.package(addon.addonId), instant)?.versionNumber ?? addon.version,
    })),
  };
}

type Priced = Pick<
  Subscription,
  'planId' | 'planVersion' | 'pricingType' | 'billingPeriod' | 'billingCountryCode'
>;

/**
 * Whether a move from one plan to another takes something away (facts, section 4.5): not when the target
 * inherits from the plan it leaves; else from paid to free, and between paid plans to a lower starting price,
 * both counted by the month.
 */
export function isDowngrade(offers: Offers, from: Priced, to: Priced): boolean {
  if (inheritsFrom(offers, to.planId, from.planId)) return false;
  if (from.pricingType !== 'PAID') return false;
  if (to.pricingType !== 'PAID') return to.pricingType !== 'CUSTOM';
  return compareQuantities(monthlyPrice(offers, to), monthlyPrice(offers, from)) < 0;
}

/** Walks up from the plan; a catalog refuses circles, and the walk ends at one all the same. */
function inheritsFrom(offers: Offers, planId: string, ancestorId: string): boolean {
  const seen = new Set<string>();
  for (let at: string | null = planId; at !== null && !seen.has(at); ) {
    seen.add(at);
    at = offers.package(at)?.versions.at(-1)?.content.parentPlanId ?? null;
    if (at === ancestorId) return true;
  }
  return false;
}

function monthlyPrice(offers: Offers, { planId, planVersion, billingPeriod, ...priced }: Priced): Quantity {
  const content = contentOf(offers.package(planId), planVersion);
  if (content === undefined || billingPeriod === null) return zeroQuantity;
  const amount = startingAmount(pricesFor(content.prices, billingPeriod, priced.billingCountryCode));
  return billingPeriod === 'MONTHLY' ? amount : divideQuantity(amount, twelve);
}

const twelve = parseQuantity('12') ?? zeroQuantity;
