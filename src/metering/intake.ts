import type { MeasurementOutcome, ReservationOutcome } from './acknowledgement.ts';
import type { EventBlockBuilder } from './event-block.ts';
import type { EventFact, MeasurementFact } from './facts.ts';

/** Why a whole call was refused; nothing of it was taken unless the code is ACK_PENDING. */
export interface IntakeRefusal {
  readonly code: 'RATE_LIMITED' | 'OVERLOADED' | 'QUEUE_UNAVAILABLE' | 'ACK_PENDING';
  readonly message: string;
  readonly retryAfterSeconds: number;
}

/** The events of one call, as facts or as columns. */
export type EventCall = readonly EventFact[] | EventBlockBuilder;

/** The door that HTTP ingest and GraphQL share: checked facts in, an answer when they are safe or processed. */
export interface Intake {
  /**
   * Resolves with undefined once all events are durable in the queue. `bodyBytes` is what they weighed. A block is
   * copied before this returns, so that the caller may fill it anew.
   */
  acceptEvents(events: EventCall, bodyBytes: number): Promise<IntakeRefusal | undefined>;
  /** Resolves once each measurement is processed, with outcomes in the order given. */
  acceptMeasurements(
    measurements: readonly MeasurementFact[],
    bodyBytes: number,
  ): Promise<readonly MeasurementOutcome[] | IntakeRefusal>;
  /** An order to reserve or to release; one to commit is a measurement. */
  acceptReservation(order: MeasurementFact, bodyBytes: number): Promise<ReservationOutcome | IntakeRefusal>;
}
