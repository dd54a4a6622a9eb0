import { Redis } from 'ioredis';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { BatchesGoneError, FencedError } from './ledger.ts';
import { openRedis } from './redis-connection.ts';
import { batchQueueName } from './redis-keys.ts';
import { RedisLedger } from './redis-ledger.ts';
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

describe('the flush', () => {
  it('books a batch once however often begin and finish are repeated', async () => {
    const { producer, owner, desk } = await queueUnderTest(url);
    const batch = sealedBatch(5);
    await (await producer()).enqueue(batch);
    const ledger = await owner();
    const manifest = manifestOf(1, [{ batchId: batch.id, count: 5 }]);

    await ledger.begin(manifest);
    await ledger.begin(manifest);
    const unfinished = await ledger.unfinished();
    const tally = { stored: 3, duplicate: 1, conflict: 1, refused: 0, deadLettered: 0 };
    await ledger.finish(1, tally, { 'calls:missing_field': 2 });
    await ledger.finish(1, tally, { 'calls:missing_field': 2 });

    expect(unfinished?.manifest).toEqual(manifest);
    expect(unfinished?.deliveries.map(({ payload }) => payload.toString())).toEqual([
      batch.payload.toString(),
    ]);
    expect(await ledger.unfinished()).toBeUndefined();
    expect(await ledger.lastFlushId()).toBe(1);
    expect(await desk.notCounted()).toEqual({ 'calls:missing_field': 2 });
    const books = await desk.books();
    expect(books).toMatchObject({ accepted: 5, ...tally, inFlight: 0, inFlightBatches: 0, inFlightBytes: 0 });
  });

  it('refuses a second flush before the first is finished, and a flush id that does not rise', async () => {
    const { producer, owner } = await queueUnderTest(url);
    const [first, second] = [sealedBatch(), sealedBatch()];
    const queue = await producer();
    await queue.enqueue(first);
    await queue.enqueue(second);
    const ledger = await owner();
    await ledger.begin(manifestOf(7, [{ batchId: first.id, count: 3 }]));

    const next = manifestOf(8, [{ batchId: second.id, count: 3 }]);
    await expect(ledger.begin(next)).rejects.toThrow('UNFINISHED');
    await expect(ledger.finish(8, stored(3), {})).rejects.toThrow('not the one in hand');
    await ledger.finish(7, stored(3), {});
    await expect(ledger.begin({ ...next, flushId: 7 })).rejects.toThrow('STALE');
    await ledger.begin(next);
    expect(await ledger.lastFlushId()).toBe(8);
  });

  it('does not begin with a batch that is not pending, and names it', async () => {
    const { producer, owner } = await queueUnderTest(url);
    const [queued, gone] = [sealedBatch(), sealedBatch()];
    await (await producer()).enqueue(queued);
    const ledger = await owner();
    const both = [queued, gone].map(({ id, count }) => ({ batchId: id, count }));
    const failure = await ledger.begin(manifestOf(1, both)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BatchesGoneError);
    expect((failure as BatchesGoneError).batchIds).toEqual([gone.id]);
    expect(await ledger.unfinished()).toBeUndefined();
    expect(await ledger.lastFlushId()).toBe(0);
  });
});

