import { backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';

/** Who is told of items that failed. */
export interface FailureReport {
  /** `task` says what was to be done, not of what. */
  failed(task: string, error: unknown): void;
}

export interface ItemRetriesOptions {
  readonly task: string;
  readonly clock: Clock;
  readonly report: FailureReport;
  /** Items that are remembered as failed, some 100 bytes each. Beyond them others are tried each time. Default 10,000. */
  readonly itemsMax?: number;
}

/** One that never succeeds costs one attempt in five minutes, and one whose cause is mended waits no longer. */
const retryMsMin = 1_000;
const retryMsMax = 300_000;

interface Setback {
  /** In a row. */
  readonly failures: number;
  /** Epoch ms. */
  readonly retryAt: number;
}

/**
 * Work on many items of which one may fail whenever it is tried: it is put off for longer each time, and costs the
 * others nothing. What is remembered of it dies with the process, and then it is tried at once.
 */
export class ItemRetries {
  readonly #options: ItemRetriesOptions;
  readonly #setbacks = new Map<string, Setback>();

  constructor(options: ItemRetriesOptions) {
    this.#options = options;
  }

  /**
   * Whether the work on the item was done; it is not begun while the item is put off. Rejects when a store is away:
   * that is no item's fault.
   */
  async attempt(item: string, work: () => Promise<void>): Promise<boolean> {
    if (this.#isPutOff(item)) return false;
    try {
      await work();
    } catch (error) {
      if (isOutage(error)) throw error;
      this.#putOff(item, error);
      return false;
    }
    this.#setbacks.delete(item);
    return true;
  }

  /**
   * Does the work on all of them together, and on each by itself that failed before, or when that fails; so the work
   * may be done twice on some. Answers those on which it was not done. Rejects as above.
   */
  async attemptTogether(
    items: readonly string[],
    work: (items: readonly string[]) => Promise<void>,
  ): Promise<readonly string[]> {
    const alone = new Set(items.filter((item) => this.#setbacks.has(item)));
    const together = items.filter((item) => !alone.has(item));
    try {
      if (together.length > 0) await work(together);
    } catch (error) {
      if (isOutage(error)) throw error;
      for (const item of together) alone.add(item);
    }
    const left: string[] = [];
    for (const item of alone) if (!(await this.attempt(item, () => work([item])))) left.push(item);
    return left;
  }

  #isPutOff(item: string): boolean {
    return (this.#setbacks.get(item)?.retryAt ?? 0) > this.#options.clock.now();
  }

  #putOff(item: string, error: unknown): void {
    const { task, clock, report, itemsMax = 10_000 } = this.#options;
    const failures = (this.#setbacks.get(item)?.failures ?? 0) + 1;
    this.#setbacks.delete(item);
    if (this.#setbacks.size >= itemsMax) this.#forgetOne();
    if (this.#setbacks.size < itemsMax) {
      const retryAt = clock.now() + backoffMs(failures, retryMsMin, retryMsMax);
      this.#setbacks.set(item, { failures, retryAt });
    }
    report.failed(task, error);
  }

  /** That which failed longest ago, if it is put off no more: perhaps nobody comes with it again. */
  #forgetOne(): void {
    const [longest] = this.#setbacks.keys();
    if (longest !== undefined && !this.#isPutOff(longest)) this.#setbacks.delete(longest);
  }
}

/** Errors of a store that does not answer have such a code, whichever store it is. */
function isOutage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).endsWith('_UNAVAILABLE');
}
