/**
 * The door behind which facts are safe: group commit into the queue, and for measurements the wait for their
 * acknowledgement. It keeps nothing on disk; a process that dies takes with it only calls that were not answered.
 */
import { randomUUID } from 'node:crypto';
import type { Registry } from 'prom-client';
import { ByteBudget } from '../byte-budget.ts';
import type { Clock } from '../clock.ts';
import type { MeasurementOutcome, ReservationOutcome, UsageOutcome } from '../metering/acknowledgement.ts';
import {
  type BatchKind,
  type BatchProducer,
  QueueUnavailableError,
  type ReplyInbox,
  type SealedBatch,
} from '../metering/batch.ts';
import type { MeasurementFact, Rejection } from '../metering/facts.ts';
import type { EventCall, Intake, IntakeRefusal } from '../metering/intake.ts';
import { EventBatch } from './event-batch.ts';
import { GroupCommit, type SealedPayload } from './group-commit.ts';
import { IntakeMetrics } from './intake-metrics.ts';
import { MeasurementList } from './measurement-list.ts';

export interface IntakeOptions {
  readonly producer: BatchProducer;
  readonly inbox: ReplyInbox;
  readonly clock: Clock;
  readonly registry: Registry;
  /** From a measurement's arrival in the queue to the answer ACK_PENDING. */
  readonly ackTimeoutMs: number;
  readonly limits?: Partial<IntakeLimits>;
}

export interface IntakeLimits {
  readonly batchEventsMax: number;
  readonly batchMeasurementsMax: number;
  /** Payload of one batch; a single call's events may make it larger, up to what one body allows. */
  readonly batchBytesMax: number;
  readonly eventsLingerMs: number;
  readonly measurementsLingerMs: number;
  /** Bodies of calls that joined a batch and are not answered; past it calls are told OVERLOADED. */
  readonly bytesInHandMax: number;
}

export const intakeLimits: IntakeLimits = {
  batchEventsMax: 5_000,
  batchMeasurementsMax: 2_000,
  batchBytesMax: 8 * 1_048_576,
  eventsLingerMs: 3,
  measurementsLingerMs: 2,
  bytesInHandMax: 128 * 1_048_576,
};

/** How long the queue is given to catch up, or Redis to come back, before it is worth trying again. */
const retryAfterSeconds = { full: 2, inHand: 1, unavailable: 2, pending: 1 } as const;

export class BatchingIntake implements Intake {
  readonly #options: IntakeOptions;
  readonly #metrics: IntakeMetrics;
  readonly #bytesInHand: ByteBudget;
  readonly #events: GroupCommit<EventCall, IntakeRefusal | undefined>;
  readonly #measurements: GroupCommit<readonly MeasurementFact[], readonly UsageOutcome[] | IntakeRefusal>;