describe('ownership', () => {
  it('passes on within a lease after a crash, and fences the one before', async () => {
    const { producer, keys, owner, desk } = await queueUnderTest(url);
    const batch = sealedBatch();
    await (await producer()).enqueue(batch);
    const manifest = manifestOf(1, [{ batchId: batch.id, count: 3 }]);
    // Crashed: it holds the lease and renews it no more.
    const crashed = new RedisLedger({ redis: openedFor(url), keys, leaseMs: 1_000, renewMs: 3_600_000 });
    await crashed.acquire(AbortSignal.timeout(1_000));
    await crashed.begin(manifest);

    const started = Date.now();
    const next = await owner();
    expect(Date.now() - started).toBeLessThan(2_000);

    await expect(crashed.finish(1, stored(3), {})).rejects.toBeInstanceOf(FencedError);
    expect(crashed.lost.aborted).toBe(true);
    await expect(crashed.begin(manifestOf(2, []))).rejects.toBeInstanceOf(FencedError);
    await expect(crashed.bury([batch.id], 'x')).rejects.toBeInstanceOf(FencedError);
    expect((await next.unfinished())?.manifest).toEqual(manifest);
    await next.finish(1, stored(3), {});
    expect(await desk.books()).toMatchObject({ accepted: 3, stored: 3, deadLettered: 0, inFlight: 0 });
  });

  it('is with one at a time, and free at once when released', async () => {
    const { owner, ledger } = await queueUnderTest(url);
    const first = await owner();
    const second = ledger();
    const impatient = second.acquire(AbortSignal.timeout(500));
    await expect(impatient).rejects.toThrow(/abort|timeout/i);
    await first.release();
    const started = Date.now();
    await second.acquire(AbortSignal.timeout(5_000));
    expect(Date.now() - started).toBeLessThan(1_000);
    await expect(first.begin(manifestOf(1, []))).rejects.toBeInstanceOf(FencedError);
  });

  it('is lost at the next renewal after another took over', async () => {
    const { owner, keys } = await queueUnderTest(url);
    const sleeper = await owner({ renewMs: 50 });
    const redis = openedFor(url);
    await redis.set(keys.epoch, '99:another');
    await eventually('the loss', () => sleeper.lost.aborted);
    expect(sleeper.lost.reason).toBeInstanceOf(FencedError);
  });

  it('is confirmed from memory within a lease, by Redis after it, and not to one who slept through a change', async () => {
    const { owner, keys } = await queueUnderTest(url);
    const sleeper = await owner({ leaseMs: 300, renewMs: 3_600_000 });
    await sleeper.confirm();
    const redis = openedFor(url);
    await eventually('the end of the lease', async () => (await redis.exists(keys.lease)) === 0);
    await sleeper.confirm();
    expect(await redis.exists(keys.lease)).toBe(1);
    await redis.set(keys.epoch, '99:another');
    await eventually('the end of the lease', async () => (await redis.exists(keys.lease)) === 0);
    await expect(sleeper.confirm()).rejects.toBeInstanceOf(FencedError);
    expect(sleeper.lost.aborted).toBe(true);
  });

  it('survives a lease that ran out when nobody else took it', async () => {
    const { owner, keys, producer } = await queueUnderTest(url);
    const sleeper = await owner({ renewMs: 50 });
    const redis = openedFor(url);
    await redis.del(keys.lease);
    await eventually('the renewal', async () => (await redis.exists(keys.lease)) === 1);
    const batch = sealedBatch();
    await (await producer()).enqueue(batch);
    await sleeper.begin(manifestOf(1, [{ batchId: batch.id, count: 3 }]));
    expect(sleeper.lost.aborted).toBe(false);
  });
});

describe('consuming', () => {
  it('delivers what was enqueued, as it was', async () => {
    const { producer, owner } = await queueUnderTest(url);
    const queue = await producer();
    const batches = [sealedBatch(1), sealedBatch(20_000), sealedBatch(2, 'usage', 'somebody')];
    for (const batch of batches) await queue.enqueue(batch);
    const held = new HeldDeliveries();
    const consumer = await (await owner()).consume(held.handler);
    await eventually('three deliveries', () => held.taken.length === 3);
    await consumer.stop();

    const byId = new Map(held.taken.map((delivery) => [delivery.batchId, delivery]));
    for (const { id, payload, ...rest } of batches) {
      const delivery = byId.get(id);
      expect(delivery).toMatchObject(rest);
      expect(delivery?.payload.equals(payload)).toBe(true);
    }
    // Somebody waits for usage, so it went before the events already in line.
    expect(held.taken[0]?.kind).toBe('usage');
  });

  it('hands back what is not handled when stopped, and delivers it again', async () => {
    const { producer, owner } = await queueUnderTest(url);
    const batch = sealedBatch();
    await (await producer()).enqueue(batch);
    const ledger = await owner();
    const held = new HeldDeliveries();
    const first = await ledger.consume(held.handler);
    await eventually('the first delivery', () => held.taken.length === 1);
    await first.stop();
    const second = await ledger.consume(held.handler);
    await eventually('the second delivery', () => held.taken.length === 2, 2_000);
    await second.stop();
    expect(held.taken.map(({ batchId }) => batchId)).toEqual([batch.id, batch.id]);
  });

  it('delivers again what a handler failed on', async () => {
    const { producer, owner } = await queueUnderTest(url);
    await (await producer()).enqueue(sealedBatch());
    let tries = 0;
    const consumer = await (await owner()).consume(() => {
      tries += 1;
      return tries < 3 ? Promise.reject(new Error('not yet')) : Promise.resolve();
    });
    await eventually('the third try', () => tries === 3);
    await consumer.stop();
    expect(tries).toBe(3);
  });

  it('completes the job of a batch that is booked already without delivering it', async () => {
    const { producer, owner, keys } = await queueUnderTest(url);
    const batch = sealedBatch();
    await (await producer()).enqueue(batch);
    const ledger = await owner();
    await ledger.begin(manifestOf(1, [{ batchId: batch.id, count: 3 }]));
    await ledger.finish(1, stored(3), {});
    const held = new HeldDeliveries();
    const consumer = await ledger.consume(held.handler);
    const redis = openedFor(url);
    const jobKey = `${keys.namespace}:${batchQueueName}:${batch.id}`;
    await eventually('the end of the job', async () => (await redis.exists(jobKey)) === 0);
    await consumer.stop();
    expect(held.taken).toEqual([]);
  });

  it('holds no more contents than its bound, and lets a larger one through alone', async () => {
    const { producer, owner } = await queueUnderTest(url);
    const queue = await producer();
    const bytes = 100_000;
    for (let i = 0; i < 5; i += 1) await queue.enqueue({ ...sealedBatch(), payload: Buffer.alloc(bytes, i) });
    const ledger = await owner({ contentBytesMax: bytes * 2.5 });
    const held = new HeldDeliveries();
    const consumer = await ledger.consume(held.handler);
    for (const most of [2, 4, 5]) {
      await eventually(`${most} deliveries`, () => held.taken.length === most);
      expect(held.taken.length).toBe(most);
      held.settleAll();
    }
    await queue.enqueue({ ...sealedBatch(), payload: Buffer.alloc(bytes * 4) });
    await eventually('the large one', () => held.taken.length === 6);
    await consumer.stop();
  });

  it('stops when ownership is lost', async () => {
    const { producer, owner, keys } = await queueUnderTest(url);
    const sleeper = await owner({ renewMs: 50 });
    const held = new HeldDeliveries();
    await sleeper.consume(held.handler);
    await openedFor(url).set(keys.epoch, '99:another');
    await eventually('the loss', () => sleeper.lost.aborted);
    await (await producer()).enqueue(sealedBatch());
    const next = await owner();
    const taken = new HeldDeliveries();
    const consumer = await next.consume(taken.handler);
    await eventually('the delivery to the next owner', () => taken.taken.length === 1);
    await consumer.stop();
    expect(held.taken).toEqual([]);
  });
});

