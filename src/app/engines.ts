/** What every role builds on: Redis, ClickHouse, and the order in which all is closed again. */
import type { Config } from '../config.ts';
import { type ConnectionPurpose, closeRedis, openRedis, type Redis } from '../queue/redis-connection.ts';
import { queueKeys } from '../queue/redis-keys.ts';
import { createClickhouseClient } from '../store/clickhouse-client.ts';
import type { Logger } from '../telemetry.ts';

/** The namespace of every key in Redis; the braces keep them in one slot of a cluster. */
export const namespace = '{tollgate}';

/** What is opened on the way up, closed on the way down in reverse. */
export class Engines {
  readonly config: Config;
  readonly log: Logger;
  readonly keys = queueKeys(namespace);
  readonly redisUrl: string;
  readonly clickhouseUrl: string;
  readonly clickhouse: ReturnType<typeof createClickhouseClient>;
  readonly #closers: (() => Promise<unknown>)[] = [];

  constructor(config: Config, log: Logger) {
    const { redisUrl, clickhouseUrl } = requiredUrls(config);
    this.config = config;
    this.log = log;
    this.redisUrl = redisUrl;
    this.clickhouseUrl = clickhouseUrl;
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

/** Roles that run alone are told where Redis and ClickHouse are; `all` tells its own. */
export function requiredUrls({ redisUrl, clickhouseUrl }: Config): {
  redisUrl: string;
  clickhouseUrl: string;
} {
  if (redisUrl !== undefined && clickhouseUrl !== undefined) return { redisUrl, clickhouseUrl };
  const missing = [redisUrl === undefined && 'REDIS_URL', clickhouseUrl === undefined && 'CLICKHOUSE_URL'];
  throw new Error(
    `${missing.filter(Boolean).join(' and ')} must be set for a role that runs alone; \`npm start\` brings both`,
  );
}
