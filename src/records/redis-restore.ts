/**
 * Opens the records: sees to it that they are whole, or makes them again from the change log, byte for byte as they
 * were, and only then gives them the life without which nothing is read or written. Decision 10 tells what becomes of
 * everything else.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { ChangeLogReader, LoggedRecord } from './change-log.ts';
import { type RecordKeys, recordKeys } from './record-keys.ts';
import { personalKind, recordKinds, type RecordKind } from './record-kinds.ts';
import {
  beginScript,
  clearScript,
  endScript,
  giveUpScript,
  renewScript,
  restoreScript,
} from './restore-scripts.ts';

/** This Redis has records, and a restore adds to none. */
export class RecordsPresentError extends Error {
  readonly code = 'RECORDS_PRESENT';
  readonly retryable = false;
}

/** Redis holds some records, not all, and the change log does not know them: they would be gone for ever. */
export class RecordsUnknownError extends Error {
  readonly code = 'RECORDS_UNKNOWN';
  readonly retryable = false;
}

/** Somebody else has taken over, since this process stood still for a lease. */
class LeaseLostError extends Error {
  readonly code = 'LEASE_LOST';
  readonly retryable = true;
}

export interface RestoreOptions {
  readonly redis: Redis;
  readonly namespace: string;
  readonly changeLog: ChangeLogReader;
  /** How long after the death of whoever restores another may begin. */
  readonly leaseMs?: number;
  /** How long nothing may have moved before the records are made again: whoever deletes keys may not be done. */
  readonly settleMs?: number;
}

/**
 * `open`: they were. `adopted`: they were left by a version that knew of no lives. `restored`: they are again, or are
 * empty, as the change log is. `busy`: somebody else is at it. `waiting`: commits wait for the change log first.
 */
export type Opening =
  | { readonly outcome: 'open' | 'adopted' | 'busy' | 'waiting' }
  | { readonly outcome: 'restored'; readonly records: number };

/** Records written by one script, and keys deleted by one; Redis answers nobody else meanwhile, for some milliseconds. */
const recordsPerStep = 200;
const keysPerStep = 1_000;

const kinds = Object.keys(recordKinds) as RecordKind[];

export class RedisRestore {
  readonly #options: Required<RestoreOptions>;
  readonly #keys: RecordKeys;

  /** The connection is one that waits for Redis, and stays the caller's. */
  constructor(options: RestoreOptions) {
    this.#options = { leaseMs: 5_000, settleMs: 1_000, ...options };
    this.#keys = recordKeys(options.namespace);
  }