  constructor(options: IntakeOptions) {
    const limits = { ...intakeLimits, ...options.limits };
    this.#options = options;
    this.#bytesInHand = new ByteBudget(limits.bytesInHandMax);
    this.#metrics = new IntakeMetrics(options.registry, () => this.#bytesInHand.taken);
    this.#events = new GroupCommit({
      makeBuilder: () => new EventBatch(),
      send: (batch) => this.#sendEvents(batch),
      countMax: limits.batchEventsMax,
      bytesMax: limits.batchBytesMax,
      lingerMs: limits.eventsLingerMs,
    });
    this.#measurements = new GroupCommit({
      makeBuilder: () => new MeasurementList(),
      send: (batch) => this.#sendMeasurements(batch),
      countMax: limits.batchMeasurementsMax,
      bytesMax: limits.batchBytesMax,
      lingerMs: limits.measurementsLingerMs,
    });
  }

  async acceptEvents(events: EventCall, bodyBytes: number): Promise<IntakeRefusal | undefined> {
    // The block is another call's by the time that this one is answered.
    const count = 'count' in events ? events.count : events.length;
    if (count === 0) return undefined;
    const refusal = await this.#holding(bodyBytes, async () => {
      const { outcome } = await this.#events.join(events, count, bodyBytes);
      return outcome;
    });
    if (refusal === undefined) this.#metrics.accepted('events', count);
    else this.#metrics.refused('events', refusal.code, count);
    return refusal;
  }

  async acceptMeasurements(
    measurements: readonly MeasurementFact[],
    bodyBytes: number,
  ): Promise<readonly MeasurementOutcome[] | IntakeRefusal> {
    if (measurements.length === 0) return [];
    const answer = await this.#processed(measurements, bodyBytes);
    // Only orders are answered otherwise.
    return answer as readonly MeasurementOutcome[] | IntakeRefusal;
  }

  async acceptReservation(
    order: MeasurementFact,
    bodyBytes: number,
  ): Promise<ReservationOutcome | IntakeRefusal> {
    const answer = await this.#processed([order], bodyBytes);
    if (isRefusal(answer)) return answer;
    const [outcome] = answer;
    if (outcome !== undefined && ('error' in outcome || 'reservation' in outcome)) return outcome;
    throw new Error('an order about a reservation was answered as a measurement');
  }

  async #processed(
    measurements: readonly MeasurementFact[],
    bodyBytes: number,
  ): Promise<readonly UsageOutcome[] | IntakeRefusal> {
    const answer = await this.#holding(bodyBytes, async () => {
      const { outcome, offset } = await this.#measurements.join(measurements, measurements.length, bodyBytes);
      return isRefusal(outcome) ? outcome : outcome.slice(offset, offset + measurements.length);
    });
    if (isRefusal(answer)) this.#metrics.refused('usage', answer.code, measurements.length);
    else this.#countOutcomes(answer);
    return answer;
  }

  /** Counts what never got as far as a batch; whoever decodes calls tells it here. */
  countRejected(kind: BatchKind, rejected: readonly Rejection[]): void {
    this.#metrics.rejected(
      kind,
      rejected.map(({ code }) => code),
    );
  }

  /** Resolves when every call that came in is answered: within the queue's and the acknowledgement's time-outs. */
  async drain(): Promise<void> {
    await Promise.all([this.#events.drain(), this.#measurements.drain()]);
  }

  async #holding<Answer>(bytes: number, join: () => Promise<Answer>): Promise<Answer | IntakeRefusal> {
    if (!this.#bytesInHand.tryTake(bytes)) {
      const message = 'this process has as many calls waiting for the queue as it may; nothing was taken';
      return { code: 'OVERLOADED', message, retryAfterSeconds: retryAfterSeconds.inHand };
    }
    try {
      return await join();
    } finally {
      this.#bytesInHand.give(bytes);
    }
  }

  #sendEvents(batch: SealedPayload): Promise<IntakeRefusal | undefined> {
    return this.#enqueue({ ...this.#sealed('events', batch), replyTo: '' });
  }

  async #sendMeasurements(payload: SealedPayload): Promise<readonly UsageOutcome[] | IntakeRefusal> {
    const { inbox, ackTimeoutMs } = this.#options;
    const batch = { ...this.#sealed('usage', payload), replyTo: inbox.address };
    // Before the batch is queued, since a worker may be quicker than the queue's own answer.
    const awaited = inbox.await(batch.id, ackTimeoutMs);
    // When the batch is refused nobody looks at the reply any more, and its failure must not end the process.
    awaited.catch(() => undefined);
    const refusal = await this.#enqueue(batch);
    if (refusal !== undefined) return refusal;
    const reply = await awaited;
    if (reply === undefined) return ackPending;
    if (reply.outcomes.length !== batch.count)
      throw new Error('a reply answers another number of measurements');
    return reply.outcomes;
  }

  #sealed(kind: BatchKind, { payload, count, cause }: SealedPayload): Omit<SealedBatch, 'replyTo'> {
    this.#metrics.sealed(kind, cause, count);
    return { id: randomUUID(), kind, count, payload, sealedAt: this.#options.clock.now() };
  }

  async #enqueue(batch: SealedBatch): Promise<IntakeRefusal | undefined> {
    const startedAt = performance.now();
    try {
      return (await this.#options.producer.enqueue(batch)) === 'full' ? queueFull : undefined;
    } catch (error) {
      if (error instanceof QueueUnavailableError) return queueUnavailable;
      throw error;
    } finally {
      this.#metrics.enqueued(batch.kind, (performance.now() - startedAt) / 1_000);
    }
  }

  #countOutcomes(outcomes: readonly UsageOutcome[]): void {
    const failed = outcomes.flatMap((outcome) => ('error' in outcome ? [outcome.error.code] : []));
    this.#metrics.rejected('usage', failed);
    this.#metrics.accepted('usage', outcomes.length - failed.length);
  }
}

export function isRefusal(answer: readonly UsageOutcome[] | IntakeRefusal): answer is IntakeRefusal {
  return 'code' in answer;
}

const queueFull: IntakeRefusal = {
  code: 'OVERLOADED',
  message: 'as much is queued as may be, and the workers have to catch up first; nothing was taken',
  retryAfterSeconds: retryAfterSeconds.full,
};

const queueUnavailable: IntakeRefusal = {
  code: 'QUEUE_UNAVAILABLE',
  message: 'Redis does not answer; nothing was taken',
  retryAfterSeconds: retryAfterSeconds.unavailable,
};

const ackPending: IntakeRefusal = {
  code: 'ACK_PENDING',
  message:
    'queued, but not yet processed: it is safe to repeat the call with the same idempotencyKey, ' +
    'and the repeat is answered with the original acknowledgement',
  retryAfterSeconds: retryAfterSeconds.pending,
};
