/** Corrections on their whole way: recorded, applied by a real worker between its flushes, heeded by everything. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { aFeature, aMeasurement, anEvent, WorkerWorld } from '../aggregate/worker.fixture.ts';
import type { AggregateWorker } from '../aggregate/worker.ts';
import { systemClock } from '../clock.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import { ClickhouseUsageTallies } from '../usage/clickhouse-usage-tallies.ts';
import { LiveCounters } from '../usage/live-counters.ts';
import { RedisCounterStore } from '../usage/redis-counter-store.ts';
import { ClickhouseCorrectionStore } from './clickhouse-correction-store.ts';
import type { Amendment, CorrectionOutcome, CorrectionRequest, ItemName } from './correction.ts';
import { applyCorrections, CorrectionApplier } from './correction-applier.ts';
import { RecordCorrections } from './record-corrections.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const seats = aFeature('seats');
const calls = aFeature('calls', {
  meter: {
    aggregation: { function: 'SUM', field: 'size' },
    filters: [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call', values: null }] }],
  },
});
const mistake: CorrectionRequest = { kind: 'VOID', reason: 'sent by mistake' };
const audit = { actor: 'key-1', traceId: 'trace', operation: 'test', at: 0 };

interface World {
  readonly worker: AggregateWorker;
  readonly world: WorkerWorld;
  readonly records: RecordStore;
  readonly outbox: RedisOutbox;
  readonly store: ClickhouseCorrectionStore;
  readonly customerId: string;
  readonly correct: (name: Partial<ItemName>, request?: CorrectionRequest) => Promise<CorrectionOutcome>;
  /** Reports usage and answers the acknowledgement's `currentUsage`. */
  readonly report: (value: string, idempotencyKey?: string) => Promise<string>;
  /** The figure of the reader; the counter's must be the same. */
  readonly usage: (feature: typeof seats) => Promise<string>;
  /** Starts applying; not done by itself. */
  readonly apply: () => void;
}

async function openWorld(ackTimeoutMs = 10_000): Promise<World> {
  const world = await WorkerWorld.open(database);
  world.features.push(seats, calls);
  const customerId = `customer-${randomUUID()}`;
  world.customers.add(customerId);
  const worker = await world.startedWorker();
  const redis = openRedis(inject('redisUrl'), 'edge');
  onTestFinished(() => closeRedis(redis));
  await redisReady(redis, 5_000);
  const namespace = `{corrections-${randomUUID()}}`;
  const records = new RedisRecordStore(redis, namespace);
  const store = new ClickhouseCorrectionStore(database.client);
  const corrections = new RecordCorrections({ records, store, clock: systemClock, ackTimeoutMs });
  const reader = new ClickhouseUsageReader(database.client, { feature: () => Promise.resolve(undefined) });
  const live = new LiveCounters({
    store: new RedisCounterStore(redis, world.queue.keys),
    tallies: new ClickhouseUsageTallies(database.client),
    clock: systemClock,
  });
  return {
    worker,
    world,
    records,
    store,
    customerId,
    outbox: new RedisOutbox(redis, namespace),
    correct: (name, request = mistake) => corrections.correct(nameOf(name), request, audit),
    report: async (value, idempotencyKey = randomUUID()) => {
      const [outcome] = await world.report([aMeasurement(customerId, value, { idempotencyKey })]);
      if (outcome === undefined || 'error' in outcome) throw new Error('the measurement was refused');
      return outcome.currentUsage;
    },
    usage: async (feature) => {
      const figure = quantityToText(await reader.currentUsage({ customerId, feature, resourceId: '' }));
      const [counter] = await live.current([{ customerId, feature, resourceId: null, period: null }]);
      expect(counter === undefined ? 'none' : quantityToText(counter.usage)).toBe(figure);
      return figure;
    },
    apply: () => {
      const logger = pino({ level: 'silent' });
      const applier = new CorrectionApplier({ records, store, owner: worker, clock: systemClock, logger });
      applier.start();
      onTestFinished(() => applier.stop());
    },
  };
}

function nameOf(name: Partial<ItemName>): ItemName {
  const none = { id: null, customerId: null, eventName: null, featureId: null };
  return { ...none, idempotencyKey: null, timestamp: null, ...name };
}

function correctionsOf(outcome: CorrectionOutcome) {
  if ('problem' in outcome) throw new Error(outcome.problem.message);
  return outcome.corrections;
}

