/** Redis is emptied but for its queue while a flush is being stored: who finds the batches again must not store them twice. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import { eventually } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import type { FlushStore } from './flush-store.ts';
import { aFeature, aMeasurement, anEvent, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** As a ClickHouse that takes its time: an insert is under way until it is let go. */
class SlowInserts {
  readonly store: FlushStore;
  underWay = 0;
  #letGo: () => void = () => {};
  readonly #go: Promise<void>;

  constructor(store: FlushStore) {
    this.#go = new Promise((resolve) => {
      this.#letGo = resolve;
    });
    this.store = {
      ...store,
      insertEvents: (...insert) => this.#slowly(() => store.insertEvents(...insert)),
      insertMeasurements: (...insert) => this.#slowly(() => store.insertMeasurements(...insert)),
    };
  }

  letGo(): void {
    this.#letGo();
  }

  async #slowly(insert: () => Promise<void>): Promise<void> {
    this.underWay += 1;
    await this.#go;
    await insert();
    this.underWay -= 1;
  }
}

test('a new owner waits for what a forgotten one is storing, and stores none of it again', async () => {
  const world = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  const leaseMs = 500;
  const before = await world.startedWorker();
  await world.send([anEvent(customer, 'before')]);
  await world.settled();
  await before.stop();

  const slow = new SlowInserts(world.store);
  const forgotten = await world.startedWorker({ store: slow.store, ledgerOptions: { leaseMs } });
  const facts = Array.from({ length: 20 }, (_, at) => anEvent(customer, `k${at}`));
  await world.send(facts);
  await eventually('an insert under way', () => slow.underWay === 1);
  await loseAllButTheQueue(world);

  let asked = 0;
  const next = world.worker({
    ledgerOptions: { leaseMs },
    isStoring: async () => {
      asked += 1;
      return slow.underWay > 0;
    },
  });
  const started = next.start();
  await eventually('a look whether anybody stores', () => asked > 2);
  expect(await world.storedKeys(customer)).toHaveLength(1);
  slow.letGo();
  await started;
  expect(await forgotten.ended()).toEqual({ reason: 'fenced' });
  const measured = aMeasurement(customer, '4');
  expect(await world.report([measured])).toMatchObject([{ currentUsage: '4', duplicate: false }]);
  // The batch was still in the queue, and every event of it was stored already.
  expect(await world.settled()).toMatchObject({ accepted: 21, stored: 1, duplicate: 20 });
  const stored = await world.storedKeys(customer);
  expect(stored).toHaveLength(21);
  expect(new Set(stored).size).toBe(21);
});

test('a flush has a number of its own, also where Redis knows the one in hand and not how far numbers went', async () => {
  const world = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  const victim = world.worker({
    checkpoint: (name) => {
      if (name === 'afterBegin') throw new Error('an accident');
    },
  });
  await victim.start();
  await world.send([anEvent(customer, 'in hand')]);
  expect(await victim.ended()).toMatchObject({ reason: 'failed' });
  const redis = openRedis(inject('redisUrl'), 'worker');
  onTestFinished(() => closeRedis(redis));
  expect(await redis.del(world.queue.keys.flush)).toBe(1);

  await world.startedWorker();
  await world.send([anEvent(customer, 'next')]);
  expect(await world.settled()).toMatchObject({ accepted: 2, stored: 2 });
  const answer = await database.client.query({
    query: 'SELECT uniqExact(flush) AS flushes FROM events WHERE customer_id = {customer:String}',
    query_params: { customer },
    format: 'JSONEachRow',
  });
  expect(await answer.json()).toEqual([{ flushes: '2' }]);
});

async function loseAllButTheQueue(world: WorkerWorld): Promise<void> {
  const redis = openRedis(inject('redisUrl'), 'worker');
  onTestFinished(() => closeRedis(redis));
  const keys = await redis.keys(`${world.queue.keys.namespace}*`);
  await redis.del(...keys.filter((key) => !/:(batches:|pending$|payload:)/.test(key)));
}
