/**
 * A flush of calculated usage. Nobody waits for the store: a flush is begun, counted, and told to its reporters in one
 * step of Redis, and stored afterwards (`usage-storing.ts`), while the next one is decided. From that step on its
 * decisions and contents stand in Redis, and whoever owns the shard stores them; usage that was told is in the live
 * counters, and in the folds in memory that the next flush goes on from.
 */
import type { CountedSubject } from '../queue/counter-ledger.ts';
import type { Bundle, FlushEffects } from '../queue/ledger.ts';
import { buried } from './acknowledge.ts';
import { type CalculatedFlush, calculateFlush } from './calculated-flush.ts';
import type { Attempt, FlushParts } from './flush-parts.ts';
import type { FlushPlan } from './plan.ts';
import { RecentAcknowledgements } from './recent-acknowledgements.ts';
import { ReportedChanges } from './reported-changes.ts';
import { SettledStore } from './settled-store.ts';
import type { TouchedUsage } from './touched-usage.ts';
import { type AcknowledgedFlush, UsageStoring, type UsageStoringEvents } from './usage-storing.ts';
import { UsageStates } from './usage-states.ts';

export class UsageFlush {
  readonly storing: UsageStoring;
  /** For questions about usage; see there. */
  readonly settled: SettledStore;
  readonly states: UsageStates;
  readonly #parts: FlushParts;
  readonly #recent = new RecentAcknowledgements();
  readonly #changes = new ReportedChanges();

  constructor(parts: FlushParts, touched: TouchedUsage, events: UsageStoringEvents) {
    this.#parts = parts;
    this.storing = new UsageStoring(parts, touched, events);
    this.settled = new SettledStore(parts.store, this.storing);
    this.states = new UsageStates(this.settled);
  }

  /** Fails with `BatchesGoneError` when nothing has begun. */
  async acknowledge(plan: FlushPlan): Promise<void> {
    const { ledger, metrics, checkpoint } = this.#parts;
    const calculated = await this.#calculated(plan);
    // A crash before: nothing was written, the batches are pending and are delivered again. After: the next owner
    // finds the manifest and stores exactly this; its reporters were told.
    await metrics.time('acknowledge', () =>
      ledger.acknowledge(plan.manifest, (subjects) => this.#effects(plan, calculated, subjects)),
    );
    await checkpoint('afterAcknowledge');
    this.storing.add(this.#kept(plan, calculated, 'first'));
  }

  /**
   * What earlier owners acknowledged and did not store. Some of it, all of one insert, may be stored or is just being
   * written: it comes first, under its token. Each of its flushes was calculated from folds that were in memory where an
   * earlier one of them had changed them; they are there again, and what is not, none of them had changed.
   */
  async redo(plans: readonly FlushPlan[], bundle: Bundle | undefined): Promise<void> {
    const [first] = plans;
    if (first === undefined) return;
    const isBundled = bundle !== undefined && first.manifest.flushId <= bundle.lastFlush;
    const lastTried = isBundled ? bundle.lastFlush : first.manifest.flushId;
    const tried = plans.filter(({ manifest }) => manifest.flushId <= lastTried);
    const flushes: AcknowledgedFlush[] = [];
    for (const plan of tried) flushes.push(this.#kept(plan, await this.#calculated(plan), 'repeat'));
    await this.storing.again(flushes, isBundled ? bundle.token : first.manifest.token);
    for (const plan of plans.slice(tried.length)) {
      this.storing.add(this.#kept(plan, await this.#calculated(plan), 'repeat'));
    }
    await this.storing.idle();
  }

  /** What was computed from the state before a change. */
  forget(): void {
    this.states.clear();
    this.#recent.clear();
  }

  #calculated(plan: FlushPlan): Promise<CalculatedFlush> {
    const { persistence, table } = this.#parts;
    const { settled: store, states } = this;
    const { windowMs } = table;
    return calculateFlush(plan, { store, states, recent: this.#recent, persistence, windowMs });
  }

  /** From now on the next flush goes on from it. */
  #kept(plan: FlushPlan, { usages, rows }: CalculatedFlush, attempt: Attempt): AcknowledgedFlush {
    this.states.keep(usages);
    this.#recent.keep(rows);
    return { plan, rows, attempt };
  }

  #effects(
    plan: FlushPlan,
    calculated: CalculatedFlush,
    subjects: ReadonlyMap<string, CountedSubject>,
  ): FlushEffects {
    const { outcomes, reservations } = calculated;
    return {
      changes: this.#changes.of(calculated, subjects),
      reservations,
      replies: plan.batches.map(({ batch, decided, from }) => {
        const { batchId, replyTo } = batch.delivery;
        const ofBatch = Array.from(decided, (_, row) => outcomes.get(from + row) ?? buried);
        return { replyTo, reply: { batchId, outcomes: ofBatch } };
      }),
    };
  }
}
