/** Sealed letters in Redis, where the commit script puts them. */
import type { Redis } from 'ioredis';
import type { LetterPointer } from './change-log.ts';
import { recordKeys } from './record-keys.ts';
import { eraseLetterScript } from './record-scripts.ts';

export class RedisLetterBox {
  readonly #redis: Redis;
  readonly #key: string;

  constructor(redis: Redis, namespace: string) {
    this.#redis = redis;
    this.#key = recordKeys(namespace).letters;
  }

  /** Its sealed text; undefined when it is gone: delivered, erased, or another one took its place. */
  async letter({ customerId, id }: LetterPointer): Promise<string | undefined> {
    const [kept, text] = (await this.#redis.hget(this.#key, customerId))?.split('\n') ?? [];
    return kept === id ? text : undefined;
  }

  /** Leaves another one that took its place. */
  async erase({ customerId, id }: LetterPointer): Promise<void> {
    await this.#redis.eval(eraseLetterScript, 1, this.#key, customerId, id);
  }
}
