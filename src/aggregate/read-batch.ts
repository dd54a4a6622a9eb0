/** A delivery's payload as something that can be judged, or the reason why it cannot. */
import { EventBlock, CorruptBlockError } from '../metering/event-block.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { CorruptUsagePayloadError, decodeUsagePayload } from '../metering/usage-payload.ts';
import type { Delivery } from '../queue/ledger.ts';

export type ReadBatch =
  | { readonly kind: 'events'; readonly delivery: Delivery; readonly block: EventBlock }
  | { readonly kind: 'usage'; readonly delivery: Delivery; readonly facts: readonly MeasurementFact[] };

/** The reason names no content: it is kept with the dead letter and logged. */
export interface CorruptBatch {
  readonly kind: 'corrupt';
  readonly delivery: Delivery;
  readonly reason: string;
}

export function readBatch(delivery: Delivery): ReadBatch | CorruptBatch {
  try {
    const batch = decode(delivery);
    const count = batch.kind === 'events' ? batch.block.count : batch.facts.length;
    if (count === delivery.count) return batch;
    const reason = `the payload holds ${count} of the ${delivery.count} that were accepted`;
    return { kind: 'corrupt', delivery, reason };
  } catch (error) {
    if (!(error instanceof CorruptBlockError) && !(error instanceof CorruptUsagePayloadError)) throw error;
    return { kind: 'corrupt', delivery, reason: error.message };
  }
}

function decode(delivery: Delivery): ReadBatch {
  return delivery.kind === 'events'
    ? { kind: 'events', delivery, block: new EventBlock(delivery.payload) }
    : { kind: 'usage', delivery, facts: decodeUsagePayload(delivery.payload) };
}
