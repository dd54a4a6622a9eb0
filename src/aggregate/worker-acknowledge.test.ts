/**
 * Usage is acknowledged before it is stored: what everybody reads meanwhile, and what becomes of it when the worker dies
 * with several flushes told of and none of them stored.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { eventually } from '../queue/redis-queue.fixture.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { LiveReader } from '../usage/live-counters.fixture.ts';
import { type CheckpointName, usageCheckpoints } from './checkpoint.ts';
import { type FlushStore, StoreRefusedDataError } from './flush-store.ts';
import { aFeature, aGrant, aMeasurement, anEvent, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const seats = aFeature('seats');

async function openWorld() {
  const world = await WorkerWorld.open(database);
  const customer = `customer-${randomUUID()}`;
  world.customers.add(customer);
  world.features.push(seats);
  const live = await LiveReader.open(world, database);
  const ask = { customerId: customer, feature: seats, resourceId: null, period: null };
  return {
    world,
    customer,
    live,
    measured: (value: string, more: Partial<MeasurementFact> = {}) => aMeasurement(customer, value, more),
    usage: async () => (await live.usage([ask]))[0],
    stored: () => world.storedKeys(customer, 'measurements'),
  };
}

/** A store that takes no measurements until it is told to. */
class ShutStore {
  readonly store: FlushStore;
  inserts = 0;
  readonly #signals = new EventTarget();
  readonly #opened: Promise<void>;

  constructor(store: FlushStore) {
    this.#opened = new Promise((resolve) => this.#signals.addEventListener('open', () => resolve()));
    this.store = {
      ...store,
      insertMeasurements: async (...insert) => {
        this.inserts += 1;
        await this.#opened;
        await store.insertMeasurements(...insert);
      },
    };
    onTestFinished(() => this.open());
  }

  open(): void {
    this.#signals.dispatchEvent(new Event('open'));
  }
}

const told = (outcomes: readonly MeasurementOutcome[]) =>
  outcomes.map((outcome) => ('error' in outcome ? outcome.error.code : outcome.currentUsage));

test('nobody waits for the store: usage runs on over flushes that are not stored, in checks too', async () => {
  const { world, measured, usage, stored } = await openWorld();
  const shut = new ShutStore(world.store);
  world.granted = () => aGrant('10');
  // The counter is there, and the fold in memory.
  await world.startedWorker({ store: shut.store });
  expect(await usage()).toBe('0');
  const reject = { rejectIfExceeded: true };
  for (const [value, expected] of [
    ['4', '4'],
    ['5', '9'],
    ['2', 'ENTITLEMENT_LIMIT_EXCEEDED'],
    ['1', '10'],
  ] as const) {
    expect(told(await world.report([measured(value, reject)]))).toEqual([expected]);
  }
  expect(await usage()).toBe('10');
  expect(shut.inserts).toBe(1);
  shut.open();
  expect(await stored()).toHaveLength(3);
  expect(await world.settled()).toMatchObject({ stored: 3, refused: 1 });
  // All that came while the first was being stored went together.
  expect(shut.inserts).toBe(2);
});

test('whoever asks the store waits for what was acknowledged, and for nothing else', async () => {
  const { world, measured, usage, stored } = await openWorld();
  const shut = new ShutStore(world.store);
  await world.startedWorker({ store: shut.store });
  expect(told(await world.report([measured('3')]))).toEqual(['3']);
  const answers: string[] = [];
  // Without a counter the figure comes from the store.
  const asked = [
    usage().then((figure) => answers.push(String(figure))),
    stored().then((keys) => answers.push(`${keys.length}`)),
  ];
  await eventually('the insert', () => shut.inserts === 1);
  expect(answers).toEqual([]);
  shut.open();
  await Promise.all(asked);
  expect(answers.toSorted()).toEqual(['1', '3']);
});

