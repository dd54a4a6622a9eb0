/** One queue and one database on which one worker process follows the other, each killed, while batches arrive. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inject, onTestFinished } from 'vitest';
import type { Feature } from '../catalog/feature.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import type { Customer } from '../customers/customer.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { verdicts } from '../metering/identity.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, type RedisConnection } from '../queue/redis-connection.ts';
import { unaccounted } from '../queue/redis-queue.fixture.ts';
import type { Audit } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from '../usage/clickhouse-usage-reader.ts';
import {
  type Account,
  type Answer,
  eventTextSql,
  expectedAccount,
  fatesTold,
  measurementText,
  misanswered,
  misfolded,
  type StoredMeasurement,
} from './kill-account.fixture.ts';
import { customerIds, type Dice, EventTraffic, killWindowMs } from './kill-traffic.fixture.ts';
import { nano, reportedFeatures, UsageTraffic } from './kill-usage.fixture.ts';
import { aFeature, WorkerWorld } from './worker.fixture.ts';
import type { Death, WorkerLife } from './worker-kill.fixture.ts';

/** Of one flush: small, so that a few batches make many flushes. */
export const rowsMax = 200;
const producePauseMs = 60;
/** Far above what a busy machine takes for any one step. */
const patienceMs = 30_000;

const features: readonly Feature[] = [
  aFeature('calls', { meter: { aggregation: { function: 'COUNT', field: null }, filters: [] } }),
  aFeature('bytes', { meter: { aggregation: { function: 'SUM', field: 'bytes' }, filters: [] } }),
  ...reportedFeatures.map((refId) => aFeature(refId)),
];

interface RowCounts {
  readonly events: number;
  readonly conflicts: number;
  readonly measurements: number;
}

interface Report {
  readonly facts: readonly MeasurementFact[];
  readonly outcomes: Promise<readonly MeasurementOutcome[]>;
}

export class KillRun {
  readonly #dice: Dice;
  readonly #database: TestDatabase;
  readonly #world: WorkerWorld;
  readonly #redis: RedisConnection;
  readonly #events: EventTraffic;
  readonly #usage: UsageTraffic;
  readonly #reports: Report[] = [];
  /** Loads its program while its predecessor is at work, and waits to be told to begin. */
  #next: WorkerProcess;

  private constructor(dice: Dice, database: TestDatabase, world: WorkerWorld, redis: RedisConnection) {
    this.#dice = dice;
    this.#database = database;
    this.#world = world;
    this.#redis = redis;
    this.#events = new EventTraffic(dice);
    this.#usage = new UsageTraffic(dice);
    this.#next = this.#spawn();
  }

  /** With customers, features, and events and measurements that a worker booked before it was killed. */
  static async open(dice: Dice): Promise<KillRun> {
    const database = await createTestDatabase();
    onTestFinished(() => database.drop());
    const world = await WorkerWorld.open(database);
    const redis = openRedis(inject('redisUrl'), 'worker');
    onTestFinished(() => closeRedis(redis));
    const { namespace } = world.queue.keys;
    const records = new RedisRecordStore(redis, namespace);
    const catalog = new RecordFeatureCatalog(records);
    for (const feature of features) await catalog.create(feature, audit);
    const customers = new RecordCustomerDirectory(records);
    for (const refId of customerIds)
      await customers.change(refId, audit, () => ({ customer: aCustomer(refId) }));
    const run = new KillRun(dice, database, world, redis);
    await run.#layHistory();
    return run;
  }

