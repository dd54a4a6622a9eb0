import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { QueueUnavailableError } from '../metering/batch.ts';
import {
  compactScript,
  counterReaderScripts,
  fillScript,
  readCountersScript,
  reserveScript,
} from '../queue/counter-reader-scripts.ts';
import type { QueueKeys } from '../queue/redis-keys.ts';
import { defineScripts, type RedisScript, runScript, type ScriptArgument } from '../queue/redis-script.ts';
import type { CounterPlace, CounterReservation, CounterStore, Reserved } from './live-counters.ts';

/** A counter weighs some 150 bytes, so at the first two bounds they are gigabytes; few get near them. */
export interface CounterLimits {
  /** Customers that have counters; at the bound those of the one asked for longest ago go. */
  readonly customersMax: number;
  /** What is counted of one customer; at the bound the rest is asked of ClickHouse each time. */
  readonly countersMax: number;
  /** Periods in which each of those is counted; at the bound the one that ended, or was asked for first, goes. */
  readonly periodsMax: number;
  /** Meters and features that are counted; at the bound as above. */
  readonly subjectsMax: number;
}

export const defaultCounterLimits: CounterLimits = {
  customersMax: 200_000,
  countersMax: 1_000,
  periodsMax: 4,
  subjectsMax: 10_000,
};

/** A counter is read in some 4 µs of Redis, so others wait for 2 ms at most. */
const placesPerStep = 500;

/** Live counters in Redis. Works on any connection, which stays the caller's; fails with `QueueUnavailableError`. */
export class RedisCounterStore implements CounterStore {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;
  readonly #limits: CounterLimits;

  constructor(redis: Redis, keys: QueueKeys, limits: Partial<CounterLimits> = {}) {
    defineScripts(redis, counterReaderScripts);
    this.#redis = redis;
    this.#keys = keys;
    this.#limits = { ...defaultCounterLimits, ...limits };
  }

  async read(places: readonly CounterPlace[], now: number): Promise<readonly string[]> {
    const { counterSubjects, counterCustomers, counterPrefix } = this.#keys;
    const steps = slices(places).map((some) =>
      this.#run(
        readCountersScript,
        [counterSubjects, counterCustomers],
        [
          counterPrefix,
          now,
          ...some.flatMap(({ customerId, subjectKey, resourceId, start, end }) => {
            return [customerId, subjectKey, resourceId, start, end];
          }),
        ],
      ),
    );
    return (await Promise.all(steps)).flatMap((counters) => counters as readonly string[]);
  }

  async reserve(asked: readonly CounterReservation[], now: number): Promise<readonly Reserved[]> {
    return (await Promise.all(slices(asked).map((some) => this.#reserve(some, now)))).flat();
  }

  async fill(place: CounterPlace, token: string, base: string): Promise<string | undefined> {
    const filled = await this.#run(fillScript, [this.#keyOf(place)], [fieldOf(place), token, base]);
    return filled === '' ? undefined : String(filled);
  }

  async compact(place: CounterPlace, read: string, compacted: string): Promise<void> {
    await this.#run(compactScript, [this.#keyOf(place)], [fieldOf(place), read, compacted]);
  }

  async #reserve(asked: readonly CounterReservation[], now: number): Promise<readonly Reserved[]> {
    const { flush, counterSubjects, counterCustomers, counterPrefix } = this.#keys;
    const { customersMax, subjectsMax, countersMax, periodsMax } = this.#limits;
    const [token, generation, revision] = [randomName(), randomName(), randomName()];
    const bounds = [customersMax, subjectsMax, countersMax, periodsMax];
    const answer = await this.#run(
      reserveScript,
      [flush, counterSubjects, counterCustomers],
      [counterPrefix, now, token, generation, revision, ...bounds, ...asked.flatMap(toArguments)],
    );
    const [counted = '', ...outcomes] = answer as readonly string[];
    if (counted === '') return asked.map(() => ({ counted: undefined, outcome: { awaited: '' } }));
    return outcomes.map((text, index) => ({
      counted: Number(counted),
      outcome: outcomeOf(text, `${token}-${index + 1}`),
    }));
  }

  async #run(
    script: RedisScript,
    keys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<unknown> {
    try {
      return await runScript(this.#redis, script, [...keys, ...args]);
    } catch (error) {
      throw new QueueUnavailableError('Redis did not answer', { cause: error });
    }
  }

  #keyOf({ customerId }: CounterPlace): string {
    return this.#keys.counterPrefix + customerId;
  }
}

/** 48 random bits: what it tells apart are the few readers of one counter, and lives of one subject. */
function randomName(): string {
  return randomUUID().slice(-12);
}

function toArguments(asked: CounterReservation): readonly ScriptArgument[] {
  const { customerId, subjectKey, subjectText, resourceId, start, end } = asked;
  return [customerId, subjectKey, subjectText, resourceId, start, end];
}

const busy = 'busy';

function outcomeOf(text: string, token: string): Reserved['outcome'] {
  if (text.startsWith(busy)) return { awaited: text.slice(busy.length).trimStart() };
  return text === 'reserved' ? { token } : { counter: text };
}

function fieldOf({ subjectKey, resourceId }: CounterPlace): string {
  return subjectKey + resourceId;
}

function slices<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / placesPerStep) }, (_, index) =>
    items.slice(index * placesPerStep, (index + 1) * placesPerStep),
  );
}
