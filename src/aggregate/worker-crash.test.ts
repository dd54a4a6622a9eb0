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

class Accident {
  readonly happened: Promise<void>;
  readonly checkpoint: Checkpoint;
  readonly #signals = new EventTarget();

  constructor(point: CheckpointName, kind: 'ends' | 'stands still') {
    this.happened = this.#signal('happened');
    const woken = this.#signal('woken');
    this.checkpoint = async (name) => {
      if (name !== point) return;
      this.#signals.dispatchEvent(new Event('happened'));
      if (kind === 'ends') throw new Error('an accident');
      await woken;
    };
  }

  /** Lets a worker that stands still go on. */
  wake(): void {
    this.#signals.dispatchEvent(new Event('woken'));
  }

  #signal(name: string): Promise<void> {
    return new Promise((resolve) => this.#signals.addEventListener(name, () => resolve()));
  }
}

describe.each([
  ['ends', 'failed'],
  ['stands still', 'fenced'],
] as const)('a worker that %s', (kind, reason) => {
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

    const accident = new Accident(point, kind);
    const victim = world.worker({
      checkpoint: accident.checkpoint,
      // One that stands still learns only afterwards that its lease has run out.
      ledgerOptions: { leaseMs: 400, renewMs: kind === 'ends' ? 100 : 2_000 },
    });
    onTestFinished(() => accident.wake());
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
    if (kind === 'ends') await victim.ended();

    const successor = await world.startedWorker();
    const books = await world.settled();
    accident.wake();
    expect(await victim.ended()).toMatchObject({ reason });
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
