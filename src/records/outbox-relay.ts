/**
 * Moves commits from the outbox to the change log, in order and each exactly once. Several relays of one outbox
 * do no harm: they take the same batch with the same token. While the change log is away commits wait in the
 * outbox, which is bounded.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry.ts';
import type { ChangeLog, CommitListener, Outbox, OutboxBatch } from './change-log.ts';
import { personalKind } from './record-kinds.ts';

export interface OutboxRelayOptions {
  readonly outbox: Outbox;
  readonly changeLog: ChangeLog;
  readonly listener?: CommitListener | undefined;
  readonly logger: Pick<Logger, 'warn'>;
  /** Between two looks into an empty outbox. Default 250. */
  readonly idleMs?: number;
}

const retryMsMin = 250;
const retryMsMax = 10_000;

export class OutboxRelay {
  readonly #options: OutboxRelayOptions;
  readonly #stopping = new AbortController();
  #run: Promise<void> | undefined;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
  }

  start(): void {
    this.#run ??= this.#work();
  }

  /** Ends after the batch in hand. Safe to call twice, and before `start`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
  }

  async #work(): Promise<void> {
    const { idleMs = 250 } = this.#options;
    // Another relay that was cut off may have kept a text beside what was erased meanwhile.
    await this.#untilDone(() => erase(this.#options, 'all'));
    while (!this.#stopping.signal.aborted) {
      let moved = false;
      await this.#untilDone(async () => {
        moved = await relayBatch(this.#options);
      });
      if (!moved) await this.#pause(idleMs);
    }
  }

  async #untilDone(step: () => Promise<void>): Promise<void> {
    let pauseMs = retryMsMin;
    while (!this.#stopping.signal.aborted) {
      try {
        await step();
        return;
      } catch (error) {
        this.#options.logger.warn({ error: nameOf(error) }, 'the change log has to wait');
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, retryMsMax);
      }
    }
  }

  async #pause(pauseMs: number): Promise<void> {
    await delay(pauseMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

/**
 * Moves one batch; false when nothing waits. What a crash leaves behind after each step: the appended batch is
 * taken again and its token adds nothing; kept texts are kept again; erasing finds nothing left to erase; the
 * listener knows again what it was told before.
 */
export async function relayBatch(
  options: Pick<OutboxRelayOptions, 'outbox' | 'changeLog' | 'listener'>,
): Promise<boolean> {
  const { outbox, changeLog, listener } = options;
  const batch = await outbox.take();
  if (batch === undefined) return false;
  await changeLog.append(batch);
  const keys = personalKeys(batch);
  if (keys.length > 0) {
    // The outbox never holds them, so what was erased before this moment is nowhere on its way.
    const texts = await outbox.personal(keys);
    await changeLog.keepPersonal(texts);
    const erased = texts.filter(({ content }) => content === '').map(({ key }) => key);
    if (erased.length > 0) await erase(options, erased);
  }
  await listener?.told(batch);
  await outbox.done(batch.token);
  return true;
}

async function erase(
  { outbox, changeLog }: Pick<OutboxRelayOptions, 'outbox' | 'changeLog'>,
  keys: readonly string[] | 'all',
): Promise<void> {
  if (await changeLog.erasePersonal(keys)) await outbox.forget();
}

function personalKeys({ entries }: OutboxBatch): readonly string[] {
  const writes = entries.flatMap((entry) => entry.writes);
  return [...new Set(writes.filter(({ kind }) => kind === personalKind).map(({ key }) => key))];
}

/** Not its text, which may quote what could not be stored (I10). */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}