test('a repeat is answered as the first time although that is not stored; a back-dated SET waits for it', async () => {
  const { world, measured } = await openWorld();
  const shut = new ShutStore(world.store);
  await world.startedWorker({ store: shut.store });
  const now = Date.now();
  const one = measured('1', { timestamp: now });
  const [first] = await world.report([one]);
  expect(first).toMatchObject({ currentUsage: '1', duplicate: false });
  expect(await world.report([measured('2', { timestamp: now + 2 }), one])).toMatchObject([
    { currentUsage: '3' },
    { ...first, duplicate: true },
  ]);
  expect(await world.report([{ ...one, value: measured('7').value }])).toMatchObject([
    { error: { code: 'DUPLICATE_ENTITY' } },
  ]);
  const late = world.report([measured('10', { timestamp: now + 1, updateBehavior: 'SET' })]);
  const settled: unknown[] = [];
  void late.then((outcomes) => settled.push(outcomes));
  // One that would be decided before it, had it been decided.
  await world.send([anEvent(one.customerId, 'event')]);
  expect(settled).toEqual([]);
  shut.open();
  expect(told(await late)).toEqual(['12']);
  expect(await world.settled()).toMatchObject({ stored: 4, duplicate: 1, refused: 0, conflict: 1 });
});

test('content that the store says it can never take is tried for ever once it was acknowledged', async () => {
  const { world, measured, stored } = await openWorld();
  let refusals = 5;
  const refuse = async (insert: () => Promise<void>): Promise<void> => {
    refusals -= 1;
    if (refusals >= 0) throw new StoreRefusedDataError('no');
    await insert();
  };
  await world.startedWorker({
    store: {
      ...world.store,
      insertMeasurements: (...insert) => refuse(() => world.store.insertMeasurements(...insert)),
      repeatMeasurements: (...insert) => refuse(() => world.store.repeatMeasurements(...insert)),
    },
  });
  expect(told(await world.report([measured('3')]))).toEqual(['3']);
  expect(await stored()).toHaveLength(1);
  expect(await world.settled()).toMatchObject({ stored: 1, deadLettered: 0 });
});

/** Three flushes that are told of while the first is stored; the worker then dies with what is left of them. */
test.each<readonly [CheckpointName, number]>([
  ...usageCheckpoints.map((point) => [point, 1] as const),
  ...usageCheckpoints.map((point) => [point, 2] as const),
  ['afterDecide', 3],
  ['afterAcknowledge', 3],
])(
  'a worker that ends %s, the time number %i, leaves nothing that is not stored once',
  async (point, visit) => {
    const { world, measured, usage, stored } = await openWorld();
    expect(await usage()).toBe('0');
    const shut = new ShutStore(world.store);
    let visits = 0;
    const victim = await world.startedWorker({
      store: shut.store,
      ledgerOptions: { leaseMs: 400, renewMs: 100 },
      checkpoint: (name) => {
        if (name !== point) return;
        visits += 1;
        if (visits === visit) throw new Error('an accident');
      },
    });
    const reports: Promise<readonly MeasurementOutcome[]>[] = [];
    let toldBefore = 0;
    // Each is decided before the next one comes, as long as there is a worker.
    for (const value of ['1', '0.5', '0.25']) {
      const answer = world.report([measured(value, { idempotencyKey: '' }), measured('0')], 20_000);
      reports.push(answer);
      const isTold = answer.then(() => true);
      if (await Promise.race([isTold, victim.ended().then(() => false)])) toldBefore += 1;
    }
    shut.open();
    expect(await victim.ended()).toMatchObject({ reason: 'failed' });
    await world.startedWorker();
    const outcomes = (await Promise.all(reports)).map((answer) => told(answer));
    // The successor goes on from what was told; the rest comes in any order.
    expect(outcomes.slice(0, toldBefore)).toEqual(
      [
        ['1', '1'],
        ['1.5', '1.5'],
        ['1.75', '1.75'],
      ].slice(0, toldBefore),
    );
    expect(outcomes).toContainEqual(['1.75', '1.75']);
    expect(await world.settled()).toMatchObject({ accepted: 6, stored: 6 });
    expect(await stored()).toHaveLength(6);
    expect(await usage()).toBe('1.75');
    // The folds go on from there.
    expect(told(await world.report([measured('1')]))).toEqual(['2.75']);
  },
);
