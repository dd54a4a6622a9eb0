/** What the queue keeps when processes end as they do in practice: killed, stopped for a while, cut off. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';
import { QueueUnavailableError } from '../metering/batch.ts';
import {
  eventually,
  HeldDeliveries,
  manifestOf,
  queueUnderTest,
  sealedBatch,
  stored,
  unaccounted,
} from './redis-queue.fixture.ts';
import { openRedis } from './redis-connection.ts';
import { redisServer } from './redis-server.fixture.ts';

it('gives all that a killed worker had in hand to the next one within seconds', async () => {
  const url = inject('redisUrl');
  const { producer, ledger, keys } = await queueUnderTest(url);
  const queue = await producer();
  const batches = Array.from({ length: 20 }, () => sealedBatch());
  for (const batch of batches) await queue.enqueue(batch);

  const fixture = fileURLToPath(new URL('crash.fixture.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', fixture, url, keys.namespace]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const taken = new Set<string>();
  createInterface(child.stdout).on('line', (batchId) => taken.add(batchId));
  await eventually('the child taking all', () => taken.size === batches.length, 30_000);
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;

  const killedAt = Date.now();
  const next = ledger();
  await next.acquire(AbortSignal.timeout(10_000));
  const acquiredAt = Date.now();
  const held = new HeldDeliveries();
  const consumer = await next.consume(held.handler);
  await eventually('all deliveries', () => held.taken.length === batches.length);
  expect(Date.now() - acquiredAt).toBeLessThan(2_000);
  expect(acquiredAt - killedAt).toBeLessThan(4_000);
  expect(new Set(held.taken.map(({ batchId }) => batchId))).toEqual(taken);
  await consumer.stop();
});

it('loses nothing that was acknowledged when Redis is killed in mid-stream', async () => {
  const server = await redisServer();
  const { producer, owner, desk } = await queueUnderTest(server.url);
  const queue = await producer({ enqueueTimeoutMs: 10_000 });
  const ledger = await owner();
  const booked = new Set<string>();
  let flushId = 0;
  let working: Promise<unknown> = Promise.resolve();
  const consumer = await ledger.consume((delivery) => {
    const before = working;
    const work = (async () => {
      await before;
      flushId += 1;
      await ledger.begin(manifestOf(flushId, [delivery]));
      await ledger.finish(flushId, stored(delivery.count), {});
      booked.add(delivery.batchId);
    })();
    working = work.catch(() => {});
    return work;
  });
  const acknowledged: string[] = [];
  const producing = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 100; i += 1) {
      const batch = sealedBatch();
      if ((await queue.enqueue(batch)) === 'queued') acknowledged.push(batch.id);
    }
  });
  for (const least of [150, 400]) {
    await eventually(`${least} acknowledgements`, () => acknowledged.length >= least, 20_000);
    await server.kill();
    await server.start();
  }
  await Promise.all(producing);
  await eventually('the end of the flight', async () => (await desk.books()).inFlight === 0, 20_000);
  await consumer.stop();

  expect(acknowledged).toHaveLength(800);
  expect(acknowledged.filter((batchId) => !booked.has(batchId))).toEqual([]);
  expect(await desk.books()).toMatchObject({ accepted: 2_400, stored: 2_400 });
});

it('answers in time while Redis is down, and works again afterwards', async () => {
  const server = await redisServer();
  const { producer, desk } = await queueUnderTest(server.url);
  const queue = await producer({ enqueueTimeoutMs: 500 });
  expect(await queue.enqueue(sealedBatch())).toBe('queued');
  await server.kill();
  const started = Date.now();
  await expect(queue.enqueue(sealedBatch())).rejects.toBeInstanceOf(QueueUnavailableError);
  expect(Date.now() - started).toBeLessThan(1_000);
  await server.start();
  const later = sealedBatch();
  await eventually('the next enqueue', () => queue.enqueue(later).then(isQueued, () => false));
  await eventually('the books', () =>
    desk.books().then(
      (books) => books.accepted === 6,
      () => false,
    ),
  );
});

it('takes nothing of a call that failed because Redis was silent, not even once it wakes', async () => {
  const server = await redisServer();
  const { producer, owner, desk } = await queueUnderTest(server.url);
  const queue = await producer({ enqueueTimeoutMs: 500 });
  const ledger = await owner({ leaseMs: 60_000 });
  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await queue.enqueue(sealedBatch());
  await eventually('the first delivery', () => held.taken.length === 1);

  server.fallSilent();
  const started = Date.now();
  const calls = Array.from({ length: 5 }, () => queue.enqueue(sealedBatch()));
  const outcomes = await Promise.allSettled(calls);
  expect(Date.now() - started).toBeLessThan(1_500);
  expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
  server.wake();

  const next = sealedBatch();
  await eventually('the next enqueue', () => queue.enqueue(next).then(isQueued, () => false));
  await eventually('its delivery', () => held.taken.some(({ batchId }) => batchId === next.id));
  await consumer.stop();
  expect(held.taken).toHaveLength(2);
  expect(await desk.books()).toMatchObject({ accepted: 6, inFlight: 6 });
});

it('withdraws what Redis took although its caller was told no', async () => {
  const server = await redisServer();
  const { producer, owner, desk } = await queueUnderTest(server.url);
  // By this clock no deadline ever passes in Redis, so it takes what it finds in its sockets when it wakes.
  let offsetMs = 0;
  const clock = { now: () => Date.now() + offsetMs };
  const queue = await producer({ enqueueTimeoutMs: 30_000, clock });
  await queue.enqueue(sealedBatch());
  const ledger = await owner({ leaseMs: 60_000 });
  server.fallSilent();
  const call = queue.enqueue(sealedBatch()).catch((error: unknown) => error);
  await eventually('the attempt', () => queue.enqueues === 1);
  offsetMs = 31_000;
  expect(await call).toBeInstanceOf(QueueUnavailableError);
  server.wake();
  await eventually('the withdrawal', async () => {
    const books = await desk.books().catch(() => undefined);
    return books?.accepted === 3 && books.inFlight === 3 && unaccounted(books) === 0;
  });
  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await eventually('the one delivery', () => held.taken.length === 1);
  await consumer.stop();
  expect(held.taken).toHaveLength(1);
});

it('goes on after somebody flushed the scripts of Redis', async () => {
  const server = await redisServer();
  const { producer, owner, desk } = await queueUnderTest(server.url);
  const queue = await producer();
  const ledger = await owner();
  await queue.enqueue(sealedBatch());
  const redis = openRedis(server.url, 'worker');
  onTestFinished(() => redis.disconnect());
  await redis.script('FLUSH');
  const batch = sealedBatch();
  expect(await queue.enqueue(batch)).toBe('queued');
  await ledger.begin(manifestOf(1, [{ batchId: batch.id, count: 3 }]));
  expect(await desk.books()).toMatchObject({ accepted: 6, inFlight: 6 });
});

it('stops in time while Redis is down', async () => {
  const server = await redisServer();
  const { producer, owner } = await queueUnderTest(server.url);
  await (await producer()).enqueue(sealedBatch());
  const ledger = await owner();
  const held = new HeldDeliveries();
  const consumer = await ledger.consume(held.handler);
  await eventually('the delivery', () => held.taken.length === 1);
  await server.kill();
  const started = Date.now();
  await consumer.stop();
  await ledger.release();
  expect(Date.now() - started).toBeLessThan(5_000);
});

it('books a flush once when the answer to it is lost with the connection', async () => {
  const server = await redisServer();
  const { producer, owner, desk } = await queueUnderTest(server.url);
  const queue = await producer();
  const ledger = await owner({ leaseMs: 60_000 });
  for (let flushId = 1; flushId <= 5; flushId += 1) {
    const batch = sealedBatch();
    await queue.enqueue(batch);
    await ledger.begin(manifestOf(flushId, [{ batchId: batch.id, count: 3 }]));
    const finishing = ledger.finish(flushId, stored(3), { cause: 1 });
    await server.kill();
    await server.start();
    await finishing;
    await eventually('the desk', () =>
      desk.books().then(
        () => true,
        () => false,
      ),
    );
  }
  expect(await desk.books()).toMatchObject({ accepted: 15, stored: 15, inFlight: 0 });
  expect(await desk.notCounted()).toEqual({ cause: 5 });
});

function isQueued(outcome: 'queued' | 'full'): boolean {
  return outcome === 'queued';
}
