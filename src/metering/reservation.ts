/**
 * Usage that is promised before it is used: it counts against limits until it is committed, released, or expires.
 * What is ordered travels with measurements; reservations themselves are texts in Redis.
 */
import { createHash } from 'node:crypto';
import { parseQuantity, type Quantity, quantityToText } from '../quantity.ts';

/** What a fact asks for, instead of counting as a measurement does. A commit counts, too. */
export type ReservationOrder =
  /** `key` names the reservation, as an idempotency key names a measurement. */
  | { readonly kind: 'reserve'; readonly ttlMs: number; readonly key: string }
  | { readonly kind: 'commit'; readonly reservationId: string }
  | { readonly kind: 'release'; readonly reservationId: string };

export interface Reservation {
  readonly id: string;
  readonly customerId: string;
  /** The refId. */
  readonly featureId: string;
  /** Empty without one. */
  readonly resourceId: string;
  readonly amount: Quantity;
  readonly ttlMs: number;
  /** Epoch ms: from this instant on it counts no more. */
  readonly expiresAt: number;
  readonly state: 'ACTIVE' | 'COMMITTED' | 'RELEASED';
  /** Epoch ms; null while nobody has ended it. */
  readonly endedAt: number | null;
  /** What was recorded by committing it. */
  readonly committed: Quantity | null;
}

export type ReservationStatus = Reservation['state'] | 'EXPIRED';

/** What an active reservation adds to usage where limits are looked at. */
export interface Hold {
  readonly id: string;
  readonly resourceId: string;
  readonly amount: Quantity;
  readonly expiresAt: number;
}

/** What is told of a reservation. Amounts are decimal texts, instants ISO 8601, as in an `Acknowledgement`. */
export interface ReservationAnswer {
  readonly reservation: {
    readonly id: string;
    readonly customerId: string;
    readonly featureId: string;
    readonly resourceId: string | null;
    readonly amount: string;
    readonly status: ReservationStatus;
    readonly expiresAt: string;
    /** Of the limit's scope and period, in its units. */
    readonly currentUsage: string;
    /** What all active reservations of that scope add to it, this one included. */
    readonly reservedUsage: string;
    readonly usageLimit: string | null;
    /** Whether the same had been reserved before. */
    readonly duplicate: boolean;
  };
}

export const reservationLimits = {
  ttlSecondsMin: 1,
  ttlSecondsMax: 86_400,
  ttlSecondsDefault: 300,
  /** Active ones of a customer's feature; a check reads them all, some 40 bytes each. */
  activeOfFeatureMax: 1_000,
  /** Active ones in all: some 500 bytes of Redis each. */
  activeMax: 100_000,
  /** One that has ended is remembered so long, to say what became of it; and so many of them are. */
  endedMs: 3_600_000,
  endedMax: 100_000,
} as const;

type ReservationPlace = Pick<Reservation, 'customerId' | 'featureId'>;

/** A UUID (version 8): the same for the same key of the same customer, feature and resource. */
export function reservationIdOf(parts: ReservationPlace & { resourceId: string; key: string }): string {
  const { customerId, featureId, resourceId, key } = parts;
  const name = JSON.stringify(['reservation', customerId, featureId, resourceId, key]);
  const bytes = createHash('sha256').update(name).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** The idempotency key of the measurement that commits it, so that it is recorded once whatever happens. */
export function commitKeyOf(reservationId: string): string {
  return `reservation:${reservationId}`;
}

export function reservationNotFoundMessage(reservationId: string): string {
  return (
    `there is no reservation ${JSON.stringify(reservationId.slice(0, 64))}, or it ended over an hour ago; nothing was ` +
    'recorded: reportUsage records usage without one'
  );
}

export function statusOf({ state, expiresAt }: Reservation, now: number): ReservationStatus {
  return state === 'ACTIVE' && expiresAt <= now ? 'EXPIRED' : state;
}

/** What holds are kept under. */
export function placeOf({ customerId, featureId }: ReservationPlace): string {
  return JSON.stringify([customerId, featureId]);
}

/** The place in a line of its own, for scripts. */
export function encodeReservation(reservation: Reservation): string {
  const { amount, committed } = reservation;
  const wire: WireReservation = {
    ...reservation,
    amount: quantityToText(amount),
    committed: committed === null ? null : quantityToText(committed),
  };
  return `${placeOf(reservation)}\n${JSON.stringify(wire)}`;
}

export function decodeReservation(text: string): Reservation {
  const wire = JSON.parse(text.slice(text.indexOf('\n') + 1)) as WireReservation;
  const { amount, committed } = wire;
  return { ...wire, amount: exact(amount), committed: committed === null ? null : exact(committed) };
}

export function encodeHold({ expiresAt, amount, resourceId }: Omit<Hold, 'id'>): string {
  return `${expiresAt} ${quantityToText(amount)} ${resourceId}`;
}

export function decodeHold(id: string, text: string): Hold {
  const [, expiresAt = '', amount = '', resourceId = ''] = /^(\d+) (\S+) ([^]*)$/.exec(text) ?? [];
  return { id, expiresAt: Number(expiresAt), amount: exact(amount), resourceId };
}

interface WireReservation extends Omit<Reservation, 'amount' | 'committed'> {
  readonly amount: string;
  readonly committed: string | null;
}

function exact(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new RangeError('a reservation without an amount');
  return quantity;
}
