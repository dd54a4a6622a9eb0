/** Counters that somebody has tampered with, and the reconciler that finds them. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { aFeature, anEvent, WorkerWorld } from '../aggregate/worker.fixture.ts';
import type { Feature } from '../catalog/feature.ts';
import { subjectNameOf } from '../catalog/usage-subject.ts';
import { ManualClock } from '../clock.ts';
import { eventually } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageTallies } from './clickhouse-usage-tallies.ts';
import { watchCounters } from './counter-metrics.ts';
import { CounterReconciler } from './counter-reconciler.ts';
import { LiveReader, recount } from './live-counters.fixture.ts';
import { RedisCounterAudit } from './redis-counter-audit.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const dayMs = 24 * 3_600_000;
const calls: Feature = aFeature('calls', {
  meter: { aggregation: { function: 'COUNT', field: null }, filters: [] },
});
const sizes: Feature = aFeature('sizes', {
  meter: { aggregation: { function: 'MAX', field: 'bytes' }, filters: [] },
});

/** Three customers with two counters each, every one read after two flushes. */
async function countedWorld() {
  const world = await WorkerWorld.open(database);
  const reader = await LiveReader.open(world, database);
  await world.startedWorker();
  const customers = Array.from({ length: 3 }, () => `customer-${randomUUID()}`);
  const asks = customers.flatMap((customerId) =>
    [calls, sizes].map((feature) => ({ customerId, feature, resourceId: null, period: null })),
  );
  for (let flush = 0; flush < 2; flush += 1) {
    const facts = customers.map((customer, index) =>
      anEvent(customer, randomUUID(), { dimensions: [['bytes', String(10 * index + flush)]] }),
    );
    await world.send(facts);
    await world.settled();
    await reader.usage(asks);
  }
  const audit = new RedisCounterAudit(reader.redis, world.queue.keys);
  return { world, reader, customers, asks, audit };
}

function started(
  audit: RedisCounterAudit,
  features: readonly Feature[],
  clock = new ManualClock(Date.now()),
): CounterReconciler {
  const reconciler = new CounterReconciler({
    audit,
    tallies: new ClickhouseUsageTallies(database.client),
    catalog: { features: () => Promise.resolve(features) },
    clock,
    logger: pino({ level: 'silent' }),
    pauseMs: 1,
    idleMs: 1,
  });
  onTestFinished(() => reconciler.stop());
  reconciler.start();
  return reconciler;
}

describe('the reconciler', () => {
  it('finds no fault with what the worker counted', async () => {
    const { audit, asks } = await countedWorld();
    started(audit, [calls, sizes]);
    await eventually('a look at every counter', async () => (await audit.noted()).checked >= asks.length);
    expect((await audit.noted()).drifted).toBe(0);
  });

  it('drops counters that are wrong, tells how many, and the next answers are right', async () => {
    const { world, reader, customers, asks, audit } = await countedWorld();
    const sabotaged = [customers[0] ?? '', customers[2] ?? ''];
    for (const customer of sabotaged) {
      const key = world.queue.keys.counterPrefix + customer;
      for (const [field, counter] of Object.entries(await reader.redis.hgetall(key))) {
        await reader.redis.hset(key, field, counter.replace(/ -?\d+:(\d+)( .*)?$/, ' 4711:$1$2'));
      }
    }
    const right = await recount(database, asks);
    expect(await reader.usage(asks)).not.toEqual(right);

    started(audit, [calls, sizes]);
    await eventually('the repair', async () => (await audit.noted()).drifted === 4);
    expect(await reader.usage(asks)).toEqual(right);
    const registry = new Registry();
    watchCounters(registry, audit);
    expect(await registry.metrics()).toContain('tollgate_counter_drift_total 4\n');
  });

  it('knows counters of one thing apart by their periods, and gives up those of periods long past', async () => {
    const { world, reader, customers, audit } = await countedWorld();
    const [customerId = ''] = customers;
    const span = (start: number, end: number) => {
      const period = { start, end, anchor: start };
      return { customerId, feature: calls, resourceId: null, period };
    };
    const now = Date.now();
    const [past, current] = [span(now - 9 * dayMs, now - 3 * dayMs), span(now - dayMs, now + dayMs)];
    expect(await reader.usage([past, current])).toEqual(['0', '2']);
    const key = world.queue.keys.counterPrefix + customerId;
    const field = subjectNameOf(calls).key;
    const counters = async () => ((await reader.redis.hget(key, field)) ?? '').split('\n');
    expect(await counters()).toHaveLength(3);
    // That of all time is right, and stays.
    const [right = '', ended = '', wrong = ''] = await counters();
    await reader.redis.hset(key, field, [right, ended, wrong.replace(/\S+$/, '4711:2')].join('\n'));
    started(audit, [calls, sizes]);
    await eventually('the repair', async () => (await counters()).length === 1);
    expect(await counters()).toEqual([right]);
    await eventually('the count', async () => (await audit.noted()).drifted > 0);
    expect((await audit.noted()).drifted).toBe(1);
    expect(await reader.usage([past, current])).toEqual(['0', '2']);
  });

  it('gives up what is not in the catalog any more, and what nobody asks for', async () => {
    const { world, reader, customers, audit, asks } = await countedWorld();
    const { counterCustomers, counterPrefix, counterSubjects } = world.queue.keys;
    const first = started(audit, [calls]);
    await eventually(
      'the end of a subject',
      async () => !(await audit.generations()).has(subjectNameOf(sizes).key),
    );
    expect((await audit.generations()).has(subjectNameOf(calls).key)).toBe(true);
    await world.send(customers.map((customer) => anEvent(customer, randomUUID())));
    await world.settled();
    expect(await reader.usage(asks)).toEqual(await recount(database, asks));

    await first.stop();
    started(audit, [calls, sizes], new ManualClock(Date.now() + 3 * dayMs));
    const keys = customers.map((customer) => counterPrefix + customer);
    await eventually('the end of counters', async () => (await reader.redis.exists(...keys)) === 0);
    expect(await reader.redis.zcard(counterCustomers)).toBe(0);
    expect(await reader.redis.hlen(counterSubjects)).toBeGreaterThan(0);
    expect(await reader.usage(asks)).toEqual(await recount(database, asks));
  });
});
