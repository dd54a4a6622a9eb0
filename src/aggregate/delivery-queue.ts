/** Where delivered batches wait for the next flush. Its bound is the ledger's: so many batches and bytes in hand. */
import type { Delivery } from '../queue/ledger.ts';

export interface FlushLimits {
  /** Rows of one flush: below a million an insert stays one block a partition, which its token covers. */
  readonly rowsMax: number;
  readonly bytesMax: number;
  /** How long events wait for others to join them; usage, which somebody waits for, never does. */
  readonly lingerMs: number;
}

export const defaultFlushLimits: FlushLimits = { rowsMax: 200_000, bytesMax: 64 * 1_048_576, lingerMs: 50 };

interface Waiting {
  readonly delivery: Delivery;
  readonly since: number;
  readonly settle: (error?: Error) => void;
}

export class DeliveryQueue {
  readonly #limits: FlushLimits;
  #waiting: Waiting[] = [];
  #taken: Waiting[] = [];
  #draining = false;
  #wake: () => void = () => {};

  constructor(limits: FlushLimits) {
    this.#limits = limits;
  }

  /** Resolves once the batch is done with. */
  push(delivery: Delivery): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ delivery, since: performance.now(), settle });
      this.#wake();
    });
  }

  /** The batches of the next flush, oldest first; undefined once drained. */
  async take(): Promise<readonly Delivery[] | undefined> {
    for (;;) {
      const waitMs = this.#waitMs();
      if (waitMs === undefined) return undefined;
      if (waitMs <= 0) break;
      await this.#change(waitMs);
    }
    this.#taken = this.#waiting.splice(0, this.#fitting());
    return this.#taken.map(({ delivery }) => delivery);
  }

  /** Ends the flush in hand: `again` go back to the head of the queue, the others are done with. */
  settle(again: readonly Delivery[]): void {
    const back = this.#taken.filter(({ delivery }) => again.includes(delivery));
    for (const waiting of this.#taken) if (!back.includes(waiting)) waiting.settle();
    this.#waiting.unshift(...back);
    this.#taken = [];
  }

  /** From now on `take` does not linger, and answers undefined when nothing waits. */
  drain(): void {
    this.#draining = true;
    this.#wake();
  }

  /** Gives up on all that wait or are in hand; they are delivered again to the next owner. */
  fail(error: Error): void {
    for (const waiting of [...this.#taken, ...this.#waiting]) waiting.settle(error);
    this.#taken = [];
    this.#waiting = [];
  }

  /** Ms until the next flush is due; 0 or less when it is, undefined when there will be none. */
  #waitMs(): number | undefined {
    const [oldest] = this.#waiting;
    if (oldest === undefined) return this.#draining ? undefined : Number.POSITIVE_INFINITY;
    const full = this.#fitting() < this.#waiting.length || this.#rows() >= this.#limits.rowsMax;
    const hurried = this.#waiting.some(({ delivery }) => delivery.kind === 'usage');
    if (this.#draining || full || hurried) return 0;
    return oldest.since + this.#limits.lingerMs - performance.now();
  }

  #change(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(resolve, Math.ceil(waitMs)) : undefined;
      this.#wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #rows(): number {
    return this.#waiting.reduce((sum, { delivery }) => sum + delivery.count, 0);
  }

  /** How many batches from the head fit into one flush; at least one, since none may wait for ever. */
  #fitting(): number {
    let [rows, bytes, fitting] = [0, 0, 0];
    for (const { delivery } of this.#waiting) {
      rows += delivery.count;
      bytes += delivery.payload.length;
      if (fitting > 0 && (rows > this.#limits.rowsMax || bytes > this.#limits.bytesMax)) break;
      fitting += 1;
    }
    return fitting;
  }
}