  async isOpen(): Promise<boolean> {
    return (await this.#options.redis.hexists(this.#keys.revisions, '')) === 1;
  }

  /**
   * Once. A crash anywhere leaves the records closed and what was written so far to be cleared by whoever comes next,
   * a lease later.
   */
  async open(): Promise<Opening> {
    const { redis, leaseMs } = this.#options;
    const { revisions, restoring, outbox } = this.#keys;
    const name = randomUUID();
    const keys = [revisions, restoring, outbox, ...hashesOf(this.#keys)];
    const begun = await redis.eval(beginScript, keys.length, ...keys, name, leaseMs, randomUUID());
    if (begun !== 'begun') return { outcome: begun as 'open' | 'adopted' | 'busy' | 'waiting' };
    const lease = new Lease(redis, restoring, name, leaseMs);
    try {
      return { outcome: 'restored', records: await this.#restore(lease) };
    } finally {
      await lease.giveUp();
    }
  }

  async #restore(lease: Lease): Promise<number> {
    const { changeLog } = this.#options;
    await this.#clear(lease);
    if ((await changeLog.revisions()).size > 0) await this.#settle();
    let records = 0;
    for await (const page of changeLog.newest()) {
      for (let from = 0; from < page.length; from += recordsPerStep) {
        const step = page.slice(from, from + recordsPerStep);
        await lease.step(restoreScript, [], [this.#keys.prefix, ...step.flatMap(restoreArguments)]);
        records += step.length;
      }
    }
    const byKind = await changeLog.revisions();
    const newest = [...byKind.values()].toSorted(compareIds).at(-1) ?? '';
    const { revisions, outbox } = this.#keys;
    const keys = [revisions, outbox, ...hashesOf(this.#keys)];
    await lease.step(endScript, keys, [randomUUID(), newest, ...[...byKind].flat()]);
    return records;
  }

  /**
   * Removes what is left of the records, once nothing of it has vanished for a while: what was only deleted in part
   * cannot be told from what is whole, and indexes name records that are gone.
   */
  async #clear(lease: Lease): Promise<void> {
    const { settleMs } = this.#options;
    let left = await this.#leftOver();
    while (left.length > 0) {
      await delay(settleMs);
      const before = left.length;
      left = await this.#leftOver();
      if (left.length < before) continue;
      const unknown = await this.#unknown();
      if (unknown.length > 0) throw new RecordsUnknownError(unknownMessage(unknown, this.#keys));
      for (let from = 0; from < left.length; from += keysPerStep) {
        await lease.step(clearScript, left.slice(from, from + keysPerStep), []);
      }
      left = await this.#leftOver();
    }
  }

  /** Kinds of which there are records, but no commit in the change log. */
  async #unknown(): Promise<readonly RecordKind[]> {
    const { redis, changeLog } = this.#options;
    const logged = await changeLog.revisions();
    const unlogged = kinds.filter((kind) => !logged.has(kind));
    const [sizes, marks] = await Promise.all([
      Promise.all(unlogged.map((kind) => redis.hlen(this.#keys.of(kind).records))),
      Promise.all(unlogged.map((kind) => redis.hexists(this.#keys.of(kind).records, ''))),
    ]);
    return unlogged.filter((_, at) => (sizes[at] ?? 0) > (marks[at] ?? 0));
  }

  async #leftOver(): Promise<readonly string[]> {
    const { redis } = this.#options;
    const found = new Set<string>();
    for (let cursor = '0'; ; ) {
      const [next, keys] = await redis.scan(cursor, 'MATCH', `${this.#keys.prefix}*`, 'COUNT', keysPerStep);
      for (const key of keys) found.add(key);
      if (next === '0') return [...found];
      cursor = next;
    }
  }

  /** A process that lost its Redis in the middle of appending commits may still be at it. */
  async #settle(): Promise<void> {
    const { changeLog, settleMs } = this.#options;
    do await delay(settleMs);
    while (await changeLog.isGrowing());
  }
}

/** As an operator asks for it: into an empty Redis only. Answers how many records there are. */
export async function restoreRecords(options: RestoreOptions): Promise<number> {
  const restore = new RedisRestore(options);
  for (;;) {
    const opening = await restore.open();
    if (opening.outcome === 'restored') return opening.records;
    if (opening.outcome === 'waiting')
      throw new RecordsPresentError(
        'this Redis has changes that wait for the change log; a worker moves them there and then restores the rest',
      );
    if (opening.outcome !== 'busy')
      throw new RecordsPresentError('this Redis has records already; restore only fills an empty one');
    await delay(busyMs);
  }
}

const busyMs = 250;

/** That one process, and no other, restores. It is renewed from the first moment on, until it is given up. */
class Lease {
  readonly #redis: Redis;
  readonly #key: string;
  readonly #arguments: readonly [name: string, leaseMs: number];
  readonly #renewal: NodeJS.Timeout;

  constructor(redis: Redis, key: string, name: string, leaseMs: number) {
    this.#redis = redis;
    this.#key = key;
    this.#arguments = [name, leaseMs];
    // One that is lost is found to be by the next step.
    this.#renewal = setInterval(() => {
      this.step(renewScript, [], []).catch(() => undefined);
    }, leaseMs / 3);
  }

  async step(script: string, keys: readonly string[], args: readonly string[]): Promise<void> {
    const reply = await this.#redis.eval(
      script,
      keys.length + 1,
      this.#key,
      ...keys,
      ...this.#arguments,
      ...args,
    );
    if (reply !== 'held') throw new LeaseLostError('another process makes the records again');
  }

  async giveUp(): Promise<void> {
    clearInterval(this.#renewal);
    const [name] = this.#arguments;
    // A Redis that is away lets it run out by itself.
    await this.#redis.eval(giveUpScript, 1, this.#key, name).catch(() => undefined);
  }
}

/** Those that have a field '' while they are whole. */
function hashesOf(keys: RecordKeys): readonly string[] {
  return [keys.of(personalKind).personal, ...kinds.map((kind) => keys.of(kind).records)];
}

/** In the order that the restore script reads; the lines are as the commit script makes them. */
function restoreArguments(record: LoggedRecord): readonly string[] {
  const { kind, key, version, commit, indexes, body, personal } = record;
  const { id } = JSON.parse(body) as { readonly id?: unknown };
  const idText = typeof id === 'string' ? id : '';
  const line = [version, commit, idText, indexes, body].join('\n');
  const personalIndexes = personal === '' ? '[]' : personal.slice(0, personal.indexOf('\n'));
  return [kind, key, line, idText, indexes, personal, personalIndexes];
}

/** Of two ids `milliseconds-sequence`, the one that is later. */
function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split('-').map(Number);
  const [bMs, bSeq] = b.split('-').map(Number);
  return (aMs ?? 0) - (bMs ?? 0) || (aSeq ?? 0) - (bSeq ?? 0);
}

function unknownMessage(unknown: readonly RecordKind[], { prefix, revisions }: RecordKeys): string {
  return (
    `a part of the records was deleted from Redis, and of those that are left (${unknown.join(', ')}) the change log ` +
    `in ClickHouse knows nothing: is CLICKHOUSE_URL the right one? To give them up, delete ${prefix}*; to go on ` +
    `with them as they are, HSET ${revisions} restored by-hand`
  );
}
