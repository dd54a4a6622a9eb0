/** A customer with limits, a worker that counts usage against them, and what programs outside are told. */
import { randomUUID } from 'node:crypto';
import { inject, onTestFinished } from 'vitest';
import type { Checkpoint } from '../aggregate/checkpoint.ts';
import type { AggregateWorker } from '../aggregate/worker.ts';
import { aMeasurement, anEvent, WorkerWorld } from '../aggregate/worker.fixture.ts';
import type { Feature } from '../catalog/feature.ts';
import type { PackageEntitlement } from '../catalog/package.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { RecordWatchedFeatures } from '../catalog/record-watched-features.ts';
import { ManualClock } from '../clock.ts';
import { archivedCustomer, provisionedCustomer } from '../customers/change-customer.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import { entitled, makeFeature, subscribed } from '../entitlements/entitlement.fixture.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { ItemRetries } from '../item-retries.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { closeRedis, openRedis, type Redis } from '../queue/redis-connection.ts';
import { RedisTouchedCustomers } from '../queue/redis-touched-customers.ts';
import type { TouchedCustomers } from '../queue/touched-customers.ts';
import { relayBatch } from '../records/outbox-relay.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import type { RecordWrite } from '../records/record-store.ts';
import type { TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { at, makePlan, makeProduct } from '../subscriptions/life-cycle.fixture.ts';
import { bookRef, subscriptionRef } from '../subscriptions/subscription-record.ts';
import { LiveReader } from '../usage/live-counters.fixture.ts';
import type { LiveUsage } from '../usage/live-usage.ts';
import { CommitWebhooks } from '../webhooks/commit-webhooks.ts';
import type { LifecycleEvent } from '../webhooks/lifecycle-event.ts';
import { lifecyclePayload } from '../webhooks/lifecycle-payload.ts';
import { lookAtTouched, ThresholdWatch, type ThresholdWatchOptions } from './threshold-watch.ts';

export type Payload = Readonly<Record<string, unknown>>;

export interface SceneSetup {
  /** Whose subscription it is; the customer's as a whole when absent. */
  readonly resourceId?: string;
  readonly usageThresholds?: readonly number[];
  readonly unitTransformation?: Feature['unitTransformation'];
  readonly touchedMax?: number;
}

const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: at('2026-05-01') };

