/**
 * What becomes of a flush's orders about reservations. It is decided once and stands in the flush's manifest, answers
 * included, so that a flush that is done again comes to the same at another time of day.
 */
import type { Refusal, ReservationOutcome } from '../metering/acknowledgement.ts';
import {
  decodeReservation,
  encodeReservation,
  type Reservation,
  type ReservationAnswer,
  reservationIdOf,
  type ReservationOrder,
} from '../metering/reservation.ts';
import { compareQuantities, quantityToText } from '../quantity.ts';
import { limitExceeded } from './acknowledge.ts';
import { decisions } from './decide.ts';
import type { OpenReservations } from './open-reservations.ts';
import {
  reservationConflict,
  reservationEnded,
  reservationNotFound,
  reservationsFull,
  reservedLess,
} from './reservation-refusals.ts';
import type { RunningUsage, TermedMeasurement } from './running-usage.ts';

export interface ReservationPlan {
  /** By position in the flush: what is not worked out again from what is stored. */
  readonly outcomes: ReadonlyMap<number, ReservationOutcome>;
  readonly changes: readonly Reservation[];
}

export class ReservationOrders {
  readonly #open: OpenReservations;
  readonly #running: RunningUsage;
  readonly #outcomes = new Map<number, ReservationOutcome>();

  constructor(open: OpenReservations, running: RunningUsage) {
    this.#open = open;
    this.#running = running;
  }

  get plan(): ReservationPlan {
    return { outcomes: this.#outcomes, changes: this.#open.changes };
  }

  /** One of `decisions`. */
  settle(measurement: TermedMeasurement, order: ReservationOrder, position: number): number {
    const settled = this.#settled(measurement, order);
    if (settled === undefined) return decisions.counts;
    this.#outcomes.set(position, settled);
    return 'error' in settled ? decisions.reservationRefused : decisions.reservation;
  }

  /** Whether a hard limit keeps the measurement out, for what is reserved beside usage. */
  exceeds(measurement: TermedMeasurement, position: number): boolean {
    const { fact, terms } = measurement;
    const reserved = this.#open.reserved(fact, terms.usageScope);
    if (!this.#running.exceeds(measurement, reserved)) return false;
    if (!reserved.isZero()) this.#outcomes.set(position, this.#limitExceeded(measurement));
    return true;
  }

  /** Undefined for a commit that counts. */
  #settled(measurement: TermedMeasurement, order: ReservationOrder): ReservationOutcome | undefined {
    if (order.kind === 'reserve') return this.#reserve(measurement, order);
    const reservation = this.#open.find(order.reservationId);
    if (reservation === undefined) return reservationNotFound(order.reservationId);
    const isActive = this.#open.status(reservation) === 'ACTIVE';
    if (order.kind === 'release') {
      const released: Reservation = { ...reservation, state: 'RELEASED', endedAt: this.#open.now };
      if (!isActive) return this.#answer(measurement, reservation, false);
      this.#open.end(released);
      return this.#answer(measurement, released, false);
    }
    const { value } = measurement.fact;
    if (!isActive) return reservationEnded(reservation, this.#open.status(reservation));
    if (compareQuantities(value, reservation.amount) > 0) return reservedLess(reservation, value);
    this.#open.end({ ...reservation, state: 'COMMITTED', endedAt: this.#open.now, committed: value });
    return undefined;
  }

  #reserve(
    measurement: TermedMeasurement,
    { ttlMs, key }: Extract<ReservationOrder, { readonly kind: 'reserve' }>,
  ): ReservationOutcome {
    const { fact, terms } = measurement;
    const { customerId, featureId, resourceId, value: amount } = fact;
    const id = reservationIdOf({ customerId, featureId, resourceId, key });
    const known = this.#open.find(id);
    if (known !== undefined) {
      const isSame = compareQuantities(known.amount, amount) === 0 && known.ttlMs === ttlMs;
      return isSame ? this.#answer(measurement, known, true) : reservationConflict;
    }
    if (this.#open.isFull(fact)) return reservationsFull;
    const reserved = this.#open.reserved(fact, terms.usageScope);
    if (this.#running.exceeds(measurement, reserved)) return this.#limitExceeded(measurement);
    const expiresAt = this.#open.now + ttlMs;
    const ends = { state: 'ACTIVE', endedAt: null, committed: null } as const;
    const made: Reservation = { id, customerId, featureId, resourceId, amount, ttlMs, expiresAt, ...ends };
    this.#open.hold(made);
    return this.#answer(measurement, made, false);
  }

  #answer(measurement: TermedMeasurement, reservation: Reservation, duplicate: boolean): ReservationAnswer {
    const { terms } = measurement;
    const { id, customerId, featureId, resourceId, amount, expiresAt } = reservation;
    return {
      reservation: {
        id,
        customerId,
        featureId,
        resourceId: resourceId === '' ? null : resourceId,
        amount: quantityToText(amount),
        status: this.#open.status(reservation),
        expiresAt: new Date(expiresAt).toISOString(),
        ...this.#figures(measurement),
        usageLimit: terms.limit === null ? null : quantityToText(terms.limit),
        duplicate,
      },
    };
  }

  #limitExceeded(measurement: TermedMeasurement): Refusal {
    const { fact, terms } = measurement;
    const { currentUsage, reservedUsage } = this.#figures(measurement);
    const limit = terms.limit === null ? '' : quantityToText(terms.limit);
    return limitExceeded(fact, currentUsage, limit, reservedUsage);
  }

  #figures(measurement: TermedMeasurement): { currentUsage: string; reservedUsage: string } {
    const { fact, terms } = measurement;
    const reserved = this.#open.reserved(fact, terms.usageScope);
    return {
      currentUsage: quantityToText(this.#running.usage(measurement)),
      reservedUsage: quantityToText(this.#running.added(measurement, reserved)),
    };
  }
}

const emptyPlan: ReservationPlan = { outcomes: new Map(), changes: [] };

/** Empty for a plan without anything. */
export function encodeReservationPlan({ outcomes, changes }: ReservationPlan): Buffer {
  if (outcomes.size === 0 && changes.length === 0) return Buffer.alloc(0);
  return Buffer.from(
    JSON.stringify({ outcomes: [...outcomes], changes: changes.map(encodeReservation) } satisfies WirePlan),
  );
}

export function decodeReservationPlan(encoded: Buffer): ReservationPlan {
  if (encoded.length === 0) return emptyPlan;
  const { outcomes, changes } = JSON.parse(encoded.toString()) as WirePlan;
  return { outcomes: new Map(outcomes), changes: changes.map(decodeReservation) };
}

interface WirePlan {
  readonly outcomes: readonly (readonly [position: number, outcome: ReservationOutcome])[];
  readonly changes: readonly string[];
}
