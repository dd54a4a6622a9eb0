import type { ProblemCode } from './facts.ts';
import type { ReservationAnswer } from './reservation.ts';

/**
 * What a reporter learns of one measurement once it is processed (contract, section 3, `POST /api/v1/usage`).
 * Amounts are decimal texts and instants ISO 8601 UTC, since it travels as JSON through Redis to the waiting
 * request and from there to the caller unchanged.
 */
export interface Acknowledgement {
  readonly id: string;
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string | null;
  readonly value: string;
  readonly timestamp: string;
  /**
   * Usage right after this measurement, in the current period and the units that usage is answered in, as the
   * entitlement counts it: of the resource where the entitlement is the resource's, else of the customer over all
   * resources and none. Without one of the resource when it names one.
   */
  readonly currentUsage: string;
  readonly usageLimit: string | null;
  readonly usagePeriodStart: string | null;
  readonly usagePeriodEnd: string | null;
  readonly nextResetDate: string | null;
  /** True when this identity was counted before; the other fields are then those of the first time. */
  readonly duplicate: boolean;
}

/** A measurement that failed changed nothing. */
export interface Refusal {
  readonly error: {
    readonly code: ProblemCode;
    readonly message: string;
    /** Of ENTITLEMENT_LIMIT_EXCEEDED: usage without the measurement, and the limit that it would go past. */
    readonly currentUsage?: string;
    readonly usageLimit?: string;
    /** What reservations add to usage there. */
    readonly reservedUsage?: string;
  };
}

export type MeasurementOutcome = Acknowledgement | Refusal;

/** Of orders about reservations; a commit is a measurement. */
export type ReservationOutcome = ReservationAnswer | Refusal;

export type UsageOutcome = MeasurementOutcome | ReservationOutcome;
