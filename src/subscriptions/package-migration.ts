/** Moves of a subscription to other versions of the plan and the add-ons that it has (facts, section 4.8). */
import type { Package, PackageVersion, PricingType } from '../catalog/package.ts';
import { contentOf, versionAt } from './package-version.ts';
import { chooseSelection } from './selection.ts';
import type { Offers, Selection, Subscription } from './subscription.ts';

/** The subscription on the newest versions by then, or why it cannot go there; the same one where it is on them. */
export function migratedToLatest(
  subscription: Subscription,
  offers: Offers,
  instant: number,
): Subscription | string {
  const { planId, planVersion, addons } = subscription;
  const plan = versionAt(offers.package(planId), instant)?.versionNumber ?? planVersion;
  const latest = addons.map((addon) => ({
    ...addon,
    version: versionAt(offers.package(addon.addonId), instant)?.versionNumber ?? addon.version,
  }));
  const isThere = plan === planVersion && latest.every(({ version }, at) => version === addons[at]?.version);
  return isThere ? subscription : movedTo(subscription, plan, latest, offers, instant);
}

export interface Rollout {
  /** When the version was published. */
  readonly at: number;
  /** The subscription as it is then. */
  readonly subscription: Subscription;
}

/**
 * The next move to a version that was published for everybody, the earliest one first. Where a subscription cannot
 * go to a version, because it would begin to be billed or does not fit what is offered there, it stays.
 */
export function nextRollout(subscription: Subscription, offers: Offers): Rollout | undefined {
  const { planId, planVersion, addons } = subscription;
  const rollouts = newerForAll(offers.package(planId), planVersion).map(
    ({ versionNumber, publishedAt }): Move => ({ at: publishedAt, plan: versionNumber, addons }),
  );
  for (const [place, { addonId, version: current }] of addons.entries()) {
    const item = offers.package(addonId);
    const from = contentOf(item, current)?.pricingType ?? null;
    for (const { versionNumber: version, publishedAt, content } of newerForAll(item, current)) {
      if (beginsToBeBilled(from, content.pricingType)) continue;
      const changed = addons.map((addon, at) => (at === place ? { ...addon, version } : addon));
      rollouts.push({ at: publishedAt, plan: planVersion, addons: changed });
    }
  }
  for (const { at, plan, addons: next } of rollouts.toSorted((a, b) => a.at - b.at)) {
    const moved = movedTo(subscription, plan, next, offers, at);
    if (typeof moved !== 'string') return { at, subscription: moved };
  }
  return undefined;
}

interface Move {
  readonly at: number;
  readonly plan: number;
  readonly addons: Selection['addons'];
}

function newerForAll(item: Package | undefined, version: number): readonly PackageVersion[] {
  return (item?.versions ?? []).filter(
    ({ versionNumber, migrationType }) => versionNumber > version && migrationType === 'ALL_CUSTOMERS',
  );
}

function movedTo(
  subscription: Subscription,
  planVersion: number,
  addons: Selection['addons'],
  offers: Offers,
  now: number,
): Subscription | string {
  const { planId, productId, billingCountryCode, pricingType } = subscription;
  const plan = contentOf(offers.package(planId), planVersion);
  if (plan === undefined) throw new Error(`the catalog lacks version ${planVersion} of a subscribed plan`);
  if (beginsToBeBilled(pricingType, plan.pricingType)) {
    return `its plan is ${plan.pricingType} in the latest version and ${pricingType ?? 'FREE'} in the one that it is on; provision the plan anew`;
  }
  const current = { ...subscription, addons };
  const context = { planId, plan, productId, billingCountryCode, current, offers, now };
  const selection = chooseSelection(nothingAsked, context);
  if ('problem' in selection) return selection.problem.message;
  return { ...subscription, ...selection, planVersion, pricingType: plan.pricingType };
}

/** What has to be agreed on with the customer: free to paid, free to custom, custom to paid. */
function beginsToBeBilled(from: PricingType | null, to: PricingType | null): boolean {
  const rank: Readonly<Record<PricingType, number>> = { FREE: 0, CUSTOM: 1, PAID: 2 };
  return rank[to ?? 'FREE'] > rank[from ?? 'FREE'];
}

const nothingAsked = { billingPeriod: null, addons: null, billableFeatures: null, unitQuantity: null };
