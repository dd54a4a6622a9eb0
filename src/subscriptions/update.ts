/** Changes of a subscription that stays on its plan (facts, sections 4.2, 4.5, 4.6 and 4.11). */
import { type CatalogProblem, invalid } from '../catalog/catalog-problem.ts';
import { advance, cancelled } from './advance.ts';
import { contentOf } from './package-version.ts';
import { replaceIn, scheduledReplacements } from './portfolio.ts';
import type { PortfolioDecision } from './provision.ts';
import { downgradeStrategy, dueUnder, type ScheduleStrategy } from './schedule.ts';
import { chooseSelection, type SelectionRequest } from './selection.ts';
import { type Operation, refusalOf } from './status-table.ts';
import { chooseTerms, type TermsRequest } from './terms.ts';
import { withTrialEnd } from './trial.ts';
import type { Offers, Portfolio, ScheduledUpdate, Selection, Subscription } from './subscription.ts';

/** Undefined changes nothing. */
export interface UpdateRequest extends SelectionRequest, TermsRequest {
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null | undefined;
  /** A later end takes a scheduled cancellation back. */
  readonly trialEndDate: number | undefined;
  /** Null takes a scheduled cancellation back. */
  readonly cancellationDate: number | null | undefined;
  readonly scheduleStrategy: ScheduleStrategy | null;
}

type Changed = { readonly subscription: Subscription } | { readonly problem: CatalogProblem };

/** `subscription` is in the portfolio, which is as it is now. */
export function updateSubscription(
  portfolio: Portfolio,
  offers: Offers,
  subscription: Subscription,
  request: UpdateRequest,
  now: number,
): PortfolioDecision {
  const refused = refusal(subscription, 'update');
  if (refused !== undefined) return refused;
  let changed: Changed = { subscription };
  for (const change of [changeTrialEnd, changeCancellation, changeSelection, changeTerms]) {
    changed = change(changed.subscription, request, offers, now);
    if ('problem' in changed) return changed;
  }
  const { additionalMetaData = subscription.additionalMetaData } = request;
  const next = { ...changed.subscription, additionalMetaData };
  return { portfolio: advance(replaceIn(portfolio, next), offers, now) };
}

/** Takes back what is scheduled: the subscription's own updates, and another one that would take its place. */
export function takeBackUpdates(
  portfolio: Portfolio,
  offers: Offers,
  subscription: Subscription,
  now: number,
): PortfolioDecision {
  const refused = refusal(subscription, 'takeBackUpdates');
  if (refused !== undefined) return refused;
  let next = replaceIn(portfolio, { ...subscription, scheduledUpdates: [] });
  for (const scheduled of scheduledReplacements(portfolio, subscription, offers)) {
    next = replaceIn(next, cancelled(scheduled, now, 'Immediate'));
  }
  return { portfolio: advance(next, offers, now) };
}

/** Why the operation cannot be done in the subscription's status, as a problem; undefined when it can. */
export function refusal(
  { refId, status }: Subscription,
  operation: Operation,
): { readonly problem: CatalogProblem } | undefined {
  const reason = refusalOf(status, operation);
  if (reason === undefined) return undefined;
  const message = `the subscription ${JSON.stringify(refId)} cannot be changed so: ${reason}`;
  return { problem: invalid(message) };
}

function changeTrialEnd(
  subscription: Subscription,
  { trialEndDate }: UpdateRequest,
  _offers: Offers,
  now: number,
): Changed {
  if (trialEndDate === undefined) return { subscription };
  const { trial, startDate, cancellation } = subscription;
  if (trial === null) return { problem: invalid('trialEndDate is for a subscription in trial') };
  const refused = refusal(subscription, 'moveTrialEnd');
  if (refused !== undefined) return refused;
  if (trialEndDate <= Math.max(now, startDate)) {
    return { problem: invalid('trialEndDate must lie ahead') };
  }
  return {
    subscription: {
      ...subscription,
      trial: withTrialEnd(trial, trialEndDate, now),
      cancellation: trialEndDate > trial.endsAt ? null : cancellation,
    },
  };
}

