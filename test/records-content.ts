/** All that Redis holds of an installation's records, as texts that can be compared. */
import type { Redis } from 'ioredis';

/** Key → content, in an order of its own making. The records' life is left out: a restore begins another one. */
export async function recordsContent(redis: Redis, namespace: string): Promise<ReadonlyMap<string, string>> {
  const keys = (await redis.keys(`${namespace}*`)).toSorted();
  const contents = await Promise.all(keys.map((key) => readable(redis, key)));
  return new Map(keys.map((key, at) => [key, contents[at] ?? '']));
}

export async function readable(redis: Redis, key: string): Promise<string> {
  const type = await redis.type(key);
  if (type === 'hash') {
    const fields = Object.entries(await redis.hgetall(key)).filter(([field]) => field !== '');
    return JSON.stringify(fields.toSorted(byText));
  }
  if (type === 'zset') return JSON.stringify(await redis.zrange(key, '0', '-1', 'WITHSCORES'));
  if (type !== 'stream') throw new Error(`${key} is a ${type}, which records are not kept in`);
  const [, , , , , , , lastId] = (await redis.xinfo('STREAM', key)) as unknown[];
  return JSON.stringify([lastId, await redis.xrange(key, '-', '+')]);
}

function byText([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
