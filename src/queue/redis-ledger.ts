/**
 * The ledger on Redis. Ownership is a lease (who works) and an epoch (whose writes count): the lease may run out
 * under an owner that was stopped for a while, but once another has raised the epoch, every write of the first
 * is refused by the script that would do it. A Redis that is away takes ownership from nobody: writes are tried
 * until they succeed or are refused, and each may run twice.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type Clock, systemClock } from '../clock.ts';
import { type BatchReply, QueueUnavailableError } from '../metering/batch.ts';
import { type FencedWrite, RedisCounterLedger } from './redis-counter-ledger.ts';
import { RedisReservationLedger } from './redis-reservation-ledger.ts';
import { BatchSweeper } from './redis-sweeper.ts';
import { BullmqConsumer, contentLost, readDelivery } from './bullmq-consumer.ts';
import { openBatchQueue } from './bullmq-jobs.ts';
import {
  BatchesGoneError,
  type Consumer,
  type Delivery,
  FencedError,
  type Ledger,
  type Manifest,
  type Tally,
} from './ledger.ts';
import { decodeManifest, encodeManifest } from './manifest-codec.ts';
import {
  abandonScript,
  acquireScript,
  beginScript,
  buryScript,
  claimMs,
  finishScript,
  queueScripts,
  releaseScript,
  renewScript,
} from './queue-scripts.ts';
import type { ErrorReport } from './redis-connection.ts';
import type { QueueKeys } from './redis-keys.ts';
import { publishReply } from './redis-replies.ts';
import { defineScripts, type RedisScript, runScript, type ScriptArgument } from './redis-script.ts';

export interface LedgerOptions {
  /** Opened for the purpose `worker`; stays the caller's to close, after `release`. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly clock?: Clock;
  readonly report?: ErrorReport;
  /** How long the shard stays without an owner after its owner died. */
  readonly leaseMs?: number;
  readonly renewMs?: number;
  /** Batches in hand at once, and the bytes of their contents. */
  readonly batchesMax?: number;
  readonly contentBytesMax?: number;
  readonly sweepMs?: number;
}

export class RedisLedger implements Ledger {
  readonly counters: RedisCounterLedger;
  readonly reservations: RedisReservationLedger;
  readonly #options: Required<LedgerOptions>;
  readonly #owner = randomUUID();
  #ownership = new AbortController();
  #epoch: string | undefined;
  #renewal: NodeJS.Timeout | undefined;
  /** When a script was sent that found this process to be the owner. */
  #confirmedAt = Number.NEGATIVE_INFINITY;

  constructor(options: LedgerOptions) {
    this.#options = { ...defaults, ...options };
    defineScripts(options.redis, queueScripts);
    const write: FencedWrite = (...step) => this.#write(...step);
    this.counters = new RedisCounterLedger(options.redis, options.keys, write);
    this.reservations = new RedisReservationLedger(options.redis, options.keys, write);
  }

  /** Of the latest `acquire`; each one starts a new signal. */
  get lost(): AbortSignal {
    return this.#ownership.signal;
  }

  async acquire(signal: AbortSignal): Promise<void> {
    const { redis, keys, leaseMs, report } = this.#options;
    for (;;) {
      const sentAt = performance.now();
      const attempt = runScript(redis, acquireScript, [
        keys.lease,
        keys.epoch,
        keys.pending,
        keys.dead,
        keys.books,
        this.#owner,
        leaseMs,
      ]);
      const epoch = await unlessAborted(attempt.catch(report), signal);
      if (typeof epoch === 'string') {
        this.#own(epoch);
        this.#confirmedAt = sentAt;
        return;
      }
      await delay(acquirePauseMs, undefined, { signal });
    }
  }

