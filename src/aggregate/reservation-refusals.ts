/** What those are told whose orders about reservations change nothing. */
import type { Refusal } from '../metering/acknowledgement.ts';
import {
  type Reservation,
  reservationLimits,
  reservationNotFoundMessage,
  type ReservationStatus,
} from '../metering/reservation.ts';
import { type Quantity, quantityToText } from '../quantity.ts';

export function reservationNotFound(reservationId: string): Refusal {
  return refusal('NOT_FOUND', reservationNotFoundMessage(reservationId));
}

/** A commit of one that is no more active; the very same commit as the first is answered as a duplicate before. */
export function reservationEnded({ id, expiresAt }: Reservation, status: ReservationStatus): Refusal {
  const how =
    status === 'EXPIRED'
      ? `expired at ${new Date(expiresAt).toISOString()}`
      : `was ${status === 'RELEASED' ? 'released' : 'committed before'}`;
  return refusal(
    'VALIDATION_ERROR',
    `the reservation ${JSON.stringify(id)} ${how}; nothing was recorded: reportUsage records usage without one`,
  );
}

export function reservedLess({ id, amount }: Reservation, asked: Quantity): Refusal {
  return refusal(
    'VALIDATION_ERROR',
    `amount is ${quantityToText(asked)}; the reservation ${JSON.stringify(id)} holds ${quantityToText(amount)}: commit ` +
      'at most that, and report the rest with reportUsage',
  );
}

export const reservationConflict: Refusal = refusal(
  'DUPLICATE_ENTITY',
  'this idempotencyKey was used before for a reservation with another amount or ttlSeconds; nothing was reserved: ' +
    'reserve under a new idempotencyKey',
);

export const reservationsFull: Refusal = refusal(
  'OVERLOADED',
  `a customer may have ${reservationLimits.activeOfFeatureMax} active reservations of a feature, and all customers ` +
    `together ${reservationLimits.activeMax}; nothing was reserved: commit or release some, or wait until they expire`,
);

function refusal(code: Refusal['error']['code'], message: string): Refusal {
  return { error: { code, message } };
}
