/** A customer's subscriptions and promotional entitlements at one moment, and what follows from them. Pure. */
import type { Feature } from '../catalog/feature.ts';
import { isInForce, type PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import { parseQuantity } from '../quantity.ts';
import { advance, nextDueAt } from '../subscriptions/advance.ts';
import { currentPeriod } from '../subscriptions/subscription-dates.ts';
import { pricesOf } from '../subscriptions/subscription-price.ts';
import {
  accessStatuses,
  hasEnded,
  type Offers,
  type Portfolio,
  type Subscription,
} from '../subscriptions/subscription.ts';
import {
  earliest,
  effectiveEntitlement,
  type EntitlementOrigin,
  type GrantedEntitlement,
} from './effective-entitlement.ts';
import type { CustomerEntitlements, Denial, SpendLimit } from './entitlement.ts';
import { type Grant, promotionalGrant, subscriptionGrants } from './grants.ts';

/** What is kept of a customer, as it was last written. */
export interface CustomerState {
  readonly isArchived: boolean;
  readonly portfolio: Portfolio;
  readonly promotions: readonly PromotionalEntitlement[];
  /** Of all of the customer's subscriptions, those that have ended included. */
  readonly resourceIds: ReadonlySet<string>;
}

/** What the state comes to from `settledAt` until `dueAt`, unless something is changed. */
export interface SettledCustomer {
  readonly isArchived: boolean;
  readonly subscriptions: readonly EntitlementOrigin[];
  /** Promotional entitlements that hold, by the feature's refId. */
  readonly promotions: ReadonlyMap<string, PromotionalEntitlement>;
  readonly resourceIds: ReadonlySet<string>;
  /** When something that the customer has next begins, ends or changes, epoch ms; null for never. */
  readonly changesAt: number | null;
  readonly settledAt: number;
  readonly dueAt: number | null;
  /** What was worked out of it lately, by feature and resource. */
  readonly worked: Map<string, Worked>;
}

/** An entitlement is the same until its period ends, unless the customer is settled anew. */
interface Worked {
  readonly entitlement: GrantedEntitlement | Denial;
  readonly from: number;
  readonly until: number;
}

/** As many are seldom asked for of one customer; then all are forgotten. */
const workedMax = 1_000;

/** Entitlements with what a check needs to know beside them. */
export interface CustomerStanding extends CustomerEntitlements {
  /** By refId or id, as it was then. */
  readonly feature: FeatureIndex;
  /** Those that have a subscription of their own which gives access. */
  resources(): readonly string[];
  of(featureId: string, resourceId: string | null): GrantedEntitlement | Denial;
  all(resourceId: string | null): readonly GrantedEntitlement[] | Denial;
}

/** By refId or id. */
export type FeatureIndex = (name: string) => Feature | undefined;

/** Carries out what time has done since the state was written. */
export function settledCustomer(state: CustomerState, offers: Offers, now: number): SettledCustomer {
  const portfolio = advance(state.portfolio, offers, now);
  const live = portfolio.subscriptions.filter((subscription) => !hasEnded(subscription));
  const origins = live
    .filter(({ status }) => accessStatuses.has(status))
    .map((subscription) => originOf(subscription, offers, now));
  const inForce = state.promotions.filter((promotion) => isInForce(promotion, now));
  const bounds = state.promotions.flatMap(({ startDate, endDate }) => [startDate, endDate]);
  const changesAt = earliest([...live.flatMap(changesOf), ...bounds].filter((at) => at !== null && at > now));
  const periodEnds = origins.map(({ budget }) => budget?.period.end ?? null);
  return {
    isArchived: state.isArchived,
    subscriptions: origins,
    promotions: new Map(inForce.map((promotion) => [promotion.featureId, promotion])),
    resourceIds: new Set([...state.resourceIds, ...live.flatMap(({ resourceId }) => resourceId ?? [])]),
    changesAt,
    settledAt: now,
    dueAt: earliest([changesAt, nextDueAt(portfolio, offers), ...periodEnds]),
    worked: new Map(),
  };
}

/** `customer` is undefined when there is none. `now` lies in the time that the customer is settled for. */
export function customerStanding(
  customer: SettledCustomer | undefined,
  features: FeatureIndex,
  now: number,
): CustomerStanding {
  return {
    feature: features,
    resources: () => [...new Set(customer?.subscriptions.flatMap(({ resourceId }) => resourceId ?? []))],
    of(featureId, resourceId) {
      const barred = barOf(customer);
      if (barred !== undefined || customer === undefined) return barred ?? notFound;
      const feature = features(featureId);
      if (feature === undefined) return { deniedReason: 'FeatureNotFound' };
      if (isUnknownResource(customer, resourceId)) return { deniedReason: 'CustomerResourceNotFound' };
      if (feature.featureStatus === 'SUSPENDED') return { deniedReason: 'Revoked' };
      return entitlementOf(customer, feature.refId, resourceId, now);
    },
    all(resourceId) {
      const barred = barOf(customer);
      if (barred !== undefined || customer === undefined) return barred ?? notFound;
      if (isUnknownResource(customer, resourceId)) return { deniedReason: 'CustomerResourceNotFound' };
      const origins = subscriptionsOf(customer, resourceId);
      if (origins.length === 0 && customer.promotions.size === 0) return noSubscription;
      const featureIds = [
        ...origins.flatMap(({ grants }) => [...grants.keys()]),
        ...customer.promotions.keys(),
      ];
      return [...new Set(featureIds)].toSorted().flatMap((featureId) => {
        const status = features(featureId)?.featureStatus ?? 'SUSPENDED';
        if (status === 'SUSPENDED') return [];
        const entitlement = entitlementOf(customer, featureId, resourceId, now);
        return 'deniedReason' in entitlement ? [] : [entitlement];
      });
    },
  };
}

const notFound: Denial = { deniedReason: 'CustomerNotFound' };
const noSubscription: Denial = { deniedReason: 'NoActiveSubscription' };

function barOf(customer: SettledCustomer | undefined): Denial | undefined {
  if (customer === undefined) return notFound;
  return customer.isArchived ? { deniedReason: 'CustomerIsArchived' } : undefined;
}

function isUnknownResource({ resourceIds }: SettledCustomer, resourceId: string | null): boolean {
  return resourceId !== null && !resourceIds.has(resourceId);
}

function entitlementOf(
  customer: SettledCustomer,
  featureId: string,
  resourceId: string | null,
  now: number,
): GrantedEntitlement | Denial {
  const { worked } = customer;
  const name = resourceId === null ? `-${featureId}` : `${featureId.length} ${featureId}${resourceId}`;
  const known = worked.get(name);
  if (known !== undefined && known.from <= now && now < known.until) return known.entitlement;
  const entitlement = entitlementNow(customer, featureId, resourceId, now);
  const period = 'deniedReason' in entitlement ? null : entitlement.usagePeriod;
  if (worked.size >= workedMax) worked.clear();
  worked.set(name, { entitlement, from: now, until: period?.end ?? Number.POSITIVE_INFINITY });
  return entitlement;
}

/** A promotional entitlement holds without a subscription, too. */
function entitlementNow(
  customer: SettledCustomer,
  featureId: string,
  resourceId: string | null,
  now: number,
): GrantedEntitlement | Denial {
  const bought = subscriptionsOf(customer, resourceId);
  const promotion = customer.promotions.get(featureId);
  if (bought.length === 0 && promotion === undefined) return noSubscription;
  const origins =
    promotion === undefined ? bought : [...bought, promotionalOrigin(promotion, bought, resourceId)];
  return effectiveEntitlement(featureId, origins, customer.changesAt, now);
}

/** For a resource those of its own and those of the customer as a whole; else the latter alone (facts, section 4.1). */
function subscriptionsOf(customer: SettledCustomer, resourceId: string | null): readonly EntitlementOrigin[] {
  return customer.subscriptions.filter(
    (origin) => origin.resourceId === null || origin.resourceId === resourceId,
  );
}

/**
 * It raises what the subscriptions grant, so it counts the usage that they count: of the resource where one of them
 * is the resource's, and from when the oldest of them counts it.
 */
function promotionalOrigin(
  promotion: PromotionalEntitlement,
  bought: readonly EntitlementOrigin[],
  resourceId: string | null,
): EntitlementOrigin {
  const { featureId, startDate, updatedAt } = promotion;
  const raised = bought.filter(({ grants }) => grants.has(featureId));
  const anchors = raised.map(({ usageAnchor }) => usageAnchor);
  const isOfResource = bought.some((origin) => origin.resourceId !== null);
  return {
    name: '',
    resourceId: isOfResource ? resourceId : null,
    usageAnchor: anchors.length === 0 ? startDate : Math.min(...anchors),
    usageResetAt: earliestReset(raised),
    grants: new Map<string, Grant>([[featureId, promotionalGrant(promotion)]]),
    updatedAt,
    budget: null,
  };
}

/** Null where one of them, or nothing, counts without a reset. */
function earliestReset(origins: readonly EntitlementOrigin[]): number | null {
  const resets = origins.map(({ usageResetAt }) => usageResetAt);
  return resets.length === 0 || resets.includes(null) ? null : earliest(resets);
}

export function originOf(subscription: Subscription, offers: Offers, now: number): EntitlementOrigin {
  const { refId, resourceId, startDate, createdAt, usageAnchor, usageResetAt } = subscription;
  const version = offers
    .package(subscription.planId)
    ?.versions.find(({ versionNumber }) => versionNumber === subscription.planVersion);
  return {
    name: refId,
    resourceId,
    usageAnchor: usageAnchor ?? startDate,
    usageResetAt,
    grants: subscriptionGrants(subscription, offers),
    updatedAt: Math.max(startDate, createdAt, version?.publishedAt ?? 0),
    budget: hardBudget(subscription, offers, now),
  };
}

function hardBudget(subscription: Subscription, offers: Offers, now: number): SpendLimit | null {
  const { budget, resourceId } = subscription;
  const span = currentPeriod(subscription, now);
  const limit = budget === null || budget.hasSoftLimit ? undefined : parseQuantity(budget.limit);
  if (limit === undefined || span === null) return null;
  const prices = pricesOf(subscription, offers).filter(({ billingModel }) => billingModel === 'USAGE_BASED');
  return prices.length === 0
    ? null
    : { limit, resourceId, prices, period: { start: span.start, end: span.end, anchor: span.start } };
}

/** What is known of what will change a subscription; the time to tell of a trial's end is nothing of that kind. */
function changesOf(subscription: Subscription): readonly (number | null)[] {
  const { status, startDate, trial, cancellation, replacement, scheduledUpdates } = subscription;
  return [
    status === 'NOT_STARTED' ? startDate : null,
    status === 'IN_TRIAL' ? (trial?.endsAt ?? null) : null,
    cancellation?.at ?? null,
    replacement?.at ?? null,
    ...scheduledUpdates.map(({ at }) => at),
  ];
}
