/**
 * What time does to a customer's subscriptions: starts, trials that end, scheduled updates and cancellations.
 * Each happens as of the instant that it was due, in the order of those instants, whenever it is computed: so the
 * result does not depend on how often `advance` is called, nor on whether anybody was there at that moment.
 * Billing periods roll over by themselves, because they are computed from their anchor.
 */
import { createHash } from 'node:crypto';
import { versionAt, withVersionsAt } from './package-version.ts';
import { isDisplacedBy, isSameSlot, replaceIn, withReplacements } from './portfolio.ts';
import { statusAfter, type TimedOperation } from './status-table.ts';
import {
  type CancelReason,
  hasEnded,
  isTrial,
  type Offers,
  type Portfolio,
  type Subscription,
} from './subscription.ts';

/** The portfolio as it is now; those that have ended on the way are in it, as ended. */
export function advance(portfolio: Portfolio, offers: Offers, now: number): Portfolio {
  let current = portfolio;
  for (let due = nextDue(current); due !== undefined && due.at <= now; due = nextDue(current)) {
    current = carryOut(current, due, offers);
  }
  return withReplacements(current, offers);
}

/** When `advance` next has something to do, epoch ms; null for never, unless somebody changes something. */
export function nextDueAt(portfolio: Portfolio): number | null {
  return nextDue(portfolio)?.at ?? null;
}

/** Ended by hand or by another one that takes its place. */
export function cancelled(subscription: Subscription, at: number, cancelReason: CancelReason): Subscription {
  return {
    ...subscription,
    status: statusAfter(subscription.status, 'cancel'),
    // Something back-dated may take its place from before it began; then it was there for no time at all.
    endedAt: subscription.status === 'NOT_STARTED' ? at : Math.max(at, subscription.startDate),
    cancelReason,
    scheduledUpdates: [],
  };
}

/**
 * What follows the end of a subscription by the customer journey: the product's free plan, where it has one and
 * nothing else takes the place.
 */
export function withSuccessor(portfolio: Portfolio, ended: Subscription, offers: Offers): Portfolio {
  const at = ended.endedAt ?? ended.startDate;
  const settings = offers.product(ended.productId)?.productSettings;
  const planId = settings?.subscriptionEndSetup === 'DOWNGRADE_TO_FREE' ? settings.downgradePlanId : null;
  if (planId === null || planId === ended.planId || isTakenAt(portfolio, ended, offers, at)) return portfolio;
  const version = versionAt(offers.package(planId), at);
  if (version === undefined) return portfolio;
  // Derived from what it follows, so that whoever computes it computes the same one.
  const digest = createHash('sha256').update(`successor of ${ended.id}`).digest('hex');
  const successor: Subscription = {
    ...ended,
    id: uuidOf(digest),
    refId: `subscription-${planId}-${digest.slice(-12)}`,
    planId,
    planVersion: version.versionNumber,
    pricingType: version.content.pricingType,
    billingPeriod: ended.billingPeriod ?? 'MONTHLY',
    addons: [],
    units: [],
    status: 'NOT_STARTED',
    startDate: at,
    billingAnchor: at,
    usageAnchor: null,
    payingCustomerId: null,
    coupon: null,
    minimumSpend: null,
    budget: null,
    trial: null,
    cancellation: null,
    endedAt: null,
    cancelReason: null,
    scheduledUpdates: [],
    additionalMetaData: null,
    createdAt: at,
  };
  return { ...portfolio, subscriptions: [...portfolio.subscriptions, successor] };
}

interface Due {
  readonly at: number;
  readonly operation: 'end' | 'endTrial' | 'executeUpdate' | 'start';
  readonly subscription: Subscription;
}

/** At one instant what ends goes first and what starts goes last, so that the newest is what remains. */
const order: readonly Due['operation'][] = ['end', 'endTrial', 'executeUpdate', 'start'];

function nextDue({ subscriptions }: Portfolio): Due | undefined {
  let first: Due | undefined;
  for (const due of subscriptions.flatMap(duesOf)) {
    if (first === undefined || compareDues(due, first) < 0) first = due;
  }
  return first;
}

function duesOf(subscription: Subscription): readonly Due[] {
  const { status, cancellation, trial, scheduledUpdates, startDate } = subscription;
  const dues: Due[] = [];
  if (hasEnded(subscription)) return dues;
  if (cancellation !== null) dues.push({ at: cancellation.at, operation: 'end', subscription });
  if (status === 'NOT_STARTED') dues.push({ at: startDate, operation: 'start', subscription });
  if (status === 'IN_TRIAL' && trial !== null) {
    dues.push({ at: trial.endsAt, operation: 'endTrial', subscription });
  }
  if (status === 'ACTIVE') {
    dues.push(...scheduledUpdates.map(({ at }): Due => ({ at, operation: 'executeUpdate', subscription })));
  }
  return dues;
}

function compareDues(a: Due, b: Due): number {
  if (a.at !== b.at) return a.at - b.at;
  const byOperation = order.indexOf(a.operation) - order.indexOf(b.operation);
  if (byOperation !== 0) return byOperation;
  const byAge = a.subscription.createdAt - b.subscription.createdAt;
  if (byAge !== 0) return byAge;
  return a.subscription.refId < b.subscription.refId ? -1 : 1;
}

