/** What a flush does to live counters at its bound; what it does below it is tested with their readers. */
import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { subjectNameOf } from '../catalog/usage-subject.ts';
import { closeRedis, openRedis, redisReady } from '../queue/redis-connection.ts';
import { queueUnderTest } from '../queue/redis-queue.fixture.ts';
import type { CounterPlace } from '../usage/live-counters.ts';
import { RedisCounterStore } from '../usage/redis-counter-store.ts';
import { allTime } from './calculated-usage.ts';
import { passThrough } from './checkpoint.ts';
import type { MeasurementRow } from './flush-store.ts';
import { UsageCounting } from './usage-counting.ts';
import { type FeatureUsage, spanKey } from './usage-states.ts';
import { aFeature, amount } from './worker.fixture.ts';

const seats = aFeature('seats');

/** A customer's counter of reported usage, and what becomes of it when a flush counts so many resources. */
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
  const { key: subjectKey, text: subjectText } = subjectNameOf(seats);
  const customerId = `customer-${randomUUID()}`;
  const place = { customerId, subjectKey, resourceId: '', start: '*', end: '*' };
  const [reserved] = await counters.reserve([{ ...place, subjectText }], 0);
  const token = reserved !== undefined && 'token' in reserved.outcome ? reserved.outcome.token : '';
  await fill(counters, place, token, '5:1');
  const counting = new UsageCounting(ledger.counters, passThrough, partsMax);
  return {
    count: (resourceIds: readonly string[]) => {
      const rows = resourceIds.map((resourceId) => row(customerId, resourceId));
      return counting.count(emptyPlan, { rows, usages: [usage(customerId)] });
    },
    counter: async () => (await counters.read([place], 0))[0],
  };
}

test('reported usage of as many counters as a flush may touch is counted', async () => {
  const { count, counter } = await counterBeside(3);
  await count(['r1', 'r2']);
  expect(await counter()).toMatch(/^1 .* 7:1$/);
});

test('beyond the bound the counters are dropped', async () => {
  const { count, counter } = await counterBeside(3);
  await count(['r1', 'r2', 'r3']);
  expect(await counter()).toBe('');
});

function fill(
  counters: RedisCounterStore,
  place: CounterPlace,
  token: string,
  base: string,
): Promise<unknown> {
  return counters.fill(place, token, base);
}

const nothing = Buffer.alloc(0);
const emptyPlan = {
  manifest: {
    flushId: 1,
    token: randomUUID(),
    batchIds: [],
    decisions: nothing,
    terms: nothing,
    reservations: nothing,
    decidedAt: 0,
  },
  batches: [],
};

function row(customerId: string, resourceId: string): MeasurementRow {
  return {
    flush: 1,
    position: 0,
    id: randomUUID(),
    contentDigest: 0,
    customerId,
    featureId: 'seats',
    resourceId,
    idempotencyKey: randomUUID(),
    dimensions: [],
    receivedAt: 0,
    timestamp: 0,
    updateBehavior: 'DELTA',
    value: amount('1'),
    currentUsage: amount('7'),
    usageLimit: null,
    usagePeriod: null,
  };
}

function usage(customerId: string): FeatureUsage {
  const totals = new Map([[spanKey(allTime), amount('7')]]);
  return { customerId, featureId: 'seats', folds: new Map(), totals };
}
