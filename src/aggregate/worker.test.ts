import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import { eventually } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { BatchesGoneError } from '../queue/ledger.ts';
import { openRedis } from '../queue/redis-connection.ts';
import { type FlushStore, StoreRefusedDataError } from './flush-store.ts';
import { aFeature, aMeasurement, amount, anEvent, dayMs, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const hourMs = 3_600_000;
const someone = () => `customer-${randomUUID()}`;
const keysOf = (facts: readonly { idempotencyKey: string; timestamp: number }[]) =>
  facts.map(({ idempotencyKey, timestamp }) => `${idempotencyKey}@${timestamp}`).toSorted();

const usages = (outcomes: readonly MeasurementOutcome[]) =>
  outcomes.map((outcome) => ('currentUsage' in outcome ? outcome.currentUsage : outcome));

test('each event counts once: repeated within a batch, in another batch, and after a restart', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const facts = Array.from({ length: 30 }, (_, index) => anEvent(customer, `k${index}`));
  const first = await world.startedWorker();
  await world.send([...facts.slice(0, 20), ...facts.slice(5, 10)]);
  await world.send(facts.slice(15, 30));
  expect(await world.settled()).toMatchObject({ accepted: 40, stored: 30, duplicate: 10 });
  await first.stop();
  await world.send(facts);
  await world.startedWorker();
  expect(await world.settled()).toMatchObject({ accepted: 70, stored: 30, duplicate: 40 });
  expect(await world.storedKeys(customer)).toEqual(keysOf(facts));
});

test('a measurement counts whatever the length of its dimensions, and its repeat is a duplicate', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  await world.startedWorker();
  const facts = [5_000, 3, 200_000].map((length) =>
    aMeasurement(customer, '1', { dimensions: [['note', 'é'.repeat(length)]] }),
  );
  const outcomes = await world.report(facts);
  expect(usages(outcomes)).toEqual(['1', '2', '3']);
  expect(await world.report(facts)).toEqual(outcomes.map((outcome) => ({ ...outcome, duplicate: true })));
});

test('a worker whose memory is small reads no more than that at its start, and still counts each event once', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const facts = Array.from({ length: 200 }, (_, index) => {
    const receivedAt = Date.now() - index * 60_000;
    return anEvent(customer, `k${index}`, { timestamp: receivedAt, receivedAt });
  });
  const identities = { windowMs: dayMs, entriesMax: 64 };
  const first = await world.startedWorker({ identities });
  await world.send(facts);
  expect(await world.settled()).toMatchObject({ stored: 200 });
  await first.stop();
  let read = 0;
  const store: FlushStore = {
    ...world.store,
    async *identitiesSince(since) {
      for await (const rows of world.store.identitiesSince(since)) {
        read += rows.count;
        yield rows;
      }
    },
  };
  await world.startedWorker({ identities, store });
  await world.send(facts);
  expect(await world.settled()).toMatchObject({ stored: 200, duplicate: 200 });
  expect(read).toBeLessThanOrEqual(64);
});

test('two senders of the same identity at the same moment count once', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const fact = anEvent(customer, 'same');
  await Promise.all(Array.from({ length: 8 }, () => world.send([fact])));
  await world.startedWorker();
  expect(await world.settled()).toMatchObject({ stored: 1, duplicate: 7 });
  expect(await world.storedKeys(customer)).toHaveLength(1);
});

test('an identity that comes back with other content is kept as a conflict and not counted', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const fact = anEvent(customer, 'k');
  await world.startedWorker();
  await world.send([
    fact,
    { ...fact, dimensions: [['path', '/other']] },
    { ...fact, timestamp: fact.timestamp - 1 },
  ]);
  expect(await world.settled()).toMatchObject({ stored: 1, conflict: 2 });
  expect(await world.storedKeys(customer)).toEqual(keysOf([fact]));
  expect(await world.storedKeys(customer, 'event_conflicts')).toHaveLength(2);
});

