/** What a subscription's dates come to, for those who ask. */
import { periodAt, type PeriodSpan } from './billing-period.ts';
import { hasEnded, type Subscription } from './subscription.ts';

/**
 * The billing period that it is in, or was in when it ended; a trial is one period. Null before the start, and
 * where nothing is billed by the period.
 */
export function currentPeriod(subscription: Subscription, now: number): PeriodSpan | null {
  const { startDate, trial, billingAnchor, billingPeriod, endedAt } = subscription;
  // The period that ends at the very end of the subscription is its last one.
  const moment = endedAt === null ? now : Math.max(startDate, endedAt - 1);
  if (moment < startDate || subscription.status === 'NOT_STARTED') return null;
  if (trial !== null && moment < trial.endsAt) return { start: startDate, end: trial.endsAt };
  return billingAnchor === null || billingPeriod === null
    ? null
    : periodAt(billingAnchor, billingPeriod, moment);
}

/** When it was, or is to be, cancelled; null where nobody and nothing cancels it. */
export function cancellationDate({ status, endedAt, cancellation }: Subscription): number | null {
  if (status === 'EXPIRED') return null;
  return endedAt ?? cancellation?.at ?? null;
}

/** When access ends, as far as is known: by a cancellation, a trial that ends, or what takes its place. */
export function effectiveEndDate(subscription: Subscription): number | null {
  const { status, endedAt, cancellation, replacement, trial } = subscription;
  if (hasEnded(subscription)) return endedAt;
  const trialEnds =
    trial?.endBehavior === 'CANCEL_SUBSCRIPTION' && (status === 'IN_TRIAL' || status === 'NOT_STARTED')
      ? trial.endsAt
      : null;
  const ends = [cancellation?.at, replacement?.at, trialEnds].filter((at) => typeof at === 'number');
  return ends.length === 0 ? null : Math.min(...ends);
}
