/** Reservations as those who make them, the worker and checks see them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { UsageOutcome } from '../metering/acknowledgement.ts';
import { commitFact, decodeReserve, releaseFact } from '../metering/decode-reservation.ts';
import { FieldProblem } from '../metering/decode-field.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import type { Reservation, ReservationAnswer } from '../metering/reservation.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { RedisReservations } from '../usage/redis-reservations.ts';
import { type CheckpointName, checkpoints } from './checkpoint.ts';
import { aFeature, aGrant, aMeasurement, amount, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** One customer that may use 10 of `seats`, and a clock that stands still. */
async function world(limit: string | null = '10') {
  const own = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  own.customers.add(customer);
  own.features.push(aFeature('seats'));
  own.granted = () => aGrant(limit);
  const clock = new ManualClock(Date.now());
  const redis = openRedis(inject('redisUrl'), 'edge');
  onTestFinished(() => closeRedis(redis));
  await redisReady(redis, 5_000);
  const live = new RedisReservations(redis, own.queue.keys, clock);
  const reserving = (value: string, more: Readonly<Record<string, unknown>> = {}): MeasurementFact => {
    const input = { customerId: customer, featureId: 'seats', amount: value, ...more };
    const fact = decodeReserve(input, Date.now(), randomUUID());
    if (fact instanceof FieldProblem) throw new Error(fact.message);
    return fact;
  };
  const known = async (id: string): Promise<Reservation> => {
    const found = await live.reservation(id);
    if (found === undefined) throw new Error('no such reservation');
    return found;
  };
  return {
    own,
    customer,
    clock,
    redis,
    live,
    start: (more: Parameters<WorkerWorld['startedWorker']>[0] = {}) => own.startedWorker({ clock, ...more }),
    reserving,
    reserve: async (value: string, more: Readonly<Record<string, unknown>> = {}) =>
      reservationIn(await own.order([reserving(value, more)])),
    known,
    committing: async (id: string, value?: string): Promise<MeasurementFact> => {
      const request = {
        reservationId: id,
        amount: value === undefined ? null : amount(value),
        dimensions: [],
      };
      return commitFact(await known(id), request, Date.now());
    },
    releasing: async (id: string): Promise<MeasurementFact> => releaseFact(await known(id), Date.now()),
    limited: (value: string) => aMeasurement(customer, value, { rejectIfExceeded: true }),
    reserved: async (resourceId: string | null = null): Promise<string> => {
      const [sum] = await live.reserved([{ customerId: customer, featureId: 'seats', resourceId }]);
      return sum === undefined ? '' : quantityToText(sum);
    },
    stored: () => own.storedKeys(customer, 'measurements'),
  };
}

function reservationIn([outcome]: readonly UsageOutcome[]): ReservationAnswer['reservation'] {
  if (outcome === undefined || !('reservation' in outcome))
    throw new Error(`reserved nothing: ${JSON.stringify(outcome)}`);
  return outcome.reservation;
}

const shown = (outcomes: readonly UsageOutcome[]): string[] =>
  outcomes.map((each) => {
    if ('error' in each) return each.error.code;
    return 'reservation' in each ? each.reservation.status : `${each.value} of ${each.currentUsage}`;
  });

