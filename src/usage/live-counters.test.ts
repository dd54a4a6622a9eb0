/** Live usage with real Redis, ClickHouse and worker: whatever happens, figures are those of a recount. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  aFeature,
  aGrant,
  aMeasurement,
  amount as exactly,
  anEvent,
  WorkerWorld,
} from '../aggregate/worker.fixture.ts';
import type { Feature } from '../catalog/feature.ts';
import type { AggregationFunction } from '../catalog/meter.ts';
import { eventually } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { LiveReader, recount } from './live-counters.fixture.ts';
import type { UsageAsk } from './live-usage.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const functions = ['COUNT', 'SUM', 'MAX', 'MIN', 'AVG', 'UNIQUE'] as const;
const period = { start: Date.UTC(2026, 4, 1), end: Date.UTC(2026, 5, 1), anchor: Date.UTC(2026, 4, 1) };
const within = period.start + 1_000;
const dayMs = 24 * 3_600_000;
const billing = {
  start: period.start + 14 * dayMs,
  end: period.start + 45 * dayMs,
  anchor: period.start + 14 * dayMs,
};

function metered(name: AggregationFunction, eventName = 'call'): Feature {
  const condition = { field: 'eventName', operation: 'EQUALS' as const, value: eventName, values: null };
  return aFeature(`metered-${name.toLowerCase()}`, {
    meter: {
      aggregation: { function: name, field: name === 'COUNT' ? null : 'bytes' },
      filters: [{ conditions: [condition] }],
    },
  });
}

function bytes(customer: string, amount: string, more: Parameters<typeof anEvent>[2] = {}) {
  return anEvent(customer, randomUUID(), { timestamp: within, dimensions: [['bytes', amount]], ...more });
}

function ask(customerId: string, feature: Feature, more: Partial<UsageAsk> = {}): UsageAsk {
  return { customerId, feature, resourceId: null, period, ...more };
}

async function inTurn<A, B>(items: readonly A[], work: (item: A) => Promise<B>): Promise<B[]> {
  const done: B[] = [];
  for (const item of items) done.push(await work(item));
  return done;
}

/** A customer with a worker at work. */
async function aWorld() {
  const world = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  world.customers.add(customer);
  const worker = await world.startedWorker();
  const reader = await LiveReader.open(world, database);
  return { world, customer, worker, reader };
}

describe('a counter', () => {
  it.each(functions)('of %s follows every flush, in its period and of its resource', async (name) => {
    const { world, customer, reader } = await aWorld();
    const feature = metered(name);
    const asks = [
      ask(customer, feature),
      ask(customer, feature, { resourceId: 'r1' }),
      ask(customer, feature, { resourceId: 'r2', period: null }),
    ];
    expect(await reader.usage(asks)).toEqual(['0', '0', '0']);
    const flushes = [
      [bytes(customer, '3'), bytes(customer, '0.1', { resourceId: 'r1' })],
      [bytes(customer, '-2', { timestamp: period.end }), bytes(customer, '7', { resourceId: 'r2' })],
      [bytes(customer, 'no number'), bytes(customer, '5', { eventName: 'other' })],
      [bytes(customer, '0.2', { resourceId: 'r1' }), bytes(customer, '1', { timestamp: period.start - 1 })],
    ];
    for (const flush of flushes) {
      await world.send(flush);
      await world.settled();
      expect(await reader.usage(asks)).toEqual(await recount(database, asks));
    }
  });

  it('asks ClickHouse once, and is then read from Redis', async () => {
    const { world, customer, reader } = await aWorld();
    const asks = [ask(customer, metered('SUM')), ask(customer, metered('AVG'), { resourceId: 'r' })];
    await reader.usage(asks);
    for (let flush = 0; flush < 3; flush += 1) {
      await world.send([bytes(customer, '1.5', { resourceId: 'r' })]);
      await world.settled();
    }
    expect(await reader.usage(asks)).toEqual(['4.5', '1.5']);
    expect(reader.tallies).toBe(2);
  });

  it('of reported usage has what was acknowledged when it was acknowledged', async () => {
    const { world, customer, reader } = await aWorld();
    const seats = aFeature('seats');
    world.features.push(seats);
    world.granted = () => aGrant(null);
    const asks = [
      ask(customer, seats, { period: null }),
      ask(customer, seats, { period: null, resourceId: 'r' }),
    ];
    expect(await reader.usage(asks)).toEqual(['0', '0']);
    await world.report([aMeasurement(customer, '5', { resourceId: 'r' })]);
    expect(await reader.usage(asks)).toEqual(['5', '5']);
    await world.report([aMeasurement(customer, '2'), aMeasurement(customer, '0.5', { resourceId: 'r' })]);
    expect(await reader.usage(asks)).toEqual(['7.5', '5.5']);
    await world.report([aMeasurement(customer, '1', { resourceId: 'r', updateBehavior: 'SET' })]);
    expect(await reader.usage(asks)).toEqual(['3', '1']);
    // The worker knew all these figures.
    expect(reader.tallies).toBe(2);
  });

  it('of reported usage is of its period, and is dropped where another period was acknowledged', async () => {
    const { world, customer, reader } = await aWorld();
    const seats = aFeature('seats');
    world.features.push(seats);
    world.granted = () => aGrant('100', { usagePeriod: period });
    const asks = [ask(customer, seats), ask(customer, seats, { resourceId: 'r', period: null })];
    expect(await reader.usage(asks)).toEqual(['0', '0']);
    await world.report([
      aMeasurement(customer, '5', { resourceId: 'r', timestamp: within }),
      aMeasurement(customer, '7', { resourceId: 'r', timestamp: period.start - 1 }),
    ]);
    expect(await reader.usage(asks)).toEqual(['5', '12']);
    expect(reader.tallies).toBe(3);
  });
});

