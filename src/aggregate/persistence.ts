/** The one way the worker repeats what failed: a flush is never abandoned, it goes on when the other side is back. */
import { setTimeout as delay } from 'node:timers/promises';
import { FencedError } from '../queue/ledger.ts';
import { StoreRefusedDataError } from './flush-store.ts';

export interface PersistenceOptions {
  /** Aborted when the worker must stop at once: ownership lost, or too long to drain. */
  readonly signal: AbortSignal;
  readonly onRetry: (step: string, error: unknown, attempt: number) => void;
}

const firstPauseMs = 25;
const longestPauseMs = 2_000;
/** A body that was cut off on its way looks like bad content; content that is bad stays so. */
const refusalsUntilFinal = 3;

export class Persistence {
  readonly #options: PersistenceOptions;

  constructor(options: PersistenceOptions) {
    this.#options = options;
  }

  /**
   * The answer of `attempt`, which is made again with growing pauses (25 ms to 2 s) until it succeeds. Rejects
   * when the worker must stop, when another owner has taken over, when the error is a mistake in the program, or
   * when the store has refused the content three times running and `isFinal` agrees.
   */
  async until<T>(
    step: string,
    attempt: () => Promise<T>,
    isFinal: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<T> {
    const { signal, onRetry } = this.#options;
    let refusals = 0;
    for (let count = 1; ; count += 1) {
      signal.throwIfAborted();
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof FencedError || isMistake(error)) throw error;
        refusals = error instanceof StoreRefusedDataError ? refusals + 1 : 0;
        if (refusals >= refusalsUntilFinal && (await isFinal())) throw error;
        onRetry(step, error, count);
        const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (count - 1));
        // The signal's own reason says more than that a pause was aborted; it is thrown above.
        await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

/** What no repeat can mend; everything else that a port rejects with is the other side's state. */
function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError;
}
