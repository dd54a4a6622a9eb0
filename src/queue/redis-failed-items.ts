import type { Redis } from 'ioredis';
import { FailureLog } from '../failure-log.ts';
import type { FailureReport } from '../item-retries.ts';
import type { Logger } from '../telemetry.ts';
import type { QueueKeys } from './redis-keys.ts';

/**
 * Counts items that failed by task, in Redis, since the worker that meets most of them listens on no port; and has the
 * log tell of each task at once and then seldom. Works on any connection, which stays the caller's.
 */
export class RedisFailedItems implements FailureReport {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #logs = new Map<string, FailureLog>();

  constructor(redis: Redis, { failedItems }: Pick<QueueKeys, 'failedItems'>, logger: Pick<Logger, 'warn'>) {
    this.#redis = redis;
    this.#key = failedItems;
    this.#logger = logger;
  }

  /** Which item it was is not said: a customer's name may be an e-mail (I10). */
  failed(task: string, error: unknown): void {
    this.#logOf(task).note(error);
    // One that Redis does not hear of is in the log.
    this.#redis.hincrby(this.#key, task, 1).catch(() => undefined);
  }

  async counts(): Promise<ReadonlyMap<string, number>> {
    const counts = await this.#redis.hgetall(this.#key);
    return new Map(Object.entries(counts).map(([task, count]) => [task, Number(count)]));
  }

  /** There are as many as there are tasks in the code. */
  #logOf(task: string): FailureLog {
    const known = this.#logs.get(task);
    if (known !== undefined) return known;
    const message = 'an item failed; it is tried again later, and the others go on';
    const log = new FailureLog({ logger: this.#logger, message, fields: { task } });
    this.#logs.set(task, log);
    return log;
  }
}