  /** A worker process that lives until `death`, while batches arrive that give it enough flushes to get there. */
  async lifeUntil(death: Death, rows = (death.visit + 1) * rowsMax): Promise<void> {
    const worker = this.#begin(death);
    this.#next = this.#spawn();
    const [end] = await Promise.all([worker.end(), this.#produce(rows)]);
    if (end !== 'SIGKILL') throw new Error(`not the death of ${JSON.stringify(death)}: ${end}`);
    await this.#bury();
  }

  /** A worker process that lives on to the end of the test. */
  beginLast(): void {
    this.#begin(null);
  }

  async produceOneBatch(kind: 'events' | 'measurements', rows: number): Promise<void> {
    if (kind === 'events') await this.#world.send(this.#events.batch(rows));
    else this.#report(this.#usage.batch(rows));
  }

  /** Everything that counted, once more. */
  async produceAgain(): Promise<void> {
    await this.#world.send(this.#events.again());
    this.#report(this.#usage.again());
  }

  /** The flush that was begun and not finished, and how much of it is to be stored. */
  async unfinishedFlush(): Promise<{ readonly flushId: number; readonly decided: RowCounts }> {
    const unfinished = await this.#world.queue.ledger().unfinished();
    if (unfinished === undefined) throw new Error('no flush is in hand');
    const { flushId, decisions } = unfinished.manifest;
    const decided = { events: 0, conflicts: 0, measurements: 0 };
    let from = 0;
    for (const { kind, count } of unfinished.deliveries) {
      const ofBatch = decisions.subarray(from, from + count);
      from += count;
      decided[kind === 'usage' ? 'measurements' : 'events'] += occurrences(ofBatch, verdicts.counts);
      // Conflicting measurements are refused, not kept.
      if (kind === 'events') decided.conflicts += occurrences(ofBatch, verdicts.conflict);
    }
    return { flushId, decided };
  }

  async storedOf(flushId: number): Promise<RowCounts> {
    const count = async (table: string): Promise<number> => {
      const rows = await this.#select(`SELECT flush FROM ${table} WHERE flush = ${flushId}`);
      return rows.length;
    };
    const [events, conflicts, measurements] = [
      count('events'),
      count('event_conflicts'),
      count('measurements'),
    ];
    return { events: await events, conflicts: await conflicts, measurements: await measurements };
  }

  /** Once nothing is in flight any more. */
  async found(): Promise<Account> {
    const answers = await this.#answers();
    const books = await this.#world.settled(patienceMs);
    const rows = await this.#measurements();
    return {
      books,
      notCounted: await this.#world.queue.desk.notCounted(),
      events: await this.#eventTexts('events'),
      conflicts: await this.#eventTexts('event_conflicts'),
      measurements: rows.map(measurementText).toSorted(),
      usage: await this.#currentUsage(),
      answers: fatesTold(answers),
      misfolded: misfolded(rows),
      misanswered: misanswered(answers, rows),
    };
  }

  expected(): Account {
    return expectedAccount(this.#events, this.#usage);
  }

  async #layHistory(): Promise<void> {
    const worker = this.#begin(null);
    this.#next = this.#spawn();
    await this.#world.send(this.#events.history());
    this.#report(this.#usage.history());
    await this.#answers();
    await this.#world.settled(patienceMs);
    worker.kill();
    await worker.end();
    await this.#bury();
  }

  /** Queues at least so many rows, some before the worker has recovered and some while it flushes. */
  async #produce(rows: number): Promise<void> {
    for (let left = rows; left > 0; ) {
      const facts = this.#events.batch(30 + this.#dice.below(40));
      await this.#world.send(facts);
      left -= facts.length;
      if (this.#dice.below(2) === 0) this.#report(this.#usage.batch(3 + this.#dice.below(10)));
      await delay(this.#dice.below(producePauseMs));
    }
  }

  /** The answer comes whenever it comes; it may take several workers. */
  #report(facts: readonly MeasurementFact[]): void {
    this.#reports.push({ facts, outcomes: this.#world.report(facts, 4 * patienceMs) });
  }

  #begin(death: Death | null): WorkerProcess {
    this.#next.begin({ rowsMax, windowMs: killWindowMs, death });
    return this.#next;
  }

  #spawn(): WorkerProcess {
    return new WorkerProcess(this.#world.queue.keys.namespace, this.#database.target.database ?? '');
  }

  /** Whoever dies, the books balance. The dead one's lease is ended at once, which saves the 3 s that it lasts. */
  async #bury(): Promise<void> {
    const { desk, keys } = this.#world.queue;
    const books = await desk.books();
    if (unaccounted(books) !== 0) throw new Error(`the books do not balance: ${JSON.stringify(books)}`);
    await this.#redis.del(keys.lease);
  }

  async #answers(): Promise<readonly Answer[]> {
    const answers = this.#reports.map(async ({ facts, outcomes }) => {
      const given = await outcomes;
      return facts.map((fact, index) => ({ fact, outcome: given[index] }));
    });
    return (await Promise.all(answers)).flat();
  }

  async #currentUsage(): Promise<Record<string, bigint>> {
    const catalog = { feature: () => Promise.resolve(undefined) };
    const reader = new ClickhouseUsageReader(this.#database.client, catalog);
    const usage: Record<string, bigint> = {};
    for (const customerId of customerIds) {
      for (const feature of features) {
        const amount = await reader.currentUsage({ customerId, feature, resourceId: '' });
        usage[`${customerId} ${feature.refId}`] = nano(quantityToText(amount));
      }
    }
    return usage;
  }

  /** In the order in which they were stored. */
  #measurements(): Promise<StoredMeasurement[]> {
    return this.#select<StoredMeasurement>(
      `SELECT toString(id) AS id, customer_id AS customerId, feature_id AS featureId, resource_id AS resourceId,
        idempotency_key AS idempotencyKey, update_behavior AS updateBehavior, toString(value) AS value,
        toFloat64(toUnixTimestamp64Milli(timestamp)) AS timestamp, toString(current_usage) AS currentUsage
      FROM measurements ORDER BY flush, position`,
    );
  }

  async #eventTexts(table: string): Promise<string[]> {
    const rows = await this.#select<{ text: string }>(`SELECT ${eventTextSql} AS text FROM ${table}`);
    return rows.map(({ text }) => text).toSorted();
  }

  async #select<Row>(query: string): Promise<Row[]> {
    const answer = await this.#database.client.query({ query, format: 'JSONEachRow' });
    return answer.json<Row>();
  }
}

class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #end: Promise<string>;

  constructor(namespace: string, database: string) {
    const program = fileURLToPath(new URL('worker-kill.fixture.ts', import.meta.url));
    const places = [inject('redisUrl'), inject('clickhouseUrl'), namespace, database];
    this.#child = spawn(process.execPath, ['--import', 'tsx', program, ...places], {
      stdio: ['pipe', 'ignore', 'inherit'],
    });
    this.#end = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit ${code}`));
    });
    onTestFinished(async () => {
      this.kill();
      await this.#end;
    });
  }

  begin(life: WorkerLife): void {
    this.#child.stdin?.write(`${JSON.stringify(life)}\n`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The signal that ended it, or what happened instead. */
  end(): Promise<string> {
    return Promise.race([this.#end, delay(patienceMs, 'it lives on', { ref: false })]);
  }
}

const audit: Audit = { actor: 'key', traceId: 'trace', operation: 'test', at: 0 };

function aCustomer(refId: string): Customer {
  const unknown = { name: null, email: null, additionalMetaData: null, coupon: null, billingId: null };
  return { id: refId, refId, ...unknown, createdAt: 0, updatedAt: 0, archivedAt: null };
}

function occurrences(decided: Uint8Array, verdict: number): number {
  return decided.filter((decision) => decision === verdict).length;
}
