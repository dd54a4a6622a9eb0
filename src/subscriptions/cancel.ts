/** The end of a subscription that somebody asks for (facts, section 4.7). */
import { type CatalogProblem, invalid } from '../catalog/catalog-problem.ts';
import type { SubscriptionCancellationTime } from '../catalog/product.ts';
import { advance, cancelled, withSuccessor } from './advance.ts';
import { periodAt } from './billing-period.ts';
import { replaceIn } from './portfolio.ts';
import type { PortfolioDecision } from './provision.ts';
import { withTrialEnd } from './trial.ts';
import type { Cancellation, CancelReason, Offers, Portfolio, Subscription } from './subscription.ts';
import { refusal } from './update.ts';

export interface CancellationRequest {
  /** Null: as the product's customer journey says. */
  readonly time: SubscriptionCancellationTime | null;
  /** For SPECIFIC_DATE. */
  readonly endDate: number | null;
  readonly action: Cancellation['action'];
  /** Null: as the product's customer journey says. */
  readonly prorate: boolean | null;
  /** Why it ends, where that is at once; `Immediate` when absent. */
  readonly reason?: CancelReason;
}

/** `subscription` is in the portfolio, which is as it is now. */
export function cancelSubscription(
  portfolio: Portfolio,
  offers: Offers,
  subscription: Subscription,
  request: CancellationRequest,
  now: number,
): PortfolioDecision {
  const refused = refusal(subscription, 'cancel');
  if (refused !== undefined) return refused;
  const due = dueOf(subscription, offers, request, now);
  if (typeof due !== 'number') return due;
  const settings = offers.product(subscription.productId)?.productSettings;
  const cancellation: Cancellation = {
    at: due,
    onGivenDate: request.endDate !== null,
    action: request.action,
    prorate: request.prorate ?? settings?.prorateAtEndOfBillingPeriod ?? false,
  };
  const planned = { ...subscription, cancellation };
  if (due > now) {
    return (
      refusal(subscription, 'scheduleCancellation') ?? {
        portfolio: advance(replaceIn(portfolio, withTrialUntil(planned, due, now)), offers, now),
      }
    );
  }
  const ended = cancelled(planned, now, request.reason ?? 'Immediate');
  const without = replaceIn(portfolio, ended);
  const isFollowed = subscription.status !== 'NOT_STARTED' && request.action === 'DEFAULT';
  return { portfolio: advance(isFollowed ? withSuccessor(without, ended, offers) : without, offers, now) };
}

function dueOf(
  subscription: Subscription,
  offers: Offers,
  { time, endDate }: CancellationRequest,
  now: number,
): number | { readonly problem: CatalogProblem } {
  const { status, trial, billingPeriod, billingAnchor, startDate, productId } = subscription;
  const journey = offers.product(productId)?.productSettings.subscriptionCancellationTime;
  // A date says what is meant, also without the word for it.
  const chosen = time ?? (endDate === null ? (journey ?? 'IMMEDIATE') : 'SPECIFIC_DATE');
  if (endDate !== null && chosen !== 'SPECIFIC_DATE') {
    return { problem: invalid(`endDate is for SPECIFIC_DATE, not for ${chosen}`) };
  }
  if (chosen === 'IMMEDIATE') return now;
  if (chosen === 'SPECIFIC_DATE') {
    if (endDate === null) return { problem: invalid('endDate is required for SPECIFIC_DATE') };
    return endDate > now ? endDate : { problem: invalid('endDate must lie ahead') };
  }
  // What has not started has no period to finish; a trial's only period is the trial.
  if (status === 'NOT_STARTED') return now;
  if (status === 'IN_TRIAL' && trial !== null) return trial.endsAt;
  if (billingPeriod !== null) return periodAt(billingAnchor ?? startDate, billingPeriod, now).end;
  const message = 'the subscription has no billing period; cancel it IMMEDIATE or on a SPECIFIC_DATE';
  return { problem: invalid(message) };
}

/** A date behind the trial's end makes the trial last until then: nothing is charged before the end (facts, 4.2). */
function withTrialUntil(subscription: Subscription, end: number, now: number): Subscription {
  const { status, trial } = subscription;
  if (status !== 'IN_TRIAL' || trial === null || trial.endsAt >= end) return subscription;
  return { ...subscription, trial: withTrialEnd(trial, end, now) };
}
