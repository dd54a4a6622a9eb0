/** A redis-server of a test's own, to be killed, stopped for a while and started again on the same data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from '../embedded/installation.ts';
import { redisServerBinary } from '../embedded/redis-server.ts';
import { closeRedis, openRedis, redisReady } from './redis-connection.ts';

export class RedisServer {
  readonly url: string;
  /** Where its files are. */
  readonly folder: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  constructor(port: number, folder: string) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#port = port;
    this.folder = folder;
  }

  async start(): Promise<void> {
    const options = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
    const place = ['--port', String(this.#port), '--bind', '127.0.0.1', '--dir', this.folder];
    this.#child = spawn(await redisServerBinary(this.folder), [...place, ...options], { stdio: 'ignore' });
    const redis = openRedis(this.url, 'edge');
    const isReady = await redisReady(redis, 10_000);
    await closeRedis(redis);
    if (!isReady) throw new Error('redis-server did not start');
  }

  /** As the kernel does it to a process that needs too much memory. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
    this.#child = undefined;
  }

  /** Keeps its connections and answers nothing. */
  fallSilent(): void {
    this.#child?.kill('SIGSTOP');
  }

  wake(): void {
    this.#child?.kill('SIGCONT');
  }
}

export async function redisServer(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-redis-'));
  const server = new RedisServer(await freePort(), folder);
  onTestFinished(async () => {
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });
  await server.start();
  return server;
}
