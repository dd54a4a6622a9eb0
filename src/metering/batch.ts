import type { UsageOutcome } from './acknowledgement.ts';

/** `events`: payload is an event block (see `event-block.ts`). `usage`: payload is JSON of measurements. */
export type BatchKind = 'events' | 'usage';

/** A sealed batch: the unit that is queued, delivered and counted as one. Its payload never changes. */
export interface SealedBatch {
  /** UUID; enqueuing the same id twice queues it once. */
  readonly id: string;
  readonly kind: BatchKind;
  /** Events or measurements in the payload, at least 1. */
  readonly count: number;
  readonly payload: Buffer;
  /** Where the acknowledgement of a `usage` batch is awaited; empty for `events`. */
  readonly replyTo: string;
  readonly sealedAt: number;
}

export interface BatchReply {
  readonly batchId: string;
  /** One outcome a measurement, in the order of the payload. */
  readonly outcomes: readonly UsageOutcome[];
}

/**
 * The way in, as ingest sees the queue. `enqueue` answers once the batch is durable.
 * `full`: the backlog's bound is reached and nothing was taken. A Redis that does not answer in time throws
 * `QueueUnavailableError`, and the batch is withdrawn as soon as Redis is back.
 */
export interface BatchProducer {
  enqueue(batch: SealedBatch): Promise<'queued' | 'full'>;
}

/** Replies to `usage` batches, addressed to one process by its `address`. */
export interface ReplyInbox {
  readonly address: string;
  /** Resolves with the reply, or with undefined after `timeoutMs`. Listen before enqueuing. */
  await(batchId: string, timeoutMs: number): Promise<BatchReply | undefined>;
}

export class QueueUnavailableError extends Error {
  readonly code = 'QUEUE_UNAVAILABLE';
  readonly retryable = true;
}
