/** The queue's ports held in memory, so that a test decides when and how a batch ends. */
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { BatchProducer, BatchReply, ReplyInbox, SealedBatch } from '../metering/batch.ts';
import { decodeUsagePayload } from '../metering/usage-payload.ts';
import { quantityToText } from '../quantity.ts';

export class MemoryQueue implements BatchProducer, ReplyInbox {
  readonly address = 'inbox-1';
  readonly batches: SealedBatch[] = [];
  /** What becomes of the next batches; every one is queued at once until a test says otherwise. */
  onEnqueue: (batch: SealedBatch) => Promise<'queued' | 'full'> = async () => 'queued';
  /** The reply to a batch; undefined for one that comes too late. */
  onAwait: (batch: SealedBatch) => readonly MeasurementOutcome[] | undefined = acknowledge;
  readonly #waiting = new Map<string, (reply: BatchReply | undefined) => void>();

  get count(): number {
    return this.batches.reduce((sum, { count }) => sum + count, 0);
  }

  async enqueue(batch: SealedBatch): Promise<'queued' | 'full'> {
    const answer = await this.onEnqueue(batch);
    if (answer === 'full') return answer;
    this.batches.push(batch);
    const outcomes = batch.kind === 'usage' ? this.onAwait(batch) : undefined;
    this.#waiting.get(batch.id)?.(outcomes === undefined ? undefined : { batchId: batch.id, outcomes });
    return answer;
  }

  await(batchId: string): Promise<BatchReply | undefined> {
    return new Promise((resolve) => this.#waiting.set(batchId, resolve));
  }
}

/** Acknowledges each measurement with its own value as the usage, and refuses those of the customer `nobody`. */
export function acknowledge(batch: SealedBatch): readonly MeasurementOutcome[] {
  return decodeUsagePayload(batch.payload).map((fact, at): MeasurementOutcome => {
    if (fact.customerId === 'nobody') {
      return { error: { code: 'CUSTOMER_NOT_FOUND', message: 'there is no such customer' } };
    }
    return {
      id: `${batch.id}/${at}`,
      customerId: fact.customerId,
      featureId: fact.featureId,
      resourceId: fact.resourceId || null,
      value: quantityToText(fact.value),
      timestamp: new Date(fact.timestamp).toISOString(),
      currentUsage: quantityToText(fact.value),
      usageLimit: null,
      usagePeriodStart: null,
      usagePeriodEnd: null,
      nextResetDate: null,
      duplicate: false,
    };
  });
}
