/**
 * Connections to Redis by purpose, since the edge and the worker want opposite things of a Redis that is away:
 * a request must learn of it in time, a flush must wait until it is back.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';

export type { Redis };

/**
 * `edge`: nothing is queued or sent again by the client, so that nothing happens after its caller was told no.
 * `worker`: commands wait for Redis without end and are sent again after a lost connection; every script that
 * goes this way may therefore run twice. `subscriber`: as `worker`, for the connection that only listens.
 */
export type ConnectionPurpose = 'edge' | 'worker' | 'subscriber';

/** Told of every connection error; the client goes on reconnecting whatever it does. */
export type ErrorReport = (error: Error) => void;

const common: RedisOptions = {
  // A published test saw it slow workers by a third, and it would reorder what we pipeline on purpose.
  enableAutoPipelining: false,
  connectTimeout: 3_000,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 5), 1_000),
};

const optionsByPurpose: Readonly<Record<ConnectionPurpose, RedisOptions>> = {
  edge: {
    ...common,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // A socket that is silent this long with commands in flight is replaced; longer than one slow fsync.
    socketTimeout: 4_000,
  },
  // Longer than BullMQ's blocking wait of 5 s, which is silent by design.
  worker: { ...common, maxRetriesPerRequest: null, socketTimeout: 15_000 },
  subscriber: { ...common, maxRetriesPerRequest: null },
};

/** For those who pass connections on and are no adapters themselves. */
export type RedisConnection = Redis;

/** Connects in the background and never throws; errors go to `report`, which by default drops them. */
export function openRedis(
  url: string,
  purpose: ConnectionPurpose,
  report: ErrorReport = () => {},
): RedisConnection {
  const redis = new Redis(url, { ...optionsByPurpose[purpose], replyMapping: 'legacy' });
  redis.on('error', report);
  return redis;
}

/** True once commands can be written; false when `timeoutMs` passes first or the connection was closed. */
export function redisReady(redis: Redis, timeoutMs: number): Promise<boolean> {
  if (redis.status === 'ready') return Promise.resolve(true);
  if (redis.status === 'end') return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (isReady: boolean): void => {
      clearTimeout(timer);
      redis.off('ready', ready).off('end', failed);
      resolve(isReady);
    };
    const ready = (): void => settle(true);
    const failed = (): void => settle(false);
    const timer = setTimeout(failed, timeoutMs);
    redis.once('ready', ready).once('end', failed);
  });
}

/** Says goodbye within a second, or hangs up. */
export async function closeRedis(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    const goodbye = redis.quit().catch(() => undefined);
    await Promise.race([goodbye, delay(1_000, undefined, { ref: false })]);
  }
  redis.disconnect();
}