test('a duplicate that comes long after the window is found in what is stored', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const windowMs = 1_000;
  const longAgo = Date.now() - 30 * dayMs;
  const old = anEvent(customer, 'k', { timestamp: longAgo, receivedAt: longAgo + 5 });
  const first = await world.startedWorker({ windowMs });
  await world.send([old]);
  await world.settled();
  await first.stop();
  await world.startedWorker({ windowMs });
  const now = Date.now();
  // The same timestamp is a duplicate for ever, whatever else changed; another timestamp is a new event.
  await world.send([
    { ...old, receivedAt: now },
    { ...old, receivedAt: now, dimensions: [] },
  ]);
  await world.send([{ ...old, timestamp: longAgo + 1, receivedAt: now }]);
  expect(await world.settled()).toMatchObject({ stored: 2, duplicate: 2, conflict: 0 });
  expect(await world.storedKeys(customer)).toEqual(keysOf([old, { ...old, timestamp: longAgo + 1 }]));
});

test('when all of Redis is lost, the same events sent again double nothing', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  const facts = Array.from({ length: 20 }, (_, index) =>
    anEvent(customer, `k${index}`, { timestamp: Date.now() - index * hourMs }),
  );
  const measured = aMeasurement(customer, '4');
  const before = await world.startedWorker();
  await world.send(facts.slice(0, 15));
  const [acknowledged] = await world.report([measured]);
  await world.settled();
  const flushBefore = await world.store.newestFlush();
  const redis = openRedis(inject('redisUrl'), 'edge');
  await eventually('a connection', () => redis.status === 'ready');
  const keys = await redis.keys(`${world.queue.keys.namespace}*`);
  await redis.del(keys);
  redis.disconnect();
  // Its epoch is gone, so the first worker notices that it owns nothing.
  expect(await before.ended()).toEqual({ reason: 'fenced' });
  await world.startedWorker();
  await world.send(facts);
  expect(await world.report([measured])).toEqual([{ ...acknowledged, duplicate: true }]);
  expect(await world.settled()).toMatchObject({ accepted: 21, stored: 5, duplicate: 16 });
  expect(await world.storedKeys(customer)).toEqual(keysOf(facts));
  expect(await world.store.newestFlush()).toBeGreaterThan(flushBefore);
});

test('measurements are acknowledged in order, with the usage right after each one', async () => {
  const world = await WorkerWorld.open(database);
  const [customer, at] = [someone(), Date.now()];
  world.customers.add(customer);
  const seats = aFeature('seats');
  world.features.push(seats);
  await world.startedWorker();
  const first = await world.report([
    aMeasurement(customer, '0.1', { timestamp: at - 50 }),
    aMeasurement(customer, '0.2', { timestamp: at - 40, featureId: seats.id }),
    aMeasurement(customer, '7', { timestamp: at - 40, resourceId: 'site' }),
    aMeasurement(customer, '10', { timestamp: at - 30, updateBehavior: 'SET' }),
    aMeasurement(customer, '-2.5', { timestamp: at - 20 }),
    // Back-dated: before the SET it changes nothing now.
    aMeasurement(customer, '100', { timestamp: at - 45 }),
  ]);
  // Nothing is granted: of its resource where one is named, else of the customer as a whole.
  expect(usages(first)).toEqual(['0.1', '0.3', '7', '17', '14.5', '14.5']);
  expect(first[1]).toMatchObject({
    featureId: 'seats',
    resourceId: null,
    duplicate: false,
    usageLimit: null,
  });
  expect(first[2]).toMatchObject({ resourceId: 'site', timestamp: new Date(at - 40).toISOString() });
  // A late SET between the older one and the DELTA after it: the stored DELTA is added to it.
  const late = aMeasurement(customer, '20', { timestamp: at - 25, updateBehavior: 'SET' });
  expect(usages(await world.report([late]))).toEqual(['24.5']);
  expect(await world.settled()).toMatchObject({ stored: 7 });
});