function changeCancellation(
  subscription: Subscription,
  { cancellationDate }: UpdateRequest,
  _offers: Offers,
  now: number,
): Changed {
  if (cancellationDate === undefined) return { subscription };
  if (cancellationDate === null) return { subscription: { ...subscription, cancellation: null } };
  const refused = refusal(subscription, 'scheduleCancellation');
  if (refused !== undefined) return refused;
  if (cancellationDate <= now) return { problem: invalid('cancellationDate must lie ahead') };
  const cancellation = {
    at: cancellationDate,
    onGivenDate: true,
    action: 'DEFAULT',
    prorate: false,
  } as const;
  return { subscription: { ...subscription, cancellation } };
}

/**
 * A change with something more in it happens at once. One with only less waits where the caller or the product's
 * journey says so and there is a paid period to wait for. Either takes the place of what was scheduled, and asking
 * for what there is already only takes that back (facts, section 4.5: Q0, Q1, Q2).
 */
function changeSelection(
  subscription: Subscription,
  request: UpdateRequest,
  offers: Offers,
  now: number,
): Changed {
  const { billingPeriod, addons, billableFeatures, unitQuantity, scheduleStrategy } = request;
  const asked = [billingPeriod, addons, billableFeatures, unitQuantity].some((part) => part !== null);
  if (!asked) return { subscription };
  const { planId, planVersion, productId, billingCountryCode } = subscription;
  const plan = contentOf(offers.package(planId), planVersion);
  if (plan === undefined) throw new Error(`the catalog lacks version ${planVersion} of a subscribed plan`);
  const selection = chooseSelection(request, {
    planId,
    plan,
    productId,
    billingCountryCode,
    current: subscription,
    offers,
    now,
  });
  if ('problem' in selection) return selection;
  const strategy = downgradeStrategy(scheduleStrategy, offers.product(productId));
  const mayWait = subscription.status === 'ACTIVE' && subscription.pricingType === 'PAID';
  const at = mayWait && isOnlyLess(subscription, selection) ? dueUnder(strategy, subscription, now) : now;
  if (at > now)
    return { subscription: { ...subscription, scheduledUpdates: updates(subscription, selection, at) } };
  const isOtherPeriod = selection.billingPeriod !== subscription.billingPeriod;
  const restarts = isOtherPeriod && subscription.status === 'ACTIVE';
  return {
    subscription: {
      ...subscription,
      ...selection,
      scheduledUpdates: [],
      billingAnchor: restarts ? now : subscription.billingAnchor,
    },
  };
}

function changeTerms(
  subscription: Subscription,
  request: UpdateRequest,
  offers: Offers,
  now: number,
): Changed {
  const terms = chooseTerms(request, subscription, offers, Math.max(now, subscription.startDate));
  return 'problem' in terms ? terms : { subscription: { ...subscription, ...terms } };
}

/** Something goes or shrinks, and nothing comes or grows; a longer period is more. */
function isOnlyLess(before: Selection, after: Selection): boolean {
  const pairs: [number, number][] = [[periodRank(before), periodRank(after)]];
  for (const { featureId, quantity } of after.units) {
    pairs.push([before.units.find((units) => units.featureId === featureId)?.quantity ?? 0, quantity]);
  }
  for (const addonId of new Set([...before.addons, ...after.addons].map((addon) => addon.addonId))) {
    pairs.push([addonQuantity(before, addonId), addonQuantity(after, addonId)]);
  }
  return pairs.some(([from, to]) => to < from) && pairs.every(([from, to]) => to <= from);
}

function periodRank({ billingPeriod }: Selection): number {
  return billingPeriod === 'ANNUALLY' ? 1 : 0;
}

function addonQuantity({ addons }: Selection, addonId: string): number {
  return addons.find((addon) => addon.addonId === addonId)?.quantity ?? 0;
}

function updates(before: Selection, after: Selection, at: number): readonly ScheduledUpdate[] {
  const { addons, units, billingPeriod } = after;
  const scheduled: ScheduledUpdate[] = [];
  if (!isSame(before.addons, addons)) scheduled.push({ at, type: 'ADDON', addons });
  if (!isSame(before.units, units)) scheduled.push({ at, type: 'UNIT_AMOUNT', units });
  if (billingPeriod !== null && billingPeriod !== before.billingPeriod) {
    scheduled.push({ at, type: 'BILLING_PERIOD', billingPeriod });
  }
  return scheduled;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
