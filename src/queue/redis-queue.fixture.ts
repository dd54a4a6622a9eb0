/** What the queue's tests share: adapters on one Redis in a namespace of their own, closed when the test ends. */
import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import type { BatchKind, SealedBatch } from '../metering/batch.ts';
import { BullmqProducer, type ProducerOptions } from './bullmq-producer.ts';
import type { Books, Delivery, Manifest, Tally } from './ledger.ts';
import { closeRedis, openRedis, redisReady } from './redis-connection.ts';
import { RedisDesk } from './redis-desk.ts';
import { type QueueKeys, queueKeys } from './redis-keys.ts';
import { type LedgerOptions, RedisLedger } from './redis-ledger.ts';
import { RedisReplyInbox, type ReplyInboxOptions } from './redis-replies.ts';

export interface QueueUnderTest {
  readonly keys: QueueKeys;
  readonly desk: RedisDesk;
  readonly producer: (options?: Partial<ProducerOptions>) => Promise<BullmqProducer>;
  readonly ledger: (options?: Partial<LedgerOptions>) => RedisLedger;
  /** A ledger that owns the shard. */
  readonly owner: (options?: Partial<LedgerOptions>) => Promise<RedisLedger>;
  readonly inbox: (options?: Partial<ReplyInboxOptions>) => Promise<RedisReplyInbox>;
}

export async function queueUnderTest(
  url: string,
  namespace = `{test-${randomUUID()}}`,
): Promise<QueueUnderTest> {
  const keys = queueKeys(namespace);
  const edge = openRedis(url, 'edge');
  onTestFinished(() => closeRedis(edge));
  await redisReady(edge, 5_000);
  const ledger = (options: Partial<LedgerOptions> = {}): RedisLedger => {
    const redis = openRedis(url, 'worker');
    const made = new RedisLedger({ redis, keys, ...options });
    onTestFinished(() => made.release().then(() => closeRedis(redis)));
    return made;
  };
  return {
    keys,
    desk: new RedisDesk({ redis: edge, keys }),
    async producer(options = {}) {
      const redis = openRedis(url, 'edge');
      const made = new BullmqProducer({ redis, keys, ...options });
      onTestFinished(() => made.close().then(() => closeRedis(redis)));
      await redisReady(redis, 5_000);
      return made;
    },
    ledger,
    async owner(options = {}) {
      const made = ledger(options);
      await made.acquire(AbortSignal.timeout(10_000));
      return made;
    },
    async inbox(options = {}) {
      const redis = openRedis(url, 'subscriber');
      const made = new RedisReplyInbox({ redis, keys, ...options });
      onTestFinished(() => closeRedis(redis));
      onTestFinished(() => made.close());
      await made.ready();
      return made;
    },
  };
}

export function sealedBatch(count = 3, kind: BatchKind = 'events', replyTo = ''): SealedBatch {
  const id = randomUUID();
  const payload = Buffer.from(`content of ${id} `.repeat(count));
  return { id, kind, count, payload, replyTo, sealedAt: Date.now() };
}

export function manifestOf(
  flushId: number,
  batches: readonly { batchId: string; count: number }[],
): Manifest {
  const events = batches.reduce((sum, { count }) => sum + count, 0);
  return {
    flushId,
    token: randomUUID(),
    batchIds: batches.map(({ batchId }) => batchId),
    decisions: Buffer.alloc(events, 0),
    terms: Buffer.from('terms'),
    reservations: Buffer.from('reservations'),
    decidedAt: Date.now(),
  };
}

export function stored(count: number): Tally {
  return { stored: count, duplicate: 0, conflict: 0, refused: 0, deadLettered: 0 };
}

/** Accepted less what the books say became of it: 0 at every moment. */
export function unaccounted(books: Books): number {
  const { accepted, stored: kept, duplicate, conflict, refused, deadLettered, inFlight } = books;
  return accepted - kept - duplicate - conflict - refused - deadLettered - inFlight;
}

/** Polls until the condition holds; what it waits for is in the error when it does not. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  for (const deadline = Date.now() + withinMs; Date.now() < deadline; ) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what} did not happen within ${withinMs} ms`);
}

/** Consumes, keeping each delivery unsettled until told to resolve them all. */
export class HeldDeliveries {
  readonly taken: Delivery[] = [];
  readonly #resolves: (() => void)[] = [];

  readonly handler = (delivery: Delivery): Promise<void> => {
    this.taken.push(delivery);
    return new Promise((resolve) => this.#resolves.push(resolve));
  };

  settleAll(): void {
    for (const resolve of this.#resolves.splice(0)) resolve();
  }
}
