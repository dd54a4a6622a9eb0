import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { QueueUnavailableError } from '../metering/batch.ts';
import type { QueueKeys } from '../queue/redis-keys.ts';
import type { AcknowledgedUsage } from './settled-usage.ts';

/** A worker that takes over from one that died needs some seconds. */
const waitMsMaxDefault = 10_000;
const lookMs = 5;

/** By the newest flushes that were told of and that are stored. Works on any connection, which stays the caller's. */
export class RedisAcknowledgedUsage implements AcknowledgedUsage {
  readonly #redis: Redis;
  readonly #flush: string;
  readonly #waitMsMax: number;

  constructor(redis: Redis, { flush }: Pick<QueueKeys, 'flush'>, waitMsMax = waitMsMaxDefault) {
    this.#redis = redis;
    this.#flush = flush;
    this.#waitMsMax = waitMsMax;
  }

  async stored(): Promise<void> {
    const giveUpAt = performance.now() + this.#waitMsMax;
    const { told, done } = await this.#look();
    for (let stored = done; stored < told; stored = (await this.#look()).done) {
      if (performance.now() >= giveUpAt) {
        throw new QueueUnavailableError('acknowledged usage is not stored yet; no worker is at it');
      }
      await delay(lookMs);
    }
  }

  async #look(): Promise<{ readonly told: number; readonly done: number }> {
    try {
      const [told, done] = await this.#redis.hmget(this.#flush, 'told', 'done');
      return { told: Number(told ?? 0), done: Number(done ?? 0) };
    } catch (error) {
      throw new QueueUnavailableError('Redis did not answer', { cause: error });
    }
  }
}
