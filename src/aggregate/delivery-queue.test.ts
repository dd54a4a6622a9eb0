import { expect, test } from 'vitest';
import type { Delivery } from '../queue/ledger.ts';
import { DeliveryQueue, type FlushLimits } from './delivery-queue.ts';

/** So long that a test which waits for it fails. */
const never = 3_600_000;

function queueWith(limits: Partial<FlushLimits> = {}): DeliveryQueue {
  return new DeliveryQueue({ rowsMax: 100, bytesMax: 1_000, lingerMs: never, ...limits });
}

let ids = 0;
function delivery(count = 1, bytes = 1, kind: Delivery['kind'] = 'events'): Delivery {
  ids += 1;
  return { batchId: String(ids), kind, count, payload: Buffer.alloc(bytes), replyTo: '', sealedAt: 0 };
}

function pushed(
  queue: DeliveryQueue,
  deliveries: readonly Delivery[],
): Promise<PromiseSettledResult<void>[]> {
  return Promise.allSettled(deliveries.map((each) => queue.push(each)));
}

test('usage is taken at once, with the events that wait', async () => {
  const queue = queueWith();
  const [events, usage] = [delivery(), delivery(1, 1, 'usage')];
  const taken = queue.take();
  void pushed(queue, [events, usage]);
  expect(await taken).toEqual([events, usage]);
});

test('events linger, then go', async () => {
  const queue = queueWith({ lingerMs: 5 });
  const events = delivery();
  void pushed(queue, [events]);
  expect(await queue.take()).toEqual([events]);
});

test('a flush is full at its rows and at its bytes; one batch beyond either goes alone', async () => {
  const queue = queueWith({ lingerMs: 0 });
  const [a, b, c, large, heavy] = [
    delivery(60),
    delivery(40),
    delivery(1),
    delivery(500),
    delivery(1, 5_000),
  ];
  void pushed(queue, [a, b, c, large, heavy]);
  expect(await queue.take()).toEqual([a, b]);
  expect(await queue.take()).toEqual([c]);
  expect(await queue.take()).toEqual([large]);
  expect(await queue.take()).toEqual([heavy]);
});

test('what has to be flushed again comes first, the rest is done with', async () => {
  const queue = queueWith({ lingerMs: 0 });
  const [a, b, c] = [delivery(), delivery(), delivery()];
  const outcomes = pushed(queue, [a, b]);
  expect(await queue.take()).toEqual([a, b]);
  const later = pushed(queue, [c]);
  queue.settle([b]);
  expect(await queue.take()).toEqual([b, c]);
  queue.settle([]);
  expect([...(await outcomes), ...(await later)].map(({ status }) => status)).toEqual(
    Array.from({ length: 3 }, () => 'fulfilled'),
  );
});

test('draining hands out what waits without lingering, and ends then', async () => {
  const queue = queueWith();
  const events = delivery();
  void pushed(queue, [events]);
  const taken = queue.take();
  queue.drain();
  expect(await taken).toEqual([events]);
  expect(await queue.take()).toBeUndefined();
});

test('failing rejects all that wait and all in hand', async () => {
  const queue = queueWith({ rowsMax: 1 });
  const outcomes = pushed(queue, [delivery(), delivery()]);
  await queue.take();
  queue.fail(new Error('the end'));
  expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
