import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import type { Feature, FeatureCatalog } from '../catalog/feature.ts';
import type { Clock } from '../clock.ts';
import { RecordsOverloadedError, type RecordStore } from '../records/record-store.ts';
import { BoundedCache } from './bounded-cache.ts';
import { CatalogView } from './record-catalog-view.ts';
import {
  customerStanding,
  type CustomerStanding,
  type CustomerState,
  type FeatureIndex,
  type SettledCustomer,
  settledCustomer,
} from './customer-standing.ts';
import { readCustomerStates, tellingRefs } from './record-customer-states.ts';
import type { EntitlementSource } from './entitlement.ts';

export interface RecordEntitlementsOptions {
  readonly records: RecordStore;
  readonly catalog: Pick<Catalog, 'package' | 'product'>;
  readonly features: Pick<FeatureCatalog, 'features'>;
  readonly clock: Clock;
  /** What the cache holds: one for each customer, and for each subscription, resource and promotional entitlement. */
  readonly cachedItemsMax?: number;
}

/** Some hundred megabytes of the usual subscriptions. */
const cachedItemsMax = 100_000;

/** A script of Redis holds up everybody else; one of this size takes some milliseconds. */
const customersPerScript = 500;

/** How often customers who are changed while they are read are read again. */
const attemptsMax = 10;

/**
 * Entitlements from the records. What a customer has is kept in the process with the marks of the records that it
 * was read from, and every question first asks whether these are still the same: one round trip, which the questions
 * of one turn of the event loop share, and no answer is older than its question. Time is carried on in the process.
 */
export class RecordEntitlements implements EntitlementSource {
  readonly #records: RecordStore;
  readonly #catalog: Pick<Catalog, 'package' | 'product'>;
  readonly #features: Pick<FeatureCatalog, 'features'>;
  readonly #clock: Clock;
  readonly #customers: BoundedCache<KnownCustomer>;
  #view: Marked<CatalogView> | undefined;
  #index: Marked<FeatureIndex> | undefined;
  #batch: Batch | undefined;

  constructor({ records, catalog, features, clock, ...options }: RecordEntitlementsOptions) {
    this.#records = records;
    this.#catalog = catalog;
    this.#features = features;
    this.#clock = clock;
    this.#customers = new BoundedCache(options.cachedItemsMax ?? cachedItemsMax);
  }

  async entitlements(customerIds: readonly string[]): Promise<ReadonlyMap<string, CustomerStanding>> {
    if (customerIds.length === 0) return new Map();
    this.#batch ??= this.#begin();
    const { names, standings } = this.#batch;
    for (const customerId of customerIds) names.add(customerId);
    return standings;
  }

