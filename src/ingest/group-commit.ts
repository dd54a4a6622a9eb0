/**
 * Group commit: calls join the open batch, one sending makes the whole batch safe, and then each call is answered.
 * A call is never split over batches, so it succeeds or fails as a whole.
 */
export interface BatchBuilder<Call> {
  readonly count: number;
  readonly byteSize: number;
  /** All items of one call. */
  append(call: Call): void;
  /** The payload of what was appended; the builder is then empty. */
  finish(): Buffer;
}

/**
 * Why a batch was sealed. `idle`: none was in flight, so waiting would only have cost time. `room`: the next call
 * did not fit.
 */
export type SealCause = 'count' | 'bytes' | 'room' | 'linger' | 'idle' | 'drain';

export interface SealedPayload {
  readonly payload: Buffer;
  readonly count: number;
  readonly cause: SealCause;
}

export interface GroupCommitOptions<Call, Outcome> {
  /** One builder is used over and over, and replaced after it failed. */
  readonly makeBuilder: () => BatchBuilder<Call>;
  /** Makes a batch safe. Its outcome, or its rejection, goes to every call in the batch. */
  readonly send: (batch: SealedPayload) => Promise<Outcome>;
  /** A batch is sealed at so many items. A call with more of them than that is a batch of its own. */
  readonly countMax: number;
  /** Likewise for the bytes of the payload. */
  readonly bytesMax: number;
  /** How long the first call of a batch waits for others while another batch is in flight, ms. */
  readonly lingerMs: number;
}

export interface Joined<Outcome> {
  readonly outcome: Outcome;
  /** Where the call's items begin in its batch. */
  readonly offset: number;
}

interface Waiter<Outcome> {
  readonly offset: number;
  readonly resolve: (joined: Joined<Outcome>) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenBatch<Outcome> {
  readonly waiters: Waiter<Outcome>[];
  readonly cancelSealing: () => void;
}

export class GroupCommit<Call, Outcome> {
  readonly #options: GroupCommitOptions<Call, Outcome>;
  readonly #inFlight = new Set<Promise<void>>();
  #builder: BatchBuilder<Call>;
  #open: OpenBatch<Outcome> | undefined;

  constructor(options: GroupCommitOptions<Call, Outcome>) {
    this.#options = options;
    this.#builder = options.makeBuilder();
  }

  /** Resolves once the batch that the items are in was sent. `bytes` is about what they add to it. */
  join(call: Call, items: number, bytes: number): Promise<Joined<Outcome>> {
    const { countMax, bytesMax } = this.#options;
    const { count, byteSize } = this.#builder;
    if (count > 0 && (count + items > countMax || byteSize + bytes > bytesMax)) this.#seal('room');
    const open = (this.#open ??= this.#openBatch());
    return new Promise((resolve, reject) => {
      open.waiters.push({ offset: this.#builder.count, resolve, reject });
      try {
        this.#builder.append(call);
      } catch (error) {
        this.#discard(open, error);
        return;
      }
      if (this.#builder.count >= countMax) this.#seal('count');
      else if (this.#builder.byteSize >= bytesMax) this.#seal('bytes');
    });
  }

  /** Sends what is open and resolves when nothing is in flight any more; calls may still join meanwhile. */
  async drain(): Promise<void> {
    while (this.#open !== undefined || this.#inFlight.size > 0) {
      this.#seal('drain');
      await Promise.all(this.#inFlight);
    }
  }

  #openBatch(): OpenBatch<Outcome> {
    if (this.#inFlight.size === 0) {
      // After this turn's sockets were read, so that calls which came together go together.
      const immediate = setImmediate(() => this.#seal('idle'));
      return { waiters: [], cancelSealing: () => clearImmediate(immediate) };
    }
    const timer = setTimeout(() => this.#seal('linger'), this.#options.lingerMs);
    return { waiters: [], cancelSealing: () => clearTimeout(timer) };
  }

  #seal(cause: SealCause): void {
    const open = this.#open;
    if (open === undefined) return;
    const count = this.#builder.count;
    let payload: Buffer;
    try {
      payload = this.#builder.finish();
    } catch (error) {
      this.#discard(open, error);
      return;
    }
    this.#open = undefined;
    open.cancelSealing();
    const flight = this.#send(open.waiters, { payload, count, cause });
    this.#inFlight.add(flight);
    void flight.finally(() => this.#inFlight.delete(flight));
  }

  /** Never rejects: whatever happens goes to the calls. */
  async #send(waiters: readonly Waiter<Outcome>[], batch: SealedPayload): Promise<void> {
    try {
      const outcome = await this.#options.send(batch);
      for (const { offset, resolve } of waiters) resolve({ outcome, offset });
    } catch (error) {
      for (const { reject } of waiters) reject(error);
    }
  }

  /** A builder that failed may hold half of a call, so nobody's items in it are sent. */
  #discard(open: OpenBatch<Outcome>, error: unknown): void {
    open.cancelSealing();
    this.#open = undefined;
    this.#builder = this.#options.makeBuilder();
    for (const { reject } of open.waiters) reject(error);
  }
}
