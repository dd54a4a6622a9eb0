/** When a change that waits takes effect. */
import type { Product } from '../catalog/product.ts';
import { periodAt } from './billing-period.ts';
import type { Subscription } from './subscription.ts';

export type ScheduleStrategy = 'IMMEDIATE' | 'END_OF_BILLING_PERIOD' | 'END_OF_BILLING_MONTH';

/** What the caller says goes before what the product's customer journey says of downgrades. */
export function downgradeStrategy(
  asked: ScheduleStrategy | null,
  product: Product | undefined,
): ScheduleStrategy {
  const waits = product?.productSettings.downgradeAtEndOfBillingPeriod === true;
  return asked ?? (waits ? 'END_OF_BILLING_PERIOD' : 'IMMEDIATE');
}

/** The end of a billing month is the next monthly return of the anchor, also for annual periods (facts, 4.6). */
export function dueUnder(strategy: ScheduleStrategy, subscription: Subscription, now: number): number {
  const { billingAnchor, billingPeriod, startDate } = subscription;
  if (strategy === 'IMMEDIATE' || billingPeriod === null) return now;
  const unit = strategy === 'END_OF_BILLING_MONTH' ? 'MONTHLY' : billingPeriod;
  return periodAt(billingAnchor ?? startDate, unit, now).end;
}