function carryOut(portfolio: Portfolio, due: Due, offers: Offers): Portfolio {
  return carryOutBy[due.operation](portfolio, due, offers);
}

function end(portfolio: Portfolio, { subscription, at }: Due, offers: Offers): Portfolio {
  const ended = cancelled(subscription, at, 'ScheduledCancellation');
  const without = replaceIn(portfolio, ended);
  const isFollowed = subscription.status !== 'NOT_STARTED' && subscription.cancellation?.action === 'DEFAULT';
  return isFollowed ? withSuccessor(without, ended, offers) : without;
}

function endTrial(portfolio: Portfolio, { subscription, at }: Due, offers: Offers): Portfolio {
  if (subscription.trial?.endBehavior === 'CONVERT_TO_PAID') {
    const converted = { ...moved(subscription, 'convertTrial'), billingAnchor: at };
    return displace(replaceIn(portfolio, converted), converted, at, offers);
  }
  const expired: Subscription = {
    ...moved(subscription, 'expireTrial'),
    endedAt: at,
    cancelReason: 'TRIAL_ENDED',
    scheduledUpdates: [],
  };
  return withSuccessor(replaceIn(portfolio, expired), expired, offers);
}

function start(portfolio: Portfolio, { subscription, at }: Due, offers: Offers): Portfolio {
  // One that was scheduled takes the versions of the day it starts; a back-dated one those of the day it was made.
  const current = withVersionsAt(subscription, offers, Math.max(at, subscription.createdAt));
  const { billingAnchor } = current;
  const anchor = billingAnchor ?? inheritedAnchor(portfolio, current, offers) ?? at;
  const started = {
    ...moved(current, subscription.trial === null ? 'start' : 'startTrial'),
    billingAnchor: anchor,
  };
  const trialed = new Set(portfolio.trialedProductIds);
  if (started.status === 'IN_TRIAL') trialed.add(started.productId);
  const next = { ...replaceIn(portfolio, started), trialedProductIds: [...trialed] };
  return displace(next, started, at, offers);
}

/** A paid plan that takes the place of another goes on with its billing periods, where they are as long. */
function inheritedAnchor(portfolio: Portfolio, starting: Subscription, offers: Offers): number | null {
  if (starting.trial !== null || starting.pricingType !== 'PAID') return null;
  const before = portfolio.subscriptions.find(
    (other) =>
      other.status === 'ACTIVE' &&
      other.pricingType === 'PAID' &&
      other.billingPeriod === starting.billingPeriod &&
      isDisplacedBy(other, starting, offers),
  );
  return before?.billingAnchor ?? null;
}

/** Ends what has started and stands in the way; what has not started will itself displace when it starts. */
function displace(portfolio: Portfolio, starting: Subscription, at: number, offers: Offers): Portfolio {
  return {
    ...portfolio,
    subscriptions: portfolio.subscriptions.map((other) => {
      if (other.status === 'NOT_STARTED' || !isDisplacedBy(other, starting, offers)) return other;
      const isConverted = isTrial(other) && !isTrial(starting);
      return cancelled(other, at, isConverted ? 'TRIAL_CONVERTED' : 'UPGRADE_OR_DOWNGRADE');
    }),
  };
}

function executeUpdate(portfolio: Portfolio, { subscription, at }: Due, offers: Offers): Portfolio {
  let next = moved(subscription, 'executeUpdate');
  for (const update of subscription.scheduledUpdates.filter((item) => item.at <= at)) {
    if (update.type === 'ADDON') next = { ...next, addons: update.addons };
    if (update.type === 'UNIT_AMOUNT') next = { ...next, units: update.units };
    if (update.type === 'BILLING_PERIOD') {
      next = { ...next, billingPeriod: update.billingPeriod, billingAnchor: at };
    }
  }
  const scheduledUpdates = subscription.scheduledUpdates.filter((item) => item.at > at);
  return replaceIn(portfolio, { ...withVersionsAt(next, offers, at), scheduledUpdates });
}

function moved(subscription: Subscription, operation: TimedOperation): Subscription {
  return { ...subscription, status: statusAfter(subscription.status, operation) };
}

/** Whether something else is there at that moment, or starts then. A trial beside it does not count. */
function isTakenAt(portfolio: Portfolio, ended: Subscription, offers: Offers, at: number): boolean {
  return portfolio.subscriptions.some(
    (other) =>
      other.refId !== ended.refId &&
      !hasEnded(other) &&
      !isTrial(other) &&
      isSameSlot(other, ended, offers) &&
      (other.status !== 'NOT_STARTED' || other.startDate <= at),
  );
}

const carryOutBy: Readonly<
  Record<Due['operation'], (portfolio: Portfolio, due: Due, offers: Offers) => Portfolio>
> = { end, endTrial, executeUpdate, start };

/** In the form of a UUID of version 8, which is for values of one's own making. */
function uuidOf(digest: string): string {
  const [a, b, c, d, e] = [
    [0, 8],
    [8, 12],
    [13, 16],
    [17, 20],
    [20, 32],
  ].map(([from, to]) => digest.slice(from, to));
  return `${a}-${b}-8${c}-8${d}-${e}`;
}
