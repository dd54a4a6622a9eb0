/** A new subscription: whether it is a trial, when it starts, and what it takes the place of (seed, facts 4.1–4.4). */
import { type CatalogProblem, invalid, notFound } from '../catalog/catalog-problem.ts';
import { refIdProblem } from '../catalog/entity-fields.ts';
import type { Package, PackageVersion, TrialConfig, TrialEndBehavior } from '../catalog/package.ts';
import { advance, cancelled } from './advance.ts';
import { periodStart } from './billing-period.ts';
import { isDowngrade, versionAt } from './package-version.ts';
import { isDisplacedBy, isSameSlot } from './portfolio.ts';
import { downgradeStrategy, dueUnder, type ScheduleStrategy } from './schedule.ts';
import { chooseSelection, type SelectionRequest } from './selection.ts';
import { chooseTerms, type TermsRequest } from './terms.ts';
import {
  hasEnded,
  isTrial,
  type Offers,
  type Portfolio,
  type Selection,
  type Subscription,
  type Trial,
} from './subscription.ts';

export interface ProvisionRequest extends SelectionRequest, TermsRequest {
  /** Given by the caller, or made. */
  readonly refId: string;
  /** The UUID that it gets. */
  readonly id: string;
  readonly customerId: string;
  readonly planId: string;
  readonly resourceId: string | null;
  readonly billingCountryCode: string | null;
  /** Null: now, or when the schedule strategy says. */
  readonly startDate: number | null;
  readonly skipTrial: boolean;
  readonly trialOverride: TrialOverride | null;
  readonly scheduleStrategy: ScheduleStrategy | null;
  readonly billingCycleAnchor: 'UNCHANGED' | 'NOW';
  readonly cancellationDate: number | null;
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
}

export interface TrialOverride {
  readonly isTrial: boolean;
  readonly trialEndDate: number | null;
  readonly trialEndBehavior: TrialEndBehavior | null;
}

/** The portfolio as it is afterwards; the subscription that was asked for is the one with the request's refId. */
export type PortfolioDecision = { readonly portfolio: Portfolio } | { readonly problem: CatalogProblem };

/** `portfolio` is as it is now. */
export function provision(
  portfolio: Portfolio,
  offers: Offers,
  request: ProvisionRequest,
  now: number,
): PortfolioDecision {
  const made = makeSubscription(portfolio, offers, request, now);
  if ('problem' in made) return made;
  const { subscription } = made;
  const subscriptions = portfolio.subscriptions.map((other) =>
    // A newer request takes the place of those that wait for their date or payment; none of them waits behind it.
    (other.status === 'PAYMENT_PENDING' ||
      (other.status === 'NOT_STARTED' && other.startDate >= subscription.startDate)) &&
    isDisplacedBy(other, subscription, offers)
      ? cancelled(other, now, 'UPGRADE_OR_DOWNGRADE')
      : other,
  );
  return {
    portfolio: advance({ ...portfolio, subscriptions: [...subscriptions, subscription] }, offers, now),
  };
}

function makeSubscription(
  portfolio: Portfolio,
  offers: Offers,
  request: ProvisionRequest,
  now: number,
): { readonly subscription: Subscription } | { readonly problem: CatalogProblem } {
  const { planId, billingCountryCode, cancellationDate } = request;
  const refusal = requestProblem(request);
  if (refusal !== undefined) return { problem: invalid(refusal) };
  const found = findPlan(offers.package(planId), planId, offers, now);
  if ('problem' in found) return found;
  const { plan, version } = found;
  const { content } = version;
  const { productId } = plan;
  const context = { planId, plan: content, productId, billingCountryCode, current: null, offers, now };
  const selection = chooseSelection(request, context);
  if ('problem' in selection) return selection;
  const draft = draftOf(request, plan, version, selection, now);
  const { startDate: asked } = request;
  const trial = trialOf(
    portfolio,
    offers,
    request,
    { ...draft, startDate: asked ?? now },
    content.defaultTrialConfig,
  );
  if (typeof trial === 'string') return { problem: invalid(trial) };
  // A trial runs beside what is paid for, so it waits for no period's end.
  const startDate = asked ?? (trial === null ? startOf(portfolio, offers, request, draft, now) : now);
  if (cancellationDate !== null && cancellationDate <= Math.max(startDate, now)) {
    return { problem: invalid('cancellationDate must lie after the start, and ahead') };
  }
  const terms = chooseTerms(request, draft, offers, startDate);
  if ('problem' in terms) return terms;
  return {
    subscription: {
      ...draft,
      ...terms,
      startDate,
      trial,
      billingAnchor: request.billingCycleAnchor === 'NOW' || trial !== null ? startDate : null,
      cancellation:
        cancellationDate === null
          ? null
          : { at: cancellationDate, onGivenDate: true, action: 'DEFAULT', prorate: false },
    },
  };
}

