/**
 * What time does to a customer's subscriptions: starts, trials that end (and are told of before), scheduled updates
 * and cancellations, payments that do not come, versions that are published for everybody.
 * Each happens as of the instant that it was due, in the order of those instants, whenever it is computed: so the
 * result does not depend on how often `advance` is called, nor on whether anybody was there at that moment.
 * Billing periods roll over by themselves, because they are computed from their anchor.
 */
import { createHash } from 'node:crypto';
import type { UsageResetBehavior } from '../catalog/product.ts';
import { periodAt } from './billing-period.ts';
import { migratedToLatest, nextRollout } from './package-migration.ts';
import { versionAt, withVersionsAt } from './package-version.ts';
import { isDisplacedBy, isSameSlot, replaceIn, withReplacements } from './portfolio.ts';
import { statusAfter, type TimedOperation } from './status-table.ts';
import { endsSoonAt } from './trial.ts';
import {
  accessStatuses,
  type CancelReason,
  hasEnded,
  isTrial,
  isWaiting,
  type Offers,
  type Portfolio,
  type Subscription,
} from './subscription.ts';

/** The portfolio as it is now; those that have ended on the way are in it, as ended. */
export function advance(portfolio: Portfolio, offers: Offers, now: number): Portfolio {
  let current = portfolio;
  for (let due = nextDue(current, offers); due !== undefined && due.at <= now; ) {
    current = carryOut(current, due, offers);
    due = nextDue(current, offers);
  }
  return withReplacements(current, offers);
}

/** When `advance` next has something to do, epoch ms; null for never, unless somebody changes something. */
export function nextDueAt(portfolio: Portfolio, offers: Offers): number | null {
  return nextDue(portfolio, offers)?.at ?? null;
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
  const isCountedOn = resetBehavior(ended, offers) === 'NEVER_RESET';
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
    usageAnchor: isCountedOn ? ended.usageAnchor : null,
    usageResetAt: isCountedOn ? ended.usageResetAt : at,
    payingCustomerId: null,
    coupon: null,
    minimumSpend: null,
    budget: null,
    latestInvoiceId: null,
    charged: null,
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
  readonly operation:
    | 'end'
    | 'endTrial'
    | 'executeUpdate'
    | 'expirePayment'
    | 'rollOut'
    | 'start'
    | 'tellTrialEnd';
  readonly subscription: Subscription;
}

/** At one instant what ends goes first and what starts goes after it, so that the newest is what remains. */
const order: readonly Due['operation'][] = [
  'end',
  'expirePayment',
  'endTrial',
  'executeUpdate',
  'rollOut',
  'start',
  'tellTrialEnd',
];

function nextDue({ subscriptions }: Portfolio, offers: Offers): Due | undefined {
  let first: Due | undefined;
  for (const due of subscriptions.flatMap((item) => duesOf(item, offers))) {
    if (first === undefined || compareDues(due, first) < 0) first = due;
  }
  return first;
}

