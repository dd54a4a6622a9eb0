/** Moving one subscription to the latest version of its plan and add-ons, on request (facts, section 4.8). */
import { invalid } from '../catalog/catalog-problem.ts';
import { advance } from './advance.ts';
import { migratedToLatest } from './package-migration.ts';
import { replaceIn } from './portfolio.ts';
import type { PortfolioDecision } from './provision.ts';
import { dueUnder } from './schedule.ts';
import type { Offers, Portfolio, Subscription } from './subscription.ts';
import { refusal } from './update.ts';

export type MigrationTime = 'IMMEDIATE' | 'END_OF_BILLING_PERIOD';

/**
 * `subscription` is in the portfolio, which is as it is now. A migration takes the place of what was scheduled, as
 * other changes do; one that is on the latest versions stays as it is.
 */
export function migrateSubscription(
  portfolio: Portfolio,
  offers: Offers,
  subscription: Subscription,
  time: MigrationTime,
  now: number,
): PortfolioDecision {
  const refused = refusal(subscription, 'migrate');
  if (refused !== undefined) return refused;
  const migrated = migratedToLatest(subscription, offers, now);
  if (typeof migrated === 'string') {
    const message = `the subscription ${JSON.stringify(subscription.refId)} cannot be migrated: ${migrated}`;
    return { problem: invalid(message) };
  }
  if (migrated === subscription) return { portfolio };
  // As with other changes: what is in trial, or has not started, has no billing period to wait for.
  const at = subscription.status === 'ACTIVE' ? dueUnder(time, subscription, now) : now;
  const next: Subscription =
    at > now
      ? { ...subscription, scheduledUpdates: [{ at, type: 'MIGRATE_TO_LATEST' }] }
      : { ...migrated, scheduledUpdates: [] };
  return { portfolio: advance(replaceIn(portfolio, next), offers, now) };
}
