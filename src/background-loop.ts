import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from './backoff.ts';
import { FailureLog } from './failure-log.ts';
import type { Logger } from './telemetry.ts';

export interface BackgroundLoopOptions {
  /**
   * One look; answers whether more waits, for which the next look comes at once. The signal tells one that takes long
   * that it may end early.
   */
  readonly look: (signal: AbortSignal) => Promise<boolean>;
  /** Between two looks where nothing waits. */
  readonly idleMs: number;
  /** After the first failure of a row, and at most; each further one doubles it. Default 250 and 10,000. */
  readonly retryMsMin?: number;
  readonly retryMsMax?: number;
  readonly logger: Pick<Logger, 'warn'>;
  /** What the log says of a look that failed. */
  readonly message: string;
}

/**
 * Looks again and again, never twice at once, until it is stopped. A look that failed is repeated after a while that
 * grows with each failure in a row, and the log hears of it at once and then seldom.
 */
export class BackgroundLoop {
  readonly #options: BackgroundLoopOptions;
  readonly #stopping = new AbortController();
  readonly #failures: FailureLog;
  #run: Promise<void> | undefined;

  constructor(options: BackgroundLoopOptions) {
    this.#options = options;
    this.#failures = new FailureLog(options);
  }

  /** Does nothing the second time, nor once it was stopped. */
  start(): void {
    this.#run ??= this.#work();
  }

  /** Ends a pause at once, and waits for the look in hand. Safe to call twice, and before `start`. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
  }

  async #work(): Promise<void> {
    const { look, idleMs, retryMsMin = 250, retryMsMax = 10_000 } = this.#options;
    const { signal } = this.#stopping;
    let inARow = 0;
    while (!signal.aborted) {
      let pauseMs = idleMs;
      try {
        if (await look(signal)) pauseMs = 0;
        inARow = 0;
      } catch (error) {
        // One that was cut short failed for no other reason.
        if (signal.aborted) return;
        this.#failures.note(error);
        inARow += 1;
        pauseMs = backoffMs(inARow, retryMsMin, retryMsMax);
      }
      await pause(pauseMs, signal);
    }
  }
}

/** Ends early when the signal is given. Others have their turn also in a pause of 0. */
export async function pause(pauseMs: number, signal: AbortSignal): Promise<void> {
  if (pauseMs <= 0) await nextTurn();
  else await delay(pauseMs, undefined, { signal }).catch(() => undefined);
}
