/** What is agreed on beside what is bought: a discount, a minimum, a budget, who pays (facts, sections 1.9 to 1.12). */
import { type CatalogProblem, invalid } from '../catalog/catalog-problem.ts';
import { type AppliedCoupon, appliedFrom } from '../catalog/coupon.ts';
import { moneyProblem } from '../catalog/decode-prices.ts';
import { parseCurrency } from '../money.ts';
import { pricesOf } from './subscription-price.ts';
import type { Budget, Offers, Subscription } from './subscription.ts';

/** Undefined leaves a term as it is; null takes it away. */
export interface TermsRequest {
  readonly appliedCoupon?: CouponRequest | null | undefined;
  /** An exact decimal in major units, and an ISO 4217 code. */
  readonly minimumSpend?: { readonly amount: string; readonly currency: string } | null | undefined;
  readonly budget?: Budget | null | undefined;
  /** The refId; whoever calls has seen that there is such a customer. */
  readonly payingCustomerId?: string | null | undefined;
}

export interface CouponRequest {
  /** A refId or an id. */
  readonly couponId: string;
  /** Null: from the subscription's start on, or from now where it has started. */
  readonly startDate: number | null;
}

export type Terms = Pick<Subscription, 'coupon' | 'minimumSpend' | 'budget' | 'payingCustomerId'>;

/** The subscription's terms with the changes. `since` is from when on a coupon discounts unless it is said. */
export function chooseTerms(
  request: TermsRequest,
  subscription: Subscription,
  offers: Offers,
  since: number,
): Terms | { readonly problem: CatalogProblem } {
  const { appliedCoupon, budget = subscription.budget, payingCustomerId, minimumSpend } = request;
  const currency = pricesOf(subscription, offers)[0]?.currency ?? null;
  const refusal = minimumProblem(minimumSpend, currency) ?? budgetProblem(request.budget);
  if (refusal !== undefined) return { problem: invalid(refusal) };
  const coupon = chooseCoupon(appliedCoupon, subscription, offers, currency, since);
  if (typeof coupon === 'string') return { problem: invalid(coupon) };
  const payer = payingCustomerId === undefined ? subscription.payingCustomerId : payingCustomerId;
  return {
    coupon,
    budget,
    minimumSpend:
      minimumSpend === undefined
        ? subscription.minimumSpend
        : minimumSpend && { ...minimumSpend, currency: minimumSpend.currency.toLowerCase() },
    payingCustomerId: payer === subscription.customerId ? null : payer,
  };
}

function chooseCoupon(
  request: CouponRequest | null | undefined,
  subscription: Subscription,
  offers: Offers,
  currency: string | null,
  since: number,
): AppliedCoupon | null | string {
  if (request === undefined) return subscription.coupon;
  if (request === null) return null;
  const name = JSON.stringify(request.couponId);
  const coupon = offers.coupon(request.couponId);
  if (coupon === undefined) return `appliedCoupon: no coupon has the refId or id ${name}`;
  if (coupon.status !== 'ACTIVE')
    return `appliedCoupon: the coupon ${name} is archived; choose an active one`;
  const { amountsOff } = coupon;
  if (amountsOff !== null && currency !== null && !amountsOff.some((off) => off.currency === currency)) {
    return `appliedCoupon: the coupon ${name} takes nothing off in ${currency}, the currency of the prices`;
  }
  return appliedFrom(coupon, request.startDate ?? since);
}

function minimumProblem(money: TermsRequest['minimumSpend'], currency: string | null): string | undefined {
  if (money === undefined || money === null) return undefined;
  const problem = moneyProblem('minimumSpend', money);
  if (problem !== undefined) return problem;
  if (isNothing(money.amount)) return 'minimumSpend.amount must be above 0; null takes it away';
  return currency === null || parseCurrency(money.currency) === currency
    ? undefined
    : `minimumSpend.currency must be ${currency}, the currency of the prices`;
}

function budgetProblem(budget: TermsRequest['budget']): string | undefined {
  if (budget === undefined || budget === null) return undefined;
  const problem = moneyProblem('budget', { amount: budget.limit, currency: 'usd' });
  if (problem !== undefined) return problem.replace('budget.amount', 'budget.limit');
  return isNothing(budget.limit) ? 'budget.limit must be above 0; null takes the budget away' : undefined;
}

function isNothing(amount: string): boolean {
  return /^[0.]+$/.test(amount);
}
