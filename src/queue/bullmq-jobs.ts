/** The jobs of the queue: pointers to batches, one a batch, with the batch's id. The content is not in them. */
import { type JobsOptions, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { BatchKind } from '../metering/batch.ts';
import type { BatchEntry } from './batch-entry.ts';
import type { ErrorReport } from './redis-connection.ts';
import { batchQueueName, type QueueKeys } from './redis-keys.ts';

export interface BatchPointer {
  readonly kind: BatchKind;
  readonly count: number;
  readonly contentBytes: number;
}

export type BatchQueue = Queue<BatchPointer, void, BatchKind>;

export function openBatchQueue(redis: Redis, keys: QueueKeys, report: ErrorReport): BatchQueue {
  const queue: BatchQueue = new Queue(batchQueueName, {
    connection: redis,
    prefix: keys.namespace,
    // Nothing reads BullMQ's event stream; short, it costs no memory to speak of.
    streams: { events: { maxLen: 100 } },
  });
  queue.on('error', report);
  return queue;
}

/** The job's id is the batch's, so adding it twice adds it once. */
export async function addBatchJob(queue: BatchQueue, batchId: string, entry: BatchEntry): Promise<void> {
  const { kind, count, contentBytes } = entry;
  await queue.add(kind, { kind, count, contentBytes }, { ...jobOptions(kind), jobId: batchId });
}

function jobOptions(kind: BatchKind): JobsOptions {
  return {
    // Somebody waits for the acknowledgement of usage, so it goes before the events already in line.
    lifo: kind === 'usage',
    // A batch is tried until it is booked or buried; both are the ledger's decision and never BullMQ's.
    attempts: 1_000_000_000,
    backoff: { type: 'fixed', delay: 500 },
    removeOnComplete: true,
    // BullMQ keeps the stack of each failed try with the job; one tells enough.
    stackTraceLimit: 1,
    // Should BullMQ ever give a job up, it must not stand in the way of the sweeper, which adds it again.
    removeOnFail: true,
  };
}
