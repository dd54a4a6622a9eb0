import type { Catalog } from '../catalog/catalog.ts';
import type { Clock } from '../clock.ts';
import {
  promotionalEntitlementsOf,
  promotionalEntitlementsRef,
} from '../customers/promotional-entitlement-record.ts';
import type { RecordStore } from '../records/record-store.ts';
import type { Subscription } from '../subscriptions/subscription.ts';
import type { SubscriptionRegister } from '../subscriptions/subscription-register.ts';
import { type UsageReset, usageResets } from '../usage/reset-points.ts';
import type { UsageHistoryQuery } from '../usage/usage.ts';
import { entitledTimes } from './entitled-times.ts';
import { CatalogView } from './record-catalog-view.ts';

export interface RecordUsageResetsOptions {
  readonly records: Pick<RecordStore, 'read'>;
  readonly subscriptions: Pick<SubscriptionRegister, 'page'>;
  readonly catalog: Pick<Catalog, 'package' | 'product'>;
  readonly clock: Clock;
}

/** A customer's newest: what older ones did to usage is not told. */
const subscriptionsMax = 1_000;

/** Where usage began again from zero, by what the customer is and was entitled to. Four round trips or so. */
export class RecordUsageResets {
  readonly #options: RecordUsageResetsOptions;

  constructor(options: RecordUsageResetsOptions) {
    this.#options = options;
  }

  /** Those in the query's span that have come. */
  async resets({
    customerId,
    feature,
    resourceId,
    start,
    end,
  }: Pick<UsageHistoryQuery, 'customerId' | 'feature' | 'resourceId' | 'start' | 'end'>): Promise<
    readonly UsageReset[]
  > {
    const { records, catalog, clock } = this.#options;
    const [subscriptions, [promotional]] = await Promise.all([
      this.#subscriptions(customerId),
      records.read([promotionalEntitlementsRef(customerId)]),
    ]);
    const offers = new CatalogView(catalog);
    await offers.load(subscriptions.flatMap(packagesOf));
    const history = { subscriptions, promotions: promotionalEntitlementsOf(promotional) };
    const times = entitledTimes(history, offers, feature, resourceId === '' ? null : resourceId);
    return usageResets(times, { start, end: Math.min(end, clock.now() + 1) });
  }

  async #subscriptions(customerId: string): Promise<readonly Subscription[]> {
    const page = await this.#options.subscriptions.page({
      filter: { ...anySubscription, customerId },
      createdFrom: null,
      createdBefore: null,
      order: 'newest-first',
      after: null,
      before: null,
      end: 'first',
      limit: subscriptionsMax,
    });
    return page.subscriptions;
  }
}

const anySubscription = {
  refId: null,
  status: null,
  planId: null,
  productId: null,
  resourceId: null,
  pricingType: null,
} as const;

function packagesOf({ planId, addons }: Subscription): readonly string[] {
  return [planId, ...addons.map(({ addonId }) => addonId)];
}