/** 100 a month of `seats`, which are reported, and of `calls`, which are events. */
export class ThresholdScene {
  readonly customer = `customer-${randomUUID()}`;
  readonly clock = new ManualClock(at('2026-05-15'));
  readonly world: WorkerWorld;
  readonly touched: RedisTouchedCustomers;
  /** Tasks of which an item failed. */
  readonly failed: string[] = [];
  readonly #retries = new ItemRetries({
    task: 'look',
    clock: this.clock,
    report: { failed: (task) => void this.failed.push(task) },
  });
  readonly #setup: SceneSetup;
  readonly #records: RedisRecordStore;
  readonly #outbox: RedisOutbox;
  readonly #changeLog: ClickhouseChangeLog;
  readonly #usage: LiveUsage;
  readonly #events: LifecycleEvent[] = [];
  #worker: AggregateWorker | undefined;
  #versions = 0;

  private constructor(
    world: WorkerWorld,
    redis: Redis,
    reader: LiveReader,
    database: TestDatabase,
    setup: SceneSetup,
  ) {
    const namespace = `{thresholds-${randomUUID()}}`;
    this.world = world;
    this.#setup = setup;
    this.#records = new RedisRecordStore(redis, namespace);
    this.#outbox = new RedisOutbox(redis, namespace);
    this.#changeLog = new ClickhouseChangeLog(database.client);
    this.#usage = reader.live;
    this.touched = new RedisTouchedCustomers(redis, world.queue.keys, setup.touchedMax);
  }

  static async open(database: TestDatabase, setup: SceneSetup = {}): Promise<ThresholdScene> {
    const world = await WorkerWorld.open(database);
    const redis = openRedis(inject('redisUrl'), 'worker');
    onTestFinished(() => closeRedis(redis));
    const reader = await LiveReader.open(world, database);
    const scene = new ThresholdScene(world, redis, reader, database, setup);
    await scene.#keepCatalog();
    await scene.provision(scene.customer);
    const { usageThresholds = [80, 100] } = setup;
    await scene.subscribe(['seats', 'calls'].map((name) => monthlyOf(name, 100, usageThresholds)));
    scene.#worker = scene.makeWorker();
    await scene.#worker.start();
    return scene;
  }

  /** The one that is at work from the beginning. */
  get worker(): AggregateWorker {
    if (this.#worker === undefined) throw new Error('the scene is not open yet');
    return this.#worker;
  }

  /** Not started. */
  makeWorker(checkpoint: Checkpoint = () => undefined): AggregateWorker {
    const watched = new RecordWatchedFeatures(this.#records);
    const watch = { features: () => watched.features(), touched: this.touched };
    return this.world.worker({ watch, checkpoint });
  }

  async provision(customerId: string): Promise<void> {
    this.world.customers.add(customerId);
    await this.#directory().change(customerId, audit, (existing) =>
      provisionedCustomer(existing, customerId, {}, randomUUID(), audit.at),
    );
  }

  async archive(): Promise<void> {
    const { customer } = this;
    await this.#directory().change(customer, audit, (existing) =>
      archivedCustomer(existing, customer, audit.at),
    );
  }

  /** Puts the customer on a plan that grants this, in the place of the one before. */
  async subscribe(entitlements: readonly PackageEntitlement[]): Promise<void> {
    this.#versions += 1;
    const planId = `plan-${this.#versions}`;
    const { customer } = this;
    await this.#keep({ kind: 'package', key: planId, body: makePlan(planId, 'product', { entitlements }) });
    const body = subscribed(planId, {
      customerId: customer,
      refId: 'subscription',
      resourceId: this.#setup.resourceId ?? null,
    });
    await this.#keep({ ...subscriptionRef('subscription'), body });
    const book = { customerId: customer, live: ['subscription'], trialedProductIds: [], dueAt: null };
    await this.#keep({ ...bookRef(customer), body: book });
  }

  async report(value: string, more: Partial<MeasurementFact> = {}): Promise<void> {
    const fact = aMeasurement(this.customer, value, { timestamp: this.clock.now(), ...more });
    const [outcome] = await this.world.report([fact]);
    if (outcome === undefined || 'error' in outcome) throw new Error('the usage was not counted');
  }

  /** So many calls, counted when it resolves. */
  async send(count: number, eventName = 'call'): Promise<void> {
    await this.enqueue(count, eventName);
    await this.world.settled();
  }

  async enqueue(count: number, eventName = 'call'): Promise<void> {
    const timestamp = this.clock.now();
    await this.world.send(
      Array.from({ length: count }, () => anEvent(this.customer, randomUUID(), { timestamp, eventName })),
    );
  }

  async look(more: Partial<ThresholdWatchOptions> = {}): Promise<void> {
    await lookAtTouched({ ...this.#options(), ...more });
  }

  /** Not started; stopped when the test ends. */
  watch(more: Partial<ThresholdWatchOptions> = {}): ThresholdWatch {
    const logger = { warn: () => undefined };
    const watch = new ThresholdWatch({ ...this.#options(), logger, pauseMs: 10, ...more });
    onTestFinished(() => watch.stop());
    return watch;
  }

  /** Customers who are to be looked at, longest waiting first. */
  async waiting(): Promise<readonly string[]> {
    const waiting = await this.touched.take(1_000, Number.MAX_SAFE_INTEGER);
    return waiting.map(({ customerId }) => customerId);
  }

  touchedWith(more: Partial<TouchedCustomers>): TouchedCustomers {
    const { touched } = this;
    return {
      touch: (...args) => touched.touch(...args),
      take: (...args) => touched.take(...args),
      newest: () => touched.newest(),
      settle: (...args) => touched.settle(...args),
      ...more,
    };
  }

  /** Usage as it is, once this has happened. */
  usageAfter(before: () => Promise<void>): LiveUsage {
    return {
      current: async (asks) => {
        await before();
        return this.#usage.current(asks);
      },
    };
  }

  /** Entitlements as they are, but none where any of these is asked for. */
  entitlementsUnless(isBroken: (customerId: string) => boolean): ThresholdWatchOptions['entitlements'] {
    const { entitlements } = this.#options();
    return {
      entitlements: async (customerIds) => {
        if (customerIds.some(isBroken)) throw new Error('an accident');
        return entitlements.entitlements(customerIds);
      },
    };
  }

  /** Every webhook about usage so far, as it would be sent now. */
  async told(): Promise<readonly Payload[]> {
    await this.relay();
    const exceeded = this.#events.filter(({ type }) => type === 'entitlement.usage_exceeded');
    return Promise.all(
      exceeded.map(async (event) => lifecyclePayload(event, await this.#records.read(event.about))),
    );
  }

  /** As the worker's role does: what commits mean is put into line, and looked at. */
  async relay(): Promise<void> {
    const add = async (webhooks: readonly { readonly data: LifecycleEvent }[]): Promise<number> => {
      this.#events.push(...webhooks.map(({ data }) => data));
      return 0;
    };
    const listener = new CommitWebhooks({
      lifecycle: { add },
      letters: { add: async () => 0 },
      grantsChanged: (customerIds) => this.touched.touch(customerIds),
      logger: { warn: () => undefined },
    });
    while (await relayBatch({ outbox: this.#outbox, changeLog: this.#changeLog, listener }));
  }

  #options(): Omit<ThresholdWatchOptions, 'logger'> {
    const records = this.#records;
    const { clock, touched } = this;
    const catalog = new RecordCatalog(records);
    const features = new RecordFeatureCatalog(records);
    const entitlements = new RecordEntitlements({ records, catalog, features, clock });
    return { touched, entitlements, usage: this.#usage, records, clock, retries: this.#retries };
  }

  #directory(): RecordCustomerDirectory {
    return new RecordCustomerDirectory(this.#records);
  }

  async #keepCatalog(): Promise<void> {
    const condition = { field: 'eventName', operation: 'EQUALS', value: 'call', values: null } as const;
    const meter = {
      aggregation: { function: 'COUNT', field: null },
      filters: [{ conditions: [condition] }],
    } as const;
    const { unitTransformation = null } = this.#setup;
    await this.#keep({ kind: 'product', key: 'product', body: makeProduct('product') });
    for (const feature of [makeFeature('seats', { unitTransformation }), makeFeature('calls', { meter })]) {
      this.world.features.push(feature);
      await this.#keep({ kind: 'feature', key: feature.refId, body: feature });
    }
  }

  async #keep(write: Omit<RecordWrite, 'expectedVersion'>): Promise<void> {
    const [before] = await this.#records.read([write]);
    const outcome = await this.#records.commit([{ ...write, expectedVersion: before?.version ?? 0 }], audit);
    if (outcome !== 'committed') throw new Error(`not kept: ${outcome}`);
  }
}

/** So much in each month of the calendar. */
export function monthlyOf(
  featureId: string,
  limit: number,
  usageThresholds: readonly number[] = [80, 100],
): PackageEntitlement {
  const resetPeriodConfiguration = { accordingTo: 'StartOfTheMonth' } as const;
  return entitled(featureId, limit, { resetPeriod: 'MONTH', resetPeriodConfiguration, usageThresholds });
}
