/**
 * The subscription that a customer is provisioned with (seed, facts 1.4 and 2.1): what is asked for, or what the
 * product's customer journey makes of it; and none where there is one, so that the same call may be sent again.
 */
import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import type { Product } from '../catalog/product.ts';
import { versionAt } from './package-version.ts';
import { provision, type ProvisionRequest } from './provision.ts';
import { hasEnded, isTrial, type Offers, type Portfolio, type Subscription } from './subscription.ts';

/** How it came to be the subscription that it is. */
export type StartStrategy =
  | 'REQUESTED_PLAN'
  | 'START_WITH_FREE_PLAN'
  | 'START_WITH_TRIAL'
  | 'EXISTING_SUBSCRIPTION';

export type StartDecision =
  | { readonly portfolio: Portfolio; readonly refId: string; readonly strategy: StartStrategy }
  | { readonly problem: CatalogProblem };

/** `portfolio` is as it is now. */
export function startSubscription(
  portfolio: Portfolio,
  offers: Offers,
  request: ProvisionRequest,
  now: number,
): StartDecision {
  const plan = offers.package(request.planId);
  const product = plan?.type === 'PLAN' ? offers.product(plan.productId) : undefined;
  const existing = product && existingFor(portfolio, product, request);
  if (existing !== undefined) {
    return { portfolio, refId: existing.refId, strategy: 'EXISTING_SUBSCRIPTION' };
  }
  const strategy = product === undefined ? 'REQUESTED_PLAN' : strategyOf(portfolio, product);
  const planId = product && startPlanOf(product, strategy);
  if (!planId) return started(provision(portfolio, offers, request, now), request, strategy);
  const byJourney = journeyRequest(request, planId, strategy, offers, now);
  const decision = provision(portfolio, offers, byJourney, now);
  if (!('problem' in decision)) return started(decision, request, strategy);
  const { code, message } = decision.problem;
  const journey = `the customer journey of the product ${JSON.stringify(product.refId)} starts with the plan ${JSON.stringify(planId)}`;
  return { problem: { code, message: `${journey}: ${message}` } };
}

/** The plan that the journey puts in the place of whatever is asked for; null where it puts none. */
export function startPlanOf(
  { productSettings }: Product,
  strategy: StartStrategy = strategies[productSettings.subscriptionStartSetup],
): string | null {
  return strategy === 'REQUESTED_PLAN' ? null : productSettings.subscriptionStartPlanId;
}

const strategies = {
  PLAN_SELECTION: 'REQUESTED_PLAN',
  FREE_PLAN: 'START_WITH_FREE_PLAN',
  TRIAL_PERIOD: 'START_WITH_TRIAL',
} as const satisfies Readonly<Record<Product['productSettings']['subscriptionStartSetup'], StartStrategy>>;

/** The live one that stands where the new one would; scheduled ones are live. The one to the plan asked for goes first. */
function existingFor(
  { subscriptions }: Portfolio,
  { refId, multipleSubscriptions }: Product,
  { planId, resourceId }: ProvisionRequest,
): Subscription | undefined {
  const there = subscriptions.filter(
    (item) =>
      !hasEnded(item) &&
      item.productId === refId &&
      (!multipleSubscriptions || item.resourceId === resourceId),
  );
  return there.find((item) => item.planId === planId) ?? there.find((item) => !isTrial(item)) ?? there[0];
}

/** A customer who has had the product's one trial (contract, 5.13) gets what is asked for. */
function strategyOf(
  { subscriptions, trialedProductIds }: Portfolio,
  { refId, productSettings }: Product,
): StartStrategy {
  const strategy = strategies[productSettings.subscriptionStartSetup];
  if (strategy !== 'START_WITH_TRIAL') return strategy;
  const hasTrial =
    trialedProductIds.includes(refId) ||
    subscriptions.some((item) => item.productId === refId && !hasEnded(item) && isTrial(item));
  return hasTrial ? 'REQUESTED_PLAN' : strategy;
}

/** What was selected of another plan means nothing for this one. */
function journeyRequest(
  request: ProvisionRequest,
  planId: string,
  strategy: StartStrategy,
  offers: Offers,
  now: number,
): ProvisionRequest {
  const { billingPeriod: asked, trialOverride } = request;
  const prices = versionAt(offers.package(planId), now)?.content.prices ?? [];
  const isOffered = prices.some(({ billingPeriod }) => billingPeriod === asked);
  const nothingSelected = {
    addons: null,
    billableFeatures: null,
    unitQuantity: null,
    billingPeriod: isOffered ? asked : null,
  };
  const selected = { ...request, ...(request.planId === planId ? {} : nothingSelected), planId };
  if (strategy === 'START_WITH_FREE_PLAN') return { ...selected, skipTrial: true, trialOverride: null };
  const { trialEndDate = null, trialEndBehavior = null } = trialOverride?.isTrial ? trialOverride : {};
  return { ...selected, skipTrial: false, trialOverride: { isTrial: true, trialEndDate, trialEndBehavior } };
}

function started(
  decision: ReturnType<typeof provision>,
  { refId }: ProvisionRequest,
  strategy: StartStrategy,
): StartDecision {
  return 'problem' in decision ? decision : { portfolio: decision.portfolio, refId, strategy };
}