test('a restarted worker goes on from the usage that was stored', async () => {
  const world = await WorkerWorld.open(database);
  const [customer, at] = [someone(), Date.now()];
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  const first = await world.startedWorker();
  await world.report([aMeasurement(customer, '5', { timestamp: at - 9, updateBehavior: 'SET' })]);
  await world.report(
    Array.from({ length: 10 }, (_, index) => aMeasurement(customer, '0.1', { timestamp: at - index })),
  );
  await first.stop();
  await world.startedWorker();
  const [outcome] = await world.report([aMeasurement(customer, '1', { timestamp: at })]);
  // 5 and ten times 0.1, the oldest of which has the SET's very timestamp and came after it.
  expect(outcome).toMatchObject({ currentUsage: '7' });
});

test('a repeated measurement gets its original acknowledgement, in one call, later, and after a restart', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  const worker = await world.startedWorker();
  const [one, two] = [aMeasurement(customer, '1'), aMeasurement(customer, '2')];
  const [first, other, again] = await world.report([one, two, one]);
  expect(first).toMatchObject({ currentUsage: '1', duplicate: false });
  expect(other).toMatchObject({ currentUsage: '3', duplicate: false });
  expect(again).toEqual({ ...first, duplicate: true });
  // A sender without createdAt gets a new instant at each attempt.
  const later = Date.now() + 1_000;
  expect(await world.report([{ ...one, timestamp: later, receivedAt: later }])).toEqual([again]);
  await worker.stop();
  await world.startedWorker();
  expect(await world.report([one])).toEqual([again]);
  expect(await world.settled()).toMatchObject({ stored: 2, duplicate: 3 });
});

test('without an idempotency key a measurement is never a duplicate', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  await world.startedWorker();
  const keyless = aMeasurement(customer, '2', { idempotencyKey: '' });
  const outcomes = await world.report([keyless, keyless]);
  expect(outcomes).toMatchObject([{ currentUsage: '2' }, { currentUsage: '4' }]);
});

test('a measurement that cannot count is refused, says why, claims nothing and costs no neighbour', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  const meter = { aggregation: { function: 'COUNT', field: null }, filters: [] } as const;
  world.features.push(
    aFeature('seats'),
    aFeature('calls', { meter }),
    aFeature('sso', { featureType: 'BOOLEAN' }),
  );
  await world.startedWorker();
  const unknown = aMeasurement(someone(), '1');
  const good = aMeasurement(customer, '3');
  const outcomes = await world.report([
    unknown,
    aMeasurement(customer, '1', { featureId: 'nowhere' }),
    aMeasurement(customer, '1', { featureId: 'calls' }),
    aMeasurement(customer, '1', { featureId: 'sso' }),
    good,
    { ...good, value: amount('4') },
  ]);
  const codes = outcomes.map((outcome) => ('error' in outcome ? outcome.error.code : outcome.currentUsage));
  expect(codes).toEqual([
    'CUSTOMER_NOT_FOUND',
    'FEATURE_NOT_FOUND',
    'VALIDATION_ERROR',
    'VALIDATION_ERROR',
    '3',
    'DUPLICATE_ENTITY',
  ]);
  // Sent again once the customer is there, it counts (contract, 5.1c).
  world.customers.add(unknown.customerId);
  expect(await world.report([unknown])).toMatchObject([{ currentUsage: '1', duplicate: false }]);
  expect(await world.settled()).toMatchObject({ stored: 2, refused: 4, conflict: 1 });
});

test('events of unknown customers are stored; those without a usable field show under their cause', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const filters = [
    { conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call', values: null }] },
  ] as const;
  world.features.push(
    aFeature('traffic', { meter: { aggregation: { function: 'SUM', field: 'bytes' }, filters } }),
    aFeature('anything', { meter: { aggregation: { function: 'UNIQUE', field: 'path' }, filters: [] } }),
  );
  await world.startedWorker();
  await world.send([
    anEvent(customer, '1', { dimensions: [['bytes', '12.5']] }),
    anEvent(customer, '2', { dimensions: [['bytes', 'many']] }),
    anEvent(customer, '3', { dimensions: [['path', '/']] }),
    anEvent(customer, '3', { dimensions: [['path', '/']] }),
    anEvent(customer, '4', { eventName: 'other' }),
  ]);
  expect(await world.settled()).toMatchObject({ stored: 4, duplicate: 1 });
  expect(await world.queue.desk.notCounted()).toEqual({
    'traffic:not_a_number': 1,
    'traffic:missing_field': 1,
    'anything:missing_field': 2,
  });
});

