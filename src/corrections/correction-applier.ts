/**
 * Makes usage heed the corrections that were recorded: on the worker that owns the usage, between two of its flushes,
 * so that nothing which it remembers outlives what it was computed from. Several corrections of one item, or of many,
 * are applied together.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import type { Audit, RecordStore, StoredRecord } from '../records/record-store.ts';
import type { Logger } from '../telemetry.ts';
import type { CorrectionStore } from './correction.ts';
import { appliedWrite, pendingIndex, pendingOf } from './correction-record.ts';

/** Whoever owns the usage. */
export interface UsageOwner {
  /**
   * Runs the change while nothing is counted, then forgets what it knew of these customers' usage, also when the
   * change failed. Rejects without running it where this process does not own the usage.
   */
  betweenFlushes(customerIds: readonly string[], change: () => Promise<void>): Promise<void>;
}

export interface CorrectionApplierOptions {
  readonly records: RecordStore;
  readonly store: CorrectionStore;
  readonly owner: UsageOwner;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn'>;
  /** Between two looks where nothing waits. Default 50: a question that Redis answers in 0.1 ms. */
  readonly idleMs?: number;
}

/** Items of one round. With a reason of 1,000 characters each some 300 kB. */
const itemsPerRound = 200;
const retryMsMin = 100;
const retryMsMax = 5_000;

export class CorrectionApplier {
  readonly #options: CorrectionApplierOptions;
  readonly #stopping = new AbortController();
  #run: Promise<void> | undefined;

  constructor(options: CorrectionApplierOptions) {
    this.#options = options;
  }

  start(): void {
    this.#run ??= this.#work();
  }

  /** Ends after the round in hand. Safe to call twice, and before `start`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
  }

  async #work(): Promise<void> {
    const { idleMs = 50, logger } = this.#options;
    const { signal } = this.#stopping;
    let retryMs = retryMsMin;
    while (!signal.aborted) {
      let pauseMs = 0;
      try {
        if (!(await applyCorrections(this.#options))) pauseMs = idleMs;
        retryMs = retryMsMin;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ error: nameOf(error) }, 'corrections have to wait');
        pauseMs = retryMs;
        retryMs = Math.min(retryMs * 2, retryMsMax);
      }
      if (pauseMs > 0) await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * One round; false when nothing waited. A crash before the insert: nothing happened. After it: what the dead process
 * remembered died with it, or is given up by the next round, which inserts the same rows again, and they say nothing
 * new. After a record is gone its corrections are stored, and everything that did not know of them is forgotten.
 */
export async function applyCorrections(options: Omit<CorrectionApplierOptions, 'logger'>): Promise<boolean> {
  const { records, store, owner } = options;
  const { records: waiting } = await records.page({
    kind: 'correction',
    indexes: [pendingIndex],
    scoreFrom: null,
    scoreBefore: null,
    order: 'ascending',
    after: null,
    before: null,
    end: 'first',
    limit: itemsPerRound,
  });
  if (waiting.length === 0) return false;
  const pending = waiting.flatMap((record) => pendingOf(record) ?? []);
  const customerIds = [...new Set(pending.map(({ item }) => item.customerId))];
  await owner.betweenFlushes(customerIds, () => store.insert(pending));
  for (const record of waiting) await finish(record, options);
  return true;
}

/** A record that got another correction meanwhile stays, and is applied again with it. */
async function finish(
  { key, version }: StoredRecord,
  { records, clock }: Pick<CorrectionApplierOptions, 'records' | 'clock'>,
): Promise<void> {
  const audit: Audit = { actor: 'system', traceId: '', operation: 'applyCorrection', at: clock.now() };
  await records.commit([appliedWrite(key, version)], audit);
}

/** Not its text, which may quote what was reported (I10). */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}
