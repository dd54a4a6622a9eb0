/** What live counters cost a flush, and what they save a question: figures of decision 8. */
import { randomUUID } from 'node:crypto';
import { passThrough } from '../src/aggregate/checkpoint.ts';
import { type FlushPlan, planOf } from '../src/aggregate/plan.ts';
import { readBatch } from '../src/aggregate/read-batch.ts';
import { UsageCounting } from '../src/aggregate/usage-counting.ts';
import type { Feature } from '../src/catalog/feature.ts';
import type { AggregationFunction } from '../src/catalog/meter.ts';
import { systemClock } from '../src/clock.ts';
import { EventBlockBuilder } from '../src/metering/event-block.ts';
import { closeRedis, openRedis, redisReady } from '../src/queue/redis-connection.ts';
import { queueKeys } from '../src/queue/redis-keys.ts';
import { RedisLedger } from '../src/queue/redis-ledger.ts';
import { createClickhouseClient, runStatement, selectRows } from '../src/store/clickhouse-client.ts';
import { ClickhouseFlushStore } from '../src/store/clickhouse-flush-store.ts';
import { migrateClickhouse } from '../src/store/migrations.ts';
import { ClickhouseUsageTallies } from '../src/usage/clickhouse-usage-tallies.ts';
import { LiveCounters } from '../src/usage/live-counters.ts';
import type { UsageAsk } from '../src/usage/live-usage.ts';
import { RedisCounterStore } from '../src/usage/redis-counter-store.ts';

const help = `npx tsx load-tests/live-counters.ts REDIS_URL CLICKHOUSE_URL: measures live counters in a namespace and
a database of its own, which it removes. A ClickHouse for it, if there is none:
CLICKHOUSE_URL=http://127.0.0.1:8124 DATA_DIR=/tmp/live-counters npx tsx src/main.ts clickhouse`;

const eventsPerFlush = 10_000;
const customersInFlush = 1_000;
const rounds = 30;

async function measure(redisAt: string, clickhouseAt: string): Promise<void> {
  const name = randomUUID().replaceAll('-', '');
  const target = { url: clickhouseAt, database: `bench_${name}` };
  await migrateClickhouse(target);
  const clickhouse = createClickhouseClient(target);
  const redis = openRedis(redisAt, 'worker');
  await redisReady(redis, 5_000);
  const keys = queueKeys(`{bench-${name}}`);
  const ledger = new RedisLedger({ redis, keys });
  await ledger.acquire(AbortSignal.timeout(5_000));
  await ledger.counters.align(0);
  const store = new ClickhouseFlushStore(clickhouse);
  const live = new LiveCounters({
    store: new RedisCounterStore(redis, keys),
    tallies: new ClickhouseUsageTallies(clickhouse),
    clock: systemClock,
  });
  const counting = new UsageCounting(ledger.counters, passThrough);
  let flushId = 0;
  const flush = async (): Promise<number> => {
    flushId += 1;
    const plan = aFlush(flushId);
    const chunks = plan.batches.flatMap(({ batch, decided }) =>
      batch.kind === 'events' ? batch.block.withVerdicts(decided) : [],
    );
    await Promise.all([store.insertEvents(flushId, randomUUID(), chunks), counting.prepare(plan)]);
    const startedAt = performance.now();
    await counting.count(plan, { rows: [], usages: [] });
    return performance.now() - startedAt;
  };

  await report('a flush, nobody has counters', rounds, flush);
  for (const counted of [10, 100, customersInFlush]) {
    for (let customer = 0; customer < counted; customer += 100) {
      const some = Array.from({ length: Math.min(100, counted - customer) }, (_, at) => customer + at);
      await live.current(some.flatMap((each) => [ask(each, 'COUNT'), ask(each, 'SUM')]));
    }
    await report(`a flush, ${counted} of its ${customersInFlush} customers have two counters`, rounds, flush);
  }
  await report('the same parts by a query over the flush', rounds, () => elapsed(() => byQuery(flushId)));
  await report('a question, from its counter', 1_000, (at) => elapsed(() => live.current([ask(at, 'SUM')])));
  await report('twenty questions at once, from counters', 200, (at) =>
    elapsed(() => live.current(Array.from({ length: 20 }, (_, each) => ask(at + each, 'COUNT')))),
  );
  await report('a question without a counter', 100, (at) => elapsed(() => live.current([ask(at, 'UNIQUE')])));

  async function byQuery(id: number): Promise<void> {
    const sql =
      'SELECT customer_id, resource_id, count(), sum(toDecimal256OrZero(dimensions[{field:String}], 30)), ' +
      'min(timestamp), max(timestamp) FROM events WHERE flush = {flush:UInt64} GROUP BY customer_id, resource_id';
    await selectRows(clickhouse, { sql, params: { field: 'bytes', flush: id } });
  }

  await ledger.release();
  const own = await redis.keys(`${keys.namespace}:*`);
  if (own.length > 0) await redis.del(...own);
  await runStatement(clickhouse, `DROP DATABASE ${target.database}`);
  await Promise.all([closeRedis(redis), clickhouse.close()]);
}