test('a batch that cannot be read is set aside whole; its neighbours go on, and it can be replayed', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const worker = await world.startedWorker();
  await world.send([anEvent(customer, 'a')]);
  const corrupt = await world.enqueue({ kind: 'events', count: 3, payload: Buffer.from('no block at all') });
  await world.send([anEvent(customer, 'b')]);
  const usage = world.enqueue({ kind: 'usage', count: 1, payload: Buffer.from('{}') });
  expect((await usage).count).toBe(1);
  expect(await world.settled()).toMatchObject({ stored: 2, deadLettered: 4 });
  const letter = await world.queue.desk.deadLetter(corrupt.id);
  expect(letter?.payload.toString()).toBe('no block at all');
  expect((await world.queue.desk.deadLetters(10)).map(({ reason }) => reason)).toContainEqual(
    expect.stringContaining('not an event block'),
  );
  // Still unreadable: it comes back to where it was, and nothing else moves.
  expect(await world.queue.desk.replay(corrupt.id)).toBe(true);
  expect(await world.settled()).toMatchObject({ stored: 2, deadLettered: 4 });
  await worker.stop();
});

test('content that ClickHouse refuses is set aside alone; its claims go with it, so a replay counts', async () => {
  const world = await WorkerWorld.open(database);
  const [customer, poison] = [someone(), randomUUID()];
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  let isRefused = true;
  const holdsPoison = (chunks: readonly Buffer[]) => isRefused && Buffer.concat(chunks).includes(poison);
  const store: FlushStore = {
    ...world.store,
    insertEvents: async (flushId, token, chunks) => {
      if (holdsPoison(chunks)) throw new StoreRefusedDataError('refused');
      await world.store.insertEvents(flushId, token, chunks);
    },
    repeatEvents: async (flushId, token, chunks, rows) => {
      if (holdsPoison(chunks)) throw new StoreRefusedDataError('refused');
      await world.store.repeatEvents(flushId, token, chunks, rows);
    },
    takesEvents: async (chunks) => !holdsPoison(chunks),
  };
  const worker = world.worker({ store });
  // Queued before the worker starts, so that they share one flush.
  const bad = await world.send([
    anEvent(customer, 'shared'),
    anEvent(customer, 'bad', { dimensions: [[poison, '']] }),
  ]);
  await world.send([anEvent(customer, 'good')]);
  const reported = world.report([aMeasurement(customer, '1')]);
  await worker.start();
  expect(await reported).toMatchObject([{ currentUsage: '1' }]);
  expect(await world.settled()).toMatchObject({ stored: 2, deadLettered: 2 });
  expect((await world.queue.desk.deadLetters(10)).map(({ batchId }) => batchId)).toEqual([bad.id]);
  // Nothing of the dead letter was claimed.
  await world.send([anEvent(customer, 'shared')]);
  expect(await world.settled()).toMatchObject({ stored: 3, duplicate: 0, deadLettered: 2 });
  isRefused = false;
  await world.queue.desk.replay(bad.id);
  expect(await world.settled()).toMatchObject({ stored: 4, duplicate: 1, deadLettered: 0 });
});

test('a ClickHouse that is away is waited for, and nothing is lost or doubled', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  let failures = 3;
  // Stored, but the answer is lost.
  const losesAnswers = async (storing: Promise<void>): Promise<void> => {
    await storing;
    failures -= 1;
    if (failures >= 0) throw new Error('the answer is lost');
  };
  const store: FlushStore = {
    ...world.store,
    insertEvents: (...insert) => losesAnswers(world.store.insertEvents(...insert)),
    repeatEvents: (...insert) => losesAnswers(world.store.repeatEvents(...insert)),
  };
  await world.startedWorker({ store });
  await world.send([anEvent(customer, 'a'), anEvent(customer, 'b')]);
  expect(await world.settled()).toMatchObject({ stored: 2 });
  expect(failures).toBe(-1);
  expect(await world.storedKeys(customer)).toHaveLength(2);
});

