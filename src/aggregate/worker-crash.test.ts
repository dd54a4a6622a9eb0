/**
 * A worker that ends or stands still at any named point of a flush, and its successor. Every case must come to the
 * same state as without the accident.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { type Checkpoint, type CheckpointName, checkpoints } from './checkpoint.ts';
import { aFeature, aMeasurement, anEvent, WorkerWorld } from './worker.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

interface Accident {
  readonly checkpoint: Checkpoint;
  readonly happened: Promise<void>;
  /** Lets a worker that stands still go on. */
  readonly wake: () => void;
}

function accidentAt(point: CheckpointName, kind: 'ends' | 'stands still'): Accident {
  let happen: () => void = () => {};
  let wake: () => void = () => {};
  const happened = new Promise<void>((resolve) => {
    happen = resolve;
  });
  const woken = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const checkpoint: Checkpoint = async (name) => {
    if (name !== point) return;
    happen();
    if (kind === 'ends') throw new Error('an accident');
    await woken;
  };
  return { checkpoint, happened, wake: () => wake() };
}

describe.each(['ends', 'stands still'] as const)('a worker that %s', (kind) => {
  test.each(checkpoints)('%s', async (point) => {
    const world = await WorkerWorld.open(database);
    const customer = `customer-${randomUUID()}`;
    world.customers.add(customer);
    world.features.push(aFeature('seats'));
    const history = await world.startedWorker();
    const known = anEvent(customer, 'known');
    const reported = aMeasurement(customer, '5', { updateBehavior: 'SET' });
    await world.send([known]);
    await world.report([reported]);
    await world.settled();
    await history.stop();

    const accident = accidentAt(point, kind);
    const victim = world.worker({
      checkpoint: accident.checkpoint,
      // One that stands still learns only afterwards that its lease has run out.
      ledgerOptions: { leaseMs: 400, renewMs: kind === 'ends' ? 100 : 2_000 },
    });
    onTestFinished(accident.wake);
    const facts = Array.from({ length: 20 }, (_, index) =>
      anEvent(customer, `k${index}`, { timestamp: Date.now() - index * 86_400_000 }),
    );
    // Queued before it starts, so that all share one flush, with a duplicate and a conflict in it.
    await world.send([...facts.slice(0, 12), known, { ...known, timestamp: known.timestamp - 1 }]);
    await world.send([...facts.slice(10), ...facts.slice(10, 12)]);
    const more = aMeasurement(customer, '0.5');
    const answered = world.report([reported, more, more], 8_000);
    await victim.start();
    await accident.happened;
    if (kind === 'ends') expect(await victim.ended()).toMatchObject({ reason: 'failed' });

    const successor = await world.startedWorker();
    const books = await world.settled();
    accident.wake();
    if (kind === 'stands still') expect(await victim.ended()).toMatchObject({ reason: 'fenced' });
    expect(books).toMatchObject({ stored: 23, duplicate: 7, conflict: 1, refused: 0, deadLettered: 0 });
    const expected = [known, ...facts].map((fact) => `${fact.idempotencyKey}@${fact.timestamp}`).toSorted();
    expect(await world.storedKeys(customer)).toEqual(expected);
    expect(await world.storedKeys(customer, 'event_conflicts')).toHaveLength(1);
    expect(await world.storedKeys(customer, 'measurements')).toHaveLength(2);
    // Whoever told the reporter, it was told the same, and it stays so.
    const outcomes = await answered;
    expect(outcomes).toMatchObject([
      { currentUsage: '5', duplicate: true },
      { currentUsage: '5.5', duplicate: false },
      { currentUsage: '5.5', duplicate: true },
    ]);
    const repeated = await world.report([more]);
    expect(repeated).toEqual([{ ...outcomes[1], duplicate: true }]);
    await world.send(facts);
    expect(await world.settled()).toMatchObject({ stored: 23, duplicate: 28 });
    await successor.stop();
  });
});
