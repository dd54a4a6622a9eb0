import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { subjectKeyLength } from '../catalog/usage-subject.ts';
import {
  counterReaderScripts,
  dropScript,
  expireScript,
  inspectScript,
  retireScript,
} from '../queue/counter-reader-scripts.ts';
import type { QueueKeys } from '../queue/redis-keys.ts';
import { defineScripts, runScript } from '../queue/redis-script.ts';
import type { CounterAudit, CounterInspection } from './counter-reconciler.ts';
import { decodeCounters } from './live-counter.ts';
import type { CounterPlace } from './live-counters.ts';

/** Customers of one page, and of one step of giving up what is unused. */
const pageSize = 100;

/** What the reconciler does with the counters in Redis. Works on any connection, which stays the caller's. */
export class RedisCounterAudit implements CounterAudit {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;

  constructor(redis: Redis, keys: QueueKeys) {
    defineScripts(redis, counterReaderScripts);
    this.#redis = redis;
    this.#keys = keys;
  }

  async page(from: string): Promise<{ readonly cursor: string; readonly customerIds: readonly string[] }> {
    const [cursor, found] = await this.#redis.zscan(this.#keys.counterCustomers, from, 'COUNT', pageSize);
    return { cursor, customerIds: found.filter((_, index) => index % 2 === 0) };
  }

  /** At the bounds these are some 4 MB, of a customer with a thousand counters that nobody reads. */
  async places(customerId: string): Promise<readonly CounterPlace[]> {
    const fields = await this.#redis.hgetall(this.#keys.counterPrefix + customerId);
    return Object.entries(fields).flatMap(([field, counters]) => {
      const subjectKey = field.slice(0, subjectKeyLength);
      const resourceId = field.slice(subjectKeyLength);
      return decodeCounters(counters).map(({ bounds }) => ({
        customerId,
        subjectKey,
        resourceId,
        ...bounds,
      }));
    });
  }

  async inspect(place: CounterPlace): Promise<CounterInspection | undefined> {
    const { customerId, subjectKey, resourceId, start, end } = place;
    const { flush, manifest, counterSubjects, counterCustomers, counterPrefix } = this.#keys;
    const keys = [flush, manifest, counterSubjects, counterCustomers, counterPrefix + customerId];
    const args = [...keys, customerId, subjectKey, resourceId, start, end];
    const [counted, counter] = (await runScript(this.#redis, inspectScript, args)) as readonly string[];
    return counted === undefined || counter === undefined ? undefined : { counted: Number(counted), counter };
  }

  async drop({ customerId, subjectKey, resourceId, start, end }: CounterPlace): Promise<void> {
    const key = this.#keys.counterPrefix + customerId;
    await runScript(this.#redis, dropScript, [key, subjectKey + resourceId, start, end]);
  }

  async generations(): Promise<ReadonlyMap<string, string>> {
    const subjects = await this.#redis.hgetall(this.#keys.counterSubjects);
    const entries = Object.entries(subjects).filter(([key]) => key !== '');
    return new Map(entries.map(([key, entry]) => [key, entry.slice(0, entry.indexOf(' '))]));
  }

  async retire(subjectKey: string, generation: string): Promise<void> {
    const args = [this.#keys.counterSubjects, subjectKey, generation, randomUUID()];
    await runScript(this.#redis, retireScript, args);
  }

  async expire(before: number): Promise<void> {
    const { counterCustomers, counterPrefix } = this.#keys;
    for (;;) {
      const args = [counterCustomers, counterPrefix, before, pageSize];
      if (Number(await runScript(this.#redis, expireScript, args)) < pageSize) return;
    }
  }

  async note(checked: number, drifted: number): Promise<void> {
    const { counterAudit } = this.#keys;
    await this.#redis.hincrby(counterAudit, 'checked', checked);
    if (drifted > 0) await this.#redis.hincrby(counterAudit, 'drifted', drifted);
  }

  async noted(): Promise<{ readonly checked: number; readonly drifted: number }> {
    const { checked, drifted } = await this.#redis.hgetall(this.#keys.counterAudit);
    return { checked: Number(checked ?? 0), drifted: Number(drifted ?? 0) };
  }
}
