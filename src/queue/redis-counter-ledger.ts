/** The worker's side of the live counters on Redis; every write is guarded by the ledger's epoch. */
import type { Redis } from 'ioredis';
import type { CountedSubject, CounterChange, CounterEffect, CounterLedger } from './counter-ledger.ts';
import {
  advanceScript,
  alignScript,
  counterLedgerScripts,
  countingScript,
  countScript,
  forgetScript,
} from './counter-scripts.ts';
import type { QueueKeys } from './redis-keys.ts';
import { defineScripts, type RedisScript, type ScriptArgument } from './redis-script.ts';

/** Runs a script whose first argument after the keys is the owner's epoch, until Redis has answered it. */
export type FencedWrite = (
  script: RedisScript,
  keys: readonly string[],
  args: readonly ScriptArgument[],
) => Promise<readonly string[]>;

/** A change is some 3 µs of Redis, so it stands still for others some 2 ms at a time. */
const changesPerStep = 500;
const customersPerStep = 2_000;

export class RedisCounterLedger implements CounterLedger {
  readonly #keys: QueueKeys;
  readonly #write: FencedWrite;
  /** The flush counted last, as far as this owner knows. */
  #last = '';
  #revision = '';
  #subjects: ReadonlyMap<string, CountedSubject> = new Map();

  constructor(redis: Redis, keys: QueueKeys, write: FencedWrite) {
    defineScripts(redis, counterLedgerScripts);
    this.#keys = keys;
    this.#write = write;
  }

  async align(newestFlush: number): Promise<void> {
    const { epoch, flush, counterSubjects } = this.#keys;
    const [, counted] = await this.#write(alignScript, [epoch, flush, counterSubjects], [newestFlush]);
    this.#last = counted ?? '';
  }

  async advance(flushId: number): Promise<ReadonlyMap<string, CountedSubject>> {
    const { epoch, flush, counterSubjects } = this.#keys;
    const [outcome, ...subjects] = await this.#write(
      advanceScript,
      [epoch, flush, counterSubjects],
      [flushId, this.#last, this.#revision],
    );
    this.#last = String(flushId);
    if (outcome === 'OK') this.#keep(subjects);
    return this.#subjects;
  }

  async counting(customerIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { epoch, counterCustomers } = this.#keys;
    const found = new Set<string>();
    for (let at = 0; at < customerIds.length; at += customersPerStep) {
      const some = customerIds.slice(at, at + customersPerStep);
      const [, ...counting] = await this.#write(countingScript, [epoch, counterCustomers], some);
      for (const customerId of counting) found.add(customerId);
    }
    return found;
  }

  async count(flushId: number, changes: readonly CounterChange[]): Promise<void> {
    const { epoch, counterPrefix } = this.#keys;
    const steps: Promise<unknown>[] = [];
    for (let at = 0; at < changes.length; at += changesPerStep) {
      const some = changes.slice(at, at + changesPerStep).flatMap(changeArguments);
      steps.push(this.#write(countScript, [epoch], [counterPrefix, flushId, ...some]));
    }
    // All are sent at once: with `appendfsync always` Redis answers them after one write to its disk.
    await Promise.all(steps);
  }

  async forget(customerIds: Iterable<string>): Promise<void> {
    const { epoch, counterPrefix } = this.#keys;
    const all = [...customerIds];
    for (let at = 0; at < all.length; at += customersPerStep) {
      await this.#write(forgetScript, [epoch], [counterPrefix, ...all.slice(at, at + customersPerStep)]);
    }
  }

  /** Without subjects there is no revision either, so that the first one to come is told. */
  #keep(entries: readonly string[]): void {
    const subjects = new Map<string, CountedSubject>();
    this.#revision = '';
    for (let at = 0; at < entries.length; at += 2) {
      const [key = '', entry = ''] = entries.slice(at, at + 2);
      if (key === '') this.#revision = entry;
      else subjects.set(key, decodeEntry(entry));
    }
    this.#subjects = subjects;
  }
}

function decodeEntry(entry: string): CountedSubject {
  const split = entry.indexOf(' ');
  return { generation: entry.slice(0, split), text: entry.slice(split + 1) };
}

function changeArguments(change: CounterChange): ScriptArgument[] {
  const { customerId, subjectKey, generation, resourceId, effect } = change;
  return [customerId, subjectKey, generation, resourceId, ...effectArguments(effect)];
}

/** The last three of a change's arguments. */
function effectArguments(effect: CounterEffect): ScriptArgument[] {
  if ('part' in effect) {
    const { part, from, to } = effect;
    return [part === undefined ? '' : `${part.amount}:${part.counted}`, from, to];
  }
  const totals = effect.totals.map(({ period, amount }) =>
    period === null ? `* * ${amount}:1` : `${period.start} ${period.end} ${amount}:1`,
  );
  return [`=${totals.join(' ')}`, beginning, end];
}

/** Totals concern a counter of any period. */
const [beginning, end] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