function problemOf(outcome: CorrectionOutcome) {
  if (!('problem' in outcome)) throw new Error('it was corrected');
  return outcome.problem;
}

describe('a correction of calculated usage', () => {
  it('is in the next acknowledgement, in the counters and in every figure', async () => {
    const { apply, correct, report, usage, customerId } = await openWorld();
    apply();
    await report('5', 'first');
    expect(await report('7', 'second')).toBe('12');
    expect(await usage(seats)).toBe('12');
    const name = { customerId, featureId: 'seats', idempotencyKey: 'first' };
    await correct(name);
    expect(await usage(seats)).toBe('7');
    expect(await report('1')).toBe('8');
    expect(await usage(seats)).toBe('8');
    const value = '0.5';
    const amendment = { value, timestamp: null, dimensions: { team: 'a' } };
    const corrections = correctionsOf(await correct(name, { kind: 'AMEND', reason: 'typo', amendment }));
    expect(corrections).toMatchObject([
      { kind: 'VOID', reason: 'sent by mistake', actor: 'key-1', after: null },
      { kind: 'AMEND', reason: 'typo', after: { value, dimensions: { team: 'a' } } },
    ]);
    expect(await usage(seats)).toBe('8.5');
    expect(await report('1')).toBe('9.5');
    // What was corrected is a duplicate for ever, and is answered as it was the first time.
    expect(await report('5', 'first')).toBe('5');
    expect(await usage(seats)).toBe('9.5');
  });

  it('keeps its place in the order of the fold, also where a SET moves in time', async () => {
    const { apply, correct, world, usage, customerId, report } = await openWorld();
    apply();
    const now = Date.now();
    const at = (before: number, key: string, updateBehavior: 'SET' | 'DELTA', value: string) =>
      aMeasurement(customerId, value, { timestamp: now - before, idempotencyKey: key, updateBehavior });
    const facts = [at(40, 'a', 'DELTA', '1'), at(30, 'b', 'SET', '10'), at(20, 'c', 'DELTA', '2')];
    await world.report(facts);
    expect(await usage(seats)).toBe('12');
    const named = (idempotencyKey: string) => ({ customerId, featureId: 'seats', idempotencyKey });
    const moved = { value: null, dimensions: null, timestamp: now - 10 };
    await correct(named('b'), { kind: 'AMEND', reason: 'later', amendment: moved });
    expect(await usage(seats)).toBe('10');
    await correct(named('b'));
    expect(await usage(seats)).toBe('3');
    expect(await report('1')).toBe('4');
  });
});

describe('a correction of an event', () => {
  it('leaves its identity claimed', async () => {
    const { apply, correct, world, usage, customerId } = await openWorld();
    apply();
    const sent = [anEvent(customerId, 'k1', { dimensions: [['size', '5']] })];
    await world.send([...sent, anEvent(customerId, 'k2', { dimensions: [['size', '3']] })]);
    await world.settled();
    expect(await usage(calls)).toBe('8');
    const name = { customerId, eventName: 'call', idempotencyKey: 'k1' };
    const [correction] = correctionsOf(await correct(name));
    expect(correction).toMatchObject({ kind: 'VOID', after: null });
    expect(await usage(calls)).toBe('3');
    await world.send(sent);
    await world.settled();
    expect(await usage(calls)).toBe('3');
    const amendment = { value: null, timestamp: null, dimensions: { size: '0.5' } };
    await correct(name, { kind: 'AMEND', reason: 'wrong size', amendment });
    expect(await usage(calls)).toBe('3.5');
  });

  it('needs an entry that is named without doubt, and fits what it is', async () => {
    const { apply, correct, world, customerId } = await openWorld();
    apply();
    const resources = ['', 'r1', 'r2'].map((resourceId) => anEvent(customerId, 'same', { resourceId }));
    await world.send(resources);
    await world.settled();
    const name = { customerId, eventName: 'call', idempotencyKey: 'same' };
    const ambiguous = problemOf(await correct(name));
    expect(ambiguous.code).toBe('VALIDATION_ERROR');
    const ids = ambiguous.message.match(/[0-9a-f]{32}-\d+/g) ?? [];
    expect(new Set(ids).size).toBe(3);
    expect(correctionsOf(await correct({ id: ids[1] ?? '' }))).toHaveLength(1);
    const unknown = problemOf(await correct({ ...name, idempotencyKey: 'other' }));
    expect(unknown).toMatchObject({ code: 'VALIDATION_ERROR' });
    expect(unknown.message).toContain('idempotencyKey "other"');
    for (const id of [randomUUID(), 'nothing', `${ids[0]}-1-00000000`]) {
      expect(problemOf(await correct({ id })).message).toContain(id);
    }
    const amendment = { value: '1', timestamp: null, dimensions: null };
    const refused = problemOf(await correct({ id: ids[0] ?? '' }, { ...mistake, kind: 'AMEND', amendment }));
    expect(refused.message).toContain('has no value');
  });
});

