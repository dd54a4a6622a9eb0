/**
 * The composition root: which adapters a role gets, how they start in order and stop in reverse. Each role is
 * loaded when it is run, so that a process holds in memory only what it is.
 */
import { Engines, namespace, requiredUrls } from './app/engines.ts';
import type { RunningRole } from './app/running-role.ts';
import type { Config } from './config.ts';
import type { QueueDesk } from './queue/ledger.ts';
import { closeRedis, openRedis, type Redis, redisReady } from './queue/redis-connection.ts';
import { RedisDesk } from './queue/redis-desk.ts';
import { queueKeys } from './queue/redis-keys.ts';
import type { Logger } from './telemetry.ts';

const roles = {
  ingest: async (config: Config, log: Logger) => {
    const { startIngest } = await import('./app/ingest-role.ts');
    return startIngest(new Engines(config, log));
  },
  aggregate: async (config: Config, log: Logger) => {
    const { startAggregate } = await import('./app/aggregate-role.ts');
    return startAggregate(new Engines(config, log));
  },
  api: async (config: Config, log: Logger) => {
    const { startApi } = await import('./app/api-role.ts');
    return startApi(new Engines(config, log));
  },
  clickhouse: async (config: Config) => {
    const { startClickhouse } = await import('./app/clickhouse-role.ts');
    return startClickhouse(config);
  },
} satisfies Record<string, (config: Config, log: Logger) => Promise<RunningRole>>;

export type RoleName = keyof typeof roles;
export const roleNames = Object.keys(roles) as readonly RoleName[];

/** Resolves once the role serves. */
export function startRole(name: RoleName, config: Config, log: Logger): Promise<RunningRole> {
  return roles[name](config, log);
}

/** The operators' view of the queue; fails when Redis does not answer within five seconds. */
export async function openDesk(
  config: Config,
): Promise<{ readonly desk: QueueDesk; close(): Promise<void> }> {
  const { redis, close } = await operatorsRedis(config);
  return { desk: new RedisDesk({ redis, keys: queueKeys(namespace) }), close };
}

/** For commands; fails when Redis does not answer within five seconds. */
export async function operatorsRedis(
  config: Config,
): Promise<{ readonly redis: Redis; readonly close: () => Promise<void> }> {
  const redis = openRedis(requiredUrls(config).redisUrl, 'edge');
  const close = (): Promise<void> => closeRedis(redis);
  if (!(await redisReady(redis, 5_000))) {
    await close();
    throw new Error('Redis does not answer at REDIS_URL');
  }
  return { redis, close };
}