describe('a reservation', () => {
  test('counts against the limit, is no usage, and makes way for what is committed of it', async () => {
    const { own, start, reserve, committing, limited, reserved, stored } = await world();
    await start();
    const reservation = await reserve('6');
    expect(reservation).toMatchObject({
      amount: '6',
      status: 'ACTIVE',
      currentUsage: '0',
      reservedUsage: '6',
      usageLimit: '10',
      duplicate: false,
    });
    expect(await reserved()).toBe('6');
    const [refused] = await own.order([limited('5')]);
    expect(refused).toMatchObject({
      error: { code: 'ENTITLEMENT_LIMIT_EXCEEDED', currentUsage: '0', usageLimit: '10', reservedUsage: '6' },
    });
    expect(shown(await own.order([limited('4')]))).toEqual(['4 of 4']);
    const commit = await committing(reservation.id, '2.5');
    expect(shown(await own.order([commit]))).toEqual(['2.5 of 6.5']);
    expect(await reserved()).toBe('0');
    expect(shown(await own.order([limited('3.5'), limited('0.1')]))).toEqual([
      '3.5 of 10',
      'ENTITLEMENT_LIMIT_EXCEEDED',
    ]);
    expect(await stored()).toHaveLength(3);
    expect(await own.settled()).toMatchObject({ stored: 4, refused: 2 });
  });

  test('is refused beyond a hard limit, and not beyond a soft one or none', async () => {
    const { own, start, reserving, reserve } = await world();
    await start();
    const [first, second, third] = await own.order(['7', '4', '3'].map((value) => reserving(value)));
    expect(shown([first, second, third].filter((each) => each !== undefined))).toEqual([
      'ACTIVE',
      'ENTITLEMENT_LIMIT_EXCEEDED',
      'ACTIVE',
    ]);
    expect(second).toMatchObject({ error: { currentUsage: '0', usageLimit: '10', reservedUsage: '7' } });
    own.granted = () => aGrant('10', { hasSoftLimit: true });
    expect((await reserve('5')).reservedUsage).toBe('15');
    own.granted = () => aGrant(null);
    expect(await reserve('1000')).toMatchObject({ reservedUsage: '1015', usageLimit: null });
  });

  test('expires by itself, counts no more from that very instant, and cannot be committed then', async () => {
    const { own, clock, start, reserve, committing, releasing, limited, reserved, stored } = await world();
    const worker = await start();
    const { id, expiresAt } = await reserve('10', { ttlSeconds: 60 });
    expect(Date.parse(expiresAt)).toBe(clock.now() + 60_000);
    clock.advance(59_999);
    expect(shown(await own.order([limited('1')]))).toEqual(['ENTITLEMENT_LIMIT_EXCEEDED']);
    expect(await reserved()).toBe('10');
    clock.advance(1);
    expect(await reserved()).toBe('0');
    const [late] = await own.order([await committing(id)]);
    expect(late).toMatchObject({ error: { code: 'VALIDATION_ERROR' } });
    expect(JSON.stringify(late)).toContain('expired');
    expect(shown(await own.order([await releasing(id), limited('10')]))).toEqual(['EXPIRED', '10 of 10']);
    await worker.stop();
    expect(await stored()).toHaveLength(1);
  });

  test('is the same one under the same key, and another content under it is a conflict', async () => {
    const { own, start, reserve, reserving, committing } = await world();
    await start();
    const first = await reserve('4', { idempotencyKey: 'job' });
    const again = await reserve('4', { idempotencyKey: 'job' });
    expect(again).toEqual({ ...first, duplicate: true });
    const others = [
      { idempotencyKey: 'job', amount: '5' },
      { idempotencyKey: 'job', ttlSeconds: 7 },
    ];
    const outcomes = await own.order(others.map((other) => reserving('4', other)));
    expect(shown(outcomes)).toEqual(['DUPLICATE_ENTITY', 'DUPLICATE_ENTITY']);
    await own.order([await committing(first.id)]);
    expect((await reserve('4', { idempotencyKey: 'job' })).status).toBe('COMMITTED');
    // Another resource is another name.
    expect((await reserve('4', { idempotencyKey: 'job', resourceId: 'site' })).id).not.toBe(first.id);
  });

  test('is committed once, whoever commits it and how often', async () => {
    const { own, start, reserve, committing, releasing, stored } = await world();
    await start();
    const { id } = await reserve('5');
    const commits = await Promise.all(Array.from({ length: 20 }, () => committing(id, '3')));
    const outcomes = (await Promise.all(commits.map((commit) => own.order([commit])))).flat();
    expect(new Set(shown(outcomes))).toEqual(new Set(['3 of 3']));
    const fresh = outcomes.filter((each) => 'duplicate' in each && !each.duplicate);
    expect(fresh).toHaveLength(1);
    expect(await stored()).toHaveLength(1);
    // Without an amount it repeats what was committed.
    expect(await own.order([await committing(id)])).toEqual([{ ...fresh[0], duplicate: true }]);
    expect(shown(await own.order([await committing(id, '2')]))).toEqual(['DUPLICATE_ENTITY']);
    expect(shown(await own.order([await releasing(id)]))).toEqual(['COMMITTED']);
  });

  test('gives back all of it when it is released, once and for all', async () => {
    const { own, start, reserve, committing, releasing, limited, reserved, stored } = await world();
    await start();
    const { id } = await reserve('8');
    const release = await releasing(id);
    const commit = await committing(id);
    // In one flush: what is released is free for the next in line.
    expect(shown(await own.order([limited('3'), release, release, commit, limited('10')]))).toEqual([
      'ENTITLEMENT_LIMIT_EXCEEDED',
      'RELEASED',
      'RELEASED',
      'VALIDATION_ERROR',
      '10 of 10',
    ]);
    expect(await reserved()).toBe('0');
    expect(await stored()).toHaveLength(1);
  });

  test('is not committed beyond its amount, nor when nobody knows it', async () => {
    const { own, start, reserve, committing, redis, stored } = await world();
    await start();
    const { id } = await reserve('5');
    expect(shown(await own.order([await committing(id, '5.1')]))).toEqual(['VALIDATION_ERROR']);
    expect(shown(await own.order([await committing(id, '0')]))).toEqual(['0 of 0']);
    const { id: forgotten } = await reserve('5');
    const commit = await committing(forgotten);
    await redis.hdel(own.queue.keys.reservations, forgotten);
    expect(shown(await own.order([commit]))).toEqual(['NOT_FOUND']);
    expect(await stored()).toHaveLength(1);
  });

  test('counts against the limit of its own resource, and against the customer’s', async () => {
    const { own, start, reserve, reserved, reserving } = await world();
    own.granted = (_, resourceId) =>
      resourceId === 'site' ? aGrant('4', { usageResourceId: 'site' }) : aGrant('10');
    await start();
    expect(await reserve('3', { resourceId: 'site' })).toMatchObject({ reservedUsage: '3', usageLimit: '4' });
    expect(await reserve('5')).toMatchObject({ reservedUsage: '8', usageLimit: '10' });
    const more = [reserving('2', { resourceId: 'site' }), reserving('3'), reserving('2')];
    expect(shown(await own.order(more))).toEqual([
      'ENTITLEMENT_LIMIT_EXCEEDED',
      'ENTITLEMENT_LIMIT_EXCEEDED',
      'ACTIVE',
    ]);
    expect([await reserved('site'), await reserved('other'), await reserved()]).toEqual(['3', '0', '10']);
  });

  test('is refused for features that cannot be reported, and for customers that there are not', async () => {
    const { own, start, reserving } = await world();
    own.features.push(aFeature('projects', { featureType: 'BOOLEAN' }));
    await start();
    const outcomes = await own.order([
      reserving('1', { featureId: 'projects' }),
      reserving('1', { featureId: 'nothing' }),
      reserving('1', { customerId: 'nobody' }),
    ]);
    expect(shown(outcomes)).toEqual(['VALIDATION_ERROR', 'FEATURE_NOT_FOUND', 'CUSTOMER_NOT_FOUND']);
  });

  test('is refused at the bound of a customer’s feature', async () => {
    const { own, start, reserving } = await world(null);
    await start();
    const outcomes = await own.order(Array.from({ length: 1_001 }, () => reserving('1')));
    expect(shown(outcomes).filter((each) => each === 'ACTIVE')).toHaveLength(1_000);
    expect(shown(outcomes).at(-1)).toBe('OVERLOADED');
  });
});

