/** Acknowledgements of `usage` batches, from the worker to the process whose caller waits, over pub/sub. */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { BatchReply, ReplyInbox } from '../metering/batch.ts';
import type { ErrorReport } from './redis-connection.ts';
import type { QueueKeys } from './redis-keys.ts';

export interface ReplyInboxOptions {
  /** Opened for the purpose `subscriber`, for this inbox alone; stays the caller's to close. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly report?: ErrorReport;
  /** Replies awaited at once; one more is told at once that none came. */
  readonly waitingMax?: number;
}

/**
 * A reply is lost when Redis is away at that moment, or when nobody waits for it any more. Its caller then gets
 * no acknowledgement in time and may send the same again, so nothing is kept for later.
 */
export class RedisReplyInbox implements ReplyInbox {
  readonly address = randomUUID();
  readonly #waiting = new Map<string, (reply: BatchReply | undefined) => void>();
  readonly #waitingMax: number;
  readonly #redis: Redis;
  readonly #channel: string;
  readonly #listening: Promise<unknown>;
  readonly #report: ErrorReport;

  constructor(options: ReplyInboxOptions) {
    this.#redis = options.redis;
    this.#channel = options.keys.replyPrefix + this.address;
    this.#waitingMax = options.waitingMax ?? 10_000;
    this.#report = options.report ?? (() => {});
    this.#redis.on('message', this.#receive);
    this.#listening = this.#redis.subscribe(this.#channel).catch(this.#report);
  }

  /** Resolves once replies can arrive; batches enqueued before may miss theirs. */
  async ready(): Promise<void> {
    await this.#listening;
  }

  /** Replies awaited now. */
  get waiting(): number {
    return this.#waiting.size;
  }

  await(batchId: string, timeoutMs: number): Promise<BatchReply | undefined> {
    if (this.#waiting.size >= this.#waitingMax) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const settle = (reply: BatchReply | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(batchId);
        resolve(reply);
      };
      const timer = setTimeout(settle, timeoutMs, undefined);
      this.#waiting.set(batchId, settle);
    });
  }

  /** Whoever still waits is told that no reply came. */
  close(): void {
    this.#redis.off('message', this.#receive);
    for (const settle of this.#waiting.values()) settle(undefined);
  }

  readonly #receive = (channel: string, message: string): void => {
    if (channel !== this.#channel) return;
    try {
      const reply = JSON.parse(message) as BatchReply;
      this.#waiting.get(reply.batchId)?.(reply);
    } catch {
      this.#report(new Error('a reply that is no JSON was dropped'));
    }
  };
}

/** Sends a reply and forgets it; see above for what a lost one means. */
export async function publishReply(
  redis: Redis,
  keys: QueueKeys,
  replyTo: string,
  reply: BatchReply,
): Promise<void> {
  await redis.publish(keys.replyPrefix + replyTo, JSON.stringify(reply));
}