describe('a counter of reported usage that is paid from a hard budget', () => {
  it('follows it in the budget’s period as in its own, also as that one ends', async () => {
    const { world, customer, reader } = await aWorld();
    const seats = aFeature('seats');
    world.features.push(seats);
    const next = { start: period.end, end: Date.UTC(2026, 6, 1), anchor: period.anchor };
    const budget = { limit: exactly('9'), resourceId: null, period: billing, prices: [] };
    const report = (value: string, more: Parameters<typeof aMeasurement>[2]) =>
      world.report([aMeasurement(customer, value, more)]);
    const may = [ask(customer, seats), ask(customer, seats, { period: billing })];
    world.granted = () => aGrant('100', { usagePeriod: period, budgets: [budget] });
    expect(await reader.usage(may)).toEqual(['0', '0']);
    await report('5', { timestamp: within, resourceId: 'r' });
    await report('2', { timestamp: billing.start });
    expect(await reader.usage(may)).toEqual(['7', '2']);
    await report('1', { timestamp: billing.start + 1, updateBehavior: 'SET' });
    expect(await reader.usage(may)).toEqual(['6', '1']);
    expect(reader.tallies).toBe(2);

    world.granted = () => aGrant('100', { usagePeriod: next, budgets: [budget] });
    const june = [ask(customer, seats, { period: next }), ask(customer, seats, { period: billing })];
    expect(await reader.usage(june)).toEqual(['0', '1']);
    await report('4', { timestamp: next.start });
    expect(await reader.usage(june)).toEqual(['4', '5']);
    expect(await reader.usage(june)).toEqual(await recount(database, june));
    expect(reader.tallies).toBe(3);
  });
});

