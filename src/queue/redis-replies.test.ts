import { expect, inject, it } from 'vitest';
import { openRedis } from './redis-connection.ts';
import { eventually, queueUnderTest } from './redis-queue.fixture.ts';

const url = inject('redisUrl');
const outcomes = [{ error: { code: 'CUSTOMER_NOT_FOUND', message: 'no such customer: é' } }] as const;

it('brings a reply to the process it is addressed to, and to no other', async () => {
  const { inbox, ledger } = await queueUnderTest(url);
  const [mine, another] = await Promise.all([inbox(), inbox()]);
  const [arrives, stays] = [mine.await('batch', 5_000), another.await('batch', 300)];
  await ledger().reply(mine.address, { batchId: 'batch', outcomes });
  expect(await arrives).toEqual({ batchId: 'batch', outcomes });
  expect(await stays).toBeUndefined();
  expect(mine.waiting + another.waiting).toBe(0);
});

it('tells those who wait in vain', async () => {
  const { inbox } = await queueUnderTest(url);
  const small = await inbox({ waitingMax: 1 });
  const first = small.await('first', 60_000);
  expect(await small.await('beyond the bound', 60_000)).toBeUndefined();
  small.close();
  expect(await first).toBeUndefined();
});

it('drops replies that nobody awaits, and those that are none', async () => {
  const reports: string[] = [];
  const { inbox, ledger, keys } = await queueUnderTest(url);
  const mine = await inbox({ report: (error) => reports.push(error.message) });
  const worker = ledger();
  await worker.reply(mine.address, { batchId: 'unknown', outcomes: [] });
  const redis = openRedis(url, 'worker');
  await redis.publish(keys.replyPrefix + mine.address, 'no json');
  redis.disconnect();
  await eventually('the report', () => reports.length === 1);
  const arrives = mine.await('batch', 5_000);
  await worker.reply(mine.address, { batchId: 'batch', outcomes });
  expect(await arrives).toBeDefined();
});
