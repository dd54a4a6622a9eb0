import type { AppliedCoupon } from '../catalog/coupon.ts';
import type { Audit } from '../records/record-store.ts';
import type { CustomerChange } from './change-customer.ts';
import type { PromotionalChange, PromotionalEntitlement } from './promotional-entitlement.ts';

/** Whom usage is counted for. Billing information is never part of it: see contract, section 5.12. */
export interface Customer {
  readonly id: string;
  /** The caller's name; never changes. Events and usage carry it. */
  readonly refId: string;
  readonly name: string | null;
  readonly email: string | null;
  readonly additionalMetaData: Readonly<Record<string, unknown>> | null;
  /** The discount on whatever the customer pays for. */
  readonly coupon: AppliedCoupon | null;
  /** The payment provider's own short reference of the payment method; null without one. */
  readonly billingId: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Null while the customer is not archived. */
  readonly archivedAt: number | null;
}

/** A place in the order of customers: by `createdAt`, then `refId` bytewise. Stays valid for ever. */
export interface CustomerPlace {
  readonly createdAt: number;
  readonly refId: string;
}

/** Customers that meet every condition given; null sets none. Texts must be equal, letter case included. */
export interface CustomerFilter {
  readonly refId: string | null;
  readonly name: string | null;
  readonly email: string | null;
  /** Epoch ms, inclusive. */
  readonly createdFrom: number | null;
  /** Epoch ms, exclusive. */
  readonly createdBefore: number | null;
}

export interface CustomerPageQuery {
  readonly filter: CustomerFilter;
  readonly order: 'oldest-first' | 'newest-first';
  /** Customers strictly after and strictly before these places, in the query's order. */
  readonly after: CustomerPlace | null;
  readonly before: CustomerPlace | null;
  /** From which end of what is left the page is taken; the page itself is always in the query's order. */
  readonly end: 'first' | 'last';
  /** 1–1,000. */
  readonly limit: number;
}

export interface CustomerPage {
  readonly customers: readonly Customer[];
  /** Customers that meet the filter, on whatever page. */
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/** Where customers are kept. To all but `change` an archived customer is none. */
export interface CustomerDirectory {
  customer(refId: string): Promise<Customer | undefined>;
  /** Which of these refIds are provisioned; one round trip however many. */
  existing(refIds: readonly string[]): Promise<ReadonlySet<string>>;
}

/** What the API needs beyond whether a customer exists. */
export interface CustomerRegister extends CustomerDirectory {
  page(query: CustomerPageQuery): Promise<CustomerPage>;
  /**
   * Hands the customer over, archived or not, and stores what `decide`, which is pure, makes of it; asks again
   * when somebody else changed it meanwhile. The very same object changes nothing.
   */
  change(
    refId: string,
    audit: Audit,
    decide: (existing: Customer | undefined) => CustomerChange,
  ): Promise<CustomerChange>;
  /** Those that have ended included, in the order of granting; of an archived customer, too. */
  promotionalEntitlements(refId: string): Promise<readonly PromotionalEntitlement[]>;
  /** As `change`, for a customer who is there and not archived; CUSTOMER_NOT_FOUND otherwise. */
  changePromotionalEntitlements(
    refId: string,
    audit: Audit,
    decide: (existing: readonly PromotionalEntitlement[]) => PromotionalChange,
  ): Promise<PromotionalChange>;
}