test('200 who reserve and report at a limit at once get exactly what there is', async () => {
  const { own, start, reserving, limited, stored } = await world('50');
  await start();
  const calls = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? reserving('1') : limited('1')));
  const outcomes = (await Promise.all(calls.map((call) => own.order([call])))).flat();
  const told = shown(outcomes);
  const refused = told.filter((each) => each === 'ENTITLEMENT_LIMIT_EXCEEDED');
  expect(refused).toHaveLength(150);
  const active = told.filter((each) => each === 'ACTIVE').length;
  expect(active + (await stored()).length).toBe(50);
});

test('a worker that comes after another one knows what is reserved', async () => {
  const { own, start, reserve, committing, limited } = await world();
  const first = await start();
  const { id } = await reserve('6');
  await first.stop();
  await start();
  expect(shown(await own.order([limited('5')]))).toEqual(['ENTITLEMENT_LIMIT_EXCEEDED']);
  expect(shown(await own.order([await committing(id), limited('4')]))).toEqual(['6 of 6', '4 of 10']);
});

test('what has expired is put aside with the next change, and what has ended is forgotten', async () => {
  const { own, clock, redis, start, reserve, releasing } = await world();
  const { reservations, reservationsActive, reservationsEnded, namespace } = own.queue.keys;
  await start();
  await reserve('1', { ttlSeconds: 1 });
  const { id } = await reserve('2');
  clock.advance(1_000);
  await own.order([await releasing(id)]);
  expect(await redis.zcard(reservationsActive)).toBe(0);
  expect(await redis.zcard(reservationsEnded)).toBe(2);
  expect(await redis.keys(`${namespace}:reserved:*`)).toEqual([]);
  clock.advance(3_600_000);
  const last = await reserve('3');
  expect(await redis.hkeys(reservations)).toEqual([last.id]);
});

/** A crash at each point, with time going on before the successor comes: what was decided stays decided. */
test.each<CheckpointName>(checkpoints)('a worker that ends %s is finished by the next one', async (point) => {
  const { own, clock, start, reserve, reserving, committing, limited, reserved, stored } = await world();
  const history = await start();
  const { id } = await reserve('3', { ttlSeconds: 60 });
  const commit = await committing(id, '2');
  await history.stop();
  let ends: (() => void) | undefined;
  const happened = new Promise<void>((resolve) => {
    ends = resolve;
  });
  const victim = own.worker({
    clock,
    ledgerOptions: { leaseMs: 400, renewMs: 100 },
    checkpoint: (name) => {
      if (name !== point) return;
      ends?.();
      throw new Error('an accident');
    },
  });
  const answered = own.order(
    [commit, reserving('5', { idempotencyKey: 'k' }), limited('4'), commit, limited('3')],
    8_000,
  );
  await victim.start();
  await happened;
  await victim.ended();
  // Before the manifest is written nothing is decided; afterwards the time of the decision holds.
  if (point !== 'afterDecide') clock.advance(60_000);
  await start();
  const outcomes = await answered;
  await own.settled();
  expect(shown(outcomes)).toEqual(['2 of 2', 'ACTIVE', 'ENTITLEMENT_LIMIT_EXCEEDED', '2 of 2', '3 of 5']);
  expect(await stored()).toHaveLength(2);
  expect(await reserved()).toBe('5');
  expect(shown(await own.order([commit, limited('0.1')]))).toEqual(['2 of 2', 'ENTITLEMENT_LIMIT_EXCEEDED']);
});