function duesOf(subscription: Subscription, offers: Offers): readonly Due[] {
  const { status, cancellation, trial, scheduledUpdates, startDate } = subscription;
  const dues: Due[] = [];
  if (hasEnded(subscription)) return dues;
  if (cancellation !== null) dues.push({ at: cancellation.at, operation: 'end', subscription });
  if (status === 'NOT_STARTED') dues.push({ at: startDate, operation: 'start', subscription });
  if (status === 'PAYMENT_PENDING') {
    dues.push({ at: pendingUntil(subscription), operation: 'expirePayment', subscription });
  }
  if (status === 'IN_TRIAL' && trial !== null) {
    dues.push({ at: trial.endsAt, operation: 'endTrial', subscription });
    if (trial.endsSoonToldAt === null) {
      dues.push({ at: endsSoonAt(trial, startDate), operation: 'tellTrialEnd', subscription });
    }
  }
  if (status === 'ACTIVE') {
    dues.push(...scheduledUpdates.map(({ at }): Due => ({ at, operation: 'executeUpdate', subscription })));
  }
  const rollout = accessStatuses.has(status) ? nextRollout(subscription, offers) : undefined;
  if (rollout !== undefined) dues.push({ at: rollout.at, operation: 'rollOut', subscription });
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

/** What it would have replaced goes on. */
function expirePayment(portfolio: Portfolio, { subscription, at }: Due): Portfolio {
  return replaceIn(portfolio, cancelled(subscription, at, 'PENDING_PAYMENT_EXPIRED'));
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
  const inherited = billingAnchor === null ? inheritedAnchor(portfolio, current, offers) : null;
  const before = predecessor(portfolio, current, offers);
  const countedOn = keepsUsage(current, offers, inherited !== null) ? before : undefined;
  const started = {
    ...moved(current, subscription.trial === null ? 'start' : 'startTrial'),
    billingAnchor: billingAnchor ?? inherited ?? at,
    usageAnchor: current.usageAnchor ?? countedOn?.usageAnchor ?? at,
    usageResetAt: current.usageResetAt ?? resetOf(before, countedOn, at),
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

/** A payment that is awaited for longer than a day, or than the period that was to be paid for, is given up. */
function pendingUntil({ createdAt, billingAnchor, billingPeriod }: Subscription): number {
  const day = createdAt + 86_400_000;
  if (billingAnchor === null || billingPeriod === null) return day;
  return Math.min(day, periodAt(billingAnchor, billingPeriod, createdAt).end);
}

/** What it takes the place of. Where a trial and a subscription beside it both give way, that is the subscription. */
function predecessor(portfolio: Portfolio, starting: Subscription, offers: Offers): Subscription | undefined {
  const displaced = portfolio.subscriptions.filter(
    (other) => !isWaiting(other) && isDisplacedBy(other, starting, offers),
  );
  return displaced.find((other) => !isTrial(other)) ?? displaced[0];
}

function resetOf(
  before: Subscription | undefined,
  countedOn: Subscription | undefined,
  at: number,
): number | null {
  if (countedOn !== undefined) return countedOn.usageResetAt;
  return before === undefined ? null : at;
}

/** Usage is counted on where the product's rule does not reset it (facts, section 1.4). */
function keepsUsage(starting: Subscription, offers: Offers, keepsPeriods: boolean): boolean {
  const behavior = resetBehavior(starting, offers);
  return behavior === 'NEVER_RESET' || (behavior === 'BILLING_PERIOD_CHANGE' && keepsPeriods);
}

function resetBehavior({ productId }: Subscription, offers: Offers): UsageResetBehavior {
  return offers.product(productId)?.usageResetCutoffRule.behavior ?? 'ALWAYS_RESET';
}

/** Ends what has started and stands in the way; what waits for its date or payment will itself displace then. */
export function displace(
  portfolio: Portfolio,
  starting: Subscription,
  at: number,
  offers: Offers,
): Portfolio {
  return {
    ...portfolio,
    subscriptions: portfolio.subscriptions.map((other) => {
      if (isWaiting(other) || !isDisplacedBy(other, starting, offers)) return other;
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
    if (update.type === 'MIGRATE_TO_LATEST') {
      // What cannot go to the latest version by then stays where it is.
      const migrated = migratedToLatest(next, offers, at);
      if (typeof migrated !== 'string') next = migrated;
    }
  }
  const scheduledUpdates = subscription.scheduledUpdates.filter((item) => item.at > at);
  const isMigrationOnly = subscription.scheduledUpdates.every(({ type }) => type === 'MIGRATE_TO_LATEST');
  const current = isMigrationOnly ? next : withVersionsAt(next, offers, at);
  return replaceIn(portfolio, { ...current, scheduledUpdates });
}

/** A version that was published for everybody. */
function rollOut(portfolio: Portfolio, { subscription }: Due, offers: Offers): Portfolio {
  const rollout = nextRollout(moved(subscription, 'rollOut'), offers);
  return rollout === undefined ? portfolio : replaceIn(portfolio, rollout.subscription);
}

/** What follows from it is told by whoever sees the change. */
function tellTrialEnd(portfolio: Portfolio, { subscription, at }: Due): Portfolio {
  const { trial, ...told } = moved(subscription, 'tellTrialEnd');
  return replaceIn(portfolio, { ...told, trial: trial && { ...trial, endsSoonToldAt: at } });
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
      other.status !== 'PAYMENT_PENDING' &&
      (other.status !== 'NOT_STARTED' || other.startDate <= at),
  );
}

const carryOutBy: Readonly<
  Record<Due['operation'], (portfolio: Portfolio, due: Due, offers: Offers) => Portfolio>
> = { end, endTrial, executeUpdate, expirePayment, rollOut, start, tellTrialEnd };

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
