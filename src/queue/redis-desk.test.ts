import { expect, inject, it } from 'vitest';
import { QueueUnavailableError } from '../metering/batch.ts';
import { openRedis } from './redis-connection.ts';
import { RedisDesk } from './redis-desk.ts';
import {
  eventually,
  HeldDeliveries,
  manifestOf,
  queueUnderTest,
  sealedBatch,
  stored,
  unaccounted,
} from './redis-queue.fixture.ts';

const url = inject('redisUrl');

it('keeps a dead letter with its content, lists it, and queues it again', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const [bad, good] = [sealedBatch(4), sealedBatch(2)];
  const queue = await producer();
  await queue.enqueue(bad);
  await queue.enqueue(good);
  const ledger = await owner();
  await ledger.bury([bad.id], 'no event block:\nbyte 7');
  await ledger.bury([bad.id], 'said twice');

  expect(await desk.books()).toMatchObject({ accepted: 6, deadLettered: 4, inFlight: 2 });
  const [letter, ...others] = await desk.deadLetters(10);
  expect(letter).toMatchObject({
    batchId: bad.id,
    kind: 'events',
    count: 4,
    reason: 'no event block:\nbyte 7',
  });
  expect(others).toEqual([]);
  expect((await desk.deadLetter(bad.id))?.payload.equals(bad.payload)).toBe(true);
  expect(await desk.deadLetter(good.id)).toBeUndefined();

  expect(await desk.replay(bad.id)).toBe(true);
  expect(await desk.replay(bad.id)).toBe(false);
  const books = await desk.books();
  expect(books).toMatchObject({ accepted: 6, deadLettered: 0, inFlight: 6 });
  expect(unaccounted(books)).toBe(0);
  expect(await desk.deadLetters(10)).toEqual([]);

  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await eventually('both deliveries', () => held.taken.length === 2);
  const again = held.taken.find(({ batchId }) => batchId === bad.id);
  expect(again?.payload.equals(bad.payload)).toBe(true);
  await ledger.begin(manifestOf(1, held.taken));
  await ledger.finish(1, stored(6), {});
  held.settleAll();
  await consumer.stop();
  expect(await desk.books()).toMatchObject({ accepted: 6, stored: 6, inFlight: 0, inFlightBytes: 0 });
});

it('gives up the flush in hand when one of its batches is buried', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const [bad, good] = [sealedBatch(4), sealedBatch(2)];
  const queue = await producer();
  await queue.enqueue(bad);
  await queue.enqueue(good);
  const ledger = await owner();
  const both = [bad, good].map(({ id, count }) => ({ batchId: id, count }));
  await ledger.begin(manifestOf(1, both));
  await ledger.bury([bad.id], 'refused by the store');
  expect(await ledger.unfinished()).toBeUndefined();
  await ledger.begin(manifestOf(2, [{ batchId: good.id, count: 2 }]));
  await ledger.finish(2, stored(2), {});
  expect(await desk.books()).toMatchObject({ accepted: 6, stored: 2, deadLettered: 4, inFlight: 0 });
});

it('lists the newest dead letters first, up to a limit', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  let now = 1_000;
  const ledger = await owner({ clock: { now: () => now } });
  const queue = await producer();
  for (; now <= 4_000; now += 1_000) {
    const batch = sealedBatch();
    await queue.enqueue(batch);
    await ledger.bury([batch.id], `at ${now}`);
  }
  expect((await desk.deadLetters(2)).map(({ reason }) => reason)).toEqual(['at 4000', 'at 3000']);
});

it('says so when Redis is not there', async () => {
  const { keys } = await queueUnderTest(url);
  const redis = openRedis('redis://127.0.0.1:1', 'edge');
  const desk = new RedisDesk({ redis, keys });
  await expect(desk.books()).rejects.toBeInstanceOf(QueueUnavailableError);
  redis.disconnect();
});
