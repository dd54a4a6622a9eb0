/**
 * Flushes: the units in which batches are decided, one after another, and become stored rows. What is decided stands in
 * the flush's manifest before anything is done, so one that was begun is done again by the next owner, exactly.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  BatchesGoneError,
  type Delivery,
  type Manifest,
  type Unfinished,
  type UnfinishedFlush,
} from '../queue/ledger.ts';
import { buried } from './acknowledge.ts';
import { type KnownWorld, screenBatch, settleBatch, withFeatureRefIds } from './decide.ts';
import { openClaims } from './deduplicate.ts';
import { EventFlush } from './event-flush.ts';
import { deliveriesOf, type FlushParts } from './flush-parts.ts';
import { StoreRefusedDataError } from './flush-store.ts';
import { type FlushPlan, planOf } from './plan.ts';
import { type ReadBatch, readBatch } from './read-batch.ts';
import { rebuildTable } from './recovery.ts';
import { encodeReservationPlan } from './reservation-orders.ts';
import { TouchedUsage } from './touched-usage.ts';
import { UsageFlush } from './usage-flush.ts';
import { openUsageLimits } from './usage-limits.ts';
import { encodeTerms } from './usage-terms.ts';
import type { UsageStoringEvents } from './usage-storing.ts';

/** What becomes of the batches of a flush; those of usage that are neither are done with once they are stored. */
export interface FlushEnd {
  readonly done: readonly Delivery[];
  /** To be flushed again, because the flush had to be given up for the sake of others in it. */
  readonly again: readonly Delivery[];
}

export class Flusher {
  readonly #parts: FlushParts;
  readonly #touched: TouchedUsage;
  readonly #usage: UsageFlush;
  readonly #events: EventFlush;
  #lastFlushId: number;

  /** @param lastFlushId the newest that the ledger or the store knows: ids rise for ever. */
  constructor(parts: FlushParts, lastFlushId: number, events: UsageStoringEvents) {
    this.#parts = parts;
    this.#touched = new TouchedUsage(parts);
    this.#usage = new UsageFlush(parts, this.#touched, events);
    this.#events = new EventFlush(parts, this.#touched, this.#usage.storing);
    this.#lastFlushId = lastFlushId;
  }

  /**
   * Carries the deliveries, which are of one kind, through to the end, or to where their reporters have been told.
   * Rejects only when the worker must stop; what was begun is then finished by the next owner.
   */
  async flush(deliveries: readonly Delivery[]): Promise<FlushEnd> {
    this.#usage.storing.throwIfFailed();
    // A crash before it is begun: nothing was written, the batches are pending and are delivered again. The claims
    // in the table died with the process.
    const batches = await this.#read(deliveries);
    const plan = batches.length === 0 ? undefined : await this.#decided(batches);
    if (plan === undefined) return { done: deliveries, again: [] };
    try {
      const again = await this.#carryOut(plan);
      const isStored = plan.batches.some(({ batch }) => batch.kind === 'events');
      const later = new Set(isStored ? again : deliveriesOf(plan));
      return { done: deliveries.filter((each) => !later.has(each)), again };
    } catch (error) {
      if (!(error instanceof BatchesGoneError)) throw error;
      const gone = new Set(error.batchIds);
      const again = deliveriesOf(plan).filter(({ batchId }) => !gone.has(batchId));
      await this.#startOver();
      return { done: deliveries.filter((each) => !again.includes(each)), again };
    }
  }