describe('a correction that takes its time', () => {
  it('is made once, however often it is asked for', async () => {
    const { apply, correct, report, usage, customerId } = await openWorld(60);
    await report('5', 'first');
    const name = { customerId, featureId: 'seats', idempotencyKey: 'first' };
    expect(problemOf(await correct(name)).code).toBe('ACK_PENDING');
    expect(problemOf(await correct(name)).code).toBe('ACK_PENDING');
    expect(await usage(seats)).toBe('5');
    apply();
    await expect.poll(() => usage(seats), { timeout: 10_000 }).toBe('0');
    expect(correctionsOf(await correct(name))).toHaveLength(1);
  });

  it('is made by many at once in an order that all agree on', async () => {
    const { apply, correct, report, usage, customerId, store } = await openWorld();
    apply();
    await report('5', 'first');
    const name = { customerId, featureId: 'seats', idempotencyKey: 'first' };
    const values = ['1', '2', '3', '4', '5', '6'];
    const outcomes = await Promise.all(
      values.map((value) =>
        correct(name, {
          kind: 'AMEND',
          reason: value,
          amendment: { value, timestamp: null, dimensions: null },
        }),
      ),
    );
    const [first] = outcomes;
    if (first === undefined || 'problem' in first) throw new Error('nothing was corrected');
    const history = (await store.of([first.item])).get(first.item.id) ?? [];
    expect(history.map(({ reason }) => reason).toSorted()).toEqual(values);
    expect(new Set(history.map(({ at }) => at)).size).toBe(values.length);
    expect(await usage(seats)).toBe(history.at(-1)?.after?.value);
  });

  it('goes on from one that the worker applies while it is decided', async () => {
    const { correct, report, usage, customerId, records, store, worker } = await openWorld(0);
    await report('5', 'first');
    const name = { customerId, featureId: 'seats', idempotencyKey: 'first' };
    const amend = (amendment: Partial<Amendment>): CorrectionRequest => {
      const nothing = { value: null, timestamp: null, dimensions: null };
      return { kind: 'AMEND', reason: 'a slip', amendment: { ...nothing, ...amendment } };
    };
    expect(problemOf(await correct(name, amend({ value: '7' }))).code).toBe('ACK_PENDING');
    const parts = { records, owner: worker, clock: systemClock };
    const slow = {
      find: store.find.bind(store),
      insert: store.insert.bind(store),
      of: async (...items: Parameters<typeof store.of>) => {
        const applied = await store.of(...items);
        await applyCorrections({ ...parts, store });
        return applied;
      },
    };
    const corrections = new RecordCorrections({ records, store: slow, clock: systemClock, ackTimeoutMs: 0 });
    await corrections.correct(nameOf(name), amend({ timestamp: Date.now() - 60_000 }), audit);
    while (await applyCorrections({ ...parts, store }));
    expect(await usage(seats)).toBe('7');
  });

  it('goes on from one that was made and applied while it asked what had been applied', async () => {
    const { correct, report, usage, customerId, records, store, worker } = await openWorld(0);
    await report('5', 'first');
    const name = { customerId, featureId: 'seats', idempotencyKey: 'first' };
    const amend = (amendment: Partial<Amendment>): CorrectionRequest => {
      const nothing = { value: null, timestamp: null, dimensions: null };
      return { kind: 'AMEND', reason: 'a slip', amendment: { ...nothing, ...amendment } };
    };
    const parts = { records, owner: worker, clock: systemClock };
    const others = ['6', '7'];
    const slow = {
      find: store.find.bind(store),
      insert: store.insert.bind(store),
      of: async (...items: Parameters<typeof store.of>) => {
        const applied = await store.of(...items);
        const value = others.shift();
        if (value !== undefined) {
          expect(problemOf(await correct(name, amend({ value }))).code).toBe('ACK_PENDING');
          while (await applyCorrections({ ...parts, store }));
        }
        return applied;
      },
    };
    const corrections = new RecordCorrections({ records, store: slow, clock: systemClock, ackTimeoutMs: 0 });
    const timestamp = Date.now() - 60_000;
    await corrections.correct(nameOf(name), amend({ timestamp }), audit);
    while (await applyCorrections({ ...parts, store }));
    expect(await usage(seats)).toBe('7');
    const history = correctionsOf(await correct(name, amend({ timestamp })));
    expect(history.map(({ after }) => after?.value)).toEqual(['6', '7', '7']);
    expect(history.at(-1)?.after?.timestamp).toBe(timestamp);
  });
});