  /**
   * As of when the customer was last asked for, without asking again: for a guess that is checked afterwards.
   * Undefined when it is not known any more, or time has changed something since.
   */
  remembered(customerId: string): CustomerStanding | undefined {
    const now = this.#clock.now();
    const settled = this.#customers.get(customerId)?.settled;
    if (settled === undefined || this.#index === undefined || !isCurrent(settled.content, now))
      return undefined;
    return customerStanding(settled.content, this.#index.content, now);
  }

  #begin(): Batch {
    const names = new Set<string>();
    return { names, standings: this.#answer(names) };
  }

  /** Those who ask in this turn are resumed by promises, all of which run before the next one. */
  async #answer(names: ReadonlySet<string>): Promise<ReadonlyMap<string, CustomerStanding>> {
    await nextTurn();
    this.#batch = undefined;
    const { catalogMark, featureMark, customers } = await this.#current([...names]);
    const view = this.#viewAt(catalogMark);
    const features = await this.#featuresAt(featureMark);
    const now = this.#clock.now();
    const unsettled = [...customers.values()].filter(
      (known) => settledBefore(known, view, now) === undefined,
    );
    await view.load(unsettled.flatMap(packagesOf));
    return new Map(
      [...customers].map(([customerId, known]) => {
        const settled = settledBefore(known, view, now) ?? settledNow(known, view, now);
        return [customerId, customerStanding(settled, features, now)];
      }),
    );
  }

  /**
   * The customers as they are now. The catalog's marks are read after them, so that the versions that subscriptions
   * are on are in it.
   */
  async #current(customerIds: readonly string[]): Promise<Current> {
    let told = await this.#marks(customerIds);
    const customers = new Map<string, KnownCustomer>();
    let stale: readonly Mark[] = told.marks.filter(({ customerId, mark }) => {
      const known = this.#customers.get(customerId);
      if (known?.mark === mark) customers.set(customerId, known);
      return known?.mark !== mark;
    });
    for (let attempt = 1; stale.length > 0; attempt += 1) {
      if (attempt > attemptsMax) {
        throw new RecordsOverloadedError('too many changes of the same customers at once; ask again');
      }
      const staleIds = stale.map(({ customerId }) => customerId);
      const states = (
        await Promise.all(partsOf(staleIds).map((part) => readCustomerStates(this.#records, part)))
      ).flat();
      told = await this.#marks(staleIds);
      stale = told.marks.filter(({ customerId, mark }, place) => {
        if (mark !== stale[place]?.mark) return true;
        const known = knownCustomer(mark, states[place]);
        this.#customers.set(customerId, known);
        customers.set(customerId, known);
        return false;
      });
    }
    return { ...told, customers };
  }

  /** Of the customers in the order asked; of the catalog from no earlier than any of them. */
  async #marks(customerIds: readonly string[]): Promise<Told> {
    const parts = partsOf(customerIds);
    const replies = await Promise.all(
      parts.map((part) => this.#records.marks(['product', 'package', 'feature'], part.flatMap(tellingRefs))),
    );
    const [product, packages, feature = ''] = replies.at(-1) ?? [];
    const marks = parts.flatMap((part, number) =>
      part.map((customerId, at) => {
        const place = 3 + at * 3;
        return { customerId, mark: String(replies[number]?.slice(place, place + 3)) };
      }),
    );
    return { catalogMark: `${product} ${packages}`, featureMark: feature, marks };
  }

  #viewAt(mark: string): CatalogView {
    if (this.#view?.mark !== mark) this.#view = { mark, content: new CatalogView(this.#catalog) };
    return this.#view.content;
  }

  async #featuresAt(mark: string): Promise<FeatureIndex> {
    if (this.#index?.mark === mark) return this.#index.content;
    const content = featureIndex(await this.#features.features());
    this.#index = { mark, content };
    return content;
  }
}

function partsOf(customerIds: readonly string[]): readonly (readonly string[])[] {
  return Array.from({ length: Math.ceil(customerIds.length / customersPerScript) }, (_, part) =>
    customerIds.slice(part * customersPerScript, (part + 1) * customersPerScript),
  );
}

interface Batch {
  readonly names: Set<string>;
  readonly standings: Promise<ReadonlyMap<string, CustomerStanding>>;
}

interface Marked<Content> {
  readonly mark: string;
  readonly content: Content;
}

interface Mark {
  readonly customerId: string;
  /** Changes with every write of one of the customer's records. */
  readonly mark: string;
}

interface Told {
  readonly catalogMark: string;
  readonly featureMark: string;
  readonly marks: readonly Mark[];
}

interface Current extends Told {
  readonly customers: ReadonlyMap<string, KnownCustomer>;
}

interface KnownCustomer {
  readonly mark: string;
  /** Undefined: there is none of this name. */
  readonly state: CustomerState | undefined;
  /** What the state came to when it was last looked at, by the catalog of then. */
  settled: { readonly view: CatalogView; readonly content: SettledCustomer } | undefined;
  readonly weight: number;
}

function knownCustomer(mark: string, state: CustomerState | undefined): KnownCustomer {
  const { portfolio, promotions = [], resourceIds } = state ?? {};
  const weight = 1 + (portfolio?.subscriptions.length ?? 0) + promotions.length + (resourceIds?.size ?? 0);
  return { mark, state, settled: undefined, weight };
}

/** Undefined when it has to be worked out anew. */
function settledBefore(
  { settled }: KnownCustomer,
  view: CatalogView,
  now: number,
): SettledCustomer | undefined {
  return settled?.view === view && isCurrent(settled.content, now) ? settled.content : undefined;
}

/** Once the view has the customer's packages; undefined where there is no customer. */
function settledNow(known: KnownCustomer, view: CatalogView, now: number): SettledCustomer | undefined {
  if (known.state === undefined) return undefined;
  const content = settledCustomer(known.state, view, now);
  known.settled = { view, content };
  return content;
}

function isCurrent({ settledAt, dueAt }: SettledCustomer, now: number): boolean {
  return settledAt <= now && (dueAt === null || now < dueAt);
}

function packagesOf({ state }: KnownCustomer): readonly string[] {
  return (state?.portfolio.subscriptions ?? []).flatMap(({ planId, addons, scheduledUpdates }) => {
    const scheduled = scheduledUpdates.flatMap((update) => (update.type === 'ADDON' ? update.addons : []));
    return [planId, ...[...addons, ...scheduled].map(({ addonId }) => addonId)];
  });
}

function featureIndex(features: readonly Feature[]): FeatureIndex {
  const byId = new Map(features.map((feature) => [feature.id, feature]));
  const byRefId = new Map(features.map((feature) => [feature.refId, feature]));
  return (name) => byRefId.get(name) ?? byId.get(name);
}
