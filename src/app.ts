/** The composition root: which adapters a role gets, how they start in order and stop in reverse. */
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { AggregateWorker, type WorkerEnd } from './aggregate/worker.ts';
import { createApiServer } from './api/api-server.ts';
import { watchBooks } from './books-metrics.ts';
import { RedisFeatureCatalog } from './catalog/redis-feature-catalog.ts';
import { systemClock } from './clock.ts';
import type { Config } from './config.ts';
import { RedisCustomerDirectory } from './customers/redis-customer-directory.ts';
import { serverApiKey } from './embedded/installation.ts';
import { ApiKeys } from './http/api-key.ts';
import type { ReadinessCheck } from './http/health.ts';
import type { HttpServer } from './http/uws-server.ts';
import { createIngestServer } from './ingest/ingest-server.ts';
import { BatchingIntake } from './ingest/intake.ts';
import { BullmqProducer } from './queue/bullmq-producer.ts';
import type { QueueDesk } from './queue/ledger.ts';
import { type ConnectionPurpose, closeRedis, openRedis, type Redis } from './queue/redis-connection.ts';
import { RedisDesk } from './queue/redis-desk.ts';
import { queueKeys } from './queue/redis-keys.ts';
import { RedisLedger } from './queue/redis-ledger.ts';
import { RedisReplyInbox } from './queue/redis-replies.ts';
import { createClickhouseClient } from './store/clickhouse-client.ts';
import { ClickhouseFlushStore } from './store/clickhouse-flush-store.ts';
import { migrateClickhouse } from './store/migrations.ts';
import { type Logger, makeRegistry } from './telemetry.ts';
import { ClickhouseUsageReader } from './usage/clickhouse-usage-reader.ts';

export const roleNames = ['ingest', 'aggregate', 'api', 'clickhouse'] as const;
export type RoleName = (typeof roleNames)[number];

export interface RunningRole {
  /** Drains and closes everything; safe twice. */
  stop(): Promise<void>;
  /** Rejects when the role cannot go on, and never resolves; absent for roles that go on until stopped. */
  readonly failed?: Promise<never>;
}

/** The namespace of every key in Redis; the braces keep them in one slot of a cluster. */
const namespace = '{tollgate}';

/** Resolves once the role serves. */
export function startRole(name: RoleName, config: Config, log: Logger): Promise<RunningRole> {
  if (name === 'clickhouse') return startClickhouse(config);
  const engines = new Engines(config, log);
  const starters = { ingest: startIngest, aggregate: startAggregate, api: startApi } as const;
  return starters[name](engines, makeRegistry(name));
}

export function openDesk(config: Config): { readonly desk: QueueDesk; close(): Promise<void> } {
  const redis = openRedis(requiredUrls(config).redisUrl, 'worker');
  return { desk: new RedisDesk({ redis, keys: queueKeys(namespace) }), close: () => closeRedis(redis) };
}

/** What is opened on the way up, closed on the way down in reverse. */
class Engines {
  readonly config: Config;
  readonly log: Logger;
  readonly keys = queueKeys(namespace);
  readonly redisUrl: string;
  readonly clickhouse: ReturnType<typeof createClickhouseClient>;
  readonly #closers: (() => Promise<unknown>)[] = [];

  constructor(config: Config, log: Logger) {
    const { redisUrl, clickhouseUrl } = requiredUrls(config);
    this.config = config;
    this.log = log;
    this.redisUrl = redisUrl;
    this.clickhouse = createClickhouseClient({ url: clickhouseUrl });
    this.onStop(() => this.clickhouse.close());
  }

  redis(purpose: ConnectionPurpose): Redis {
    const redis = openRedis(this.redisUrl, purpose, this.report);
    this.onStop(() => closeRedis(redis));
    return redis;
  }

  /** Reconnecting goes on by itself; the log tells that it was needed. */
  readonly report = (error: Error): void => {
    this.log.warn({ error: error.message }, 'Redis');
  };

