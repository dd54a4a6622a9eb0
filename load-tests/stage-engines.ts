/** Redis and ClickHouse as `npm start` runs them, for what is measured without Tollgate around them. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { clickhouseThreads } from '../src/embedded/default-start.ts';
import { freePort } from '../src/embedded/installation.ts';
import { startRedisServer } from '../src/embedded/redis-server.ts';
import { startScript } from './child-process.ts';

export interface StartedEngine {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export async function startRedis(folder: string): Promise<StartedEngine> {
  const server = await startRedisServer(folder);
  const redis = new Redis(server.url);
  const pid = Number(/process_id:(\d+)/.exec(await redis.info('server'))?.[1]);
  redis.disconnect();
  return { url: server.url, pid, stop: () => server.stop() };
}

export async function startClickhouse(folder: string): Promise<StartedEngine> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const script = await startScript('src/main.ts', ['clickhouse'], {
    CLICKHOUSE_URL: url,
    DATA_DIR: join(folder, 'clickhouse'),
    LOG_LEVEL: 'error',
    UV_THREADPOOL_SIZE: String(clickhouseThreads),
  });
  return { url, pid: script.pid, stop: () => script.stop() };
}
