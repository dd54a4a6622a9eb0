/** What a commit means to programs outside, which are told of it by webhooks. */
import type { RecordRef } from '../records/record-store.ts';
import type { ToldUsage } from '../thresholds/usage-threshold.ts';

export type LifecycleType =
  | 'customer.created'
  | 'customer.updated'
  | 'customer.deleted'
  | 'customer.payment_failed'
  | 'subscription.created'
  | 'subscription.updated'
  | 'subscription.canceled'
  | 'subscription.trial.ends_soon'
  | 'subscription.trial_expired'
  | 'subscription.trial_converted'
  | 'entitlements.updated'
  | 'entitlement.usage_exceeded'
  | 'promotional_entitlement.granted'
  | 'promotional_entitlement.updated'
  | 'promotional_entitlement.revoked'
  | `${CatalogEntity}.${'created' | 'updated' | 'archived'}`
  | `${'plan' | 'addon'}.published`;

export type CatalogEntity = 'product' | 'feature' | 'plan' | 'addon' | 'coupon';

/**
 * Holds names only: what it is about is read when it is told, so that a late or repeated telling never carries an
 * old state, and nothing that was erased meanwhile.
 */
export interface LifecycleEvent {
  /** `<commit>-<n>`: the same whenever it is derived from the same commit. */
  readonly id: string;
  readonly type: LifecycleType;
  /** Epoch ms. */
  readonly at: number;
  readonly actor: string;
  readonly traceId: string;
  /** The records that the telling shows. */
  readonly about: readonly RecordRef[];
  /** Which of the customer's promotional entitlements, by the feature's refId; null for the other events. */
  readonly featureId: string | null;
  /** What usage had reached of which limit: a fact of that moment, which names nobody. */
  readonly exceeded?: ExceededUsage;
}

export interface ExceededUsage extends ToldUsage {
  readonly resourceId: string | null;
}
