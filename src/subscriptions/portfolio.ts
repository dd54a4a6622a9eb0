/** A customer's subscriptions beside one another: which of them stand in each other's way. */
import { isDowngrade } from './package-version.ts';
import {
  hasEnded,
  isTrial,
  type Offers,
  type Portfolio,
  type Replacement,
  type Subscription,
} from './subscription.ts';

/**
 * Whether the start of one ends the other. A customer has one non-trial and one trial subscription to different
 * plans of a product in parallel; everything else that starts takes the place of what is there (seed). Where the
 * product allows several subscriptions, this holds for each resource, and for those of no resource.
 */
export function isDisplacedBy(other: Subscription, starting: Subscription, offers: Offers): boolean {
  if (other.refId === starting.refId || hasEnded(other) || !isSameSlot(other, starting, offers)) return false;
  return isTrial(other) === isTrial(starting) || other.planId === starting.planId;
}

export function isSameSlot(a: Subscription, b: Subscription, offers: Offers): boolean {
  if (a.productId !== b.productId) return false;
  return offers.product(a.productId)?.multipleSubscriptions !== true || a.resourceId === b.resourceId;
}

export function replaceIn(portfolio: Portfolio, changed: Subscription): Portfolio {
  return {
    ...portfolio,
    subscriptions: portfolio.subscriptions.map((item) => (item.refId === changed.refId ? changed : item)),
  };
}

/** Those that are scheduled to take the place of this one, the earliest first. */
export function scheduledReplacements(
  portfolio: Portfolio,
  subscription: Subscription,
  offers: Offers,
): readonly Subscription[] {
  return portfolio.subscriptions
    .filter(({ status, startDate }) => status === 'NOT_STARTED' && startDate >= subscription.startDate)
    .filter((scheduled) => isDisplacedBy(subscription, scheduled, offers))
    .toSorted((a, b) => a.startDate - b.startDate);
}

/** Says of each subscription what will take its place, as the others stand now. */
export function withReplacements(portfolio: Portfolio, offers: Offers): Portfolio {
  return {
    ...portfolio,
    subscriptions: portfolio.subscriptions.map((subscription) => ({
      ...subscription,
      replacement: replacementOf(portfolio, subscription, offers),
    })),
  };
}

function replacementOf(portfolio: Portfolio, subscription: Subscription, offers: Offers): Replacement | null {
  if (hasEnded(subscription)) return null;
  const [next] = scheduledReplacements(portfolio, subscription, offers);
  if (next === undefined) return null;
  const type = isDowngrade(offers, subscription, next) ? 'DOWNGRADE' : 'PLAN';
  return { at: next.startDate, planId: next.planId, planVersion: next.planVersion, type };
}