  onStop(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}

async function startIngest(engines: Engines, registry: Registry): Promise<RunningRole> {
  const { config, log } = engines;
  const edge = engines.redis('edge');
  const server = createIngestServer({
    intake: makeIntake(engines, edge, registry),
    keys: await apiKeys(config),
    clock: systemClock,
    registry,
    log,
    checks: readiness(engines, edge),
    // Stopping must outlast the longest wait for an acknowledgement.
    limits: { drainMs: config.ackTimeoutMs + 5_000 },
  });
  watchBooks(registry, new RedisDesk({ redis: edge, keys: engines.keys }));
  await serve(engines, server, config.ingestPort, config.ingestProcesses > 1);
  return engines;
}

async function startApi(engines: Engines, registry: Registry): Promise<RunningRole> {
  const { config, log, clickhouse } = engines;
  const edge = engines.redis('edge');
  await migrateClickhouse({ url: requiredUrls(config).clickhouseUrl });
  const features = new RedisFeatureCatalog(edge, namespace);
  const server = createApiServer({
    services: {
      features,
      customers: new RedisCustomerDirectory(edge, namespace),
      intake: makeIntake(engines, edge, registry),
      usage: new ClickhouseUsageReader(clickhouse, features),
      clock: systemClock,
    },
    keys: await apiKeys(config),
    registry,
    log,
    readiness: readiness(engines, edge),
  });
  watchBooks(registry, new RedisDesk({ redis: edge, keys: engines.keys }));
  await serve(engines, server, config.apiPort, false);
  return engines;
}

async function startAggregate(engines: Engines, registry: Registry): Promise<RunningRole> {
  const { config, log, keys, clickhouse } = engines;
  const redis = engines.redis('worker');
  await migrateClickhouse({ url: requiredUrls(config).clickhouseUrl });
  const worker = new AggregateWorker({
    ledger: new RedisLedger({ redis, keys, report: engines.report }),
    store: new ClickhouseFlushStore(clickhouse),
    catalog: new RedisFeatureCatalog(redis, namespace),
    customers: new RedisCustomerDirectory(redis, namespace),
    identities: { windowMs: config.dedupeWindowMs, entriesMax: config.dedupeEntriesMax },
    clock: systemClock,
    logger: log,
    registry,
  });
  engines.onStop(() => worker.stop());
  const heartbeat = setInterval(() => void beat(config), 5_000);
  engines.onStop(async () => clearInterval(heartbeat));
  await worker.start();
  return { stop: () => engines.stop(), failed: worker.ended().then(refuseToGoOn) };
}

async function startClickhouse(config: Config): Promise<RunningRole> {
  // Loaded here alone, since the other roles run without its half gigabyte.
  const { startEmbeddedClickhouse } = await import('./embedded/clickhouse-server.ts');
  const url = new URL(config.clickhouseUrl ?? 'http://127.0.0.1:8123');
  return await startEmbeddedClickhouse({
    dataDir: join(config.dataDir, 'clickhouse'),
    host: url.hostname,
    port: Number(url.port === '' ? 8123 : url.port),
    password: decodeURIComponent(url.password),
  });
}

function makeIntake(engines: Engines, edge: Redis, registry: Registry): BatchingIntake {
  const { config, keys, report } = engines;
  const producer = new BullmqProducer({ redis: edge, keys, report, backlogBytesMax: config.backlogBytesMax });
  const inbox = new RedisReplyInbox({ redis: engines.redis('subscriber'), keys, report });
  const intake = new BatchingIntake({
    producer,
    inbox,
    registry,
    clock: systemClock,
    ackTimeoutMs: config.ackTimeoutMs,
  });
  engines.onStop(() => producer.close());
  engines.onStop(() => intake.drain());
  return intake;
}

async function serve(engines: Engines, server: HttpServer, port: number, shared: boolean): Promise<void> {
  engines.onStop(() => server.stop());
  await server.listen(engines.config.host, port, { shared });
  engines.log.info({ port }, 'listening');
}

async function apiKeys(config: Config): Promise<ApiKeys> {
  const key = await serverApiKey(config.dataDir, config.serverApiKey);
  return new ApiKeys([{ key, scopes: ['ingest', 'api'] }]);
}

function readiness({ clickhouse }: Engines, redis: Redis): readonly ReadinessCheck[] {
  const pingClickhouse = async (): Promise<void> => {
    const answer = await clickhouse.ping();
    if (!answer.success) throw answer.error;
  };
  return [
    { name: 'redis', check: () => redis.ping() },
    { name: 'clickhouse', check: pingClickhouse },
  ];
}

/** The worker listens on no port: a file that is touched tells a supervisor that its event loop turns. */
async function beat({ dataDir }: Config): Promise<void> {
  const path = join(dataDir, 'aggregate.alive');
  const now = new Date(systemClock.now());
  await utimes(path, now, now).catch(() => writeFile(path, '').catch(() => undefined));
}

/** A worker that was fenced or failed ends its process, and whoever supervises it starts a fresh one. */
function refuseToGoOn(end: WorkerEnd): Promise<never> {
  if (end.reason === 'stopped') return new Promise(() => undefined);
  throw end.reason === 'failed' ? end.error : new Error('another worker has taken the shard over');
}

/** Roles that run alone are told where Redis and ClickHouse are; `all` tells its own. */
function requiredUrls({ redisUrl, clickhouseUrl }: Config): { redisUrl: string; clickhouseUrl: string } {
  if (redisUrl !== undefined && clickhouseUrl !== undefined) return { redisUrl, clickhouseUrl };
  const missing = [redisUrl === undefined && 'REDIS_URL', clickhouseUrl === undefined && 'CLICKHOUSE_URL'];
  throw new Error(
    `${missing.filter(Boolean).join(' and ')} must be set for a role that runs alone; \`npm start\` brings both`,
  );
}
