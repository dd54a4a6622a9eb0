/**
 * A flush: the one unit in which batches become stored rows, strictly one after another. Each step below says
 * what a crash there means; a "crash" is also a worker that lost its ownership and writes nothing more.
 */
import { randomUUID } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FeatureCatalog } from '../catalog/feature.ts';
import type { Clock } from '../clock.ts';
import type { CustomerDirectory } from '../customers/customer.ts';
import type { EntitlementSource } from '../entitlements/entitlement.ts';
import type { UsageOutcome } from '../metering/acknowledgement.ts';
import { BatchesGoneError, type Delivery, type Ledger, type Manifest } from '../queue/ledger.ts';
import type { Logger } from '../telemetry.ts';
import { buried } from './acknowledge.ts';
import { type CalculatedFlush, calculateFlush } from './calculated-flush.ts';
import type { Checkpoint } from './checkpoint.ts';
import {
  decisions,
  type KnownWorld,
  screenBatch,
  settleBatch,
  tallyOf,
  withFeatureRefIds,
} from './decide.ts';
import { openClaims } from './deduplicate.ts';
import { type FlushStore, StoreRefusedDataError } from './flush-store.ts';
import type { IdentityTable } from './identity-table.ts';
import { NotCountedWatch } from './not-counted.ts';
import type { Persistence } from './persistence.ts';
import { type DecidedBatch, type FlushPlan, planOf } from './plan.ts';
import { type ReadBatch, readBatch } from './read-batch.ts';
import { rebuildTable } from './recovery.ts';
import { TouchedUsage, type UsageWatch } from './touched-usage.ts';
import { encodeReservationPlan } from './reservation-orders.ts';
import { UsageCounting } from './usage-counting.ts';
import { openUsageLimits } from './usage-limits.ts';
import { UsageStates } from './usage-states.ts';
import { encodeTerms } from './usage-terms.ts';
import type { WorkerMetrics } from './worker-metrics.ts';

export interface FlushParts {
  readonly ledger: Ledger;
  readonly store: FlushStore;
  readonly table: IdentityTable;
  readonly catalog: Pick<FeatureCatalog, 'features'>;
  readonly customers: Pick<CustomerDirectory, 'existing'>;
  readonly entitlements: EntitlementSource;
  readonly watch: UsageWatch | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: WorkerMetrics;
  readonly persistence: Persistence;
  readonly checkpoint: Checkpoint;
}

export class Flusher {
  readonly #parts: FlushParts;
  readonly #states: UsageStates;
  readonly #counting: UsageCounting;
  readonly #touched: TouchedUsage;
  #lastFlushId: number;

  /** @param lastFlushId the newest that the ledger or the store knows: ids rise for ever. */
  constructor(parts: FlushParts, lastFlushId: number) {
    this.#parts = parts;
    this.#states = new UsageStates(parts.store);
    this.#counting = new UsageCounting(parts.ledger.counters, parts.checkpoint);
    this.#touched = new TouchedUsage(parts);
    this.#lastFlushId = lastFlushId;
  }

  /**
   * Carries the deliveries through to the end. Returns those that have to be flushed again, because the flush
   * had to be given up for the sake of others in it; all the rest is done with. Rejects only when the worker
   * must stop; what was begun is then finished by the next owner.
   */
  async flush(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    const { ledger, metrics, checkpoint } = this.#parts;
    // A crash before `begin`: nothing was written, the batches are pending and are delivered again. The claims
    // in the table died with the process.
    const batches = await this.#read(deliveries);
    if (batches.length === 0) return [];
    const plan = await metrics.time('decide', () => this.#decide(batches));
    await checkpoint('afterDecide');
    try {
      // A crash after `begin`: the next owner finds the manifest and does exactly this flush first.
      await metrics.time('begin', () => ledger.begin(plan.manifest));
    } catch (error) {
      if (!(error instanceof BatchesGoneError)) throw error;
      const gone = new Set(error.batchIds);
      return this.#startOver(deliveriesOf(plan.batches).filter(({ batchId }) => !gone.has(batchId)));
    }
    await checkpoint('afterBegin');
    return this.#carryOut(plan, 'first');
  }

  /** Finishes a flush that an earlier owner began: same rows, same token, same decisions. */
  async redo(manifest: Manifest, deliveries: readonly Delivery[]): Promise<void> {
    const features = await this.#featuresById();
    const batches = deliveries.map((delivery) => {
      const batch = readBatch(delivery);
      // It was read before it was begun; this can only be another version of the program.
      if (batch.kind === 'corrupt')
        throw new Error(`flush ${manifest.flushId} cannot be redone: ${batch.reason}`);
      return batch.kind === 'events' ? batch : { ...batch, facts: withFeatureRefIds(batch.facts, features) };
    });
    this.#parts.logger.info(
      { flush: manifest.flushId, batches: batches.length },
      'redoing an unfinished flush',
    );
    await this.#carryOut(planOf(manifest, batches), 'repeat');
  }

