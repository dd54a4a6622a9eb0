/** What ingest and api share: a listening server, its key, its readiness, and the way into the queue. */
import type { Registry } from 'prom-client';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { serverApiKey } from '../embedded/installation.ts';
import { ApiKeys } from '../http/api-key.ts';
import type { ReadinessCheck } from '../http/health.ts';
import type { HttpServer } from '../http/uws-server.ts';
import { BatchingIntake } from '../ingest/intake.ts';
import { BullmqProducer } from '../queue/bullmq-producer.ts';
import type { Redis } from '../queue/redis-connection.ts';
import { RedisReplyInbox } from '../queue/redis-replies.ts';
import { ClickhouseUsageTallies } from '../usage/clickhouse-usage-tallies.ts';
import { LiveCounters } from '../usage/live-counters.ts';
import { RedisCounterStore } from '../usage/redis-counter-store.ts';
import type { Engines } from './engines.ts';
import { checkRecords } from './records.ts';

export function makeIntake(engines: Engines, edge: Redis, registry: Registry): BatchingIntake {
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

export function makeLiveUsage({ keys, clickhouse }: Engines, edge: Redis): LiveCounters {
  const store = new RedisCounterStore(edge, keys);
  return new LiveCounters({ store, tallies: new ClickhouseUsageTallies(clickhouse), clock: systemClock });
}

/** Shared: several processes of a role may listen on its one port, and the kernel shares connections out (Linux). */
export async function serve(engines: Engines, server: HttpServer, port: number): Promise<void> {
  engines.onStop(() => server.stop());
  await server.listen(engines.config.host, port, { shared: true });
  engines.log.info({ port }, 'listening');
}

export async function apiKeys(config: Config): Promise<ApiKeys> {
  const key = await serverApiKey(config.dataDir, config.serverApiKey);
  return new ApiKeys([{ key, scopes: ['ingest', 'api'] }]);
}

export function readiness({ clickhouse }: Engines, redis: Redis): readonly ReadinessCheck[] {
  const pingClickhouse = async (): Promise<void> => {
    const answer = await clickhouse.ping();
    if (!answer.success) throw answer.error;
  };
  return [
    { name: 'redis', check: () => redis.ping() },
    { name: 'clickhouse', check: pingClickhouse },
    { name: 'records', check: () => checkRecords(redis) },
  ];
}