test('a flush that is redone stores what a crash of ClickHouse lost between noting its token and showing it', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  world.customers.add(customer);
  world.features.push(aFeature('seats'));
  const first = await world.startedWorker({
    checkpoint: (name) => {
      if (name === 'afterMeasurements') throw new Error('the worker ends');
    },
  });
  const months = [0, 40, 80].map((days) =>
    anEvent(customer, `${days}`, { timestamp: Date.now() - days * dayMs }),
  );
  await world.send(months);
  const reported = world.report([aMeasurement(customer, '3'), aMeasurement(customer, '4')]);
  expect(await first.ended()).toMatchObject({ reason: 'failed' });
  // A deletion leaves the tokens where they are.
  for (const table of ['events', 'measurements'] as const) await world.forget(table, customer);
  await world.startedWorker();
  expect(await reported).toMatchObject([{ currentUsage: '3' }, { currentUsage: '7' }]);
  expect(await world.settled()).toMatchObject({ stored: 5, duplicate: 0 });
  expect(await world.storedKeys(customer)).toHaveLength(3);
  expect(await world.storedKeys(customer, 'measurements')).toHaveLength(2);
});

test('starting and stopping twice is safe, also stopping before the shard was ever owned', async () => {
  const world = await WorkerWorld.open(database);
  const owner = await world.startedWorker();
  await owner.start();
  const standby = world.worker();
  const waiting = standby.start();
  await Promise.all([standby.stop(), standby.stop()]);
  await waiting;
  expect(await standby.ended()).toEqual({ reason: 'stopped' });
  await world.send([anEvent(someone(), 'a')]);
  await world.settled();
  await Promise.all([owner.stop(), owner.stop()]);
  expect(await owner.ended()).toEqual({ reason: 'stopped' });
});

test('a batch that was withdrawn before its flush began takes its claims along', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const withdrawn = await world.send([anEvent(customer, 'a'), anEvent(customer, 'b')]);
  await world.send([anEvent(customer, 'b'), anEvent(customer, 'c')]);
  const ledger = world.queue.ledger({ sweepMs: 100 });
  const begin = ledger.begin.bind(ledger);
  let isGone = true;
  ledger.begin = async (manifest) => {
    if (isGone && manifest.batchIds.includes(withdrawn.id)) {
      isGone = false;
      throw new BatchesGoneError([withdrawn.id]);
    }
    await begin(manifest);
  };
  await world.startedWorker({ ledger });
  // Only said to be gone, it comes again with the sweep; either way each of a, b and c counts once.
  expect(await world.settled()).toMatchObject({ accepted: 4, stored: 3, duplicate: 1 });
  expect(isGone).toBe(false);
});

test('a worker that has to stop flushes what it has in hand', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const ledger = world.queue.ledger();
  const consume = ledger.consume.bind(ledger);
  let deliveries = 0;
  ledger.consume = (handler) =>
    consume((delivery) => {
      deliveries += 1;
      return handler(delivery);
    });
  const worker = await world.startedWorker({ ledger, limits: { lingerMs: 3_600_000 } });
  await world.send([anEvent(customer, 'a')]);
  await eventually('the delivery', () => deliveries === 1);
  await worker.stop();
  expect(await world.queue.desk.books()).toMatchObject({ stored: 1, inFlight: 0 });
});

test('draining ends in time although ClickHouse is away; the next worker finishes the flush', async () => {
  const world = await WorkerWorld.open(database);
  const customer = someone();
  const store: FlushStore = { ...world.store, insertEvents: () => Promise.reject(new Error('away')) };
  const worker = await world.startedWorker({ store, drainMsMax: 100 });
  await world.send([anEvent(customer, 'a')]);
  await eventually('a begun flush', async () => (await world.queue.ledger().lastFlushId()) > 0);
  await worker.stop();
  expect(await worker.ended()).toEqual({ reason: 'stopped' });
  await world.startedWorker();
  expect(await world.settled()).toMatchObject({ stored: 1 });
  expect(await world.storedKeys(customer)).toHaveLength(1);
});
