/** The one source of time: instants are epoch milliseconds inside Tollgate and ISO 8601 UTC at its edges. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Epoch ms as they were at the start of the process and counted on from there: no step of the system's clock shows. */
export const steadyClock: Clock = { now: () => performance.timeOrigin + performance.now() };

/** A clock that stands still until told otherwise, for tests. */
export class ManualClock implements Clock {
  #now: number;

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
  }
}
