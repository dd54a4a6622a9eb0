/** A discount that customers and subscriptions can have (facts, section 1.10). */
import { monthsLater } from '../calendar.ts';

export interface Coupon {
  readonly id: string;
  /** The caller's name; never changes. */
  readonly refId: string;
  readonly name: string;
  readonly description: string | null;
  readonly type: 'FIXED' | 'PERCENTAGE';
  /** An exact decimal above 0 and up to 100; PERCENTAGE only. */
  readonly percentOff: string | null;
  /** Exact decimals above 0 in major units, one for each currency (ISO 4217, small letters); FIXED only. */
  readonly amountsOff: readonly { readonly amount: string; readonly currency: string }[] | null;
  /** Null for ever. */
  readonly durationInMonths: number | null;
  readonly status: 'ACTIVE' | 'ARCHIVED';
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A coupon as a customer or a subscription has it: the discount itself is copied, as coupons are immutable in it. */
export interface AppliedCoupon extends Pick<Coupon, 'percentOff' | 'amountsOff'> {
  /** The coupon's refId. */
  readonly couponId: string;
  /** Half-open, epoch ms: invoices that are made from `startsAt` on and before `endsAt` are discounted. */
  readonly startsAt: number;
  /** Null for ever. */
  readonly endsAt: number | null;
}

/** The coupon as it is given, to take effect at `startsAt`. */
export function appliedFrom(
  { refId, percentOff, amountsOff, durationInMonths }: Coupon,
  startsAt: number,
): AppliedCoupon {
  const endsAt = durationInMonths === null ? null : monthsLater(startsAt, durationInMonths);
  return { couponId: refId, percentOff, amountsOff, startsAt, endsAt };
}
