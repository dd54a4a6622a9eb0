/** Reservations while a flush is gone through: what is held where, and what has changed. */
import type { MeasurementFact } from '../metering/facts.ts';
import {
  type Hold,
  placeOf,
  type Reservation,
  reservationLimits,
  type ReservationStatus,
  statusOf,
} from '../metering/reservation.ts';
import { addQuantities, type Quantity, subtractQuantities, zeroQuantity } from '../quantity.ts';
import type { KnownReservations } from '../queue/reservation-ledger.ts';
import type { UsageTerms } from './usage-terms.ts';

type HeldPlace = Pick<MeasurementFact, 'customerId' | 'featureId' | 'resourceId'>;

export class OpenReservations {
  readonly #known: KnownReservations;
  readonly #now: number;
  readonly #places = new Map<string, Holds>();
  readonly #changes = new Map<string, Reservation>();
  #active: number;

  /** @param now what has expired by then counts no more. */
  constructor(known: KnownReservations, now: number) {
    this.#known = known;
    this.#now = now;
    this.#active = known.active;
  }

  get now(): number {
    return this.#now;
  }

  /** The last state of each that changed. */
  get changes(): readonly Reservation[] {
    return [...this.#changes.values()];
  }

  find(id: string): Reservation | undefined {
    return this.#changes.get(id) ?? this.#known.records.get(id);
  }

  status(reservation: Reservation): ReservationStatus {
    return statusOf(reservation, this.#now);
  }

  /** What counts against a limit of that scope. */
  reserved(place: HeldPlace, scope: UsageTerms['usageScope']): Quantity {
    const holds = this.#holds(place);
    return scope === 'customer' ? holds.total : (holds.ofResource.get(place.resourceId) ?? zeroQuantity);
  }

  isFull(place: HeldPlace): boolean {
    const { activeMax, activeOfFeatureMax } = reservationLimits;
    return this.#active >= activeMax || this.#holds(place).byId.size >= activeOfFeatureMax;
  }

  hold(reservation: Reservation): void {
    this.#holds(reservation).add(reservation);
    this.#active += 1;
    this.#changes.set(reservation.id, reservation);
  }

  /** Only for an active one. */
  end(ended: Reservation): void {
    if (this.#holds(ended).remove(ended.id)) this.#active -= 1;
    this.#changes.set(ended.id, ended);
  }

  #holds(place: HeldPlace): Holds {
    const key = placeOf(place);
    let holds = this.#places.get(key);
    if (holds === undefined) {
      holds = new Holds();
      for (const hold of this.#known.holds.get(key) ?? []) {
        if (hold.expiresAt > this.#now) holds.add(hold);
      }
      this.#places.set(key, holds);
    }
    return holds;
  }
}

/** Of one customer and feature. */
class Holds {
  readonly byId = new Map<string, Hold>();
  readonly ofResource = new Map<string, Quantity>();
  total = zeroQuantity;

  add(hold: Hold): void {
    const { id, resourceId, amount } = hold;
    this.byId.set(id, hold);
    this.total = addQuantities(this.total, amount);
    this.ofResource.set(resourceId, addQuantities(this.ofResource.get(resourceId) ?? zeroQuantity, amount));
  }

  remove(id: string): boolean {
    const hold = this.byId.get(id);
    if (hold === undefined) return false;
    const { resourceId, amount } = hold;
    this.byId.delete(id);
    this.total = subtractQuantities(this.total, amount);
    const left = subtractQuantities(this.ofResource.get(resourceId) ?? zeroQuantity, amount);
    this.ofResource.set(resourceId, left);
    return true;
  }
}