/** Ten events of each customer, of which every fifth matches the meters. */
function aFlush(flushId: number): FlushPlan {
  const builder = new EventBlockBuilder();
  const now = Date.now();
  for (let at = 0; at < eventsPerFlush; at += 1) {
    builder.append({
      customerId: customerOf(at),
      resourceId: '',
      eventName: at % 5 === 0 ? 'call' : `event-${at % 5}`,
      idempotencyKey: randomUUID(),
      source: '',
      timestamp: now,
      receivedAt: now,
      dimensions: [
        ['bytes', `${at}.25`],
        ['path', '/api/v1/things'],
      ],
    });
  }
  const batchId = randomUUID();
  const payload = builder.finish();
  const batch = readBatch({
    batchId,
    kind: 'events',
    count: eventsPerFlush,
    payload,
    replyTo: '',
    sealedAt: now,
  });
  if (batch.kind !== 'events') throw new Error('the block cannot be read');
  const decisions = Buffer.alloc(eventsPerFlush);
  const nothing = { terms: Buffer.alloc(0), reservations: Buffer.alloc(0) };
  const manifest = {
    flushId,
    token: randomUUID(),
    batchIds: [batchId],
    decisions,
    ...nothing,
    decidedAt: now,
  };
  return planOf(manifest, [batch]);
}

function customerOf(at: number): string {
  return `customer-${Math.floor(at / 5) % customersInFlush}`;
}

function ask(customer: number, name: AggregationFunction): UsageAsk {
  const customerId = `customer-${customer % customersInFlush}`;
  return { customerId, feature: features[name], resourceId: null, period: null };
}

const features = Object.fromEntries(
  (['COUNT', 'SUM', 'UNIQUE'] as const).map((name) => [name, featureOf(name)]),
) as Readonly<Record<AggregationFunction, Feature>>;

function featureOf(name: AggregationFunction): Feature {
  const condition = { field: 'eventName', operation: 'EQUALS' as const, value: 'call', values: null };
  return {
    id: name,
    refId: name,
    displayName: name,
    description: null,
    featureType: 'NUMBER',
    meterType: 'INCREMENTAL',
    featureUnits: null,
    featureUnitsPlural: null,
    enumConfiguration: null,
    unitTransformation: null,
    featureStatus: 'ACTIVE',
    additionalMetaData: null,
    createdAt: 0,
    updatedAt: 0,
    meter: {
      aggregation: { function: name, field: name === 'COUNT' ? null : 'bytes' },
      filters: [{ conditions: [condition] }],
    },
  };
}

async function elapsed(run: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await run();
  return performance.now() - startedAt;
}

async function report(what: string, times: number, run: (at: number) => Promise<number>): Promise<void> {
  const took: number[] = [];
  const cpu = process.cpuUsage();
  for (let at = 0; at < times; at += 1) took.push(await run(at));
  const { user, system } = process.cpuUsage(cpu);
  took.sort((a, b) => a - b);
  const at = (share: number): string => (took[Math.floor(times * share)] ?? 0).toFixed(2);
  const own = ((user + system) / 1_000 / times).toFixed(2);
  console.log(`${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; this process ${own} ms of processor each`);
}

const [redisUrl, clickhouseUrl] = process.argv.slice(2);
if (redisUrl === undefined || clickhouseUrl === undefined) console.log(help);
else await measure(redisUrl, clickhouseUrl);
