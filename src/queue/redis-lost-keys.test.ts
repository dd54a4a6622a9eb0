/** What the ledger makes of a Redis in which keys are gone that no step of ours takes away. */
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { closeRedis, openRedis, type RedisConnection } from './redis-connection.ts';
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

function openedFor(): RedisConnection {
  const redis = openRedis(url, 'worker');
  onTestFinished(() => closeRedis(redis));
  return redis;
}

describe('where Redis knows of no owner', () => {
  it('the first one waits a lease for one that was forgotten, and the books begin with what is left', async () => {
    const { producer, owner, desk, keys } = await queueUnderTest(url);
    const [waiting, buried] = [sealedBatch(3), sealedBatch(2)];
    const enqueued = await producer();
    for (const batch of [waiting, buried]) await enqueued.enqueue(batch);
    const former = await owner();
    await former.bury([buried.id], 'unreadable');
    await openedFor().del(keys.epoch, keys.lease, keys.books);
    const next = await owner({ leaseMs: 300 });
    const startedAt = performance.now();
    expect(await next.outliveForgotten(AbortSignal.timeout(5_000))).toBe('outlived');
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
    const books = await desk.books();
    expect(books).toMatchObject({ accepted: 5, inFlight: 3, deadLettered: 2 });
    expect(unaccounted(books)).toBe(0);
    await next.begin(manifestOf(1, [{ batchId: waiting.id, count: 3 }]));
    await next.finish(1, stored(3), {});
    expect(await desk.replay(buried.id)).toBe(true);
    expect(unaccounted(await desk.books())).toBe(0);
  });

  it('nobody is waited for by whoever comes after the first', async () => {
    const { owner } = await queueUnderTest(url);
    await (await owner()).release();
    const next = await owner({ leaseMs: 60_000 });
    expect(await next.outliveForgotten(AbortSignal.timeout(1_000))).toBe('known');
  });

  it('an acquisition that is sent twice forgets nothing', async () => {
    const { ledger } = await queueUnderTest(url);
    const twice = ledger({ leaseMs: 100 });
    for (const _ of [1, 2]) await twice.acquire(AbortSignal.timeout(5_000));
    expect(await twice.outliveForgotten(AbortSignal.timeout(1_000))).toBe('outlived');
  });
});

describe('a batch of which half is gone', () => {
  it('is delivered and booked when its job and content are left', async () => {
    const { producer, owner, desk, keys } = await queueUnderTest(url);
    const batch = sealedBatch(3, 'usage', 'somebody');
    await (await producer()).enqueue(batch);
    await openedFor().del(keys.pending, keys.books);
    const ledger = await owner();
    const held = new HeldDeliveries();
    await ledger.consume(held.handler);
    await eventually('the delivery', () => held.taken.length === 1);
    expect(held.taken[0]).toMatchObject({ batchId: batch.id, kind: 'usage', count: 3, replyTo: '' });
    expect(held.taken[0]?.payload).toEqual(batch.payload);
    expect(await desk.books()).toMatchObject({ accepted: 3, inFlight: 3 });
    await ledger.begin(manifestOf(1, [{ batchId: batch.id, count: 3 }]));
    await ledger.finish(1, stored(3), {});
    held.settleAll();
    expect(await desk.books()).toMatchObject({ accepted: 3, stored: 3, inFlight: 0, inFlightBytes: 0 });
  });

  it('is set aside as a dead letter when its content is not', async () => {
    const { producer, owner, desk, keys } = await queueUnderTest(url);
    const batch = sealedBatch(3);
    await (await producer()).enqueue(batch);
    await openedFor().del(keys.payloadPrefix + batch.id);
    const ledger = await owner();
    const held = new HeldDeliveries();
    await ledger.consume(held.handler);
    await eventually('the burial', async () => (await desk.books()).deadLettered === 3);
    expect(held.taken).toEqual([]);
    expect(await desk.deadLetters(10)).toMatchObject([
      { batchId: batch.id, reason: 'Redis has lost its content' },
    ]);
    expect(await desk.replay(batch.id)).toBe(false);
    expect(unaccounted(await desk.books())).toBe(0);
  });

  it('takes the flush with it that it was in; the others are decided anew', async () => {
    const { producer, owner, desk, keys } = await queueUnderTest(url);
    const [left, gone] = [sealedBatch(3), sealedBatch(2)];
    const enqueued = await producer();
    for (const batch of [left, gone]) await enqueued.enqueue(batch);
    const ledger = await owner();
    const both = [left, gone].map(({ id, count }) => ({ batchId: id, count }));
    await ledger.begin(manifestOf(7, both));
    await ledger.release();
    const redis = openedFor();
    await redis.hdel(keys.pending, gone.id);
    await redis.del(keys.payloadPrefix + gone.id);
    const next = await owner();
    expect(await next.unfinished()).toBeUndefined();
    expect(await next.lastFlushId()).toBe(7);
    await next.begin(manifestOf(8, [{ batchId: left.id, count: 3 }]));
    await next.finish(8, stored(3), {});
    expect((await desk.books()).inFlight).toBe(0);
  });
});