describe('a counter that is made while flushes go on', () => {
  /** A figure of ClickHouse that waits until it is let go. */
  function heldTally() {
    let release = (): void => {};
    let asked = (): void => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const beforeTally = async (): Promise<void> => {
      asked();
      await released;
    };
    return { beforeTally, isAsked, release: () => release() };
  }

  it('has the flushes that ended before it was filled, each once', async () => {
    const { world, customer, reader } = await aWorld();
    const held = heldTally();
    const slow = await LiveReader.open(world, database, { beforeTally: held.beforeTally });
    const asks = [ask(customer, metered('SUM')), ask(customer, metered('MAX'), { resourceId: 'r' })];
    await world.send([bytes(customer, '1', { resourceId: 'r' })]);
    await world.settled();
    const answer = slow.usage(asks);
    await held.isAsked;
    for (const amount of ['2', '4']) {
      await world.send([bytes(customer, amount, { resourceId: 'r' })]);
      await world.settled();
    }
    held.release();
    expect(await answer).toEqual(['7', '4']);
    expect(await reader.usage(asks)).toEqual(['7', '4']);
    expect(reader.tallies).toBe(0);
  });

  it('is filled by one reader while others answer with the figure itself', async () => {
    const { world, customer, reader } = await aWorld();
    const held = heldTally();
    const slow = await LiveReader.open(world, database, { beforeTally: held.beforeTally });
    const asks = [ask(customer, metered('SUM'))];
    await world.send([bytes(customer, '1')]);
    await world.settled();
    const answer = slow.usage(asks);
    await held.isAsked;
    await world.send([bytes(customer, '2')]);
    await world.settled();
    expect(await reader.usage(asks)).toEqual(['3']);
    expect(reader.tallies).toBe(1);
    held.release();
    expect(await answer).toEqual(['3']);
    expect(await reader.usage(asks)).toEqual(['3']);
    expect(reader.tallies).toBe(1);
  });

  it('is not waited for with a figure from before a correction', async () => {
    const { world, customer, worker } = await aWorld();
    const [early, filling] = [heldTally(), heldTally()];
    const slow = await LiveReader.open(world, database, { afterTally: early.beforeTally });
    const other = await LiveReader.open(world, database, { beforeTally: filling.beforeTally });
    const asks = [ask(customer, metered('SUM'))];
    await world.send([bytes(customer, '1')]);
    await world.settled();
    const before = slow.usage(asks);
    await early.isAsked;
    await worker.betweenFlushes([customer], () => world.forget('events', customer));
    const filled = other.usage(asks);
    await filling.isAsked;
    const after = slow.usage(asks);
    await expect.poll(() => slow.tallies).toBe(2);
    early.release();
    filling.release();
    expect(await after).toEqual(['0']);
    expect(await filled).toEqual(['0']);
    expect(await before).toEqual(['1']);
  });

  it('is dropped by what no part can carry, and the figure is still right for whoever asked', async () => {
    const { world, customer, reader } = await aWorld();
    const held = heldTally();
    const slow = await LiveReader.open(world, database, { beforeTally: held.beforeTally });
    const asks = [ask(customer, metered('UNIQUE'))];
    const answer = slow.usage(asks);
    await held.isAsked;
    await world.send([bytes(customer, '1'), bytes(customer, '2')]);
    await world.settled();
    held.release();
    // It was asked when nothing had been counted.
    expect(await answer).toEqual(['0']);
    expect(await slow.usage(asks)).toEqual(['2']);
    expect(await reader.usage(asks)).toEqual(['2']);
  });

  it('asks ClickHouse once for all who ask at once', async () => {
    const { world, customer, reader } = await aWorld();
    await world.send([bytes(customer, '1')]);
    await world.settled();
    const asks = Array.from({ length: 200 }, () => ask(customer, metered('SUM')));
    const answers = await Promise.all(asks.map((each) => reader.usage([each])));
    expect(new Set(answers.flat())).toEqual(new Set(['1']));
    expect(reader.tallies).toBe(1);
  });
});

describe('a flush that is done again after a crash', () => {
  it.each(['duringCount', 'afterCount', 'afterReply'] as const)('%s is counted once', async (point) => {
    const { world, customer, worker, reader } = await aWorld();
    const asks = [ask(customer, metered('COUNT')), ask(customer, metered('SUM'), { resourceId: 'r' })];
    await reader.usage(asks);
    await worker.stop();
    const dying = await world.startedWorker({
      checkpoint: (name) => {
        if (name === point) throw new Error('an accident');
      },
    });
    await world.send([bytes(customer, '0.1', { resourceId: 'r' }), bytes(customer, '2')]);
    expect(await dying.ended()).toMatchObject({ reason: 'failed' });
    await world.startedWorker();
    await world.settled();
    expect(await reader.usage(asks)).toEqual(['2', '0.1']);
    expect(reader.tallies).toBe(2);
  });
});

