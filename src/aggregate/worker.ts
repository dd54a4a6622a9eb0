/**
 * The worker: owns the shard, finishes what an earlier owner began, and flushes batches one flush after another
 * until it is stopped, loses its ownership or fails.
 */
import type { Registry } from 'prom-client';
import type { FeatureCatalog } from '../catalog/feature.ts';
import type { Clock } from '../clock.ts';
import type { CustomerDirectory } from '../customers/customer.ts';
import type { EntitlementSource } from '../entitlements/entitlement.ts';
import { type Consumer, type Delivery, FencedError, type Ledger } from '../queue/ledger.ts';
import type { Logger } from '../telemetry.ts';
import { type Checkpoint, passThrough } from './checkpoint.ts';
import { DeliveryQueue, defaultFlushLimits, type FlushLimits } from './delivery-queue.ts';
import { Flusher } from './flush.ts';
import type { FlushStore } from './flush-store.ts';
import { IdentityTable, type IdentityTableOptions } from './identity-table.ts';
import { Persistence } from './persistence.ts';
import { lastFlushId, outliveForgotten, rebuildTable } from './recovery.ts';
import type { UsageWatch } from './touched-usage.ts';
import { Turns } from './turns.ts';
import { WorkerMetrics } from './worker-metrics.ts';

export interface AggregateWorkerOptions {
  readonly ledger: Ledger;
  readonly store: FlushStore;
  /** Whether anybody's flush is being stored at this moment. Default never. */
  readonly isStoring?: () => Promise<boolean>;
  readonly catalog: Pick<FeatureCatalog, 'features'>;
  readonly customers: Pick<CustomerDirectory, 'existing'>;
  readonly entitlements: EntitlementSource;
  /** Who is to know whose usage has changed. Default nobody. */
  readonly watch?: UsageWatch | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** The dedupe window and how many identities memory may hold. */
  readonly identities: IdentityTableOptions;
  readonly limits?: Partial<FlushLimits>;
  /** How long `stop` waits for the flush in hand; what it leaves is redone by the next owner. Default 10,000. */
  readonly drainMsMax?: number;
  readonly checkpoint?: Checkpoint;
}

/** Why a worker ended. Only after `stopped` may the process go on as if nothing had happened. */
export type WorkerEnd =
  | { readonly reason: 'stopped' }
  /** Another worker has taken the shard over. */
  | { readonly reason: 'fenced' }
  | { readonly reason: 'failed'; readonly error: unknown };

const drainMsDefaultMax = 10_000;

export class AggregateWorker {
  readonly #options: AggregateWorkerOptions;
  readonly #metrics: WorkerMetrics;
  readonly #table: IdentityTable;
  readonly #queue: DeliveryQueue;
  /** Aborted by `stop`: nothing new is begun. */
  readonly #stopping = new AbortController();
  /** Aborted when draining took too long. */
  readonly #abandoned = new AbortController();
  readonly #ready: Promise<void>;
  #becomeReady: () => void = () => {};
  readonly #turns = new Turns();
  #flusher: Flusher | undefined;
  #consumer: Consumer | undefined;
  #run: Promise<WorkerEnd> | undefined;

