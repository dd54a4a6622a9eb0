/** Starts the naive design beside a Redis and a ClickHouse of its own, loads it and waits until all is stored. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '@clickhouse/client';
import { freePort } from '../src/embedded/installation.ts';
import { startRedisServer } from '../src/embedded/redis-server.ts';
import { eventually } from '../test/installation.ts';
import { cpuPerEvent, memory, percentiles, type Scenario } from './scenario.ts';
import { EventBodies } from './event-bodies.ts';
import { runLoad } from './load.ts';
import { processFigures } from './process-figures.ts';

const script = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export async function measureNaive(batch: number, seconds: number): Promise<Scenario> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-naive-'));
  const [port, clickhousePort] = [await freePort(), await freePort()];
  const clickhouseUrl = `http://127.0.0.1:${clickhousePort}`;
  const redis = await startRedisServer(folder);
  const clickhouse = spawn(process.execPath, [script('../dist/main.js'), 'clickhouse'], {
    env: { ...process.env, CLICKHOUSE_URL: clickhouseUrl, DATA_DIR: folder, LOG_LEVEL: 'error' },
    stdio: 'ignore',
  });
  await eventually(async () => (await fetch(`${clickhouseUrl}/ping`)).ok, 'ClickHouse to serve');
  const words = ['--import', 'tsx', script('naive-design.ts'), String(port), redis.url, clickhouseUrl];
  const naive = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => naive.stdout.once('data', resolve));
  try {
    return await load({ batch, seconds, port, clickhouseUrl });
  } finally {
    await Promise.all([ended(naive), ended(clickhouse)]);
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface NaiveLoad {
  readonly batch: number;
  readonly seconds: number;
  readonly port: number;
  readonly clickhouseUrl: string;
}

/** The rate is that of events stored, since this design accepts far more than it can store. */
async function load({ batch, seconds, port, clickhouseUrl }: NaiveLoad): Promise<Scenario> {
  const client = createClient({ url: clickhouseUrl });
  const stored = async (): Promise<number> => {
    const result = await client.query({
      query: 'SELECT count() AS rows FROM naive_events',
      format: 'JSONEachRow',
    });
    const [row] = await result.json<{ rows: string }>();
    return Number(row?.rows ?? 0);
  };
  const bodies = new EventBodies(batch, 77, Date.now());
  const before = processFigures(process.pid);
  const started = performance.now();
  const result = await runLoad(
    { port, path: '/events', apiKey: 'none' },
    {
      connections: batch === 1 ? 64 : 16,
      seconds,
      rate: undefined,
      next: () => ({ body: bodies.take().bytes, succeeded: () => undefined }),
    },
  );
  const accepted = result.succeeded * batch;
  // Its backlog may take many times the load's own time; what it stored until then gives its rate.
  const patienceMs = seconds * 2_000;
  await eventually(async () => (await stored()) >= accepted, 'the backlog', patienceMs).catch(
    () => undefined,
  );
  const rows = await stored();
  const after = processFigures(process.pid);
  await client.close();
  return {
    eventsPerSecond: rows / ((performance.now() - started) / 1_000),
    requestsPerSecond: result.succeeded / result.seconds,
    ackMs: percentiles(result.latenciesMs),
    cpuMicrosPerEvent: cpuPerEvent(before, after, rows),
    rssMbMax: memory(after),
    exact: rows <= accepted,
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}