/** What it is apart from when it starts, and on which terms. */
function draftOf(
  { id, refId, customerId, resourceId, billingCountryCode, additionalMetaData }: ProvisionRequest,
  plan: Package,
  { content, versionNumber: planVersion }: PackageVersion,
  selection: Selection,
  now: number,
): Subscription {
  return {
    id,
    refId,
    customerId,
    resourceId,
    productId: plan.productId,
    planId: plan.refId,
    planVersion,
    ...selection,
    pricingType: content.pricingType,
    billingCountryCode,
    additionalMetaData,
    createdAt: now,
    status: 'NOT_STARTED',
    trial: null,
    cancellation: null,
    endedAt: null,
    cancelReason: null,
    scheduledUpdates: [],
    replacement: null,
    startDate: now,
    billingAnchor: null,
    usageAnchor: null,
    usageResetAt: null,
    payingCustomerId: null,
    coupon: null,
    minimumSpend: null,
    budget: null,
    latestInvoiceId: null,
    charged: null,
  };
}

function requestProblem(request: ProvisionRequest): string | undefined {
  const { refId, resourceId, billingCountryCode, skipTrial, trialOverride } = request;
  if (skipTrial && trialOverride?.isTrial === true) {
    return 'skipTrial and trialOverrideConfiguration.isTrial contradict each other';
  }
  if (billingCountryCode !== null && !/^[A-Z]{2}$/.test(billingCountryCode)) {
    return 'billingCountryCode must be a country of ISO 3166-1 in two capital letters';
  }
  return (
    refIdProblem(refId, 'subscriptionId') ??
    (resourceId === null ? undefined : refIdProblem(resourceId, 'resourceId'))
  );
}

function findPlan(
  plan: Package | undefined,
  planId: string,
  offers: Offers,
  now: number,
): { readonly plan: Package; readonly version: PackageVersion } | { readonly problem: CatalogProblem } {
  if (plan?.type !== 'PLAN') return { problem: notFound('plan', planId) };
  const isArchived = plan.status === 'ARCHIVED' || offers.product(plan.productId)?.status === 'ARCHIVED';
  const version = isArchived ? undefined : versionAt(plan, now);
  if (version !== undefined) return { plan, version };
  const state = isArchived ? 'is archived' : 'has no published version: publish it first';
  return { problem: { code: 'PLAN_NOT_FOUND', message: `the plan ${JSON.stringify(planId)} ${state}` } };
}

/**
 * Where no date is given: as the schedule strategy says, or for a downgrade the product's journey; both only where
 * there is a paid subscription whose period can be waited for.
 */
function startOf(
  portfolio: Portfolio,
  offers: Offers,
  { scheduleStrategy }: ProvisionRequest,
  draft: Subscription,
  now: number,
): number {
  const before = portfolio.subscriptions.find(
    (other) =>
      other.status === 'ACTIVE' && other.pricingType === 'PAID' && isDisplacedBy(other, draft, offers),
  );
  if (before === undefined) return now;
  const byJourney = isDowngrade(offers, before, draft)
    ? downgradeStrategy(null, offers.product(draft.productId))
    : 'IMMEDIATE';
  return dueUnder(scheduleStrategy ?? byJourney, before, now);
}

/** The trial that the subscription starts with, null for none, or why the one asked for cannot be. */
function trialOf(
  portfolio: Portfolio,
  offers: Offers,
  { skipTrial, trialOverride }: ProvisionRequest,
  draft: Subscription,
  config: TrialConfig | null,
): Trial | null | string {
  const byDefault = config !== null && !skipTrial && isEligible(portfolio, offers, draft);
  if (!(trialOverride?.isTrial ?? byDefault)) return null;
  const endsAt = trialOverride?.trialEndDate ?? (config === null ? null : trialEnd(draft.startDate, config));
  if (endsAt === null) {
    return 'trialOverrideConfiguration.trialEndDate is required, because the plan has no trial of its own';
  }
  if (endsAt <= draft.startDate) return 'trialEndDate must lie after the start';
  const endBehavior = trialOverride?.trialEndBehavior ?? config?.trialEndBehavior ?? 'CONVERT_TO_PAID';
  return { endsAt, endBehavior, endsSoonToldAt: null };
}

/**
 * One trial for each customer and product (contract, 5.13), and none of a plan that the customer is on. One that
 * is scheduled counts, unless this one starts in its stead.
 */
function isEligible(portfolio: Portfolio, offers: Offers, draft: Subscription): boolean {
  const { productId, planId, startDate } = draft;
  if (portfolio.trialedProductIds.includes(productId)) return false;
  return !portfolio.subscriptions.some((other) => {
    if (hasEnded(other) || other.productId !== productId) return false;
    const isSame = isSameSlot(other, draft, offers);
    if (other.status === 'NOT_STARTED' && other.startDate >= startDate && isSame) return false;
    return isTrial(other) || (isSame && other.planId === planId);
  });
}

function trialEnd(startDate: number, { duration, units }: TrialConfig): number {
  return units === 'DAY' ? startDate + duration * 86_400_000 : periodStart(startDate, 'MONTHLY', duration);
}