describe('after a crash', () => {
  const pending = async (world: World): Promise<void> => {
    await world.report('5', 'first');
    await world.usage(seats);
    const name = { customerId: world.customerId, featureId: 'seats', idempotencyKey: 'first' };
    expect(problemOf(await world.correct(name)).code).toBe('ACK_PENDING');
  };

  it('between storing the correction and forgetting its record nothing is corrected twice', async () => {
    const world = await openWorld(0);
    await pending(world);
    const { records, store, worker, usage, outbox } = world;
    const died: RecordStore['commit'] = () => Promise.reject(new Error('died'));
    const dying = new Proxy(records, {
      get: (target, name: keyof RecordStore) => (name === 'commit' ? died : target[name].bind(target)),
    });
    const parts = { store, owner: worker, clock: systemClock };
    await expect(applyCorrections({ ...parts, records: dying })).rejects.toThrow('died');
    expect(await usage(seats)).toBe('0');
    expect(await applyCorrections({ ...parts, records })).toBe(true);
    expect(await applyCorrections({ ...parts, records })).toBe(false);
    expect(await usage(seats)).toBe('0');
    expect(await world.report('2')).toBe('2');
    const operations = ((await outbox.take())?.entries ?? []).map((entry) => entry.audit.operation);
    expect(operations).toEqual(['test', 'applyCorrection']);
  });

  it('of an insert whose answer was lost, what was remembered is forgotten all the same', async () => {
    const world = await openWorld(0);
    await pending(world);
    const { records, store, worker, usage } = world;
    const lost = {
      find: store.find.bind(store),
      of: store.of.bind(store),
      insert: async (...corrected: Parameters<typeof store.insert>) => {
        await store.insert(...corrected);
        throw new Error('lost');
      },
    };
    const parts = { records, owner: worker, clock: systemClock };
    await expect(applyCorrections({ ...parts, store: lost })).rejects.toThrow('lost');
    expect(await usage(seats)).toBe('0');
    expect(await world.report('2')).toBe('2');
    expect(await applyCorrections({ ...parts, store })).toBe(true);
    expect(await usage(seats)).toBe('2');
  });

  it('of a flush nothing is changed before the next owner has finished it', async () => {
    const { world, worker, customerId } = await openWorld(0);
    await worker.stop();
    const changes: Promise<void>[] = [];
    let ran = false;
    const dying: AggregateWorker = await world.startedWorker({
      checkpoint: (name) => {
        if (name !== 'afterMeasurements') return;
        const change = (): Promise<void> => {
          ran = true;
          return Promise.resolve();
        };
        changes.push(dying.betweenFlushes([customerId], change));
        throw new Error('an accident');
      },
    });
    const told = world.report([aMeasurement(customerId, '5')]);
    expect(await dying.ended()).toMatchObject({ reason: 'failed' });
    await expect(Promise.all(changes)).rejects.toThrow('does not own');
    expect(changes).toHaveLength(1);
    expect(ran).toBe(false);
    await world.startedWorker();
    expect(await told).toMatchObject([{ currentUsage: '5' }]);
  });

  it('a worker that is gone applies nothing; the next one does', async () => {
    const world = await openWorld(0);
    await pending(world);
    const { records, store, worker, usage } = world;
    await worker.stop();
    const parts = { records, store, clock: systemClock };
    await expect(applyCorrections({ ...parts, owner: worker })).rejects.toThrow('does not own');
    expect(await usage(seats)).toBe('5');
    const next = await world.world.startedWorker();
    expect(await applyCorrections({ ...parts, owner: next })).toBe(true);
    expect(await usage(seats)).toBe('0');
  });
});
