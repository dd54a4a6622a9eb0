/** Random reservations, commits, releases and reports through the worker and Redis, against a model of a few lines. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { UsageOutcome } from '../metering/acknowledgement.ts';
import { commitFact, decodeReserve, releaseFact } from '../metering/decode-reservation.ts';
import { FieldProblem } from '../metering/decode-field.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { type Reservation, reservationIdOf } from '../metering/reservation.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { RedisReservations } from '../usage/redis-reservations.ts';
import { aFeature, aGrant, aMeasurement, amount, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const limit = 12;

type Step =
  | { readonly do: 'reserve'; readonly key: string; readonly amount: number; readonly ttlSeconds: number }
  | { readonly do: 'commit'; readonly key: string; readonly amount: number }
  | { readonly do: 'release'; readonly key: string }
  | { readonly do: 'report'; readonly amount: number };

interface Known {
  readonly amount: number;
  readonly ttlSeconds: number;
  readonly expiresAt: number;
  state: 'ACTIVE' | 'COMMITTED' | 'RELEASED';
}

class Model {
  usage = 0;
  readonly #known = new Map<string, Known>();
  readonly #committed = new Map<string, { amount: number; told: string }>();

  reserved(now: number): number {
    const active = [...this.#known.values()].filter((each) => this.#status(each, now) === 'ACTIVE');
    return active.reduce((sum, each) => sum + each.amount, 0);
  }

  step(step: Step, now: number): string {
    if (step.do === 'reserve') return this.#reserve(step, now);
    if (step.do === 'report') {
      if (this.usage + this.reserved(now) + step.amount > limit) return 'ENTITLEMENT_LIMIT_EXCEEDED';
      this.usage += step.amount;
      return `${step.amount} of ${this.usage}`;
    }
    const known = this.#known.get(step.key);
    if (step.do === 'release') {
      if (known === undefined) return 'NOT_FOUND';
      if (this.#status(known, now) === 'ACTIVE') known.state = 'RELEASED';
      return this.#shown(known, now);
    }
    const before = this.#committed.get(step.key);
    if (before !== undefined) return before.amount === step.amount ? before.told : 'DUPLICATE_ENTITY';
    if (known === undefined) return 'NOT_FOUND';
    if (this.#status(known, now) !== 'ACTIVE' || step.amount > known.amount) return 'VALIDATION_ERROR';
    known.state = 'COMMITTED';
    this.usage += step.amount;
    const told = `${step.amount} of ${this.usage}`;
    this.#committed.set(step.key, { amount: step.amount, told });
    return told;
  }

  #reserve(step: Extract<Step, { do: 'reserve' }>, now: number): string {
    const { key, amount: asked, ttlSeconds } = step;
    const known = this.#known.get(key);
    if (known !== undefined) {
      const isSame = known.amount === asked && known.ttlSeconds === ttlSeconds;
      return isSame ? this.#shown(known, now) : 'DUPLICATE_ENTITY';
    }
    if (this.usage + this.reserved(now) + asked > limit) return 'ENTITLEMENT_LIMIT_EXCEEDED';
    const made: Known = { amount: asked, ttlSeconds, expiresAt: now + ttlSeconds * 1_000, state: 'ACTIVE' };
    this.#known.set(key, made);
    return this.#shown(made, now);
  }

  #shown(known: Known, now: number): string {
    return `${this.#status(known, now)} with ${this.usage} and ${this.reserved(now)}`;
  }

  #status({ state, expiresAt }: Known, now: number): string {
    return state === 'ACTIVE' && expiresAt <= now ? 'EXPIRED' : state;
  }
}

const anyKey = fc.constantFrom('a', 'b', 'c', 'd');
const someAmount = fc.integer({ min: 1, max: 6 });
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('reserve' as const),
    key: anyKey,
    amount: someAmount,
    ttlSeconds: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ do: fc.constant('commit' as const), key: anyKey, amount: someAmount }),
  fc.record({ do: fc.constant('release' as const), key: anyKey }),
  fc.record({ do: fc.constant('report' as const), amount: fc.integer({ min: 1, max: 3 }) }),
);
/** Each flush with how long after the one before it comes, and whether another worker has taken over. */
const anyHistory = fc.array(
  fc.record({
    pauseMs: fc.constantFrom(0, 999, 1_000, 1_001),
    isSuccession: fc.constantFrom(true, false, false, false),
    steps: fc.array(anyStep, { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test('whatever is reserved, committed, released and reported, in flushes of any size', async () => {
  const world = await WorkerWorld.open(database);
  world.features.push(aFeature('seats'));
  world.granted = () => aGrant(String(limit));
  const clock = new ManualClock(Date.now());
  const redis = openRedis(inject('redisUrl'), 'edge');
  onTestFinished(() => closeRedis(redis));
  await redisReady(redis, 5_000);
  const live = new RedisReservations(redis, world.queue.keys, clock);
  let worker = await world.startedWorker({ clock });
  await fc.assert(
    fc.asyncProperty(anyHistory, async (flushes) => {
      const customerId = `customer-${randomUUID()}`;
      world.customers.add(customerId);
      const model = new Model();
      for (const { pauseMs, isSuccession, steps } of flushes) {
        clock.advance(pauseMs);
        if (isSuccession) {
          await worker.stop();
          worker = await world.startedWorker({ clock });
        }
        const outcomes = await world.order(steps.map((step) => factOf(step, customerId)));
        expect(outcomes.map(shown)).toEqual(steps.map((step) => model.step(step, clock.now())));
        const [sum] = await live.reserved([{ customerId, featureId: 'seats', resourceId: null }]);
        expect(sum && quantityToText(sum)).toBe(String(model.reserved(clock.now())));
        expect(model.usage + model.reserved(clock.now())).toBeLessThanOrEqual(limit);
      }
    }),
    { numRuns: 20 },
  );
}, 60_000);

function factOf(step: Step, customerId: string): MeasurementFact {
  const now = Date.now();
  if (step.do === 'report') {
    return aMeasurement(customerId, String(step.amount), { rejectIfExceeded: true });
  }
  if (step.do === 'reserve') {
    const { key, amount: asked, ttlSeconds } = step;
    const named = { customerId, featureId: 'seats', idempotencyKey: key };
    const fact = decodeReserve({ ...named, amount: String(asked), ttlSeconds }, now, '');
    if (fact instanceof FieldProblem) throw new Error(fact.message);
    return fact;
  }
  const named = { customerId, featureId: 'seats', resourceId: '' };
  const id = reservationIdOf({ ...named, key: step.key });
  // The worker goes by the id alone.
  const times = { ttlMs: 0, expiresAt: 0, endedAt: null };
  const about: Reservation = {
    id,
    ...named,
    ...times,
    amount: amount('1'),
    state: 'ACTIVE',
    committed: null,
  };
  if (step.do === 'release') return releaseFact(about, now);
  return commitFact(about, { reservationId: id, amount: amount(String(step.amount)), dimensions: [] }, now);
}

function shown(outcome: UsageOutcome): string {
  if ('error' in outcome) return outcome.error.code;
  if (!('reservation' in outcome)) return `${outcome.value} of ${outcome.currentUsage}`;
  const { status, currentUsage, reservedUsage } = outcome.reservation;
  return `${status} with ${currentUsage} and ${reservedUsage}`;
}
