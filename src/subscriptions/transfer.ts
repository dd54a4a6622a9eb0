/** Moving a subscription to another of its customer's resources (facts, section 2.2). */
import { invalid } from '../catalog/catalog-problem.ts';
import { refIdProblem } from '../catalog/entity-fields.ts';
import { advance } from './advance.ts';
import { isDisplacedBy, replaceIn } from './portfolio.ts';
import type { PortfolioDecision } from './provision.ts';
import type { Offers, Portfolio, Subscription } from './subscription.ts';
import { refusal } from './update.ts';

/**
 * `subscription` is in the portfolio, which is as it is now. Nothing gives way to it: a resource that has such a
 * subscription already has to be freed first.
 */
export function transferSubscription(
  portfolio: Portfolio,
  offers: Offers,
  subscription: Subscription,
  resourceId: string,
  now: number,
): PortfolioDecision {
  const refused = refusal(subscription, 'transfer');
  if (refused !== undefined) return refused;
  const badName = refIdProblem(resourceId, 'destinationResourceId');
  if (badName !== undefined) return { problem: invalid(badName) };
  if (subscription.resourceId === resourceId) return { portfolio };
  const moved = { ...subscription, resourceId };
  const isAlone = offers.product(subscription.productId)?.multipleSubscriptions !== true;
  const other = isAlone
    ? undefined
    : portfolio.subscriptions.find((item) => isDisplacedBy(item, moved, offers));
  if (other !== undefined) {
    const names = `${JSON.stringify(resourceId)} has the subscription ${JSON.stringify(other.refId)}`;
    return { problem: invalid(`the resource ${names} to this product already; end it first`) };
  }
  return { portfolio: advance(replaceIn(portfolio, moved), offers, now) };
}
