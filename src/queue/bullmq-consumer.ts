/**
 * Takes jobs and hands out the batches they point at. Only the owner of the shard runs one, so whatever it finds
 * active at its start was left by an owner that is gone, and goes back to the line at once instead of waiting
 * for its lock to run out.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Job, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { ByteBudget } from '../byte-budget.ts';
import { decodeEntry } from './batch-entry.ts';
import type { BatchPointer, BatchQueue } from './bullmq-jobs.ts';
import type { Consumer, Delivery } from './ledger.ts';
import { decodePayload } from './payload-codec.ts';
import { queueScripts, reenterScript } from './queue-scripts.ts';
import type { ErrorReport } from './redis-connection.ts';
import { batchQueueName, type QueueKeys } from './redis-keys.ts';
import { defineScripts, runScript } from './redis-script.ts';

export interface ConsumerOptions {
  /** Opened for the purpose `worker`; stays the caller's to close. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly queue: BatchQueue;
  readonly report: ErrorReport;
  /** Batches in hand at once. */
  readonly batchesMax: number;
  /** Bytes of their contents at once; a larger batch comes alone. */
  readonly contentBytesMax: number;
  /** Sets aside a batch whose content Redis has lost. */
  readonly setAside: (batchId: string) => Promise<void>;
}

export type DeliveryHandler = (delivery: Delivery) => Promise<void>;

export class BullmqConsumer implements Consumer {
  readonly #options: ConsumerOptions;
  readonly #handler: DeliveryHandler;
  readonly #budget: ByteBudget;
  /** By batch: a job that comes a second time, its lock lost, waits for the first. */
  readonly #inHand = new Map<string, Promise<void>>();
  readonly #handBacks = new Set<() => void>();
  #worker: Worker<BatchPointer, void> | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: ConsumerOptions, handler: DeliveryHandler) {
    this.#options = options;
    this.#handler = handler;
    defineScripts(options.redis, queueScripts);
    this.#budget = new ByteBudget(options.contentBytesMax);
  }

  async start(): Promise<void> {
    const { redis, keys, report, batchesMax } = this.#options;
    await this.#requeueAbandoned();
    this.#worker = new Worker<BatchPointer, void>(
      batchQueueName,
      (job, token) => this.#process(job, token ?? ''),
      {
        connection: redis,
        prefix: keys.namespace,
        concurrency: batchesMax,
        // The net under the net: a job whose delivery was lost between Redis and us comes back after this.
        lockDuration: 10_000,
        stalledInterval: 5_000,
        maxStalledCount: 1_000_000,
        runRetryDelay: 250,
      },
    );
    this.#worker.on('error', report);
  }

  /** What is in hand and not yet handled goes back to the line; it is delivered again to the next owner. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const worker = this.#worker;
    const closed = worker?.close();
    for (const handBack of this.#handBacks) handBack();
    const inTime = await Promise.race([closed?.then(() => true), delay(stopMsMax, false, { ref: false })]);
    // Redis is away: the jobs stay active there, and the next owner finds them so. BullMQ's own connection is
    // hung up, since it would go on trying; the other one is the caller's.
    if (inTime === false) worker?.getBackend().disconnectBlocking(false).catch(this.#options.report);
  }

  async #requeueAbandoned(): Promise<void> {
    const abandoned = await this.#options.queue.getActive();
    // The token '0' is BullMQ's word for moving a job whoever holds its lock.
    const moves = abandoned.map((job) => job.moveToWait('0').catch(this.#options.report));
    await Promise.all(moves);
  }

  async #process(job: Job<BatchPointer, void>, token: string): Promise<void> {
    const batchId = job.id ?? '';
    const pointer = { ...job.data, sealedAt: job.timestamp };
    const settled = this.#inHand.get(batchId) ?? this.#keepInHand(batchId, pointer);
    if (await this.#handledBeforeStop(settled)) return;
    await job.moveToWait(token).catch(this.#options.report);
    throw new WaitingError();
  }

  #keepInHand(batchId: string, pointer: QueuedPointer): Promise<void> {
    const settled = this.#deliver(batchId, pointer).finally(() => this.#inHand.delete(batchId));
    this.#inHand.set(batchId, settled);
    return settled;
  }

  /** False when the consumer is stopped first. Rejects as the handler does; BullMQ then tries again later. */
  #handledBeforeStop(handled: Promise<void>): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const handBack = (): void => resolve(false);
      if (this.#stopped !== undefined) handBack();
      this.#handBacks.add(handBack);
      handled.finally(() => this.#handBacks.delete(handBack)).then(() => resolve(true), reject);
    });
  }

  async #deliver(batchId: string, pointer: QueuedPointer): Promise<void> {
    const { contentBytes } = pointer;
    await this.#budget.take(contentBytes);
    try {
      const delivery = this.#stopped === undefined ? await this.#read(batchId, pointer) : undefined;
      // No longer pending: booked, withdrawn or buried. Its job has done its work and completes.
      if (delivery !== undefined && this.#stopped === undefined) await this.#handler(delivery);
    } finally {
      this.#budget.give(contentBytes);
    }
  }

  /** Half of a batch may be all that is left of it in a Redis that lost keys. */
  async #read(batchId: string, pointer: QueuedPointer): Promise<Delivery | undefined> {
    const { redis, keys, setAside } = this.#options;
    let found = await readDelivery(redis, keys, batchId);
    if (found === undefined && (await this.#reenter(batchId, pointer))) {
      found = await readDelivery(redis, keys, batchId);
    }
    if (found !== contentLost) return found;
    await setAside(batchId);
    return undefined;
  }

  async #reenter(batchId: string, { kind, count, contentBytes, sealedAt }: QueuedPointer): Promise<boolean> {
    const { redis, keys } = this.#options;
    const scriptKeys = [keys.payloadPrefix + batchId, keys.pending, keys.books];
    const entered = [batchId, kind, count, contentBytes, sealedAt];
    return (await runScript(redis, reenterScript, [...scriptKeys, ...entered])) === 1;
  }
}

interface QueuedPointer extends BatchPointer {
  readonly sealedAt: number;
}

export const contentLost = 'content lost';

/** A pending batch with its content; undefined when it is not pending. */
export async function readDelivery(
  redis: Redis,
  keys: QueueKeys,
  batchId: string,
): Promise<Delivery | typeof contentLost | undefined> {
  const [line, payload] = await Promise.all([
    redis.hget(keys.pending, batchId),
    redis.getBuffer(keys.payloadPrefix + batchId),
  ]);
  if (line === null) return undefined;
  // The two reads are two commands: a batch that is booked between them has an empty payload.
  if (payload === null || payload.length === 0) {
    return (await redis.hexists(keys.pending, batchId)) === 0 ? undefined : contentLost;
  }
  return toDelivery(batchId, line, payload);
}

export async function toDelivery(batchId: string, line: string, payload: Buffer): Promise<Delivery> {
  const { kind, count, contentBytes, replyTo, sealedAt } = decodeEntry(line);
  const content = await decodePayload(payload, contentBytes);
  return { batchId, kind, count, payload: content, replyTo, sealedAt };
}

/** How long stopping waits for Redis. */
const stopMsMax = 2_000;
