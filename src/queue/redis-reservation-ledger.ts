/** The worker's side of reservations on Redis; what it writes is guarded by the ledger's epoch. */
import type { Redis } from 'ioredis';
import {
  decodeHold,
  decodeReservation,
  encodeHold,
  encodeReservation,
  type Hold,
  placeOf,
  type Reservation,
} from '../metering/reservation.ts';
import type { FencedWrite } from './redis-counter-ledger.ts';
import type { QueueKeys } from './redis-keys.ts';
import { defineScripts, type ScriptArgument } from './redis-script.ts';
import type { KnownReservations, ReservationLedger } from './reservation-ledger.ts';
import { applyReservationsScript } from './reservation-scripts.ts';

/** A change is five commands of some 1 µs, and as many again to put others aside: 3 ms in which Redis stands still. */
const changesPerStep = 250;
const idsPerStep = 1_000;

export class RedisReservationLedger implements ReservationLedger {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;
  readonly #write: FencedWrite;

  constructor(redis: Redis, keys: QueueKeys, write: FencedWrite) {
    defineScripts(redis, [applyReservationsScript]);
    this.#redis = redis;
    this.#keys = keys;
    this.#write = write;
  }

  async load(places: readonly string[], ids: readonly string[], now: number): Promise<KnownReservations> {
    if (places.length === 0 && ids.length === 0) return { active: 0, holds: new Map(), records: new Map() };
    const { reservationsActive, reservedPrefix } = this.#keys;
    // All are sent at once and answered in order: one round trip.
    const [active, records, ...held] = await Promise.all([
      this.#redis.zcount(reservationsActive, `(${now}`, '+inf'),
      this.#records(ids),
      ...places.map((place) => this.#redis.hgetall(reservedPrefix + place)),
    ]);
    const holds = new Map<string, Hold[]>();
    for (const [at, place] of places.entries()) {
      const texts = Object.entries(held[at] ?? {});
      if (texts.length === 0) continue;
      holds.set(
        place,
        texts.map(([id, text]) => decodeHold(id, text)),
      );
    }
    return { active, holds, records };
  }

  async apply(changes: readonly Reservation[], now: number): Promise<void> {
    const { epoch, reservations, reservationsActive, reservationsEnded, reservedPrefix } = this.#keys;
    for (let at = 0; at < changes.length; at += changesPerStep) {
      const some = changes.slice(at, at + changesPerStep).flatMap(toArguments);
      await this.#write(
        applyReservationsScript,
        [epoch, reservations, reservationsActive, reservationsEnded],
        [reservedPrefix, now, ...some],
      );
    }
  }

  async #records(ids: readonly string[]): Promise<ReadonlyMap<string, Reservation>> {
    const slices = Array.from({ length: Math.ceil(ids.length / idsPerStep) }, (_, index) =>
      ids.slice(index * idsPerStep, (index + 1) * idsPerStep),
    );
    const texts = await Promise.all(
      slices.map((some) => this.#redis.hmget(this.#keys.reservations, ...some)),
    );
    const found = texts.flat().filter((text) => text !== null);
    return new Map(found.map(decodeReservation).map((each) => [each.id, each]));
  }
}

function toArguments(reservation: Reservation): ScriptArgument[] {
  const { id, state, expiresAt, endedAt } = reservation;
  const hold = state === 'ACTIVE' ? encodeHold(reservation) : '';
  return [placeOf(reservation), id, encodeReservation(reservation), hold, endedAt ?? expiresAt];
}
