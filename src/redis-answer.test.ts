import { afterAll, expect, inject, it } from 'vitest';
import { closeRedis, openRedis, redisReady } from './queue/redis-connection.ts';
import { RedisUnavailableError, redisAnswer } from './redis-answer.ts';

const redis = openRedis(inject('redisUrl'), 'edge');
await redisReady(redis, 5_000);
afterAll(() => closeRedis(redis));

const refusal = (text: string): Promise<unknown> => redis.eval('return redis.error_reply(ARGV[1])', 0, text);

it('hands the reply on', async () => {
  expect(await redisAnswer(redis.echo('hello'))).toBe('hello');
});

it('leaves what Redis will refuse again as it is', async () => {
  await expect(redisAnswer(refusal('WRONGTYPE of key'))).rejects.toThrow('WRONGTYPE');
});

it.each(['LOADING the dataset', 'READONLY replica', 'OOM command not allowed'])(
  'tells that %s passes',
  async (text) => {
    await expect(redisAnswer(refusal(text))).rejects.toThrow(RedisUnavailableError);
  },
);

it('tells that there is no answer, and not what was asked', async () => {
  const away = openRedis('redis://127.0.0.1:1', 'edge');
  const failure = redisAnswer(away.get('secret'));
  await expect(failure).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE', retryable: true });
  await expect(failure).rejects.not.toThrow('secret');
  await closeRedis(away);
});
