/**
 * The worker's side of reservations. It alone changes them, one flush after another, so what it reads before it
 * decides stays true until it has applied what it decided; that stands in the flush's manifest, so a flush that is
 * done again changes the same once more, which changes nothing.
 */
import type { Hold, Reservation } from '../metering/reservation.ts';

export interface ReservationLedger {
  /** Holds of these places (`placeOf`) and the reservations of these ids; nothing is asked for nothing. */
  load(places: readonly string[], ids: readonly string[], now: number): Promise<KnownReservations>;
  /**
   * Makes reservations what they are here. Also puts those aside that had expired by then, and forgets what ended
   * longest ago.
   */
  apply(changes: readonly Reservation[], now: number): Promise<void>;
}

export interface KnownReservations {
  /** Active ones of the whole installation. */
  readonly active: number;
  /** By place; some may have expired. */
  readonly holds: ReadonlyMap<string, readonly Hold[]>;
  /** By id; those that there are. */
  readonly records: ReadonlyMap<string, Reservation>;
}
