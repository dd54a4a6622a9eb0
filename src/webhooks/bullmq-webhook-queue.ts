/**
 * Webhooks as BullMQ jobs, one a message, with the message's id. Jobs that are done are remembered for a while, so
 * that a message which is added again after a crash is not delivered again; a receiver tells the rare other one by
 * its id.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import {
  type DeadWebhook,
  type QueuedWebhook,
  type WebhookDelivery,
  type WebhookFigures,
  type WebhookOutcome,
  webhookOutcomes,
  type WebhookQueue,
  type WebhookQueueName,
} from './webhook-queue.ts';

export interface WebhookQueueOptions {
  /** Stays the caller's to close. */
  readonly redis: Redis;
  readonly namespace: string;
  readonly name: WebhookQueueName;
  readonly report: (error: Error) => void;
  /**
   * Webhooks that wait at once; those beyond are dropped, so that a receiver that is away fills no memory. Default
   * 50,000, of some 700 bytes each in Redis.
   */
  readonly waitingMax?: number | undefined;
}

export class BullmqWebhookQueue<Data> implements WebhookQueue<Data> {
  readonly #options: WebhookQueueOptions;
  #opened: Queue<Data> | undefined;

  constructor(options: WebhookQueueOptions) {
    this.#options = options;
  }

  get name(): WebhookQueueName {
    return this.#options.name;
  }

