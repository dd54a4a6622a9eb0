/**
 * Keeps the time of subscriptions going when nobody asks for them: a BullMQ job scheduler makes one job every so
 * often, however many processes run, and each job carries out what is due. Whoever misses a job loses nothing: what
 * is due stays in the index of books until it is carried out, as of the instant that it was due, and commits are
 * checked by version, so that two at once carry it out once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { FailureLog } from '../failure-log.ts';
import type { RecordPlace } from '../records/record-store.ts';
import type { Logger } from '../telemetry.ts';
import type { DueStep, SubscriptionTime } from './subscription-register.ts';

export interface TimekeeperOptions {
  /** One that waits for Redis without end; stays the caller's to close. */
  readonly redis: Redis;
  readonly namespace: string;
  readonly time: SubscriptionTime;
  /** Of Redis and the queue. */
  readonly report: (error: Error) => void;
  readonly logger: Pick<Logger, 'warn'>;
  /** Between two looks; how late something happens that nobody asks for. */
  readonly intervalMs: number;
}

const queueName = 'subscription-time';

/** Customers, or subscriptions, that are seen to before the next look at what is due. */
const customersPerStep = 100;

/** Invoices that the payment provider is asked about at once. */
const invoicesPerStep = 10;

/** How long stopping waits for Redis. */
const stopMsMax = 2_000;

export class BullmqTimekeeper {
  readonly #options: TimekeeperOptions;
  readonly #failures: FailureLog;
  #queue: Queue | undefined;
  #worker: Worker | undefined;
  #stopped = false;

  constructor(options: TimekeeperOptions) {
    this.#options = options;
    this.#failures = new FailureLog({ logger: options.logger, message: 'what is due has to wait' });
  }

  /** Does nothing once it was stopped, which may happen while whoever starts it waits for Redis. */
  async start(): Promise<void> {
    if (this.#stopped) return;
    const { redis: connection, namespace: prefix, report, intervalMs } = this.#options;
    this.#queue = new Queue(queueName, { connection, prefix, streams: { events: { maxLen: 100 } } });
    this.#queue.on('error', report);
    const template = { name: 'advance', opts: { removeOnComplete: true, removeOnFail: true } };
    await this.#queue.upsertJobScheduler('advance', { every: intervalMs }, template);
    if (this.#stopped) return;
    this.#worker = new Worker(queueName, () => this.#carryOut(), { connection, prefix });
    this.#worker.on('error', report);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const closed = Promise.all([this.#worker?.close(), this.#queue?.close()]).then(() => undefined);
    // Redis is away: nothing was promised that could be lost.
    await Promise.race([closed.catch(this.#options.report), delay(stopMsMax, undefined, { ref: false })]);
  }

  /** What failed stays due, and the next job tries it again. */
  async #carryOut(): Promise<void> {
    const { time } = this.#options;
    const duties = [
      () => this.#walk((after) => time.settleDue(customersPerStep, after)),
      () => this.#walk((after) => time.collectDue(invoicesPerStep, after)),
      () => this.#rollOut(),
    ];
    for (const duty of duties) await duty().catch((error: unknown) => this.#failures.note(error));
  }

  async #walk(step: (after: RecordPlace | null) => Promise<DueStep>): Promise<void> {
    let after: RecordPlace | null = null;
    do after = (await step(after)).next;
    while (after !== null && !this.#stopped);
  }

  async #rollOut(): Promise<void> {
    let isBusy = true;
    while (isBusy && !this.#stopped) isBusy = await this.#options.time.rollOut(customersPerStep);
  }
}
