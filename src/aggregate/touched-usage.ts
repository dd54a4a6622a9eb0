/**
 * Whose usage a flush changes, of those whose thresholds are watched. It is written down after the flush is counted
 * and before it is booked, so that a crash has it written again and whoever looks finds the flush in the figures.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Feature, FeatureCatalog } from '../catalog/feature.ts';
import type { Meter } from '../catalog/meter.ts';
import type { TouchedCustomers } from '../queue/touched-customers.ts';
import { decisions } from './decide.ts';
import type { MeasurementRow } from './flush-store.ts';
import { MetersByName } from './meters-by-name.ts';
import type { Persistence } from './persistence.ts';
import type { FlushPlan } from './plan.ts';

export interface UsageWatch {
  /** RefIds of the features whose usage is watched; the very same set as the last time while it is the same. */
  features(): Promise<ReadonlySet<string>>;
  readonly touched: Pick<TouchedCustomers, 'touch'>;
}

export interface TouchedUsageParts {
  /** Undefined: nobody watches. */
  readonly watch: UsageWatch | undefined;
  readonly catalog: Pick<FeatureCatalog, 'features'>;
  readonly persistence: Persistence;
}

/** What may change the usage that is watched. */
interface Watched {
  readonly refIds: ReadonlySet<string>;
  readonly features: readonly Feature[];
  readonly meters: MetersByName<{ readonly meter: Meter }>;
}

export class TouchedUsage {
  readonly #parts: TouchedUsageParts;
  #watched: Watched | undefined;

  constructor(parts: TouchedUsageParts) {
    this.#parts = parts;
  }

  /**
   * Those that the flush has events of which a watched meter may count. One small question where nothing is watched;
   * else every row is looked at, some 0.3 µs each.
   */
  async byEvents(plan: FlushPlan): Promise<ReadonlySet<string>> {
    const customers = new Set<string>();
    const watched = await this.#current();
    if (watched === undefined || watched.meters.isEmpty) return customers;
    for (const { batch, decided } of plan.batches) {
      if (batch.kind !== 'events') continue;
      const { block } = batch;
      for (let row = 0; row < block.count; row += 1) {
        if (decided[row] !== decisions.counts) continue;
        if (watched.meters.of(block.text('event_name', row)).length > 0) {
          customers.add(block.text('customer_id', row));
        }
      }
      await nextTurn();
    }
    return customers;
  }

  /** The flush must be counted: whoever is written down is looked at as of now. */
  async touch(
    byEvents: ReadonlySet<string>,
    rows: readonly Pick<MeasurementRow, 'customerId' | 'featureId'>[],
  ): Promise<void> {
    const refIds = this.#watched?.refIds;
    const reported = rows.filter(({ featureId }) => refIds?.has(featureId) === true);
    await this.#write(new Set([...byEvents, ...reported.map(({ customerId }) => customerId)]));
  }

  /** Their usage was changed by something else than a flush. */
  async touchAll(customerIds: readonly string[]): Promise<void> {
    if ((await this.#current()) !== undefined) await this.#write(new Set(customerIds));
  }

  async #write(customers: ReadonlySet<string>): Promise<void> {
    const { watch, persistence } = this.#parts;
    if (watch === undefined || customers.size === 0) return;
    await persistence.until('touch', () => watch.touched.touch([...customers]));
  }

  /** Undefined when nothing is watched. */
  async #current(): Promise<Watched | undefined> {
    const { watch, catalog, persistence } = this.#parts;
    if (watch === undefined) return undefined;
    const refIds = await persistence.until('thresholds', () => watch.features());
    if (refIds.size === 0) {
      this.#watched = undefined;
      return undefined;
    }
    const features = await persistence.until('catalog', () => catalog.features());
    if (this.#watched?.refIds !== refIds || this.#watched.features !== features) {
      const metered = features.filter(({ refId }) => refIds.has(refId));
      const meters = metered.flatMap(({ meter }) => (meter === null ? [] : [{ meter }]));
      this.#watched = { refIds, features, meters: new MetersByName(meters) };
    }
    return this.#watched;
  }
}
