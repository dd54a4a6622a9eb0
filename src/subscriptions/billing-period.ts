/**
 * Billing periods from an anchor (contract, 5.8): half-open, in UTC. Every boundary is computed from the anchor
 * itself, never from the boundary before it, so that an anchor on day 29 to 31 that is clamped to a short month's
 * last day returns to its own day in the next long one.
 */
import { monthsLater } from '../calendar.ts';
import type { BillingPeriod } from '../catalog/price.ts';

/** Epoch ms, half-open: `end` is the first instant that is no longer inside. */
export interface PeriodSpan {
  readonly start: number;
  readonly end: number;
}

/** Where the period with this number starts; number 0 starts at the anchor, and numbers may be negative. */
export function periodStart(anchor: number, billingPeriod: BillingPeriod, periodNumber: number): number {
  return monthsLater(anchor, periodNumber * monthsOf[billingPeriod]);
}

/** The period that holds the instant, which may lie before the anchor. */
export function periodAt(anchor: number, billingPeriod: BillingPeriod, instant: number): PeriodSpan {
  const monthsBetween = monthNumber(instant) - monthNumber(anchor);
  const guess = Math.floor(monthsBetween / monthsOf[billingPeriod]);
  // The guess is right to the month; within the boundary's own month the instant may still come before it.
  const number = periodStart(anchor, billingPeriod, guess) <= instant ? guess : guess - 1;
  return {
    start: periodStart(anchor, billingPeriod, number),
    end: periodStart(anchor, billingPeriod, number + 1),
  };
}

const monthsOf: Readonly<Record<BillingPeriod, number>> = { MONTHLY: 1, ANNUALLY: 12 };

function monthNumber(instant: number): number {
  const at = new Date(instant);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
