/**
 * Adds the job again to a pending batch that has none and would wait for ever: its producer or its replay was
 * killed between the two steps, or Redis lost its newest writes.
 */
import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import { decodeEntry } from './batch-entry.ts';
import { addBatchJob, type BatchQueue } from './bullmq-jobs.ts';
import type { ErrorReport } from './redis-connection.ts';
import type { QueueKeys } from './redis-keys.ts';

export interface SweeperOptions {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  readonly queue: BatchQueue;
  readonly clock: Clock;
  readonly report: ErrorReport;
  readonly intervalMs: number;
}

export class BatchSweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #cursor = '0';
  #stopped = false;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  /** Sweeps everything once, then some at each interval. */
  async start(): Promise<void> {
    do await this.#sweepPage(0);
    while (this.#cursor !== '0' && !this.#stopped);
    if (!this.#stopped) this.#scheduleNext();
  }

  /** Does not wait for a sweep that a silent Redis holds up; it changes nothing after. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    if (this.#options.redis.status === 'ready') await this.#sweeping;
  }

  #scheduleNext(): void {
    this.#timer = setTimeout(() => {
      this.#sweeping = this.#sweepSome().finally(() => {
        if (!this.#stopped) this.#scheduleNext();
      });
    }, this.#options.intervalMs);
  }

  /** A few pages an interval, so that a long backlog costs Redis no more than a short one. */
  async #sweepSome(): Promise<void> {
    try {
      for (let page = 0; page < pagesPerInterval && !this.#stopped; page += 1) {
        await this.#sweepPage(this.#options.intervalMs);
        if (this.#cursor === '0') return;
      }
    } catch (error) {
      this.#options.report(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #sweepPage(ageMsMin: number): Promise<void> {
    const { redis, keys, queue, clock } = this.#options;
    const [cursor, flat] = await redis.hscan(keys.pending, this.#cursor, 'COUNT', pageSize);
    this.#cursor = cursor;
    const sealedBefore = clock.now() - ageMsMin;
    const old = entryPairs(flat).filter(([, line]) => decodeEntry(line).sealedAt <= sealedBefore);
    const hasJob = await Promise.all(old.map(([batchId]) => redis.exists(queue.toKey(batchId))));
    const jobless = old.filter((_, place) => hasJob[place] === 0);
    for (const [batchId, line] of jobless) await addBatchJob(queue, batchId, decodeEntry(line));
  }
}

const pageSize = 500;
const pagesPerInterval = 4;

function entryPairs(flat: readonly string[]): (readonly [batchId: string, line: string])[] {
  const pairs: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] ?? '', flat[i + 1] ?? '']);
  return pairs;
}
