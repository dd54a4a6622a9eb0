/** Who may run a query now: a fixed number of slots with a bounded queue in front, served in order of arrival. */
import { raised } from './clickhouse-exception.ts';

export type Lane = 'read' | 'write';

interface Waiting {
  readonly lane: Lane;
  readonly start: () => void;
}

/**
 * Reads may take all slots but one, so that any number of long reports cannot keep an insert waiting. A full queue
 * throws TOO_MANY_SIMULTANEOUS_QUERIES.
 */
export class QuerySlots {
  readonly #slotsMax: number;
  readonly #readsMax: number;
  readonly #waitingMax: number;
  readonly #running = { read: 0, write: 0 };
  readonly #waiting: Waiting[] = [];
  readonly #idle: (() => void)[] = [];

  constructor(slotsMax: number, waitingMax: number) {
    this.#slotsMax = slotsMax;
    this.#readsMax = Math.max(1, slotsMax - 1);
    this.#waitingMax = waitingMax;
  }

  /** Resolves with the function that gives the slot back, which is safe twice. */
  async acquire(lane: Lane, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (!this.#isFree(lane) || this.#waiting.some((other) => other.lane === lane))
      await this.#turn(lane, signal);
    else this.#running[lane]++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#running[lane]--;
      this.#serve();
    };
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #turn(lane: Lane, signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      throw raised.tooManyQueries(`Too many simultaneous queries: ${this.#waitingMax} are waiting`);
    }
    return new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        lane,
        start: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(raised.aborted('The client went away before its query had started'));
        this.#serve();
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #serve(): void {
    for (let place = 0; place < this.#waiting.length; ) {
      const next = this.#waiting[place];
      if (next === undefined || !this.#isFree(next.lane)) {
        place++;
        continue;
      }
      this.#waiting.splice(place, 1);
      this.#running[next.lane]++;
      next.start();
    }
    if (this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #isFree(lane: Lane): boolean {
    if (this.#running.read + this.#running.write >= this.#slotsMax) return false;
    return lane === 'write' || this.#running.read < this.#readsMax;
  }

  #isIdle(): boolean {
    return this.#running.read + this.#running.write + this.#waiting.length === 0;
  }
}
