/**
 * The worker's side of reservations. It alone changes them, one flush after another, so what it reads before it
 * decides stays true until the flush is acknowledged, which applies what was decided in the same step.
 */
import type { Hold, Reservation } from '../metering/reservation.ts';

export interface ReservationLedger {
  /** Holds of these places (`placeOf`) and the reservations of these ids; nothing is asked for nothing. */
  load(places: readonly string[], ids: readonly string[], now: number): Promise<KnownReservations>;
}

export interface KnownReservations {
  /** Active ones of the whole installation. */
  readonly active: number;
  /** By place; some may have expired. */
  readonly holds: ReadonlyMap<string, readonly Hold[]>;
  /** By id; those that there are. */
  readonly records: ReadonlyMap<string, Reservation>;
}
