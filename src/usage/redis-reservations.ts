import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import { decodeHold, decodeReservation, placeOf, type Reservation } from '../metering/reservation.ts';
import { addQuantities, type Quantity, zeroQuantity } from '../quantity.ts';
import type { QueueKeys } from '../queue/redis-keys.ts';
import { defineScripts, runScript } from '../queue/redis-script.ts';
import { readHoldsScript } from '../queue/reservation-scripts.ts';
import type { LiveReservations, ReservedAsk } from './live-reservations.ts';

/** Places of one step, of some 1 µs each where something is held. */
const placesPerStep = 500;

/** Reads what the worker keeps, see `queue/reservation-scripts.ts`. Works on any connection, which stays the caller's. */
export class RedisReservations implements LiveReservations {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;
  readonly #clock: Clock;

  constructor(redis: Redis, keys: QueueKeys, clock: Clock) {
    defineScripts(redis, [readHoldsScript]);
    this.#redis = redis;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Redis cannot add exact amounts up, so every hold is read: there are few at a time. */
  async reserved(asks: readonly ReservedAsk[]): Promise<readonly Quantity[]> {
    const held = (await answered(Promise.all(slices(asks).map((some) => this.#held(some))))).flat();
    const now = this.#clock.now();
    return asks.map(({ resourceId }, at) => {
      let sum = zeroQuantity;
      const fields = held[at] ?? [];
      for (let each = 0; each < fields.length; each += 2) {
        const hold = decodeHold(fields[each] ?? '', fields[each + 1] ?? '');
        const counts = hold.expiresAt > now && (resourceId === null || hold.resourceId === resourceId);
        if (counts) sum = addQuantities(sum, hold.amount);
      }
      return sum;
    });
  }

  /** How many count against limits; Redis answers it from the order in which they expire, however many there are. */
  active(): Promise<number> {
    const { reservationsActive } = this.#keys;
    return answered(this.#redis.zcount(reservationsActive, `(${this.#clock.now()}`, '+inf'));
  }

  /** Ids and holds in turn, place by place. */
  async #held(asks: readonly ReservedAsk[]): Promise<readonly (readonly string[])[]> {
    const { reservationsActive, reservedPrefix } = this.#keys;
    const args = [reservationsActive, reservedPrefix, ...asks.map(placeOf)];
    return (await runScript(this.#redis, readHoldsScript, args)) as readonly (readonly string[])[];
  }

  async reservation(id: string): Promise<Reservation | undefined> {
    const text = await answered(this.#redis.hget(this.#keys.reservations, id));
    return text === null ? undefined : decodeReservation(text);
  }
}

function slices(asks: readonly ReservedAsk[]): readonly (readonly ReservedAsk[])[] {
  return Array.from({ length: Math.ceil(asks.length / placesPerStep) }, (_, index) =>
    asks.slice(index * placesPerStep, (index + 1) * placesPerStep),
  );
}

async function answered<Answer>(asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    throw new QueueUnavailableError('Redis did not answer', { cause: error });
  }
}