  /** Finishes what earlier owners began: same rows, same tokens, same decisions. */
  async redo({ flushes, bundle }: Unfinished): Promise<void> {
    if (flushes.length === 0) return;
    this.#parts.logger.info(
      { flushes: flushes.map(({ manifest }) => manifest.flushId) },
      'redoing unfinished flushes',
    );
    const features = await this.#featuresById();
    const plans = flushes.map((flush) => replan(flush, features));
    await this.#usage.redo(
      plans.filter(({ batches }) => batches.every(({ batch }) => batch.kind === 'usage')),
      bundle,
    );
    for (const plan of plans) {
      if (plan.batches.some(({ batch }) => batch.kind === 'events'))
        await this.#carryOutEvents(plan, 'repeat');
    }
  }

  /** See `AggregateWorker.betweenFlushes`, which keeps it apart from flushes. */
  async change(customerIds: readonly string[], change: () => Promise<void>): Promise<void> {
    const { ledger } = this.#parts;
    await this.#usage.storing.idle();
    await ledger.confirm();
    try {
      await change();
    } finally {
      // A change whose answer was lost may have been made all the same.
      this.#usage.forget();
      // Refused to a former owner, so that the next one, who may have read before the change, is told of it again.
      await ledger.counters.forget(customerIds);
      await this.#touched.touchAll(customerIds);
    }
  }

  /** Resolves once all that was flushed is stored. */
  idle(): Promise<void> {
    return this.#usage.storing.idle();
  }

  /** Buries what cannot be read. A crash: each burial is one step, done or not; the batch is delivered again. */
  async #read(deliveries: readonly Delivery[]): Promise<ReadBatch[]> {
    const batches: ReadBatch[] = [];
    for (const delivery of deliveries) {
      const batch = readBatch(delivery);
      if (batch.kind === 'corrupt') await this.#bury([delivery], batch.reason);
      else batches.push(batch);
      if (delivery.payload.length > bytesPerTurn) await nextTurn();
    }
    return batches;
  }

  async #decided(batches: readonly ReadBatch[]): Promise<FlushPlan> {
    const { metrics, checkpoint } = this.#parts;
    const plan = await metrics.time('decide', () => this.#decide(batches));
    await checkpoint('afterDecide');
    return plan;
  }

  /** Changes nothing but the table in memory, which is rebuilt wherever the flush does not come to its end. */
  async #decide(batches: readonly ReadBatch[]): Promise<FlushPlan> {
    const { table, clock, persistence, entitlements, ledger } = this.#parts;
    const { settled: store, states } = this.#usage;
    const world = await this.#knownWorld(batches);
    const screened = batches.map((batch) => screenBatch(batch, world));
    const claims = await persistence.until('lookup', () =>
      openClaims(
        screened.map(({ rows }) => rows),
        table,
        store.lookupStored,
      ),
    );
    const flushId = this.#lastFlushId + 1;
    const { reservations } = ledger;
    const decidedAt = clock.now();
    const parts = { store, states, persistence, entitlements, reservations, decidedAt };
    const limits = await openUsageLimits(screened, world, flushId, parts);
    const decided: Uint8Array[] = [];
    for (const [index, each] of screened.entries()) {
      decided.push(settleBatch(each, claims, limits.admissions[index]));
      if (each.batch.kind === 'events') await nextTurn();
    }
    this.#lastFlushId = flushId;
    const manifest: Manifest = {
      flushId,
      token: randomUUID(),
      batchIds: batches.map(({ delivery }) => delivery.batchId),
      decisions: Buffer.concat(decided),
      terms: encodeTerms(limits.terms),
      reservations: encodeReservationPlan(limits.reservations()),
      decidedAt,
    };
    return planOf(
      manifest,
      screened.map(({ batch }) => batch),
    );
  }

  async #carryOut(plan: FlushPlan): Promise<readonly Delivery[]> {
    const { ledger, metrics, checkpoint } = this.#parts;
    if (plan.batches.every(({ batch }) => batch.kind === 'usage')) {
      await this.#usage.acknowledge(plan);
      return [];
    }
    // A crash after: the next owner finds the manifest and does exactly this flush first.
    await metrics.time('begin', () => ledger.begin(plan.manifest));
    await checkpoint('afterBegin');
    return this.#carryOutEvents(plan, 'first');
  }

  async #carryOutEvents(plan: FlushPlan, attempt: 'first' | 'repeat'): Promise<readonly Delivery[]> {
    try {
      await this.#events.carryOut(plan, attempt);
      return [];
    } catch (error) {
      if (!(error instanceof StoreRefusedDataError)) throw error;
      return this.#setAside(plan, error);
    }
  }

  /**
   * ClickHouse refuses the content for good and has stored none of it. Only the batches at fault are set aside;
   * burying them gives the flush up in the same step. A crash before: the redo comes here again. After: the
   * other batches are pending.
   */
  async #setAside(plan: FlushPlan, cause: StoreRefusedDataError): Promise<readonly Delivery[]> {
    const atFault = await this.#events.atFault(plan);
    // When each is taken alone but not together, there is nothing left to tell them apart by.
    const refused = new Set(
      atFault.length > 0 ? atFault.map(({ batch }) => batch.delivery) : deliveriesOf(plan),
    );
    await this.#bury([...refused], cause.message);
    await this.#startOver();
    return deliveriesOf(plan).filter((delivery) => !refused.has(delivery));
  }

  async #bury(deliveries: readonly Delivery[], reason: string): Promise<void> {
    const { ledger, metrics, logger } = this.#parts;
    const batchIds = deliveries.map(({ batchId }) => batchId);
    await ledger.bury(batchIds, reason);
    for (const { batchId, kind, replyTo, count } of deliveries) {
      metrics.deadLettered(kind);
      if (kind === 'usage') await ledger.reply(replyTo, { batchId, outcomes: Array(count).fill(buried) });
    }
    logger.error({ batches: batchIds, reason }, 'set batches aside as dead letters; they keep their content');
  }

  /**
   * A claim never outlives a write that failed (contract, 5.1c): what this flush claimed is forgotten. What other
   * flushes claimed is read again from the store, which must have it by then.
   */
  async #startOver(): Promise<void> {
    await this.#usage.storing.idle();
    this.#usage.forget();
    await rebuildTable(this.#parts);
  }

  async #knownWorld(batches: readonly ReadBatch[]): Promise<KnownWorld> {
    const facts = batches.flatMap((batch) => (batch.kind === 'usage' ? batch.facts : []));
    if (facts.length === 0) return { customers: new Set(), features: new Map() };
    const { customers, persistence } = this.#parts;
    const refIds = [...new Set(facts.map(({ customerId }) => customerId))];
    const [existing, features] = await Promise.all([
      persistence.until('customers', () => customers.existing(refIds)),
      this.#featuresById(),
    ]);
    return { customers: existing, features };
  }

  async #featuresById(): Promise<KnownWorld['features']> {
    const { catalog, persistence } = this.#parts;
    const features = await persistence.until('catalog', () => catalog.features());
    // A refId wins over another feature's id, as in the catalog.
    return new Map([
      ...features.map((each) => [each.id, each] as const),
      ...features.map((each) => [each.refId, each] as const),
    ]);
  }
}

/** Reading smaller batches takes less time than waiting for the next turn of the event loop. */
const bytesPerTurn = 64 * 1_024;

function replan({ manifest, deliveries }: UnfinishedFlush, features: KnownWorld['features']): FlushPlan {
  const batches = deliveries.map((delivery) => {
    const batch = readBatch(delivery);
    // It was read before it was begun; this can only be another version of the program.
    if (batch.kind === 'corrupt')
      throw new Error(`flush ${manifest.flushId} cannot be redone: ${batch.reason}`);
    return batch.kind === 'events' ? batch : { ...batch, facts: withFeatureRefIds(batch.facts, features) };
  });
  return planOf(manifest, batches);
}
