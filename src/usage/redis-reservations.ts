import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import { decodeHold, decodeReservation, placeOf, type Reservation } from '../metering/reservation.ts';
import { addQuantities, type Quantity, zeroQuantity } from '../quantity.ts';
import type { QueueKeys } from '../queue/redis-keys.ts';
import type { LiveReservations, ReservedAsk } from './live-reservations.ts';

/** Reads what the worker keeps, see `queue/reservation-scripts.ts`. Works on any connection, which stays the caller's. */
export class RedisReservations implements LiveReservations {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;
  readonly #clock: Clock;

  constructor(redis: Redis, keys: QueueKeys, clock: Clock) {
    this.#redis = redis;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** Redis cannot add exact amounts up, so every hold is read: there are few at a time. */
  async reserved(asks: readonly ReservedAsk[]): Promise<readonly Quantity[]> {
    const answers = asks.map((ask) => this.#redis.hgetall(this.#keys.reservedPrefix + placeOf(ask)));
    const held = await answered(Promise.all(answers));
    const now = this.#clock.now();
    return asks.map(({ resourceId }, at) =>
      Object.entries(held[at] ?? {})
        .map(([id, text]) => decodeHold(id, text))
        .filter((hold) => hold.expiresAt > now && (resourceId === null || hold.resourceId === resourceId))
        .reduce((sum, { amount }) => addQuantities(sum, amount), zeroQuantity),
    );
  }

  /** How many count against limits; Redis answers it from the order in which they expire, however many there are. */
  active(): Promise<number> {
    const { reservationsActive } = this.#keys;
    return answered(this.#redis.zcount(reservationsActive, `(${this.#clock.now()}`, '+inf'));
  }

  async reservation(id: string): Promise<Reservation | undefined> {
    const text = await answered(this.#redis.hget(this.#keys.reservations, id));
    return text === null ? undefined : decodeReservation(text);
  }
}

async function answered<Answer>(asked: Promise<Answer>): Promise<Answer> {
  try {
    return await asked;
  } catch (error) {
    throw new QueueUnavailableError('Redis did not answer', { cause: error });
  }
}
