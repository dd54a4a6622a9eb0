/** What the worker's tests share: a queue in a namespace of its own, a database, and workers that end with the test. */
import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { inject, onTestFinished } from 'vitest';
import type { Feature } from '../catalog/feature.ts';
import { systemClock } from '../clock.ts';
import type { CustomerEntitlements, Denial, EffectiveEntitlement } from '../entitlements/entitlement.ts';
import type { MeasurementOutcome, UsageOutcome } from '../metering/acknowledgement.ts';
import type { SealedBatch } from '../metering/batch.ts';
import { EventBlockBuilder } from '../metering/event-block.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import { encodeUsagePayload } from '../metering/usage-payload.ts';
import { parseQuantity, type Quantity } from '../quantity.ts';
import type { BullmqProducer } from '../queue/bullmq-producer.ts';
import type { Books } from '../queue/ledger.ts';
import {
  eventually,
  type QueueUnderTest,
  queueUnderTest,
  unaccounted,
} from '../queue/redis-queue.fixture.ts';
import type { LedgerOptions } from '../queue/redis-ledger.ts';
import type { RedisReplyInbox } from '../queue/redis-replies.ts';
import type { TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseFlushStore } from '../store/clickhouse-flush-store.ts';
import type { FlushStore } from './flush-store.ts';
import { AggregateWorker, type AggregateWorkerOptions } from './worker.ts';

export const dayMs = 24 * 3_600_000;

export interface WorkerSetup extends Partial<AggregateWorkerOptions> {
  readonly windowMs?: number;
  readonly ledgerOptions?: Partial<LedgerOptions>;
}

export class WorkerWorld {
  /** Known customers and features; tests add to them. */
  readonly customers = new Set<string>();
  readonly features: Feature[] = [];
  /** Nothing is granted until a test says what. */
  granted: (
    ...[featureId, resourceId]: Parameters<CustomerEntitlements['of']>
  ) => ReturnType<CustomerEntitlements['of']> = () => notSubscribed;
  readonly queue: QueueUnderTest;
  readonly store: FlushStore;
  readonly #database: TestDatabase;
  readonly #producer: BullmqProducer;
  readonly #inbox: RedisReplyInbox;

  private constructor(
    database: TestDatabase,
    queue: QueueUnderTest,
    producer: BullmqProducer,
    inbox: RedisReplyInbox,
  ) {
    this.#database = database;
    this.queue = queue;
    this.#producer = producer;
    this.#inbox = inbox;
    this.store = plainStore(new ClickhouseFlushStore(database.client));
  }

  static async open(database: TestDatabase): Promise<WorkerWorld> {
    const queue = await queueUnderTest(inject('redisUrl'));
    return new WorkerWorld(database, queue, await queue.producer(), await queue.inbox());
  }

  /** Not started; stopped when the test ends. */
  worker(setup: WorkerSetup = {}): AggregateWorker {
    const { windowMs = dayMs, ledgerOptions, ...options } = setup;
    const worker = new AggregateWorker({
      ledger: this.queue.ledger(ledgerOptions),
      store: this.store,
      catalog: { features: () => Promise.resolve(this.features) },
      customers: {
        existing: (asked) => Promise.resolve(new Set(asked.filter((id) => this.customers.has(id)))),
      },
      entitlements: {
        entitlements: (asked) => {
          const each: CustomerEntitlements = {
            of: (...ask) => this.granted(...ask),
            all: () => notSubscribed,
          };
          return Promise.resolve(new Map(asked.map((id) => [id, each])));
        },
      },
      clock: systemClock,
      logger: pino({ level: 'silent' }),
      registry: new Registry(),
      identities: { windowMs, entriesMax: 100_000 },
      drainMsMax: 1_000,
      ...options,
    });
    onTestFinished(() => worker.stop());
    return worker;
  }

  async startedWorker(setup: WorkerSetup = {}): Promise<AggregateWorker> {
    const worker = this.worker(setup);
    await worker.start();
    return worker;
  }

  /** Queues the events as one batch. */
  async send(facts: readonly EventFact[]): Promise<SealedBatch> {
    const builder = new EventBlockBuilder();
    for (const fact of facts) builder.append(fact);
    return this.enqueue({ kind: 'events', count: facts.length, payload: builder.finish() });
  }

  /** Queues the measurements as one batch and waits for their outcomes. */
  async report(
    facts: readonly MeasurementFact[],
    timeoutMs = 10_000,
  ): Promise<readonly MeasurementOutcome[]> {
    return (await this.order(facts, timeoutMs)) as readonly MeasurementOutcome[];
  }

  /** As `report`, with orders about reservations among them. */
  async order(facts: readonly MeasurementFact[], timeoutMs = 10_000): Promise<readonly UsageOutcome[]> {
    const id = randomUUID();
    const reply = this.#inbox.await(id, timeoutMs);
    await this.enqueue({ id, kind: 'usage', count: facts.length, payload: encodeUsagePayload(facts) });
    return (await reply)?.outcomes ?? [];
  }

