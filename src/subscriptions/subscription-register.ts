import type { CatalogProblem } from '../catalog/catalog-problem.ts';
import type { PricingType } from '../catalog/package.ts';
import type { CustomerChange } from '../customers/change-customer.ts';
import type { Customer } from '../customers/customer.ts';
import type { Audit, RecordPlace } from '../records/record-store.ts';
import type { CancellationRequest } from './cancel.ts';
import type { CollectedInvoice } from './collected-invoice.ts';
import type { StartStrategy } from './customer-start.ts';
import type { MigrationTime } from './migrate.ts';
import type { ProvisionRequest } from './provision.ts';
import type { Subscription, SubscriptionStatus } from './subscription.ts';
import type { UpdateRequest } from './update.ts';

/**
 * Where subscriptions are kept. Everything it answers is as of now: what time has done since the last change is
 * carried out first. A name of a subscription is its refId or its id; plans, add-ons and coupons, too, may be named
 * by id. To all but `settleDue`, a subscription of an archived customer is none (contract, 5.11).
 */
export interface SubscriptionRegister {
  subscription(name: string): Promise<Subscription | undefined>;
  /** Those of a customer that have not ended, the oldest first. */
  live(customerId: string): Promise<readonly Subscription[]>;
  page(query: SubscriptionPageQuery): Promise<SubscriptionPage>;
  provision(request: NewSubscription, audit: Audit): Promise<SubscriptionOutcome>;
  /**
   * Provisions the customer, too, as `changeCustomer` says, which is pure: both are stored in one step or neither.
   * What the subscription is follows the product's customer journey; see `customer-start.ts`.
   */
  provisionWithCustomer(
    request: NewSubscription,
    changeCustomer: (existing: Customer | undefined) => CustomerChange,
    audit: Audit,
  ): Promise<CustomerStartOutcome>;
  update(name: string, request: UpdateRequest, audit: Audit): Promise<SubscriptionOutcome>;
  cancel(name: string, request: CancellationRequest, audit: Audit): Promise<SubscriptionOutcome>;
  takeBackUpdates(name: string, audit: Audit): Promise<SubscriptionOutcome>;
  migrate(name: string, time: MigrationTime, audit: Audit): Promise<SubscriptionOutcome>;
  transfer(name: string, resourceId: string, audit: Audit): Promise<SubscriptionOutcome>;
  /** As it stands; those who ask in the same turn share a round trip. */
  invoice(id: string): Promise<CollectedInvoice | undefined>;
  /** The subscription's newest invoice was paid outside; saying so again changes nothing. */
  markInvoicePaid(name: string, audit: Audit): Promise<SubscriptionOutcome>;
}

/** The refId is made when it is null. */
export type NewSubscription = Omit<ProvisionRequest, 'refId' | 'id'> & { readonly refId: string | null };

export type SubscriptionOutcome =
  | { readonly subscription: Subscription }
  | { readonly problem: CatalogProblem };

export type CustomerStartOutcome =
  | { readonly customer: Customer; readonly subscription: Subscription; readonly strategy: StartStrategy }
  | { readonly problem: CatalogProblem };

/** How far a walk over what is due has come. */
export interface DueStep {
  /** For how many it was carried out; the others failed, now or before, and are tried again later. */
  readonly done: number;
  /** Where to go on; null at the end. */
  readonly next: RecordPlace | null;
}

/**
 * What time does, for whoever keeps it going. What always fails for one customer, or of one invoice, holds up none of
 * the others.
 */
export interface SubscriptionTime {
  /** Carries out what is due, for at most so many customers from the place on; null: from the beginning. */
  settleDue(customersMax: number, after: RecordPlace | null): Promise<DueStep>;
  /**
   * Moves subscriptions to versions that were published for everybody, at most so many of them; false when there
   * was nothing to do.
   */
  rollOut(subscriptionsMax: number): Promise<boolean>;
  /** Asks the payment provider about invoices that are due, as above. */
  collectDue(invoicesMax: number, after: RecordPlace | null): Promise<DueStep>;
}

/** Conditions, all of which must hold; null sets none. Names are refIds. */
export interface SubscriptionFilter {
  readonly refId: string | null;
  readonly customerId: string | null;
  readonly status: SubscriptionStatus | null;
  readonly planId: string | null;
  readonly productId: string | null;
  readonly resourceId: string | null;
  readonly pricingType: PricingType | null;
}

/** A place in the order of `createdAt`, then refId. Stays valid for ever. */
export interface SubscriptionPlace {
  readonly createdAt: number;
  readonly refId: string;
}

export interface SubscriptionPageQuery {
  readonly filter: SubscriptionFilter;
  /** Epoch ms, inclusive and exclusive; null sets no bound. */
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
  readonly order: 'oldest-first' | 'newest-first';
  readonly after: SubscriptionPlace | null;
  readonly before: SubscriptionPlace | null;
  readonly end: 'first' | 'last';
  /** 1–1,000. */
  readonly limit: number;
}

export interface SubscriptionPage {
  readonly subscriptions: readonly Subscription[];
  /** Subscriptions that meet the conditions, on whatever page. */
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}
