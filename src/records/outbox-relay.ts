/**
 * Moves commits from the outbox to the change log, in order and each exactly once. Several relays of one outbox
 * do no harm: they take the same batch with the same token. While the change log is away commits wait in the
 * outbox, which is bounded.
 */
import { BackgroundLoop } from '../background-loop.ts';
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

export class OutboxRelay {
  readonly #options: OutboxRelayOptions;
  readonly #loop: BackgroundLoop;
  #hasErased = false;

  constructor(options: OutboxRelayOptions) {
    this.#options = options;
    const { idleMs = 250, logger } = options;
    const message = 'the change log has to wait';
    this.#loop = new BackgroundLoop({ look: () => this.#look(), idleMs, logger, message });
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends after the batch in hand. Safe to call twice, and before `start`. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #look(): Promise<boolean> {
    // Another relay that was cut off may have kept a text beside what was erased meanwhile.
    if (!this.#hasErased) await erase(this.#options, 'all');
    this.#hasErased = true;
    return relayBatch(this.#options);
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
