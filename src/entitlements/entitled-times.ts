/** What a customer was entitled to in the past, as far as the records still tell. Pure. */
import type { Feature } from '../catalog/feature.ts';
import { isInForce } from '../customers/promotional-entitlement.ts';
import { hasEnded, type Offers, type Subscription } from '../subscriptions/subscription.ts';
import type { EntitledTime } from '../usage/reset-points.ts';
import { type CustomerState, customerStanding, originOf, type SettledCustomer } from './customer-standing.ts';

/** `subscriptions`: all, those that have ended included. */
export interface EntitlementHistory extends Pick<CustomerState, 'promotions'> {
  readonly subscriptions: readonly Subscription[];
}

/**
 * In order. Each subscription counts with what it was at its end, or is now: the plan's version, add-ons and units
 * that it had before are not kept. `resourceId` null asks for the customer as a whole.
 */
export function entitledTimes(
  history: EntitlementHistory,
  offers: Offers,
  feature: Feature,
  resourceId: string | null,
): readonly EntitledTime[] {
  const held = history.subscriptions.filter(
    (subscription) => subscription.usageAnchor !== null && subscription.startDate < endOf(subscription),
  );
  const bounds = [
    ...held.flatMap((subscription) => [subscription.startDate, endOf(subscription)]),
    ...history.promotions.flatMap(({ startDate, endDate }) => [startDate, endDate ?? forever]),
  ];
  const sorted = [...new Set(bounds)].toSorted((a, b) => a - b);
  return sorted.flatMap((start, index) => {
    const end = sorted[index + 1];
    if (end === undefined) return [];
    const customer = customerAt({ ...history, subscriptions: held }, offers, start);
    const standingAt = (instant: number) =>
      customerStanding(customer, () => feature, instant).of(feature.refId, resourceId);
    if ('deniedReason' in standingAt(start)) return [];
    const periodAt = (instant: number) => {
      const standing = standingAt(instant);
      return 'deniedReason' in standing ? null : standing.usagePeriod;
    };
    return [{ start, end, periodAt }];
  });
}

const forever = Number.MAX_SAFE_INTEGER;

function endOf(subscription: Subscription): number {
  return hasEnded(subscription) ? (subscription.endedAt ?? subscription.startDate) : forever;
}

function customerAt(
  { subscriptions, promotions }: EntitlementHistory,
  offers: Offers,
  now: number,
): SettledCustomer {
  const current = subscriptions.filter((each) => each.startDate <= now && now < endOf(each));
  const inForce = promotions.filter((promotion) => isInForce(promotion, now));
  return {
    isArchived: false,
    subscriptions: current.map((subscription) => originOf(subscription, offers, now)),
    promotions: new Map(inForce.map((promotion) => [promotion.featureId, promotion])),
    resourceIds: new Set(subscriptions.flatMap(({ resourceId }) => resourceId ?? [])),
    changesAt: null,
    settledAt: now,
    dueAt: null,
    worked: new Map(),
  };
}
