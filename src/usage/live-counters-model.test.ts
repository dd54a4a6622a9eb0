/**
 * Random traffic, late and early, with workers that die at any point of a flush, readers that ask meanwhile, and
 * counters that vanish: whenever nothing is in flight, every reader answers what a recount from raw rows does.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkpoints } from '../aggregate/checkpoint.ts';
import type { AggregateWorker } from '../aggregate/worker.ts';
import { aFeature, aGrant, aMeasurement, anEvent, WorkerWorld } from '../aggregate/worker.fixture.ts';
import { aggregationFunctions } from '../catalog/meter.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { LiveReader, recount } from './live-counters.fixture.ts';
import type { UsageAsk } from './live-usage.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const hourMs = 3_600_000;
const start = Date.UTC(2026, 2, 31, 22);
const periods = [
  { start, end: start + hourMs, anchor: start },
  { start: start + hourMs, end: start + 2 * hourMs, anchor: start },
];
const features = [
  aFeature('seats'),
  ...aggregationFunctions.map((name) =>
    aFeature(`by-${name}`, {
      meter: {
        aggregation: { function: name, field: name === 'COUNT' ? null : 'bytes' },
        filters: [
          { conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call', values: null }] },
          { conditions: [{ field: 'bytes', operation: 'GREATER_THAN', value: '2', values: null }] },
        ],
      },
    }),
  ),
];

const timestamp = fc.oneof(
  fc.constantFrom(...periods.flatMap((period) => [period.start - 1, period.start, period.end - 1])),
  fc.integer({ min: start - hourMs, max: start + 3 * hourMs }),
);
const amounts = fc.constantFrom('0', '1', '-1.5', '0.1', '2.000000000000000000000000000001', '1e3', 'none');
const customer = fc.constantFrom('anna', 'bert');
const resource = fc.constantFrom('', 'r1', 'r2');
const event = fc.record({
  customer,
  resource,
  timestamp,
  bytes: amounts,
  eventName: fc.constantFrom('call', 'other'),
});
const measurement = fc.record({
  customer,
  resource,
  timestamp,
  value: fc.constantFrom('1', '-2', '0.3'),
  updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'SET' as const),
});
const nothing = fc.constant(null);
const traffic = fc.record({
  events: fc.array(event, { maxLength: 8 }),
  measurements: fc.array(measurement, { maxLength: 4 }),
  /** Where the worker dies while it works on this; nowhere mostly. */
  crash: fc.oneof(
    { weight: 2, arbitrary: nothing },
    { weight: 1, arbitrary: fc.constantFrom(...checkpoints) },
  ),
  /** What somebody deletes first. */
  deleted: fc.oneof(
    { weight: 5, arbitrary: nothing },
    { weight: 1, arbitrary: fc.constantFrom('subjects' as const, 'customers' as const, 'counters' as const) },
  ),
});

class Model {
  readonly #world: WorkerWorld;
  readonly #readers: readonly LiveReader[];
  readonly #asks: readonly UsageAsk[];
  readonly #ids: Readonly<Record<string, string>>;
  #worker: AggregateWorker;

