/** How the terms of a subscription are asked for and shown. */
import type { Coupon } from '../../catalog/coupon.ts';
import type { Customer } from '../../customers/customer.ts';
import type { Subscription } from '../../subscriptions/subscription.ts';
import type { TermsRequest } from '../../subscriptions/terms.ts';
import type { ApiContext, FieldCost, FieldResolvers } from '../context.ts';

export interface TermsInput extends Pick<TermsRequest, 'minimumSpend' | 'budget' | 'payingCustomerId'> {
  readonly appliedCoupon?: {
    readonly couponId: string;
    readonly configuration?: { readonly startDate?: number | null } | null;
  } | null;
}

/** What is absent stays as it is; for a new subscription that means none. */
export function termsOf({ appliedCoupon, minimumSpend, budget, payingCustomerId }: TermsInput): TermsRequest {
  const coupon = appliedCoupon && {
    couponId: appliedCoupon.couponId,
    startDate: appliedCoupon.configuration?.startDate ?? null,
  };
  return { appliedCoupon: coupon, minimumSpend, budget, payingCustomerId };
}

export const termsFields: FieldResolvers = { coupons, payingCustomer };

export const termsCosts: Readonly<Record<string, FieldCost>> = {
  'CustomerSubscription.coupons': { weight: 2 },
  'CustomerSubscription.payingCustomer': { weight: 2 },
};

interface SubscriptionCoupon {
  readonly coupon: () => Promise<Coupon | undefined>;
  readonly status: 'ACTIVE' | 'EXPIRED';
  readonly startDate: number;
  readonly endDate: number | null;
}

function coupons(
  { coupon: applied }: Subscription,
  _: unknown,
  { services }: ApiContext,
): readonly SubscriptionCoupon[] {
  if (applied === null) return [];
  const { couponId, startsAt, endsAt } = applied;
  return [
    {
      coupon: () => services.catalog.coupon(couponId),
      status: endsAt !== null && endsAt <= services.clock.now() ? 'EXPIRED' : 'ACTIVE',
      startDate: startsAt,
      endDate: endsAt,
    },
  ];
}

async function payingCustomer(
  { payingCustomerId }: Subscription,
  _: unknown,
  { services }: ApiContext,
): Promise<Customer | undefined> {
  return payingCustomerId === null ? undefined : services.customers.customer(payingCustomerId);
}