describe('live usage', () => {
  it('is right without the worker, before anything was counted', async () => {
    const world = await WorkerWorld.open(database);
    const customer = `customer-${randomUUID()}`;
    const reader = await LiveReader.open(world, database);
    expect(await reader.usage([ask(customer, metered('COUNT'))])).toEqual(['0']);
    expect(await reader.redis.exists(world.queue.keys.counterPrefix + customer)).toBe(0);
  });

  it('follows a limit that raw events cross, without asking ClickHouse', async () => {
    const { world, customer, reader } = await aWorld();
    const asks = [ask(customer, metered('COUNT'))];
    await reader.usage(asks);
    for (let call = 0; call < 5; call += 1) await world.send([bytes(customer, '1'), bytes(customer, '1')]);
    await eventually('ten calls', async () => (await reader.usage(asks))[0] === '10');
    expect(reader.tallies).toBe(1);
  });

  it('goes over to the next period, to another meter, and back', async () => {
    const { world, customer, reader } = await aWorld();
    const next = { start: period.end, end: period.end + 1_000, anchor: period.anchor };
    const asks = [
      ask(customer, metered('SUM')),
      ask(customer, metered('SUM'), { period: next }),
      ask(customer, metered('SUM', 'other')),
      ask(customer, metered('SUM')),
    ];
    for (const amount of ['1', '0.5']) {
      await world.send([
        bytes(customer, amount),
        bytes(customer, amount, { timestamp: next.start }),
        bytes(customer, '7', { eventName: 'other' }),
      ]);
      await world.settled();
      const expected = await recount(database, asks);
      for (const [index, each] of asks.entries()) {
        expect(await reader.usage([each])).toEqual([expected[index]]);
      }
      expect(await reader.usage(asks)).toEqual(expected);
    }
  });

  it('has a counter for each period that the same usage is asked in', async () => {
    const { world, customer, reader } = await aWorld();
    const features = [metered('SUM'), metered('AVG')];
    const asksIn = (periods: readonly UsageAsk['period'][]) =>
      features.flatMap((feature) => periods.map((each) => ask(customer, feature, { period: each })));
    const asks = asksIn([period, billing, null]);
    expect(await reader.usage(asks)).toEqual(asks.map(() => '0'));
    for (const timestamp of [
      period.start - 1,
      within,
      billing.start,
      period.end - 1,
      period.end,
      billing.end,
    ]) {
      await world.send([bytes(customer, '1.5', { timestamp }), bytes(customer, '2', { timestamp })]);
      await world.settled();
      expect(await reader.usage(asks)).toEqual(await recount(database, asks));
    }
    expect(reader.tallies).toBe(asks.length);

    // The calendar's period ends, and the other one goes on.
    const next = { start: period.end, end: Date.UTC(2026, 6, 1), anchor: period.anchor };
    const later = asksIn([next, billing]);
    expect(await reader.usage(later)).toEqual(await recount(database, later));
    await world.send([bytes(customer, '4', { timestamp: period.end + 1 })]);
    await world.settled();
    const figures = await reader.usage(later);
    expect(figures.slice(0, 2)).toEqual(['11', '14.5']);
    expect(figures).toEqual(await recount(database, later));
    expect(reader.tallies).toBe(asks.length + features.length);
  });

  it('keeps so many periods, of which those that have ended go first', async () => {
    const { world, customer } = await aWorld();
    const reader = await LiveReader.open(world, database, { limits: { periodsMax: 2 } });
    const now = Date.now();
    const span = (fromMs: number, toMs: number) => {
      const [start, end] = [now + fromMs, now + toMs];
      return ask(customer, metered('COUNT'), { period: { start, end, anchor: start } });
    };
    const [month, past, hour, day] = [
      span(-dayMs, 9 * dayMs),
      span(-9, -1),
      span(-1, dayMs),
      span(-5, dayMs),
    ];
    const asked = async (each: UsageAsk): Promise<number> => {
      const before = reader.tallies;
      expect(await reader.usage([each])).toEqual(['0']);
      return reader.tallies - before;
    };
    const made = [month, past, hour, month, hour];
    expect(await inTurn(made, asked)).toEqual([1, 1, 1, 0, 0]);
    // None has ended, so the one that was made first goes.
    expect(await inTurn([day, hour, day, month], asked)).toEqual([1, 0, 0, 1]);
    const key = world.queue.keys.counterPrefix + customer;
    const counters = (await reader.redis.hvals(key)).map((field) => field.split('\n').length);
    expect(counters).toEqual([2]);
  });

  it('adds a long row of parts up, and stores the sum', async () => {
    const { world, customer, reader } = await aWorld();
    const asks = [ask(customer, metered('SUM'))];
    await reader.usage(asks);
    const key = world.queue.keys.counterPrefix + customer;
    const counter = async (): Promise<string> => (await reader.redis.hvals(key))[0] ?? '';
    for (let flush = 0; flush < 18; flush += 1) {
      await world.send([bytes(customer, '0.1')]);
      await world.settled();
    }
    expect((await counter()).split(' ')).toHaveLength(5 + 18);
    expect(await reader.usage(asks)).toEqual(['1.8']);
    await eventually('the sum', async () => (await counter()).endsWith(' 1.8:18'));
    await world.send([bytes(customer, '0.1')]);
    await world.settled();
    expect(await reader.usage(asks)).toEqual(['1.9']);
    expect(reader.tallies).toBe(1);
  });

  it('keeps within its bounds and stays right beyond them', async () => {
    const { world, reader } = await aWorld();
    const limits = { customersMax: 2, countersMax: 2, subjectsMax: 4 };
    const bounded = await LiveReader.open(world, database, { limits });
    const customers = Array.from({ length: 4 }, () => `customer-${randomUUID()}`);
    const features = functions.map((name) => metered(name));
    const asks = customers.flatMap((customer) => features.map((feature) => ask(customer, feature)));
    await world.send(customers.flatMap((customer) => [bytes(customer, '2'), bytes(customer, '3')]));
    await world.settled();
    for (let round = 0; round < 2; round += 1) {
      expect(await bounded.usage(asks)).toEqual(await recount(database, asks));
      await world.send(customers.map((customer) => bytes(customer, '5')));
      await world.settled();
    }
    const { counterCustomers, counterPrefix, counterSubjects } = world.queue.keys;
    expect(await reader.redis.zcard(counterCustomers)).toBe(2);
    expect(await reader.redis.exists(...customers.map((customer) => counterPrefix + customer))).toBe(2);
    const counts = await Promise.all(
      customers.map((customer) => reader.redis.hlen(counterPrefix + customer)),
    );
    expect(Math.max(...counts)).toBeLessThanOrEqual(limits.countersMax);
    expect(await reader.redis.hlen(counterSubjects)).toBeLessThanOrEqual(limits.subjectsMax);
  });

  it('gives up all counters when Redis has lost its newest writes', async () => {
    const { world, customer, worker, reader } = await aWorld();
    const { flush, counterPrefix } = world.queue.keys;
    const asks = [ask(customer, metered('SUM'))];
    await reader.usage(asks);
    await world.send([bytes(customer, '1')]);
    await world.settled();
    const [counted, counters] = [
      await reader.redis.hget(flush, 'counted'),
      await reader.redis.hgetall(counterPrefix + customer),
    ];
    const loseNewest = async (): Promise<void> => {
      await reader.redis.hset(flush, 'counted', counted ?? '');
      await reader.redis.hset(counterPrefix + customer, counters);
    };
    await world.send([bytes(customer, '2')]);
    await world.settled();
    await loseNewest();
    // The worker lives, and finds at its next flush that one before it is missing.
    await world.send([bytes(customer, '4', { eventName: 'other' })]);
    await world.settled();
    expect(await reader.usage(asks)).toEqual(['3']);
    // A new worker finds that ClickHouse knows a newer flush.
    await worker.stop();
    await loseNewest();
    await world.startedWorker();
    expect(await reader.usage(asks)).toEqual(['3']);
  });
});
