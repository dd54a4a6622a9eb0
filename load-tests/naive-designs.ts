/**
 * The designs that come to mind first, each beside a Redis and a ClickHouse as Tollgate has them, under the same
 * client. They deduplicate nothing, validate little and count nothing; only rows that are stored count for them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { eventually } from '../test/installation.ts';
import { cpuSecondsOf, rssMbOf, startScript } from './child-process.ts';
import { poolEvents } from './event-pool.ts';
import type { MeasureOptions, Scenario } from './figures.ts';
import { percentile } from './load.ts';
import { LoadProcess, type LoadReport } from './load-process.ts';
import { type NaiveDesign, naiveTable } from './naive-event.ts';
import { startClickhouse, startRedis } from './stage-engines.ts';

/** In requests of 100 events, as the scenario that they are compared with. */
export async function measureNaive(options: MeasureOptions): Promise<Record<NaiveDesign, Scenario>> {
  const { seconds, seed, progress } = options;
  const load = { seed, eventsPerRequest: 100 };
  progress('the naive design with a job for each event, rows inserted by the thousand');
  const jobPerEvent = await measureNaiveDesign('jobPerEvent', { ...load, seconds: seconds / 2 });
  progress('the naive design with a job and an insert for each event');
  // What it accepts in a second takes it ten to store.
  const fullyNaive = await measureNaiveDesign('fullyNaive', { ...load, seconds: seconds / 10 });
  return { jobPerEvent, fullyNaive };
}

export interface NaiveLoad {
  readonly seconds: number;
  readonly seed: number;
  readonly eventsPerRequest: number;
  /** Distinct events that bodies are made of. */
  readonly poolSize?: number;
}

/** The rate is what was stored, over the time of the load and of the backlog that it leaves. */
export async function measureNaiveDesign(design: NaiveDesign, load: NaiveLoad): Promise<Scenario> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-naive-'));
  const redis = await startRedis(folder);
  const clickhouse = await startClickhouse(folder);
  const client = createClient({ url: clickhouse.url });
  await client.command({ query: createTable });
  const server = await startScript('load-tests/naive-server.ts', [design, redis.url]);
  const worker = await startScript('load-tests/naive-worker.ts', [design, redis.url, clickhouse.url]);
  try {
    const pids = { naive: [server.pid, worker.pid], redis: [redis.pid], clickhouse: [clickhouse.pid] };
    const before = figuresOf(pids, cpuSecondsOf);
    const result = await sendBodies(Number(server.greeting), load);
    const sentAt = performance.now();
    const accepted = result.succeeded * load.eventsPerRequest;
    const stored = await storedWithin(client, accepted, backlogSecondsMax);
    const elapsedSeconds = result.seconds + (performance.now() - sentAt) / 1_000;
    const after = figuresOf(pids, cpuSecondsOf);
    const micros = (process: NaiveProcess): number => ((after[process] - before[process]) * 1e6) / stored;
    const rssMbMaxOf = figuresOf(pids, rssMbOf);
    return {
      eventsPerSecond: stored / elapsedSeconds,
      ackMs: { p50: percentile(result.latenciesMs, 0.5), p99: percentile(result.latenciesMs, 0.99) },
      cpuMicrosPerEvent: { naive: micros('naive'), redis: micros('redis'), clickhouse: micros('clickhouse') },
      rssMbMax: Math.max(...Object.values(rssMbMaxOf)),
      rssMbMaxOf,
      exact: result.failed === 0 && stored === accepted,
    };
  } finally {
    await client.close();
    await Promise.all([server.stop(), worker.stop(), clickhouse.stop(), redis.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** As many as keep Tollgate busy with requests of that size. */
const connections = 16;
const backlogSecondsMax = 60;

const createTable = `CREATE TABLE ${naiveTable} (
  customer_id String, event_name String, idempotency_key String, timestamp DateTime64(3, 'UTC'),
  dimensions Map(String, String)
) ENGINE = MergeTree ORDER BY (customer_id, event_name, timestamp)`;

async function sendBodies(port: number, sent: NaiveLoad): Promise<LoadReport> {
  const { seconds, seed, eventsPerRequest, poolSize = poolEvents } = sent;
  const load = new LoadProcess();
  try {
    return await load.run({
      target: { port, path: '/api/v1/events', apiKey: 'none' },
      connections,
      seconds,
      rate: undefined,
      seed,
      stream: 0,
      content: { kind: 'events', eventsPerBody: eventsPerRequest, pool: poolSize },
    });
  } finally {
    load.stop();
  }
}

/** The rows that are there once all are, or when the time is up. */
async function storedWithin(client: ClickHouseClient, accepted: number, seconds: number): Promise<number> {
  let rows = 0;
  const complete = async (): Promise<boolean> => {
    const result = await client.query({
      query: `SELECT count() AS number FROM ${naiveTable}`,
      format: 'JSONEachRow',
    });
    const [row] = await result.json<{ number: string }>();
    rows = Number(row?.number ?? 0);
    return rows >= accepted;
  };
  await eventually(complete, 'the backlog', seconds * 1_000).catch(() => undefined);
  return rows;
}

type NaiveProcess = 'naive' | 'redis' | 'clickhouse';

/** The design itself runs in two processes. */
function figuresOf(
  pids: Readonly<Record<NaiveProcess, readonly number[]>>,
  of: (pid: number) => number,
): Record<NaiveProcess, number> {
  const sum = (some: readonly number[]): number => some.reduce((total, pid) => total + of(pid), 0);
  return { naive: sum(pids.naive), redis: sum(pids.redis), clickhouse: sum(pids.clickhouse) };
}