  /** See `AggregateWorker.betweenFlushes`, which keeps it apart from flushes. */
  async change(customerIds: readonly string[], change: () => Promise<void>): Promise<void> {
    const { ledger } = this.#parts;
    await ledger.confirm();
    try {
      await change();
    } finally {
      // A change whose answer was lost may have been made all the same.
      this.#states.clear();
      // Refused to a former owner, so that the next one, who may have read before the change, is told of it again.
      await ledger.counters.forget(customerIds);
      await this.#touched.touchAll(customerIds);
    }
  }

  /** Buries what cannot be read. A crash: each burial is one step, done or not; the batch is delivered again. */
  async #read(deliveries: readonly Delivery[]): Promise<ReadBatch[]> {
    const batches: ReadBatch[] = [];
    for (const delivery of deliveries) {
      const batch = readBatch(delivery);
      if (batch.kind === 'corrupt') await this.#bury([delivery], batch.reason);
      else batches.push(batch);
      await nextTurn();
    }
    return batches;
  }

  /** Changes nothing but the table in memory, which is rebuilt wherever the flush does not come to its end. */
  async #decide(batches: readonly ReadBatch[]): Promise<FlushPlan> {
    const { store, table, clock, persistence } = this.#parts;
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
    const { entitlements, ledger } = this.#parts;
    const { reservations } = ledger;
    const decidedAt = clock.now();
    const parts = { store, states: this.#states, persistence, entitlements, reservations, decidedAt };
    const limits = await openUsageLimits(screened, world, flushId, parts);
    const decided: Uint8Array[] = [];
    for (const [index, each] of screened.entries()) {
      decided.push(settleBatch(each, claims, limits.admissions[index]));
      await nextTurn();
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

  async #carryOut(plan: FlushPlan, attempt: Attempt): Promise<readonly Delivery[]> {
    const { ledger, metrics, checkpoint } = this.#parts;
    const { flushId, decisions: decided } = plan.manifest;
    let notCounted: Readonly<Record<string, number>>;
    let calculated: CalculatedFlush;
    let touched: ReadonlySet<string>;
    try {
      // A crash in or between the inserts: some partitions may be written. The redo sends what is missing under
      // the same tokens, and looks whether all is there.
      const inserting = metrics.time('events', () => this.#insertEvents(plan, attempt));
      // The counting happens while ClickHouse works.
      [notCounted, touched] = await Promise.all([
        this.#notCounted(plan),
        this.#touched.byEvents(plan),
        inserting,
        this.#counting.prepare(plan),
        checkpoint('duringInsert'),
      ]);
      await checkpoint('afterEvents');
      calculated = await metrics.time('measurements', () => this.#insertMeasurements(plan, attempt));
      await checkpoint('afterMeasurements');
    } catch (error) {
      if (!(error instanceof StoreRefusedDataError)) throw error;
      return this.#setAside(plan, error);
    }
    // A crash while counting: the redo counts the same again, and each counter takes its part once. Before the
    // reply, so that who was told of a measurement finds it in the next check.
    await metrics.time('count', () => this.#counting.count(plan, calculated));
    await checkpoint('afterCount');
    // A crash before: the redo writes the same customers down. After: they are looked at once more.
    await this.#touched.touch(touched, calculated.rows);
    await checkpoint('afterTouch');
    // A crash meanwhile: the redo applies the same again. After the counting, so that no check misses usage that is
    // committed; before the reply, so that every check after it heeds what is reserved.
    const { decidedAt } = plan.manifest;
    await ledger.reservations.apply(calculated.reservations, decidedAt);
    await checkpoint('afterReservations');
    // Everything is stored, so it is true already; told before the flush is booked, a crash in between costs no
    // reporter the answer: the redo tells it again.
    await metrics.time('reply', () => this.#reply(plan, calculated.outcomes));
    await checkpoint('afterReply');
    // A crash before: redone, adding nothing. After: the batches are gone from the queue, their jobs complete
    // when they are delivered again.
    await metrics.time('finish', () => ledger.finish(flushId, tallyOf(decided), notCounted));
    await checkpoint('afterFinish');
    this.#states.keep(calculated.usages);
    const now = this.#parts.clock.now();
    metrics.flushed(
      decided.length,
      deliveriesOf(plan.batches).map(({ sealedAt }) => now - sealedAt),
    );
    return [];
  }

  async #insertEvents(plan: FlushPlan, attempt: Attempt): Promise<void> {
    const { store } = this.#parts;
    const { flushId, token } = plan.manifest;
    const chunksWith = (decision: number): Buffer[] =>
      plan.batches.filter((batch) => batch.decided.includes(decision)).flatMap(chunksOf);
    const counted = chunksWith(decisions.counts);
    if (counted.length > 0) {
      const rows = rowsOf(plan.batches, decisions.counts);
      await this.#insert(plan, 'events', attempt, {
        first: () => store.insertEvents(flushId, token, counted),
        repeat: () => store.repeatEvents(flushId, token, counted, rows),
      });
    }
    const conflicts = chunksWith(decisions.conflict);
    if (conflicts.length === 0) return;
    // They count nowhere, so their token is enough.
    const keep = () => store.insertConflicts(flushId, token, conflicts);
    await this.#insert(plan, 'events', attempt, { first: keep, repeat: keep });
  }

  async #insertMeasurements(plan: FlushPlan, attempt: Attempt): Promise<CalculatedFlush> {
    const { store, table, persistence } = this.#parts;
    const { windowMs } = table;
    const calculated = await calculateFlush(plan, { store, states: this.#states, persistence, windowMs });
    const { rows } = calculated;
    const { flushId, token } = plan.manifest;
    if (rows.length > 0) {
      await this.#insert(plan, 'measurements', attempt, {
        first: () => store.insertMeasurements(token, rows),
        repeat: () => store.repeatMeasurements(flushId, token, rows),
      });
    }
    return calculated;
  }

  /** Until it succeeds; the ownership is made sure of each time, since the store knows no epochs. */
  async #insert(
    { manifest: { flushId } }: FlushPlan,
    step: 'events' | 'measurements',
    attempt: Attempt,
    inserts: Readonly<Record<Attempt, () => Promise<void>>>,
  ): Promise<void> {
    const { ledger, persistence } = this.#parts;
    let next = attempt;
    const insert = async (): Promise<void> => {
      await ledger.confirm();
      const run = inserts[next];
      next = 'repeat';
      await run();
    };
    await persistence.until(step, insert, () => this.#nothingStored(flushId));
  }

  /** A flush of which anything is stored is never given up: its content was taken, so it can be taken. */
  async #nothingStored(flushId: number): Promise<boolean> {
    const { store, persistence } = this.#parts;
    return (await persistence.until('count', () => store.countOfFlush(flushId))) === 0;
  }

  async #notCounted(plan: FlushPlan): Promise<Readonly<Record<string, number>>> {
    const { catalog, persistence } = this.#parts;
    const counts: Record<string, number> = {};
    const watch = new NotCountedWatch(await persistence.until('catalog', () => catalog.features()));
    for (const { batch, decided } of plan.batches) {
      if (batch.kind === 'events') watch.count(batch.block, decided, counts);
      await nextTurn();
    }
    return counts;
  }

  async #reply(plan: FlushPlan, outcomes: ReadonlyMap<number, UsageOutcome>): Promise<void> {
    const { ledger } = this.#parts;
    const replies = plan.batches.map(async ({ batch, decided, from }) => {
      const { batchId, kind, replyTo } = batch.delivery;
      if (kind !== 'usage') return;
      const ofBatch = Array.from(decided, (_, row) => outcomes.get(from + row) ?? buried);
      await ledger.reply(replyTo, { batchId, outcomes: ofBatch });
    });
    await Promise.all(replies);
  }

  /**
   * ClickHouse refuses the content for good and has stored none of it. Only the batches at fault are set aside;
   * burying them gives the flush up in the same step. A crash before: the redo comes here again. After: the
   * other batches are pending.
   */
  async #setAside(plan: FlushPlan, cause: StoreRefusedDataError): Promise<readonly Delivery[]> {
    const { store, persistence } = this.#parts;
    const atFault: DecidedBatch[] = [];
    for (const each of plan.batches) {
      const chunks = chunksOf(each);
      const taken =
        chunks.length === 0 || (await persistence.until('probe', () => store.takesEvents(chunks)));
      if (!taken) atFault.push(each);
    }
    // When each is taken alone but not together, there is nothing left to tell them apart by.
    const refused = deliveriesOf(atFault.length > 0 ? atFault : plan.batches);
    await this.#bury(refused, cause.message);
    return this.#startOver(deliveriesOf(plan.batches).filter((delivery) => !refused.includes(delivery)));
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

  /** A claim never outlives a write that failed (contract, 5.1c): what this flush claimed is forgotten. */
  async #startOver(deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    this.#states.clear();
    await rebuildTable(this.#parts);
    return deliveries;
  }

  async #knownWorld(batches: readonly ReadBatch[]): Promise<KnownWorld> {
    const facts = batches.flatMap((batch) => (batch.kind === 'usage' ? batch.facts : []));
    if (facts.length === 0) return { customers: new Set(), features: new Map() };
    const { customers, persistence } = this.#parts;
    const refIds = [...new Set(facts.map(({ customerId }) => customerId))];
    const existing = await persistence.until('customers', () => customers.existing(refIds));
    return { customers: existing, features: await this.#featuresById() };
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

/** Whether an insert is tried for the first time, or may have been stored by an attempt before. */
type Attempt = 'first' | 'repeat';

/** Events of these batches with the decision. */
function rowsOf(batches: readonly DecidedBatch[], decision: number): number {
  let rows = 0;
  for (const { batch, decided } of batches) {
    if (batch.kind !== 'events') continue;
    for (const each of decided) if (each === decision) rows += 1;
  }
  return rows;
}

function chunksOf({ batch, decided }: DecidedBatch): Buffer[] {
  return batch.kind === 'events' ? batch.block.withVerdicts(decided) : [];
}

function deliveriesOf(batches: readonly DecidedBatch[]): Delivery[] {
  return batches.map(({ batch }) => batch.delivery);
}
