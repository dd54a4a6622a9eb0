/** `npm start`: every role in a process of its own, beside the Redis and the ClickHouse that are not given. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { Logger } from '../telemetry.ts';
import { type ChildRole, startChildRole } from './child-role.ts';
import { freePort, keptSecret, lockInstallation, requireFreePort, serverApiKey } from './installation.ts';
import { type RedisServer, startRedisServer } from './redis-server.ts';
import { welcome } from './welcome.ts';

export interface DefaultStartOptions {
  readonly config: Config;
  /** The script that runs single roles by name. */
  readonly entry: string;
  readonly log: Logger;
  readonly print: (text: string) => void;
}

/** Queries that run side by side; most of the time they wait for each other's parts and for the disk. */
export const clickhouseThreads = 12;

interface Part {
  stop(): Promise<void>;
}

/**
 * Starts in the order of need and stops in reverse: first nobody is let in any more, then the workers finish,
 * then the engines end. What was started is stopped again when a later part fails to start.
 */
export async function startDefault(options: DefaultStartOptions): Promise<Part> {
  const parts = new PartList();
  await parts.startAll(() => startParts(options, parts.keep));
  return parts;
}

/** The installation's Redis and ClickHouse without any role, for a command that works on them. */
export async function startEngines(options: DefaultStartOptions): Promise<EngineUrls & Part> {
  const parts = new PartList();
  const urls = await parts.startAll(() => startEngineParts(options, parts.keep));
  return { ...urls, stop: () => parts.stop() };
}

class PartList implements Part {
  readonly #parts: Part[] = [];

  readonly keep = (part: Part): void => {
    this.#parts.push(part);
  };

  async startAll<Result>(start: () => Promise<Result>): Promise<Result> {
    try {
      return await start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const part of this.#parts.splice(0).reverse()) await part.stop();
  }
}

interface EngineUrls {
  readonly redisUrl: string;
  readonly clickhouseUrl: string;
}

async function startEngineParts(
  options: DefaultStartOptions,
  keep: (part: Part) => void,
): Promise<EngineUrls> {
  const { config, print } = options;
  const lock = await lockInstallation(config.dataDir);
  keep({ stop: () => lock.release() });
  const step = progressPrinter(print);
  const [redisUrl, clickhouseUrl] = await Promise.all([
    config.redisUrl ?? step('redis-server', startRedis(options, keep)),
    config.clickhouseUrl ?? step('ClickHouse', startClickhouse(options, keep)),
  ]);
  return { redisUrl, clickhouseUrl };
}

async function startParts(options: DefaultStartOptions, keep: (part: Part) => void): Promise<void> {
  const { config, print } = options;
  const engines = await startEngineParts(options, keep);
  const apiKey = await serverApiKey(config.dataDir, config.serverApiKey);
  const step = progressPrinter(print);
  const environment = {
    REDIS_URL: engines.redisUrl,
    CLICKHOUSE_URL: engines.clickhouseUrl,
    SERVER_API_KEY: apiKey,
    DATA_DIR: config.dataDir,
    // The lines printed here stand in for what the roles would say at `info` on their way up.
    LOG_LEVEL: config.logLevel === 'info' ? 'warn' : config.logLevel,
  };
  const role = async (name: string): Promise<void> => {
    keep(await startRole(options, name, environment));
  };
  await requireFreePort('API_PORT', config.host, config.apiPort);
  await requireFreePort('INGEST_PORT', config.host, config.ingestPort);
  await step('aggregate', role('aggregate'));
  await Promise.all([
    ...Array.from({ length: config.ingestProcesses }, () => step('ingest', role('ingest'))),
    step('api', role('api')),
  ]);
  print(welcome(config, apiKey));
}

function progressPrinter(print: (text: string) => void): <T>(name: string, work: Promise<T>) => Promise<T> {
  return async (name, work) => {
    const started = performance.now();
    const result = await work;
    print(`${name.padEnd(12)} ready after ${((performance.now() - started) / 1_000).toFixed(1)} s\n`);
    return result;
  };
}

/** One that dies is started again on its port with its data, so that its clients find it where it was. */
async function startRedis({ config, log }: DefaultStartOptions, keep: (part: Part) => void): Promise<string> {
  let stopping = false;
  let server: RedisServer = await startRedisServer(config.dataDir);
  const port = Number(new URL(server.url).port);
  const supervise = async (): Promise<void> => {
    for (;;) {
      await server.ended;
      if (stopping) return;
      log.error('redis-server ended unasked and is started again');
      server = await startRedisServer(config.dataDir, port);
      // Whoever stopped it meanwhile had only the former one to end.
      if (stopping) await server.stop();
    }
  };
  const supervised = supervise().catch((error: unknown) => {
    // Without Redis nothing can be acknowledged; ending loudly is better than refusing for ever.
    log.fatal({ err: error }, 'redis-server could not be started again');
    process.kill(process.pid, 'SIGTERM');
  });
  keep({
    stop: async () => {
      stopping = true;
      await server.stop();
      await supervised;
    },
  });
  return server.url;
}

async function startClickhouse(options: DefaultStartOptions, keep: (part: Part) => void): Promise<string> {
  const folder = join(options.config.dataDir, 'clickhouse');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const password = await keptSecret(options.config.dataDir, 'clickhouse-password', () =>
    randomBytes(24).toString('hex'),
  );
  const url = `http://default:${password}@127.0.0.1:${await freePort()}`;
  keep(
    await startRole(options, 'clickhouse', {
      CLICKHOUSE_URL: url,
      DATA_DIR: options.config.dataDir,
      UV_THREADPOOL_SIZE: String(Math.max(clickhouseThreads, options.config.threadPoolSize)),
    }),
  );
  return url;
}

function startRole(
  { entry, log }: DefaultStartOptions,
  role: string,
  environment: Readonly<Record<string, string>>,
): Promise<ChildRole> {
  return startChildRole({
    role,
    entry,
    environment,
    onCrash: (name, cause) =>
      log.error({ childRole: name, cause }, 'a role ended unasked and is started again'),
  });
}