  private constructor(world: WorkerWorld, readers: readonly LiveReader[], worker: AggregateWorker) {
    this.#world = world;
    this.#readers = readers;
    this.#worker = worker;
    this.#ids = { anna: `anna-${randomUUID()}`, bert: `bert-${randomUUID()}` };
    for (const id of Object.values(this.#ids)) world.customers.add(id);
    const scopes = [
      { resourceId: null, period: periods[0] ?? null },
      { resourceId: 'r1', period: periods[1] ?? null },
      { resourceId: 'r2', period: null },
    ];
    // Every feature in two of the scopes, so that a comparison takes ClickHouse some 0.3 s.
    const asks = Object.values(this.#ids).flatMap((customerId, at) =>
      features.map((feature, index) => ({ customerId, feature, ...(scopes[(index + at) % 3] ?? anything) })),
    );
    // And some of what has no period, or the first one, in the second as well.
    const others = asks.filter(({ period }, at) => at % 2 === 0 && period?.start !== periods[1]?.start);
    this.#asks = [...asks, ...others.map((ask) => ({ ...ask, period: periods[1] ?? null }))];
  }

  static async open(): Promise<Model> {
    const world = await WorkerWorld.open(database);
    world.features.push(...features);
    const [first = null, second = null] = periods;
    world.granted = (_, resourceId) => aGrant('1000', { usagePeriod: resourceId === 'r1' ? second : first });
    const readers = [await LiveReader.open(world, database), await LiveReader.open(world, database)];
    return new Model(world, readers, await world.startedWorker());
  }

  async step({ events, measurements, crash, deleted }: Traffic): Promise<void> {
    if (deleted !== null) await this.#delete(deleted);
    if (crash !== null) await this.#replaceWorker(crash);
    // Questions while the flush is under way: counters are made and filled at every moment of it.
    const settled = new AbortController();
    const asking = Promise.all(
      this.#readers.map(async (reader) => {
        while (!settled.signal.aborted) {
          await reader.usage(this.#asks);
          await delay(10);
        }
      }),
    );
    if (events.length > 0) await this.#world.send(events.map((each) => this.#event(each)));
    const facts = measurements.map((each) => this.#measurement(each));
    const told = facts.length > 0 ? this.#world.report(facts) : undefined;
    if (crash !== null) {
      // Without traffic nothing gets as far as the crash.
      if (events.length + facts.length > 0) await this.#worker.ended();
      await this.#replaceWorker(null);
    }
    await told;
    await this.#world.settled();
    settled.abort();
    await asking;
  }

  /** What each reader answers. */
  answers(): Promise<string[][]> {
    return Promise.all(this.#readers.map((reader) => reader.usage(this.#asks)));
  }

  recount(): Promise<string[]> {
    return recount(database, this.#asks);
  }

  /** How often ClickHouse was asked for a figure. */
  get tallies(): number {
    return this.#readers.reduce((sum, { tallies }) => sum + tallies, 0);
  }

  stop(): Promise<void> {
    return this.#worker.stop();
  }

  async #replaceWorker(crash: Traffic['crash']): Promise<void> {
    await this.#worker.stop();
    this.#worker = this.#world.worker(
      crash === null
        ? {}
        : {
            checkpoint: (name) => {
              if (name === crash) throw new Error('an accident');
            },
          },
    );
    await this.#worker.start();
  }

  async #delete(what: 'subjects' | 'customers' | 'counters'): Promise<void> {
    const { counterSubjects, counterCustomers, counterPrefix } = this.#world.queue.keys;
    const keys = {
      subjects: [counterSubjects],
      customers: [counterCustomers],
      counters: Object.values(this.#ids).map((id) => counterPrefix + id),
    };
    await this.#readers[0]?.redis.del(...keys[what]);
  }

  #event(each: Traffic['events'][number]): EventFact {
    const dimensions = each.bytes === 'none' ? [] : [['bytes', each.bytes] as const];
    return anEvent(this.#ids[each.customer] ?? '', randomUUID(), {
      resourceId: each.resource,
      eventName: each.eventName,
      timestamp: each.timestamp,
      dimensions,
    });
  }

  #measurement(each: Traffic['measurements'][number]): MeasurementFact {
    return aMeasurement(this.#ids[each.customer] ?? '', each.value, {
      resourceId: each.resource,
      timestamp: each.timestamp,
      updateBehavior: each.updateBehavior,
    });
  }
}

const anything = { resourceId: null, period: null };

type Traffic = typeof traffic extends fc.Arbitrary<infer T> ? T : never;

test('live usage equals a recount, whatever happens in between', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(traffic, { minLength: 3, maxLength: 5 }), async (steps) => {
      const model = await Model.open();
      try {
        for (const step of steps) {
          await model.step(step);
          const expected = await model.recount();
          expect(await model.answers()).toEqual([expected, expected]);
          compared += 2 * expected.length;
        }
        // Counters that are there are read from Redis alone.
        const { tallies } = model;
        await model.answers();
        expect(model.tallies).toBe(tallies);
      } finally {
        await model.stop();
      }
    }),
    { numRuns: 3 },
  );
  expect(compared).toBeGreaterThan(250);
}, 300_000);
