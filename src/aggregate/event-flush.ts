/**
 * A flush of raw events, strictly one after another: begun, stored, counted, booked. Each step below says what a
 * crash there means; a "crash" is also a worker that lost its ownership and writes nothing more.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Manifest } from '../queue/ledger.ts';
import { decisions, tallyOf } from './decide.ts';
import { type Attempt, deliveriesOf, type FlushParts, insertOwned } from './flush-parts.ts';
import { NotCountedWatch } from './not-counted.ts';
import type { DecidedBatch, FlushPlan } from './plan.ts';
import type { TouchedUsage } from './touched-usage.ts';
import { UsageCounting } from './usage-counting.ts';
import type { UsageStoring } from './usage-storing.ts';

export class EventFlush {
  readonly #parts: FlushParts;
  readonly #counting: UsageCounting;
  readonly #touched: TouchedUsage;
  readonly #storing: UsageStoring;

  constructor(parts: FlushParts, touched: TouchedUsage, storing: UsageStoring) {
    this.#parts = parts;
    this.#counting = new UsageCounting(parts.ledger.counters, parts.checkpoint);
    this.#touched = touched;
    this.#storing = storing;
  }

  /** Fails with `StoreRefusedDataError` when nothing of it is stored, nor can be. */
  async carryOut(plan: FlushPlan, attempt: Attempt): Promise<void> {
    const { ledger, metrics, checkpoint, clock } = this.#parts;
    const { flushId, decisions: decided } = plan.manifest;
    // A crash in or between the inserts: some partitions may be written. The redo sends what is missing under
    // the same tokens, and looks whether all is there.
    const inserting = metrics.time('events', () => this.#insert(plan, attempt));
    // The counting happens while ClickHouse works.
    const [notCounted, touched] = await Promise.all([
      this.#notCounted(plan),
      this.#touched.byEvents(plan),
      inserting,
      this.#counting.prepare(plan),
      checkpoint('duringInsert'),
    ]);
    await checkpoint('afterEvents');
    // A crash while counting: the redo counts the same again, and each counter takes its part once.
    await metrics.time('count', () => this.#counting.count(plan));
    await checkpoint('afterCount');
    // A crash before: the redo writes the same customers down. After: they are looked at once more.
    await this.#touched.touch(touched);
    await checkpoint('afterTouch');
    // Flushes are booked in order, so that all up to the newest booked one are stored.
    await this.#storing.idle();
    // A crash before: redone, adding nothing. After: the batches are gone from the queue, their jobs complete
    // when they are delivered again.
    await metrics.time('finish', () => ledger.finish(flushId, tallyOf(decided), notCounted));
    await checkpoint('afterFinish');
    const now = clock.now();
    metrics.flushed(
      decided.length,
      deliveriesOf(plan).map(({ sealedAt }) => now - sealedAt),
    );
  }

  /** The batches that ClickHouse takes in no way, where there are any. */
  async atFault(plan: FlushPlan): Promise<readonly DecidedBatch[]> {
    const { store, persistence } = this.#parts;
    const atFault: DecidedBatch[] = [];
    for (const each of plan.batches) {
      const chunks = chunksOf(each);
      const taken =
        chunks.length === 0 || (await persistence.until('probe', () => store.takesEvents(chunks)));
      if (!taken) atFault.push(each);
    }
    return atFault;
  }

  async #insert(plan: FlushPlan, attempt: Attempt): Promise<void> {
    const { store } = this.#parts;
    const { flushId, token } = plan.manifest;
    const isFinal = (): Promise<boolean> => this.#nothingStored(plan.manifest);
    const chunksWith = (decision: number): Buffer[] =>
      plan.batches.filter((batch) => batch.decided.includes(decision)).flatMap(chunksOf);
    const counted = chunksWith(decisions.counts);
    if (counted.length > 0) {
      const rows = rowsOf(plan.batches, decisions.counts);
      const inserts = {
        first: () => store.insertEvents(flushId, token, counted),
        repeat: () => store.repeatEvents(flushId, token, counted, rows),
      };
      await insertOwned(this.#parts, 'events', attempt, inserts, isFinal);
    }
    const conflicts = chunksWith(decisions.conflict);
    if (conflicts.length === 0) return;
    // They count nowhere, so their token is enough.
    const keep = () => store.insertConflicts(flushId, token, conflicts);
    await insertOwned(this.#parts, 'events', attempt, { first: keep, repeat: keep }, isFinal);
  }

  /** A flush of which anything is stored is never given up: its content was taken, so it can be taken. */
  async #nothingStored({ flushId }: Manifest): Promise<boolean> {
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
}

/** Events of these batches with the decision. */
function rowsOf(batches: readonly DecidedBatch[], decision: number): number {
  let rows = 0;
  for (const { decided } of batches) for (const each of decided) if (each === decision) rows += 1;
  return rows;
}

function chunksOf({ batch, decided }: DecidedBatch): Buffer[] {
  return batch.kind === 'events' ? batch.block.withVerdicts(decided) : [];
}
