/** Reservations as of now, for checks and for those who end them. */
import type { Reservation } from '../metering/reservation.ts';
import type { Quantity } from '../quantity.ts';

export interface ReservedAsk {
  readonly customerId: string;
  /** The refId. */
  readonly featureId: string;
  /** Null: of all resources together with what names none. */
  readonly resourceId: string | null;
}

export interface LiveReservations {
  /**
   * In the order of the asks, what has not expired. Includes every reservation that was answered before the call. The
   * question is on its way when this returns, so usage that is asked for afterwards includes what was committed since:
   * together they are never too small. Fails with `QueueUnavailableError`.
   */
  reserved(asks: readonly ReservedAsk[]): Promise<readonly Quantity[]>;
  /** Also one that ended within the last hour. Fails with `QueueUnavailableError`. */
  reservation(id: string): Promise<Reservation | undefined>;
}