  async add(webhooks: readonly QueuedWebhook<Data>[]): Promise<number> {
    if (webhooks.length === 0) return 0;
    const room = (this.#options.waitingMax ?? waitingMax) - (await this.#waiting());
    const taken = webhooks.slice(0, Math.max(room, 0));
    const jobs = taken.map(({ id, type, data }) => ({
      name: type,
      data,
      opts: { ...jobOptions, jobId: id },
    }));
    // One transaction for some: all of them would keep Redis from answering anybody else for long.
    for (let from = 0; from < jobs.length; from += jobsPerStep) {
      // BullMQ derives the form of its jobs from Data, which TypeScript cannot do for a type that is still open.
      await (this.#queue as Queue).addBulk(jobs.slice(from, from + jobsPerStep));
    }
    const dropped = webhooks.length - taken.length;
    if (dropped > 0) await count(this.#options, 'dropped', dropped);
    return dropped;
  }

  async figures(): Promise<WebhookFigures> {
    const { redis, namespace, name } = this.#options;
    const counts = await redis.hmget(
      outcomesKey(namespace),
      ...webhookOutcomes.map((outcome) => `${name}:${outcome}`),
    );
    const [waiting, dead] = await Promise.all([this.#waiting(), this.#queue.getFailedCount()]);
    const outcomes = Object.fromEntries(
      webhookOutcomes.map((outcome, at) => [outcome, Number(counts[at] ?? 0)]),
    ) as Record<WebhookOutcome, number>;
    return { waiting, dead, outcomes };
  }

  /** Newest first. */
  async deadLetters(limit: number): Promise<readonly DeadWebhook[]> {
    const jobs = await this.#queue.getFailed(0, limit - 1);
    return jobs.map((job) => ({
      messageId: job.id ?? '',
      queue: this.#options.name,
      type: job.name,
      about: job.data,
      reason: job.failedReason,
      attempts: job.attemptsMade,
      failedAt: new Date(job.finishedOn ?? 0).toISOString(),
    }));
  }

  /** Delivers a dead letter anew, with all its attempts; false when there is none of that id. */
  async replay(messageId: string): Promise<boolean> {
    const job = await this.#queue.getJob(messageId);
    if (job === undefined || !(await job.isFailed())) return false;
    await job.retry('failed', { resetAttemptsMade: true });
    return true;
  }

  async close(): Promise<void> {
    await withinStopTime(this.#opened?.close(), this.#options.report);
  }

  async #waiting(): Promise<number> {
    const counts = await this.#queue.getJobCounts('waiting', 'delayed', 'active');
    return Object.values(counts).reduce((sum, some) => sum + some, 0);
  }

  get #queue(): Queue<Data> {
    const { redis: connection, namespace: prefix, name, report } = this.#options;
    if (this.#opened === undefined) {
      this.#opened = new Queue(name, { connection, prefix, streams: { events: { maxLen: 100 } } });
      this.#opened.on('error', report);
    }
    return this.#opened;
  }
}

export interface WebhookWorkerOptions<Data> {
  /** One that waits for Redis without end; stays the caller's to close. */
  readonly redis: Redis;
  readonly namespace: string;
  readonly name: WebhookQueueName;
  readonly delivery: WebhookDelivery<Data>;
  readonly report: (error: Error) => void;
  /** Before the first repetition; each further one waits four times as long, up to 3,600 times this. Default 1,000. */
  readonly retryMs?: number;
  /** Default 31: some two dozen of them an hour apart, so about a day. */
  readonly attempts?: number;
}

export class BullmqWebhookWorker<Data> {
  readonly #options: WebhookWorkerOptions<Data>;
  #worker: Worker<Data> | undefined;

  constructor(options: WebhookWorkerOptions<Data>) {
    this.#options = options;
  }

  start(): void {
    const { redis: connection, namespace: prefix, name, report, retryMs = 1_000 } = this.#options;
    this.#worker ??= new Worker<Data>(name, (job) => this.#process(job), {
      connection,
      prefix,
      concurrency: deliveriesMax,
      // Longer than a receiver may take; a delivery cut off by a crash is begun again after it.
      lockDuration: 30_000,
      maxStalledCount: 1_000_000,
      settings: { backoffStrategy: (attempt) => retryMs * Math.min(4 ** (attempt - 1), 3_600) },
    });
    this.#worker.on('error', report);
  }

  /** What is under way when it takes too long is delivered again by the next start. */
  async stop(): Promise<void> {
    await withinStopTime(this.#worker?.close(), this.#options.report);
  }

  async #process(job: Job<Data>): Promise<void> {
    const { delivery, attempts = attemptsMax } = this.#options;
    const webhook = { id: job.id ?? '', type: job.name, data: job.data };
    const failure = await delivery.deliver(webhook);
    if (failure === undefined) {
      await count(this.#options, 'delivered');
      return;
    }
    const isLast = job.attemptsMade + 1 >= attempts;
    if (isLast) await delivery.bury(webhook, failure);
    await count(this.#options, isLast ? 'dead' : 'retried');
    // Unrecoverable is BullMQ's word for a job that goes to the dead letters now.
    const ending = new Error(failure);
    if (isLast) ending.name = 'UnrecoverableError';
    throw ending;
  }
}

const waitingMax = 50_000;
const attemptsMax = 31;
const jobsPerStep = 100;

/** A receiver that lets every delivery run into its time limit still gets one or two a second. */
const deliveriesMax = 16;

const jobOptions: JobsOptions = {
  // The worker says which attempt is the last one.
  attempts: 1_000_000,
  backoff: { type: 'custom' },
  // Longer than a relay that was killed takes to come back and to add the same ones again.
  removeOnComplete: { age: 3_600, count: 5_000 },
  removeOnFail: { count: 1_000 },
  stackTraceLimit: 0,
};

const stopMsMax = 2_000;

/** Redis is away: nothing was promised that could be lost. */
async function withinStopTime(
  closing: Promise<void> | undefined,
  report: (error: Error) => void,
): Promise<void> {
  await Promise.race([closing?.catch(report), delay(stopMsMax, undefined, { ref: false })]);
}

async function count(
  { redis, namespace, name }: Pick<WebhookQueueOptions, 'redis' | 'namespace' | 'name'>,
  outcome: WebhookOutcome,
  by = 1,
): Promise<void> {
  await redis.hincrby(outcomesKey(namespace), `${name}:${outcome}`, by);
}

function outcomesKey(namespace: string): string {
  return `${namespace}:webhook-outcomes`;
}
