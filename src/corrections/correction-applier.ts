/**
 * Makes usage heed the corrections that were recorded: on the worker that owns the usage, between two of its flushes,
 * so that nothing which it remembers outlives what it was computed from. Several corrections of one item, or of many,
 * are applied together.
 */
import { BackgroundLoop } from '../background-loop.ts';
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

export class CorrectionApplier {
  readonly #loop: BackgroundLoop;

  constructor(options: CorrectionApplierOptions) {
    const { idleMs = 50, logger } = options;
    const retry = { retryMsMin: 100, retryMsMax: 5_000 };
    const message = 'corrections have to wait';
    this.#loop = new BackgroundLoop({
      look: () => applyCorrections(options),
      idleMs,
      ...retry,
      logger,
      message,
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends after the round in hand. Safe to call twice, and before `start`. */
  stop(): Promise<void> {
    return this.#loop.stop();
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
