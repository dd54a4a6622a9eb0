/** The operators' view of the queue, on Redis. A Redis that does not answer throws `QueueUnavailableError`. */
import type { Redis } from 'ioredis';
import { QueueUnavailableError } from '../metering/batch.ts';
import { decodeEntry } from './batch-entry.ts';
import { toDelivery } from './bullmq-consumer.ts';
import { addBatchJob, openBatchQueue } from './bullmq-jobs.ts';
import type { Books, DeadLetter, Delivery, QueueDesk } from './ledger.ts';
import { booksScript, queueScripts, replayScript } from './queue-scripts.ts';
import type { ErrorReport } from './redis-connection.ts';
import type { QueueKeys } from './redis-keys.ts';
import { defineScripts, runScript } from './redis-script.ts';

export interface DeskOptions {
  /** Opened for the purpose `edge`; stays the caller's to close. */
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly report?: ErrorReport;
}

export class RedisDesk implements QueueDesk {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;
  readonly #report: ErrorReport;

  constructor(options: DeskOptions) {
    this.#redis = options.redis;
    this.#keys = options.keys;
    this.#report = options.report ?? (() => {});
    defineScripts(this.#redis, queueScripts);
  }

  /** Reads every pending entry in one step: some 40 ms of Redis at the backlog's bound of 50,000 batches. */
  async books(): Promise<Books> {
    const answer = await reached(runScript(this.#redis, booksScript, [this.#keys.pending, this.#keys.books]));
    const [inFlight, inFlightBatches, inFlightBytes, accepted, ...ends] = answer as BooksAnswer;
    const [stored, duplicate, conflict, refused, deadLettered] = ends;
    return {
      accepted,
      stored,
      duplicate,
      conflict,
      refused,
      deadLettered,
      inFlight,
      inFlightBatches,
      inFlightBytes,
    };
  }

  async notCounted(): Promise<Readonly<Record<string, number>>> {
    const counters = await reached(this.#redis.hgetall(this.#keys.notCounted));
    return Object.fromEntries(Object.entries(counters).map(([cause, count]) => [cause, Number(count)]));
  }

  /** Newest first. Their number is bounded with the backlog, so they are read at once. */
  async deadLetters(limit: number): Promise<readonly DeadLetter[]> {
    const letters = await reached(this.#redis.hgetall(this.#keys.dead));
    return Object.entries(letters)
      .map(([batchId, text]) => toDeadLetter(batchId, text))
      .sort((a, b) => b.failedAt - a.failedAt)
      .slice(0, limit);
  }

  async deadLetter(batchId: string): Promise<Delivery | undefined> {
    const [letter, payload] = await reached(
      Promise.all([
        this.#redis.hget(this.#keys.dead, batchId),
        this.#redis.getBuffer(this.#keys.deadPayloadPrefix + batchId),
      ]),
    );
    if (letter === null || payload === null) return undefined;
    return toDelivery(batchId, splitLetter(letter).line, payload);
  }

  /** Should this process die between the two steps, the sweeper adds the job. */
  async replay(batchId: string): Promise<boolean> {
    const { pending, dead, books, payloadPrefix, deadPayloadPrefix } = this.#keys;
    const scriptKeys = [pending, dead, books, payloadPrefix + batchId, deadPayloadPrefix + batchId];
    const line = await reached(runScript(this.#redis, replayScript, [...scriptKeys, batchId]));
    if (typeof line !== 'string') return false;
    const queue = openBatchQueue(this.#redis, this.#keys, this.#report);
    try {
      await reached(addBatchJob(queue, batchId, decodeEntry(line)));
    } finally {
      await queue.close();
    }
    return true;
  }
}

/** In the order of the script: in flight, its batches and bytes, accepted, and where the rest ended. */
type BooksAnswer = [number, number, number, number, number, number, number, number, number];

function toDeadLetter(batchId: string, text: string): DeadLetter {
  const { line, failedAt, reason } = splitLetter(text);
  const { kind, count } = decodeEntry(line);
  return { batchId, kind, count, reason, failedAt };
}

/** As the script `bury` writes it: entry line, time, and the reason, which may itself have lines. */
function splitLetter(text: string): { line: string; failedAt: number; reason: string } {
  const [line = '', failedAt = '', ...reason] = text.split('\n');
  return { line, failedAt: Number(failedAt), reason: reason.join('\n') };
}

async function reached<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new QueueUnavailableError('Redis did not answer', { cause: error });
  }
}
