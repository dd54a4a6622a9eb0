/** Live usage with real Redis, ClickHouse and worker: whatever happens, figures are those of a recount. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFeature, aMeasurement, anEvent, WorkerWorld } from '../aggregate/worker.fixture.ts';
import type { Feature } from '../catalog/feature.ts';
import type { AggregationFunction } from '../catalog/meter.ts';
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
  });
});
