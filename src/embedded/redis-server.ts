/**
 * The redis-server child of the embedded default: on a free loopback port, with a password of its own and its
 * data under DATA_DIR/redis, so that it never meets a Redis that was there before.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { freePort, keptSecret } from './installation.ts';

export interface RedisServer {
  readonly url: string;
  /** Resolves when the child has ended, wanted or not. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

interface RunningServer {
  readonly pid: number;
  readonly port: number;
}

/**
 * Starts it and waits until it serves (it loads its append-only file first). `port` asks for the port of a
 * former child, so that clients need not learn a new one after a crash.
 */
export async function startRedisServer(dataDir: string, port?: number): Promise<RedisServer> {
  const folder = join(dataDir, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const password = await keptSecret(folder, 'password', () => randomBytes(24).toString('hex'));
  await stopLeftover(folder, password);
  const chosenPort = port ?? (await freePort());
  const configuration = join(folder, 'redis.conf');
  await writeFile(configuration, redisConf(folder, chosenPort, password), { mode: 0o600 });
  const child = spawnTied(await redisServerBinary(folder), configuration);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `redis://:${password}@127.0.0.1:${chosenPort}`;
  await served(url, child, folder);
  return {
    url,
    ended,
    stop: async () => {
      child.stdin?.end();
      await ended;
    },
  };
}

/**
 * redis-server on the PATH, or Debian's redis-check-rdb, which is the same program and acts by the name it is
 * called by: the package redis-tools brings it without the system service that redis-server would start.
 * A link by that name is then made in `folder`.
 */
export async function redisServerBinary(folder: string): Promise<string> {
  const found = await onPath('redis-server');
  if (found !== undefined) return found;
  const twin = await onPath('redis-check-rdb');
  if (twin === undefined) {
    throw new Error('redis-server is not installed: run `npm start`, or set REDIS_URL to a Redis that runs');
  }
  const link = join(folder, 'redis-server');
  await unlink(link).catch(() => undefined);
  await symlink(twin, link);
  return link;
}

/**
 * `appendfsync always`: with `everysec` Redis may answer before it has written at all, and then also a kill -9
 * of redis-server alone loses what was acknowledged. Batches make it cost little (README, guarantees).
 */
function redisConf(folder: string, port: number, password: string): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(folder)}`,
    'daemonize no',
    'appendonly yes',
    'appendfsync always',
    'save ""',
    'maxmemory-policy noeviction',
    'loglevel warning',
    `logfile ${JSON.stringify(join(folder, 'redis.log'))}`,
    '',
  ].join('\n');
}

/**
 * redis-server cannot tell that its parent is gone. A shell of one megabyte can: it waits for the end of its
 * standard input, which comes when the parent closes it or dies in any way, and then stops redis-server.
 * Its own session keeps Ctrl-C in a terminal from reaching Redis before the other roles have drained.
 */
function spawnTied(binary: string, configuration: string): ChildProcess {
  const script = [
    'exec 3<&0',
    '"$0" "$1" </dev/null 3<&- &',
    'server=$!',
    '{ read -r _ <&3; kill -TERM "$server"; } &',
    'watcher=$!',
    'wait "$server"',
    'status=$?',
    'kill "$watcher"',
    'exit "$status"',
  ].join('\n');
  const child = spawn('/bin/sh', ['-c', script, binary, configuration], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  return child;
}

async function served(url: string, child: ChildProcess, folder: string): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null, lazyConnect: true });
  redis.on('error', () => undefined);
  const failed = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) =>
      reject(new Error(`redis-server ended with ${code} before it served; see ${join(folder, 'redis.log')}`)),
    );
  });
  failed.catch(() => undefined);
  try {
    const info = await Promise.race([loaded(redis), failed]);
    const pid = Number(/process_id:(\d+)/.exec(info)?.[1]);
    const running: RunningServer = { pid, port: Number(new URL(url).port) };
    await writeFile(join(folder, 'running.json'), JSON.stringify(running), { mode: 0o600 });
  } finally {
    redis.disconnect();
  }
}

/** While it loads its file Redis answers `LOADING`; ioredis waits for that to end before it sends commands. */
async function loaded(redis: Redis): Promise<string> {
  for (;;) {
    try {
      await redis.ping();
      return await redis.info('server');
    } catch (error) {
      if (!(error instanceof Error) || !/LOADING|Connection is closed/.test(error.message)) throw error;
    }
  }
}

/** Two servers on one append-only file would destroy it: one that a killed parent left is stopped first. */
async function stopLeftover(folder: string, password: string): Promise<void> {
  const path = join(folder, 'running.json');
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text === '') return;
  const running = JSON.parse(text) as RunningServer;
  const redis = new Redis({
    host: '127.0.0.1',
    port: running.port,
    password,
    connectTimeout: 1_000,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    const [, dir] = await redis.config('GET', 'dir');
    // Only a server that knows our password and keeps our folder is ours to stop.
    if (dir === folder) await redis.shutdown().catch(() => undefined);
  } catch {
    // Nobody answers there, or somebody else: ours has ended.
  } finally {
    redis.disconnect();
  }
  await processEnded(running.pid);
  await unlink(path).catch(() => undefined);
}

/** Bounded: a process id may have gone to somebody else, who will not end for us. */
async function processEnded(pid: number): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (Date.now() < deadline && alive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function onPath(name: string): Promise<string | undefined> {
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'command -v "$0" || true', name]);
  return stdout.trim() === '' ? undefined : stdout.trim();
}
