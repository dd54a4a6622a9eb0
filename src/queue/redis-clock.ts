/**
 * How far Redis' clock is ahead of ours, learned from its answers. The error of one reading is at most its round
 * trip, so the reading with the shortest one is kept.
 */
export class RedisClock {
  #aheadMs = 0;
  #roundTripMs = Number.POSITIVE_INFINITY;

  /** `redisNow` was read somewhere between `sentAt` and `receivedAt`. */
  observe(sentAt: number, receivedAt: number, redisNow: number): void {
    const roundTripMs = receivedAt - sentAt;
    if (roundTripMs > this.#roundTripMs + slackMs) return;
    this.#roundTripMs = roundTripMs;
    this.#aheadMs = redisNow - (sentAt + receivedAt) / 2;
  }

  /** After an answer that shows the estimate to be wrong: the next reading is taken whatever it cost. */
  forget(): void {
    this.#roundTripMs = Number.POSITIVE_INFINITY;
  }

  toRedis(instant: number): number {
    return Math.round(instant + this.#aheadMs);
  }
}

/** Readings this much slower than the best are taken too, so that the estimate follows a drifting clock. */
const slackMs = 5;