  async outliveForgotten(signal: AbortSignal): Promise<'known' | 'outlived'> {
    if (this.#epoch?.endsWith(firstOwner) !== true) return 'known';
    // Whoever was told within a lease that it owns the shard writes to the store without asking again (`confirm`).
    await delay(this.#options.leaseMs, undefined, { signal });
    return 'outlived';
  }

  async release(): Promise<void> {
    const { redis, keys } = this.#options;
    clearTimeout(this.#renewal);
    if (this.#epoch === undefined) return;
    this.#epoch = undefined;
    // A Redis that is away lets the lease run out by itself.
    const released = runScript(redis, releaseScript, [keys.lease, this.#owner]).catch(() => undefined);
    await Promise.race([released, delay(releaseMsMax, undefined, { ref: false })]);
  }

  async unfinished(): Promise<{ manifest: Manifest; deliveries: readonly Delivery[] } | undefined> {
    const { redis, keys, report } = this.#options;
    const manifest = decodeManifest(await redis.hgetallBuffer(keys.manifest));
    if (manifest === undefined) return undefined;
    const { flushId, token, batchIds } = manifest;
    const found = await Promise.all(batchIds.map((id) => readDelivery(redis, keys, id)));
    const deliveries = found.filter((delivery) => delivery !== undefined && delivery !== contentLost);
    if (deliveries.length === found.length) return { manifest, deliveries };
    report(new Error(`flush ${flushId} is given up: Redis has lost batches of it`));
    await this.#write(abandonScript, [keys.epoch, keys.manifest], [token]);
    return undefined;
  }

  async lastFlushId(): Promise<number> {
    return Number((await this.#options.redis.hget(this.#options.keys.flush, 'begun')) ?? 0);
  }

  async begin(manifest: Manifest): Promise<void> {
    const { keys } = this.#options;
    const [outcome, ...batchIds] = await this.#write(
      beginScript,
      [keys.epoch, keys.flush, keys.manifest, keys.pending],
      encodeManifest(manifest),
    );
    if (outcome === 'GONE') throw new BatchesGoneError(batchIds);
    if (outcome !== 'OK') throw new Error(`flush ${manifest.flushId} cannot begin: ${outcome}`);
  }

  async confirm(): Promise<void> {
    const { keys, leaseMs } = this.#options;
    if (this.#epoch !== undefined && performance.now() - this.#confirmedAt < leaseMs) return;
    await this.#write(renewScript, [keys.lease, keys.epoch], [this.#owner, leaseMs]);
  }

  async finish(flushId: number, tally: Tally, notCounted: Readonly<Record<string, number>>): Promise<void> {
    const { keys } = this.#options;
    const ends = [tally.stored, tally.duplicate, tally.conflict, tally.refused, tally.deadLettered];
    const [outcome] = await this.#write(
      finishScript,
      [keys.epoch, keys.flush, keys.manifest, keys.pending, keys.books, keys.notCounted],
      [flushId, keys.payloadPrefix, claimMs, ...ends, ...Object.entries(notCounted).flat()],
    );
    if (outcome !== 'OK') throw new Error(`flush ${flushId} cannot finish: it is not the one in hand`);
  }

  async bury(batchIds: readonly string[], reason: string): Promise<void> {
    const { keys, clock } = this.#options;
    const why = reason.slice(0, reasonLengthMax);
    await this.#write(
      buryScript,
      [keys.epoch, keys.pending, keys.dead, keys.books, keys.manifest],
      [keys.payloadPrefix, keys.deadPayloadPrefix, claimMs, clock.now(), why, ...batchIds],
    );
  }

  async consume(handler: (delivery: Delivery) => Promise<void>): Promise<Consumer> {
    const { redis, keys, clock, report, batchesMax, contentBytesMax, sweepMs } = this.#options;
    if (this.#epoch === undefined) throw notOwner();
    const queue = openBatchQueue(redis, keys, report);
    const sweeper = new BatchSweeper({ redis, keys, queue, clock, report, intervalMs: sweepMs });
    const setAside = (batchId: string): Promise<void> => this.bury([batchId], 'Redis has lost its content');
    const bounds = { batchesMax, contentBytesMax };
    const consumer = new BullmqConsumer({ redis, keys, queue, report, setAside, ...bounds }, handler);
    const stop = async (): Promise<void> => {
      await Promise.all([consumer.stop(), sweeper.stop()]);
      await queue.close();
    };
    this.lost.addEventListener('abort', () => void stop().catch(report), { once: true });
    await consumer.start();
    await sweeper.start();
    return { stop };
  }

  /** Waits for Redis no longer than the caller of the batch may be waiting; a lost reply is no loss. */
  async reply(replyTo: string, reply: BatchReply): Promise<void> {
    const { redis, keys, report } = this.#options;
    const published = publishReply(redis, keys, replyTo, reply).catch(report);
    await Promise.race([published, delay(replyMsMax, undefined, { ref: false })]);
  }

  #own(epoch: string): void {
    this.#epoch = epoch;
    this.#ownership = new AbortController();
    this.#renewLater();
  }

  #renewLater(): void {
    clearTimeout(this.#renewal);
    this.#renewal = setTimeout(() => void this.#renew(), this.#options.renewMs);
  }

  async #renew(): Promise<void> {
    const { redis, keys, leaseMs, report } = this.#options;
    const epoch = this.#epoch;
    if (epoch === undefined) return;
    const sentAt = performance.now();
    try {
      const args = [keys.lease, keys.epoch, epoch, this.#owner, leaseMs];
      const [outcome] = (await runScript(redis, renewScript, args)) as readonly string[];
      if (outcome === 'OK') this.#confirmedAt = sentAt;
      else this.#lose(epoch);
    } catch (error) {
      report(asError(error));
    }
    if (this.#epoch === epoch && redis.status !== 'end') this.#renewLater();
  }

  #lose(epoch: string): void {
    if (this.#epoch !== epoch) return;
    this.#epoch = undefined;
    clearTimeout(this.#renewal);
    this.#ownership.abort(new FencedError('another worker has taken the shard over'));
  }

  /** Runs a script that is guarded by the epoch, until Redis has answered it. */
  async #write(
    script: RedisScript,
    scriptKeys: readonly string[],
    args: readonly ScriptArgument[],
  ): Promise<readonly string[]> {
    const { redis, report } = this.#options;
    const epoch = this.#epoch;
    let pauseMs = 50;
    // A write that is on its way when ownership ends is given up: the new owner has what was begun.
    while (this.#owns(epoch)) {
      const sentAt = performance.now();
      try {
        const answer = (await runScript(redis, script, [...scriptKeys, epoch, ...args])) as readonly string[];
        if (answer[0] !== 'FENCED') {
          this.#confirmedAt = sentAt;
          return answer;
        }
        this.#lose(epoch);
      } catch (error) {
        const failure = asError(error);
        if (redis.status === 'end') throw new QueueUnavailableError('the connection to Redis was closed');
        if (!isPassing(failure)) throw failure;
        report(failure);
        await delay(pauseMs);
        pauseMs = Math.min(pauseMs * 2, 1_000);
      }
    }
    throw notOwner();
  }

  #owns(epoch: string | undefined): epoch is string {
    return epoch !== undefined && epoch === this.#epoch;
  }
}

const defaults = {
  clock: systemClock,
  report: () => {},
  leaseMs: 3_000,
  renewMs: 1_000,
  batchesMax: 200,
  contentBytesMax: 256 * 1_048_576,
  sweepMs: 5_000,
} as const;

/** How an epoch ends that was raised where there was none. */
const firstOwner = ':first';
const acquirePauseMs = 200;
const releaseMsMax = 1_000;
const replyMsMax = 2_000;
const reasonLengthMax = 500;

function notOwner(): FencedError {
  return new FencedError('this process does not own the shard');
}

/** False for what a script or its arguments did wrong, which trying again does not mend. */
function isPassing(error: Error): boolean {
  return !/^(ERR|WRONGTYPE|NOPERM|CROSSSLOT) ?/.test(error.message);
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = (): void => reject(asError(signal.reason));
    signal.addEventListener('abort', abort, { once: true });
    promise.finally(() => signal.removeEventListener('abort', abort)).then(resolve, reject);
  });
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