  constructor(options: AggregateWorkerOptions) {
    this.#options = options;
    this.#ready = new Promise((resolve) => {
      this.#becomeReady = resolve;
    });
    this.#metrics = new WorkerMetrics(options.registry);
    this.#table = new IdentityTable(options.identities);
    this.#queue = new DeliveryQueue({ ...defaultFlushLimits, ...options.limits });
    this.#metrics.watchTable(this.#table, options.registry);
  }

  /**
   * Resolves once this worker owns the shard, has recovered and consumes; a second worker waits here until the
   * first is gone. Also resolves when the worker ended before that: `ended` says why. Safe to call twice.
   */
  start(): Promise<void> {
    this.#run ??= this.#work();
    return this.#ready;
  }

  /** Takes no more batches, flushes those in hand, then ends. Safe to call twice, and before or during `start`. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the worker is stopped'));
    this.#queue.drain();
    const abandon = (): void => {
      this.#abandoned.abort(new Error('draining took too long'));
      // Writes to a Redis that is away end only with the ownership.
      void this.#options.ledger.release();
    };
    const timer = setTimeout(abandon, this.#options.drainMsMax ?? drainMsDefaultMax);
    // The jobs go back to the line; those of batches that are flushed now find nothing left to do.
    await this.#consumer?.stop();
    await this.#run;
    clearTimeout(timer);
  }

  /** Resolves when the worker has ended, for whatever reason; never before `start` was called. */
  async ended(): Promise<WorkerEnd> {
    await this.#ready;
    return this.#run ?? { reason: 'stopped' };
  }

  /**
   * Runs a change of what is stored while no flush is in hand, and makes sure that nothing computed from the state
   * before it is used again: folds in memory, and the live counters of these customers. When it resolves, the change
   * was made by the shard's owner and everybody's next figure heeds it. Rejects when this worker does not own the
   * shard, or the change did.
   */
  betweenFlushes(customerIds: readonly string[], change: () => Promise<void>): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#flusher === undefined) throw new FencedError('this worker does not own the shard');
      await this.#flusher.change(customerIds, change);
    });
  }

  async #work(): Promise<WorkerEnd> {
    const { ledger, logger } = this.#options;
    let end: WorkerEnd;
    try {
      await ledger.acquire(this.#stopping.signal);
      const flusher = await this.#recover();
      this.#flusher = flusher;
      this.#stopping.signal.throwIfAborted();
      this.#consumer = await ledger.consume((delivery) => this.#queue.push(delivery));
      logger.info('the worker consumes');
      this.#becomeReady();
      await this.#flushAll(flusher);
      end = { reason: 'stopped' };
    } catch (error) {
      end = this.#endOf(error);
    }
    this.#flusher = undefined;
    // In this order: what is in hand goes back to the line and is not taken for failed.
    await this.#consumer?.stop();
    this.#queue.fail(new Error('the worker has ended'));
    // A fenced worker owns nothing that it could release; the ledger knows.
    await ledger.release();
    this.#becomeReady();
    return end;
  }

  /** Finish what was begun, then remember what is stored; only then is anything new decided. */
  async #recover(): Promise<Flusher> {
    const { ledger, store, catalog, customers, entitlements, watch, clock, logger } = this.#options;
    const { checkpoint = passThrough } = this.#options;
    const persistence = new Persistence({
      signal: AbortSignal.any([ledger.lost, this.#abandoned.signal]),
      onRetry: (step, error, attempt) => this.#onRetry(step, error, attempt),
    });
    const metrics = this.#metrics;
    const table = this.#table;
    const parts = {
      ledger,
      store,
      table,
      catalog,
      customers,
      entitlements,
      watch,
      clock,
      logger,
      metrics,
      persistence,
      checkpoint,
    };
    const { isStoring = () => Promise.resolve(false) } = this.#options;
    await outliveForgotten({ ...parts, isStoring, signal: this.#stopping.signal });
    const unfinished = await persistence.until('recover', () => ledger.unfinished());
    const newest = await lastFlushId(ledger, store, persistence);
    const flusher = new Flusher(parts, Math.max(newest, unfinished?.manifest.flushId ?? 0));
    if (unfinished !== undefined) await flusher.redo(unfinished.manifest, unfinished.deliveries);
    await ledger.counters.align(await persistence.until('recover', () => store.newestFlush()));
    await rebuildTable(parts);
    return flusher;
  }

  async #flushAll(flusher: Flusher): Promise<void> {
    const { lost } = this.#options.ledger;
    lost.addEventListener('abort', () => this.#queue.drain(), { once: true });
    // It may have been lost while consuming began, and a signal tells only once.
    lost.throwIfAborted();
    if (this.#stopping.signal.aborted) await this.#consumer?.stop();
    for (;;) {
      const deliveries = await this.#queue.take();
      lost.throwIfAborted();
      if (deliveries === undefined) return;
      this.#queue.settle(await this.#turns.run(() => this.#flush(flusher, deliveries)));
    }
  }

  /** Whatever waits for its turn behind a flush that failed comes too late: the next owner has to finish that first. */
  async #flush(flusher: Flusher, deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
    try {
      return await flusher.flush(deliveries);
    } catch (error) {
      this.#flusher = undefined;
      throw error;
    }
  }

  #endOf(error: unknown): WorkerEnd {
    const { ledger, logger } = this.#options;
    if (error instanceof FencedError || ledger.lost.aborted) {
      // A release while draining looks the same to the ledger's writes.
      if (this.#abandoned.signal.aborted) return { reason: 'stopped' };
      this.#metrics.fenced();
      logger.warn('another worker has taken the shard over; this one ends');
      return { reason: 'fenced' };
    }
    if (this.#stopping.signal.aborted) return { reason: 'stopped' };
    logger.error({ error: describe(error) }, 'the worker failed');
    return { reason: 'failed', error };
  }

  #onRetry(step: string, error: unknown, attempt: number): void {
    this.#metrics.retried(step);
    // The first failure tells that something is wrong, then every tenth that it still is: some 20 s apart.
    if (attempt % 10 === 1)
      this.#options.logger.warn({ step, attempt, error: describe(error) }, 'trying again');
  }
}

/** Messages of our own errors name no content of events (I10). */
function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