describe('the sweeper', () => {
  it('adds the job of a batch that lost it', async () => {
    const { producer, owner, keys } = await queueUnderTest(url);
    const [early, late] = [sealedBatch(), sealedBatch()];
    const queue = await producer();
    const redis = openedFor(url);
    const loseJobs = async (): Promise<void> => {
      const jobs = await redis.keys(`${keys.namespace}:${batchQueueName}:*`);
      if (jobs.length > 0) await redis.del(...jobs);
    };
    await queue.enqueue(early);
    await loseJobs();
    const ledger = await owner({ sweepMs: 100 });
    const held = new HeldDeliveries();
    const consumer = await ledger.consume(held.handler);
    await eventually('the delivery at the start', () => held.taken.length === 1);
    held.settleAll();
    await ledger.begin(manifestOf(1, [{ batchId: early.id, count: 3 }]));
    await ledger.finish(1, stored(3), {});

    // Pending, with content, and no job: as after a Redis that lost its newest writes.
    const entry = `3 9 3 events ${Date.now()} `;
    await redis.hset(keys.pending, late.id, entry);
    await redis.copy(`${keys.payloadPrefix}${early.id}`, `${keys.payloadPrefix}${late.id}`);
    await redis.set(`${keys.payloadPrefix}${late.id}`, Buffer.from([3, 0, 0, 0, 0x30, 97, 98, 99]));
    await eventually('the delivery at an interval', () => held.taken.length === 2);
    expect(held.taken[1]?.payload.toString()).toBe('abc');
    await consumer.stop();
  });
});

it('keeps the books equal at every moment, with producers, flushes, burials and replays at once', async () => {
  const { producer, owner, desk } = await queueUnderTest(url);
  const ledger = await owner();
  const producers = await Promise.all([producer(), producer()]);
  let enqueued = 0;
  let flushId = 0;
  let working = Promise.resolve();
  const buried = new Set<string>();
  const consumer = await ledger.consume((delivery) => {
    const { batchId, count } = delivery;
    const work = working.then(async () => {
      if (count % 7 === 0 && !buried.has(batchId)) {
        buried.add(batchId);
        return ledger.bury([batchId], 'cannot be read');
      }
      flushId += 1;
      await ledger.begin(manifestOf(flushId, [{ batchId, count }]));
      return ledger.finish(flushId, { ...stored(count - 1), duplicate: 1 }, {});
    });
    working = work.catch(() => {});
    return work;
  });
  const sampling = new AbortController();
  const samples: number[] = [];
  const sampler = (async () => {
    while (!sampling.signal.aborted) samples.push(unaccounted(await desk.books()));
  })();
  await Promise.all(
    producers.map(async (queue) => {
      for (let i = 1; i <= 100; i += 1) {
        await queue.enqueue(sealedBatch(i));
        enqueued += i;
      }
    }),
  );
  await eventually('the end of the flight', async () => (await desk.books()).inFlight === 0, 30_000);
  for (const { batchId } of await desk.deadLetters(100)) expect(await desk.replay(batchId)).toBe(true);
  await eventually('the end of the replays', async () => (await desk.books()).inFlight === 0, 30_000);
  sampling.abort();
  await sampler;
  await consumer.stop();

  expect(samples.length).toBeGreaterThan(50);
  expect(new Set(samples)).toEqual(new Set([0]));
  expect(buried.size).toBe(28);
  expect(await desk.books()).toMatchObject({ accepted: enqueued, duplicate: 200, deadLettered: 0 });
});

function openedFor(redisUrl: string): Redis {
  const redis = openRedis(redisUrl, 'worker');
  onTestFinished(() => redis.disconnect());
  return redis;
}
