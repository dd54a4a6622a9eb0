import { join } from 'node:path';
import type { Config } from '../config.ts';
import { startEmbeddedClickhouse } from '../embedded/clickhouse-server.ts';
import type { RunningRole } from './running-role.ts';

export async function startClickhouse(config: Config): Promise<RunningRole> {
  const url = new URL(config.clickhouseUrl ?? 'http://127.0.0.1:8123');
  return await startEmbeddedClickhouse({
    dataDir: join(config.dataDir, 'clickhouse'),
    host: url.hostname,
    port: Number(url.port === '' ? 8123 : url.port),
    threads: config.threadPoolSize,
    password: decodeURIComponent(url.password),
  });
}
