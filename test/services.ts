/** Starts one redis-server and one embedded ClickHouse for the whole test run, on free ports in a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { freePort } from '../src/embedded/installation.ts';
import { redisServerBinary } from '../src/embedded/redis-server.ts';

declare module 'vitest' {
  // Vitest names the properties; each test file gets them by inject('redisUrl') and inject('clickhouseUrl').
  interface ProvidedContext {
    redisUrl: string;
    clickhouseUrl: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-test-'));
  const [redisPort, clickhousePort] = await Promise.all([freePort(), freePort()]);
  const clickhouseUrl = `http://127.0.0.1:${clickhousePort}`;
  const redis = spawn(await redisServerBinary(folder), [
    '--port',
    String(redisPort),
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--appendonly',
    'yes',
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ]);
  const clickhouse = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'clickhouse'], {
    env: { ...process.env, CLICKHOUSE_URL: clickhouseUrl, DATA_DIR: folder, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await Promise.all([listening(redis, redisPort), listening(clickhouse, clickhousePort)]);
  project.provide('redisUrl', `redis://127.0.0.1:${redisPort}`);
  project.provide('clickhouseUrl', clickhouseUrl);
  return async () => {
    await Promise.all([ended(redis), ended(clickhouse)]);
    await rm(folder, { recursive: true, force: true });
  };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  while (child.exitCode === null) {
    if (await accepts(port)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(
    `${child.spawnargs.join(' ')} ended with ${child.exitCode} before it listened on port ${port}`,
  );
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
