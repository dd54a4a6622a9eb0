/**
 * Sees to it that the records are open before a worker begins, and tells when they are gone while it works. It then
 * has to begin anew, since nothing that it and its queues left in Redis can be relied on; what restores them is the
 * next `open`, its own or that of any other worker.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry.ts';
import type { ChangeLog, CommitListener, Outbox, OutboxBatch, PersonalText } from './change-log.ts';
import { relayBatch } from './outbox-relay.ts';
import { kindRule, personalKind } from './record-kinds.ts';
import type { Opening } from './redis-restore.ts';

export interface RecordGuardOptions {
  readonly opener: { isOpen(): Promise<boolean>; open(): Promise<Opening> };
  /** For commits that outlived the records. */
  readonly outbox: Outbox;
  readonly changeLog: ChangeLog;
  readonly listener?: CommitListener | undefined;
  readonly logger: Pick<Logger, 'info' | 'warn' | 'error'>;
  /** Between two looks whether the records are there. Default 500. */
  readonly watchMs?: number;
  /** Between two tries to open them. Default 500. */
  readonly retryMs?: number;
}

export class RecordGuard {
  readonly #options: RecordGuardOptions;
  readonly #stopping = new AbortController();
  #watching: Promise<void> | undefined;
  #lose: (reason: Error) => void = () => {};
  readonly lost: Promise<never>;

  constructor(options: RecordGuardOptions) {
    this.#options = options;
    this.lost = new Promise((_, reject) => {
      this.#lose = reject;
    });
    // Whoever only opens the records does not ask.
    this.lost.catch(() => undefined);
  }

  /**
   * Resolves once the records are open, whoever opened them: `restored` when this call did. Tries until then; rejects
   * when it is stopped.
   */
  async open(): Promise<Opening> {
    const { opener, logger, retryMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    for (;;) {
      signal.throwIfAborted();
      try {
        const opening = await opener.open();
        if (opening.outcome === 'restored' && opening.records > 0) {
          logger.warn({ records: opening.records }, 'the records were not in Redis and are made again');
        }
        if (opening.outcome === 'waiting') await this.#relay();
        else if (opening.outcome !== 'busy') return opening;
      } catch (error) {
        logger.error({ error: describe(error) }, 'the records are not in Redis and cannot be made again yet');
      }
      await delay(retryMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Begins to look whether they stay open; see `lost`. */
  watch(): void {
    this.#watching ??= this.#watch();
  }

  /** Safe to call twice, and before anything else. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the guard of the records is stopped'));
    await this.#watching;
  }

  async #watch(): Promise<void> {
    const { opener, watchMs = 500 } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await delay(watchMs, undefined, { signal }).catch(() => undefined);
      // A Redis that is away says nothing about what it holds.
      if (signal.aborted || (await opener.isOpen().catch(() => true))) continue;
      this.#lose(
        new Error('the records are gone from Redis; the next start makes them again from the change log'),
      );
      return;
    }
  }

  /**
   * All that waits. Personal texts are left as they are kept, but for those that were erased on purpose: what is not
   * in Redis may have been lost with the rest.
   */
  async #relay(): Promise<void> {
    const { outbox, changeLog, listener } = this.#options;
    let batch: OutboxBatch | undefined;
    const leftOver: Outbox = {
      take: async () => {
        batch = await outbox.take();
        return batch;
      },
      personal: () => Promise.resolve(erasedIn(batch)),
      done: (token) => outbox.done(token),
      size: () => outbox.size(),
      forget: () => outbox.forget(),
    };
    while (await relayBatch({ outbox: leftOver, changeLog, listener }));
  }
}

function erasedIn(batch: OutboxBatch | undefined): readonly PersonalText[] {
  const { erasedBy = '' } = kindRule(personalKind);
  const writes = batch?.entries.flatMap((entry) => entry.writes) ?? [];
  return writes.flatMap(({ kind, key, version, after }) => {
    if (kind !== personalKind || after === '') return [];
    const body = JSON.parse(after) as Readonly<Record<string, unknown>>;
    return (body[erasedBy] ?? null) === null ? [] : [{ key, version, content: '' }];
  });
}

/** Messages of our own errors name no content (I10); others are told by their name. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? error.message : error.name;
}
