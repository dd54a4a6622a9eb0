import type { Catalog } from '../catalog/catalog.ts';
import type { FeatureCatalog } from '../catalog/feature.ts';
import type { Clock } from '../clock.ts';
import type { Corrections } from '../corrections/correction.ts';
import type { CustomerRegister } from '../customers/customer.ts';
import type { LiveChecks } from '../entitlements/live-checks.ts';
import type { RecordUsageResets } from '../entitlements/record-usage-resets.ts';
import type { PaymentProvider } from '../payments/payment-provider.ts';
import type { Audit, RecordStore } from '../records/record-store.ts';
import type { SubscriptionPreviews } from '../subscriptions/subscription-preview.ts';
import type { SubscriptionRegister } from '../subscriptions/subscription-register.ts';
import type { Intake } from '../metering/intake.ts';
import type { LiveReservations } from '../usage/live-reservations.ts';
import type { LiveUsage } from '../usage/live-usage.ts';
import type { LetterSeal } from '../webhooks/letter-seal.ts';
import type { UsageReader } from '../usage/usage.ts';

/** What resolvers work on: ports only, chosen by the composition root. */
export interface ApiServices {
  readonly records: RecordStore;
  readonly catalog: Catalog;
  readonly features: FeatureCatalog;
  readonly customers: CustomerRegister;
  readonly subscriptions: SubscriptionRegister;
  readonly previews: SubscriptionPreviews;
  /** Undefined: no payments are collected. */
  readonly payments: PaymentProvider | undefined;
  readonly intake: Intake;
  readonly usage: UsageReader;
  readonly corrections: Corrections;
  readonly usageResets: Pick<RecordUsageResets, 'resets'>;
  readonly liveUsage: LiveUsage;
  readonly reservations: Pick<LiveReservations, 'reservation'>;
  readonly checks: Pick<LiveChecks, 'all' | 'check'>;
  readonly clock: Clock;
  /** Seals billing information for the integration; undefined: nobody is to learn it, and it is dropped. */
  readonly letterSeal: LetterSeal | undefined;
}

/** What resolvers know of the request they answer. */
export interface ApiContext extends Record<PropertyKey, unknown> {
  readonly services: ApiServices;
  /** Bytes of the request's body, which the intake's bounds count. */
  readonly bodyBytes: number;
  /** Who makes a change by this request, for the change log. `operation` is the mutation's name. */
  readonly audit: (operation: string) => Audit;
}

/**
 * One type's fields. A field without an entry answers the source's property of its name. GraphQL has checked the
 * arguments against the schema before a resolver sees them, so each declares the form it expects.
 */
export type FieldResolvers = Readonly<
  Record<string, (source: never, args: never, context: ApiContext) => unknown>
>;

/** One part of the API: its share of the schema, and what answers it. */
export interface ApiModule {
  readonly typeDefs: string;
  readonly resolvers: Readonly<Record<string, FieldResolvers>>;
  /** What the module's root fields cost; see `graphql/query-cost.ts`. */
  readonly costs: Readonly<Record<string, FieldCost>>;
}

export interface FieldCost {
  /** Work of the field itself, where reading one property is 1. */
  readonly weight: number;
  /** How many items its selection is answered for, at most; 1 when absent. */
  readonly items?: (args: Readonly<Record<string, unknown>>) => number;
}
