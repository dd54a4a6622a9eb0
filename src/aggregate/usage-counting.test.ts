/** What a flush does to live counters at its bound; what it does below it is tested with their readers. */
import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { subjectNameOf } from '../catalog/usage-subject.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import { EventBlockBuilder } from '../metering/event-block.ts';
import { manifestOf, queueUnderTest } from '../queue/redis-queue.fixture.ts';
import { RedisCounterStore } from '../usage/redis-counter-store.ts';
import { passThrough } from './checkpoint.ts';
import { type FlushPlan, planOf } from './plan.ts';
import { readBatch } from './read-batch.ts';
import { UsageCounting } from './usage-counting.ts';
import { aFeature, anEvent } from './worker.fixture.ts';

const calls = aFeature('calls', { meter: { aggregation: { function: 'COUNT', field: null }, filters: [] } });

/** A customer's counter, and what becomes of it when a flush has events of so many of its resources. */
async function counterBeside(partsMax: number) {
  const queue = await queueUnderTest(inject('redisUrl'));
  const ledger = queue.ledger();
  onTestFinished(() => ledger.release());
  await ledger.acquire(new AbortController().signal);
  await ledger.counters.align(0);
  const redis = openRedis(inject('redisUrl'), 'edge');
  onTestFinished(() => closeRedis(redis));
  await redisReady(redis, 5_000);
  const counters = new RedisCounterStore(redis, queue.keys);
  const { key: subjectKey, text: subjectText } = subjectNameOf(calls);
  const customerId = `customer-${randomUUID()}`;
  const place = { customerId, subjectKey, resourceId: '', start: '*', end: '*' };
  const [reserved] = await counters.reserve([{ ...place, subjectText }], 0);
  const token = reserved !== undefined && 'token' in reserved.outcome ? reserved.outcome.token : '';
  await fill(counters, place, token, '5:5');
  const counting = new UsageCounting(ledger.counters, passThrough, partsMax);
  return {
    count: (resourceIds: readonly string[]) => counting.count(planFor(customerId, resourceIds)),
    counter: async () => (await counters.read([place], 0))[0],
  };
}

test('events of as many counters as a flush may touch are counted', async () => {
  const { count, counter } = await counterBeside(3);
  await count(['r1', 'r2']);
  expect(await counter()).toMatch(/^1 .* 5:5 2:2$/);
});

test('beyond the bound the counters are dropped', async () => {
  const { count, counter } = await counterBeside(3);
  await count(['r1', 'r2', 'r3']);
  expect(await counter()).toBe('');
});

function fill(
  counters: RedisCounterStore,
  place: Parameters<RedisCounterStore['fill']>[0],
  token: string,
  base: string,
): Promise<unknown> {
  return counters.fill(place, token, base);
}

function planFor(customerId: string, resourceIds: readonly string[]): FlushPlan {
  const builder = new EventBlockBuilder();
  for (const resourceId of resourceIds) builder.append(anEvent(customerId, randomUUID(), { resourceId }));
  const [batchId, count] = [randomUUID(), resourceIds.length];
  const sealed = {
    batchId,
    kind: 'events',
    count,
    payload: builder.finish(),
    replyTo: '',
    sealedAt: 0,
  } as const;
  const batch = readBatch(sealed);
  if (batch.kind === 'corrupt') throw new Error(batch.reason);
  return planOf(manifestOf(1, [{ batchId, count }]), [batch]);
}