  async enqueue(
    batch: Pick<SealedBatch, 'kind' | 'count' | 'payload'> & { id?: string },
  ): Promise<SealedBatch> {
    const replyTo = batch.kind === 'usage' ? this.#inbox.address : '';
    const sealed: SealedBatch = { id: randomUUID(), replyTo, sealedAt: Date.now(), ...batch };
    if ((await this.#producer.enqueue(sealed)) !== 'queued') throw new Error('the queue is full');
    return sealed;
  }

  /** Waits until nothing is in flight; the books must balance then, as at every other moment (I5). */
  async settled(withinMs = 10_000): Promise<Books> {
    const desk = this.queue.desk;
    await eventually('an empty flight', async () => (await desk.books()).inFlight === 0, withinMs);
    const books = await desk.books();
    if (unaccounted(books) !== 0) throw new Error(`the books do not balance: ${JSON.stringify(books)}`);
    return books;
  }

  /** One text a stored row, sorted: `<key>@<timestamp>`. */
  async storedKeys(customerId: string, table = 'events'): Promise<string[]> {
    const answer = await this.#database.client.query({
      query: `SELECT concat(idempotency_key, '@', toString(toUnixTimestamp64Milli(timestamp))) AS key
        FROM {table:Identifier} WHERE customer_id = {customerId:String} ORDER BY key`,
      query_params: { table, customerId },
      format: 'JSONEachRow',
    });
    return (await answer.json<{ key: string }>()).map(({ key }) => key);
  }

  /** As after a crash of ClickHouse in the worst moment: rows are gone, the tokens of their inserts are known. */
  async forget(table: 'events' | 'measurements', customerId: string): Promise<void> {
    await this.#database.client.command({
      query: `ALTER TABLE ${table} DELETE WHERE customer_id = {customerId:String} SETTINGS mutations_sync = 2`,
      query_params: { customerId },
    });
  }
}

/** As a plain object, so that a test can put another function in the place of one. */
function plainStore(store: FlushStore): FlushStore {
  return {
    insertEvents: (...args) => store.insertEvents(...args),
    insertConflicts: (...args) => store.insertConflicts(...args),
    insertMeasurements: (...args) => store.insertMeasurements(...args),
    repeatEvents: (...args) => store.repeatEvents(...args),
    repeatMeasurements: (...args) => store.repeatMeasurements(...args),
    takesEvents: (...args) => store.takesEvents(...args),
    lookupStored: (...args) => store.lookupStored(...args),
    acknowledgements: (...args) => store.acknowledgements(...args),
    usageStates: (...args) => store.usageStates(...args),
    usageTotals: (...args) => store.usageTotals(...args),
    deltasAfter: (...args) => store.deltasAfter(...args),
    identitiesSince: (...args) => store.identitiesSince(...args),
    countSince: (...args) => store.countSince(...args),
    sinceWithin: (...args) => store.sinceWithin(...args),
    newestFlush: () => store.newestFlush(),
    countOfFlush: (...args) => store.countOfFlush(...args),
  };
}

export function anEvent(
  customerId: string,
  idempotencyKey: string,
  more: Partial<EventFact> = {},
): EventFact {
  const now = Date.now();
  return {
    customerId,
    resourceId: '',
    eventName: 'call',
    idempotencyKey,
    source: '',
    timestamp: now,
    receivedAt: now,
    dimensions: [['path', '/']] as const,
    ...more,
  };
}

export function aMeasurement(
  customerId: string,
  value: string,
  more: Partial<MeasurementFact> = {},
): MeasurementFact {
  const now = Date.now();
  return {
    customerId,
    resourceId: '',
    featureId: 'seats',
    idempotencyKey: randomUUID(),
    value: amount(value),
    updateBehavior: 'DELTA',
    timestamp: now,
    receivedAt: now,
    dimensions: [],
    rejectIfExceeded: false,
    ...more,
  };
}

const notSubscribed: Denial = { deniedReason: 'NoActiveSubscription' };

/** Of the customer as a whole, without an end to its period. */
export function aGrant(limit: string | null, more: Partial<EffectiveEntitlement> = {}): EffectiveEntitlement {
  return {
    featureId: 'seats',
    usageResourceId: null,
    usageLimit: limit === null ? null : amount(limit),
    hasUnlimitedUsage: limit === null,
    hasSoftLimit: false,
    enumValues: null,
    resetPeriod: null,
    resetPeriodConfiguration: null,
    usagePeriod: null,
    validUntil: null,
    budgets: [],
    ...more,
  };
}

export function amount(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`no number: ${text}`);
  return quantity;
}

export function aFeature(refId: string, more: Partial<Feature> = {}): Feature {
  return {
    id: randomUUID(),
    refId,
    displayName: refId,
    description: null,
    featureType: 'NUMBER',
    meterType: 'FLUCTUATING',
    featureUnits: null,
    featureUnitsPlural: null,
    enumConfiguration: null,
    unitTransformation: null,
    meter: null,
    featureStatus: 'NEW',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    ...more,
  };
}
