/** Where delivered batches wait for the next flush. Its bound is the ledger's: so many batches and bytes in hand. */
import type { BatchKind } from '../metering/batch.ts';
import type { Delivery } from '../queue/ledger.ts';

export interface FlushLimits {
  /** Rows of one flush: below a million an insert stays one block a partition, which its token covers. */
  readonly rowsMax: number;
  /** Measurements of one flush: what it changes in Redis takes some 5 µs each, during which others wait. */
  readonly measurementsMax: number;
  readonly bytesMax: number;
  /** How long events wait for others to join them; usage, which somebody waits for, never does. */
  readonly lingerMs: number;
}

export const defaultFlushLimits: FlushLimits = {
  rowsMax: 200_000,
  measurementsMax: 1_000,
  bytesMax: 64 * 1_048_576,
  lingerMs: 50,
};

interface Waiting {
  readonly delivery: Delivery;
  readonly since: number;
  readonly settle: (error?: Error) => void;
}

export class DeliveryQueue {
  readonly #limits: FlushLimits;
  readonly #waiting: Record<BatchKind, Waiting[]> = { events: [], usage: [] };
  readonly #inHand = new Map<Delivery, Waiting>();
  #lastKind: BatchKind = 'events';
  #draining = false;
  #wake: () => void = () => {};

  constructor(limits: FlushLimits) {
    this.#limits = limits;
  }

  /** Resolves once the batch is done with. */
  push(delivery: Delivery): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      this.#waiting[delivery.kind].push({ delivery, since: performance.now(), settle });
      this.#wake();
    });
  }

  /**
   * The batches of the next flush, all of one kind, oldest first; undefined once drained. Usage goes before events, but
   * not twice running where events are due.
   */
  async take(): Promise<readonly Delivery[] | undefined> {
    for (;;) {
      const kind = this.#due();
      if (kind !== undefined) return this.#takeOf(kind);
      const waitMs = this.#eventsWaitMs();
      if (this.#draining && waitMs === undefined) return undefined;
      await this.#change(waitMs ?? Number.POSITIVE_INFINITY);
    }
  }

  /** They are done with; what is not in hand any more is passed over. */
  settle(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#inHand.get(delivery)?.settle();
      this.#inHand.delete(delivery);
    }
  }

  /** They go back to the head of the queue. */
  putBack(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries.toReversed()) {
      const waiting = this.#inHand.get(delivery);
      if (waiting !== undefined) this.#waiting[delivery.kind].unshift(waiting);
      this.#inHand.delete(delivery);
    }
  }

  /** From now on `take` does not linger, and answers undefined when nothing waits. */
  drain(): void {
    this.#draining = true;
    this.#wake();
  }

  /** Gives up on all that wait or are in hand; they are delivered again to the next owner. */
  fail(error: Error): void {
    const { events, usage } = this.#waiting;
    for (const waiting of [...this.#inHand.values(), ...events, ...usage]) waiting.settle(error);
    this.#inHand.clear();
    events.length = 0;
    usage.length = 0;
  }

  #due(): BatchKind | undefined {
    const areEventsDue = (this.#eventsWaitMs() ?? Number.POSITIVE_INFINITY) <= 0;
    if (this.#waiting.usage.length > 0 && !(areEventsDue && this.#lastKind === 'usage')) return 'usage';
    return areEventsDue ? 'events' : undefined;
  }

  #takeOf(kind: BatchKind): readonly Delivery[] {
    const taken = this.#waiting[kind].splice(0, this.#fitting(kind));
    for (const waiting of taken) this.#inHand.set(waiting.delivery, waiting);
    this.#lastKind = kind;
    return taken.map(({ delivery }) => delivery);
  }

  /** Ms until the next flush of events is due; 0 or less when it is, undefined when none wait. */
  #eventsWaitMs(): number | undefined {
    const { events } = this.#waiting;
    const [oldest] = events;
    if (oldest === undefined) return undefined;
    const rows = events.reduce((sum, { delivery }) => sum + delivery.count, 0);
    const full = this.#fitting('events') < events.length || rows >= this.#limits.rowsMax;
    if (this.#draining || full) return 0;
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

  /** How many batches from the head fit into one flush; at least one, since none may wait for ever. */
  #fitting(kind: BatchKind): number {
    const { bytesMax } = this.#limits;
    const rowsMax = kind === 'usage' ? this.#limits.measurementsMax : this.#limits.rowsMax;
    let [rows, bytes, fitting] = [0, 0, 0];
    for (const { delivery } of this.#waiting[kind]) {
      rows += delivery.count;
      bytes += delivery.payload.length;
      if (fitting > 0 && (rows > rowsMax || bytes > bytesMax)) break;
      fitting += 1;
    }
    return fitting;
  }
}
