import { randomBytes, randomUUID } from 'node:crypto';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { QueueUnavailableError } from '../metering/batch.ts';
import { BullmqProducer } from './bullmq-producer.ts';
import { closeRedis, openRedis } from './redis-connection.ts';
import {
  eventually,
  HeldDeliveries,
  manifestOf,
  queueUnderTest,
  sealedBatch,
  stored,
} from './redis-queue.fixture.ts';
import { redisServer } from './redis-server.fixture.ts';

const url = inject('redisUrl');

it('queues the same batch once, before it is delivered, after, and when it is booked', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const [queue, another] = await Promise.all([producer(), producer()]);
  const batch = sealedBatch();
  expect(await Promise.all([queue.enqueue(batch), another.enqueue(batch)])).toEqual(['queued', 'queued']);
  const ledger = await owner();
  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await eventually('the delivery', () => held.taken.length === 1);
  expect(await queue.enqueue(batch)).toBe('queued');
  await ledger.begin(manifestOf(1, [{ batchId: batch.id, count: 3 }]));
  await ledger.finish(1, stored(3), {});
  held.settleAll();
  expect(await queue.enqueue(batch)).toBe('queued');

  // What comes after is delivered; had the batch been queued again, it would have come before.
  const next = sealedBatch();
  await queue.enqueue(next);
  await eventually('the next delivery', () => held.taken.length === 2);
  await consumer.stop();
  expect(held.taken.map(({ batchId }) => batchId)).toEqual([batch.id, next.id]);
  expect(await desk.books()).toMatchObject({ accepted: 6, stored: 3, inFlight: 3, inFlightBatches: 1 });
});

it('refuses at the bound of batches, takes nothing then, and takes again when there is room', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const queue = await producer({ backlogBatchesMax: 2 });
  const batches = [sealedBatch(), sealedBatch(), sealedBatch()];
  const outcomes = [];
  for (const batch of batches) outcomes.push(await queue.enqueue(batch));
  expect(outcomes).toEqual(['queued', 'queued', 'full']);
  expect(await desk.books()).toMatchObject({ accepted: 6, inFlight: 6, inFlightBatches: 2 });

  const ledger = await owner();
  await ledger.begin(manifestOf(1, [{ batchId: batches[0]?.id ?? '', count: 3 }]));
  await ledger.finish(1, stored(3), {});
  const last = sealedBatch();
  await eventually('room', async () => (await queue.enqueue(last)) === 'queued');
  expect(await desk.books()).toMatchObject({ accepted: 9, stored: 3, inFlight: 6 });
});

it('refuses at the bound of bytes, dead letters included', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const payload = Buffer.from(Array.from({ length: 500 }, () => randomUUID()).join(''));
  const queue = await producer({ backlogBytesMax: 30_000 });
  const first = { ...sealedBatch(), payload };
  expect(await queue.enqueue(first)).toBe('queued');
  await (await owner()).bury([first.id], 'cannot be read');
  expect(await queue.enqueue({ ...sealedBatch(), payload })).toBe('full');
  expect(await desk.books()).toMatchObject({ accepted: 3, deadLettered: 3, inFlight: 0 });
});

it('leaves a Redis with little memory enough to deliver and book what it has', async () => {
  const server = await redisServer();
  const admin = openRedis(server.url, 'worker');
  onTestFinished(() => closeRedis(admin));
  await admin.config('SET', 'maxmemory', '16mb');
  const { producer, owner, desk } = await queueUnderTest(server.url);
  const queue = await producer();
  const large = () => ({ ...sealedBatch(), payload: randomBytes(500_000) });
  let queued = 0;
  while ((await queue.enqueue(large())) === 'queued') queued += 1;
  expect(queued).toBeGreaterThan(5);
  const ledger = await owner();
  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await eventually('all deliveries', () => held.taken.length === queued);
  await ledger.begin(manifestOf(1, held.taken));
  await ledger.finish(1, stored(3 * queued), {});
  held.settleAll();
  expect(await desk.books()).toMatchObject({ accepted: 3 * queued, stored: 3 * queued, inFlight: 0 });
  expect(await queue.enqueue(large())).toBe('queued');
  await consumer.stop();
});

it('bounds the enqueues that wait at once', async () => {
  const { producer } = await queueUnderTest(url);
  const queue = await producer({ enqueuesMax: 3 });
  const outcomes = await Promise.all(Array.from({ length: 5 }, () => queue.enqueue(sealedBatch())));
  expect(outcomes).toEqual(['queued', 'queued', 'queued', 'full', 'full']);
  expect(queue.enqueues).toBe(0);
});

it('sees an answer that came while its process stood still, instead of refusing what was taken', async () => {
  const { producer, desk } = await queueUnderTest(url);
  const queue = await producer({ enqueueTimeoutMs: 300 });
  await queue.enqueue(sealedBatch());
  const sent = queue.enqueue(sealedBatch());
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600);
  expect(await sent).toBe('queued');
  expect(await desk.books()).toMatchObject({ accepted: 6, inFlight: 6 });
});

it('takes again as soon as there is room although the clock of the system was set back', async () => {
  const { producer, owner } = await queueUnderTest(url);
  const queue = await producer({ backlogBatchesMax: 1 });
  const first = sealedBatch();
  expect(await queue.enqueue(first)).toBe('queued');
  expect(await queue.enqueue(sealedBatch())).toBe('full');
  const now = vi
    .spyOn(Date, 'now')
    .mockImplementation(() => performance.timeOrigin + performance.now() - 3_600_000);
  onTestFinished(() => {
    now.mockRestore();
  });
  const ledger = await owner();
  await ledger.begin(manifestOf(1, [{ batchId: first.id, count: 3 }]));
  await ledger.finish(1, stored(3), {});
  const next = sealedBatch();
  const deadline = performance.now() + 5_000;
  let outcome = await queue.enqueue(next);
  while (outcome === 'full' && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    outcome = await queue.enqueue(next);
  }
  expect(outcome).toBe('queued');
});

it('fails in time when there is no Redis', async () => {
  const redis = openRedis('redis://127.0.0.1:1', 'edge');
  onTestFinished(() => closeRedis(redis));
  const { keys } = await queueUnderTest(url);
  const queue = new BullmqProducer({ redis, keys, enqueueTimeoutMs: 300 });
  const started = Date.now();
  const failure = await queue.enqueue(sealedBatch()).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(QueueUnavailableError);
  expect(failure).toMatchObject({ code: 'QUEUE_UNAVAILABLE', retryable: true });
  expect(Date.now() - started).toBeLessThan(1_000);
  await queue.close();
});

it('measures its deadline on the clock of Redis, however wrong its own is', async () => {
  const { producer, desk } = await queueUnderTest(url);
  const anHour = 3_600_000;
  for (const wrongBy of [-anHour, anHour]) {
    const queue = await producer({ clock: { now: () => Date.now() + wrongBy } });
    expect(await queue.enqueue(sealedBatch())).toBe('queued');
  }
  expect(await desk.books()).toMatchObject({ accepted: 6 });
});
