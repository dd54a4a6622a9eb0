import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { makeGate } from '../http/raw-client.fixture.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import { EventBlock } from '../metering/event-block.ts';
import type { EventFact, MeasurementFact } from '../metering/facts.ts';
import { parseQuantity, zeroQuantity } from '../quantity.ts';
import { BatchingIntake, type IntakeLimits } from './intake.ts';
import { MemoryQueue } from './memory-queue.fixture.ts';

function setUp(limits: Partial<IntakeLimits> = {}): {
  readonly intake: BatchingIntake;
  readonly queue: MemoryQueue;
  readonly metric: (line: string) => Promise<number | undefined>;
} {
  const queue = new MemoryQueue();
  const registry = new Registry();
  const clock = new ManualClock(1_760_000_000_000);
  const intake = new BatchingIntake({
    producer: queue,
    inbox: queue,
    clock,
    registry,
    ackTimeoutMs: 50,
    limits,
  });
  const metric = async (line: string): Promise<number | undefined> => {
    const found = (await registry.metrics()).split('\n').find((one) => one.startsWith(`${line} `));
    return found === undefined ? undefined : Number(found.split(' ').pop());
  };
  return { intake, queue, metric };
}

function event(key: number): EventFact {
  return {
    customerId: 'acme',
    resourceId: '',
    eventName: 'http_request',
    idempotencyKey: `key-${key}`,
    source: '',
    timestamp: 1_760_000_000_000,
    receivedAt: 1_760_000_000_000,
    dimensions: [['path', '/ü']],
  };
}

function events(count: number): EventFact[] {
  return Array.from({ length: count }, (_, key) => event(key));
}

function measurement(customerId: string, value: string): MeasurementFact {
  return {
    customerId,
    resourceId: '',
    featureId: 'calls',
    idempotencyKey: '',
    value: parseQuantity(value) ?? zeroQuantity,
    updateBehavior: 'DELTA',
    timestamp: 1_760_000_000_000,
    receivedAt: 1_760_000_000_000,
    dimensions: [],
    rejectIfExceeded: false,
  };
}

describe('events', () => {
  it('of many calls are one batch, and all are answered when it is durable', async () => {
    const { intake, queue, metric } = setUp();
    const gate = makeGate<'queued'>();
    queue.onEnqueue = () => gate.passed;
    const calls = [intake.acceptEvents(events(2), 300), intake.acceptEvents(events(3), 400)];
    let answered = 0;
    for (const call of calls) void call.then(() => (answered += 1));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(answered).toBe(0);
    expect(await metric('tollgate_intake_bytes')).toBe(700);
    gate.open('queued');
    expect(await Promise.all(calls)).toEqual([undefined, undefined]);
    expect(queue.batches).toMatchObject([
      { kind: 'events', count: 5, replyTo: '', sealedAt: 1_760_000_000_000 },
    ]);
    expect(new EventBlock(queue.batches[0]?.payload ?? Buffer.alloc(0)).count).toBe(5);
    expect(await metric('tollgate_intake_bytes')).toBe(0);
    expect(await metric('tollgate_intake_accepted_total{kind="events"}')).toBe(5);
    expect(await metric('tollgate_intake_batches_total{kind="events",cause="idle"}')).toBe(1);
  });

  it('are refused whole when the queue is full, does not answer or fails', async () => {
    const { intake, queue, metric } = setUp();
    queue.onEnqueue = async () => 'full';
    const refused = await Promise.all([
      intake.acceptEvents(events(1), 100),
      intake.acceptEvents(events(2), 200),
    ]);
    expect(refused).toMatchObject([{ code: 'OVERLOADED' }, { code: 'OVERLOADED' }]);
    expect(refused[0]?.retryAfterSeconds).toBeGreaterThan(0);
    queue.onEnqueue = () => Promise.reject(new QueueUnavailableError('no answer'));
    expect(await intake.acceptEvents(events(1), 100)).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    queue.onEnqueue = () => Promise.reject(new Error('unexpected'));
    await expect(intake.acceptEvents(events(1), 100)).rejects.toThrow('unexpected');
    expect(queue.batches).toEqual([]);
    expect(await metric('tollgate_intake_refused_total{kind="events",code="OVERLOADED"}')).toBe(3);
    expect(await metric('tollgate_intake_bytes')).toBe(0);
    queue.onEnqueue = async () => 'queued';
    expect(await intake.acceptEvents(events(1), 100)).toBeUndefined();
  });

  it('are refused when too many bytes wait, and taken again afterwards', async () => {
    const { intake, queue } = setUp({ bytesInHandMax: 1_000 });
    const gate = makeGate<'queued'>();
    queue.onEnqueue = () => gate.passed;
    const waiting = intake.acceptEvents(events(1), 900);
    expect(await intake.acceptEvents(events(1), 200)).toMatchObject({ code: 'OVERLOADED' });
    gate.open('queued');
    expect(await waiting).toBeUndefined();
    expect(await intake.acceptEvents(events(1), 200)).toBeUndefined();
    expect(queue.count).toBe(2);
  });

  it('of one call stay together, beyond the size of a batch too', async () => {
    const { intake, queue } = setUp({ batchEventsMax: 10 });
    await Promise.all([6, 6, 25, 1].map((count) => intake.acceptEvents(events(count), count * 100)));
    expect(queue.batches.map(({ count }) => count)).toEqual([6, 6, 25, 1]);
  });
});

describe('measurements', () => {
  it('of many calls are one batch, and each call gets its own outcomes', async () => {
    const { intake, queue, metric } = setUp();
    const [first, second] = await Promise.all([
      intake.acceptMeasurements([measurement('acme', '1'), measurement('nobody', '2')], 100),
      intake.acceptMeasurements([measurement('globex', '0.1')], 100),
    ]);
    expect(first).toMatchObject([
      { customerId: 'acme', value: '1' },
      { error: { code: 'CUSTOMER_NOT_FOUND' } },
    ]);
    expect(second).toMatchObject([{ customerId: 'globex', value: '0.1' }]);
    expect(queue.batches).toMatchObject([{ kind: 'usage', count: 3, replyTo: 'inbox-1' }]);
    expect(await metric('tollgate_intake_accepted_total{kind="usage"}')).toBe(2);
    expect(await metric('tollgate_intake_rejected_total{kind="usage",code="CUSTOMER_NOT_FOUND"}')).toBe(1);
  });

  it('that are not processed in time are pending', async () => {
    const { intake, queue } = setUp();
    queue.onAwait = () => undefined;
    const answer = await intake.acceptMeasurements([measurement('acme', '1')], 100);
    expect(answer).toMatchObject({ code: 'ACK_PENDING' });
    expect(queue.count).toBe(1);
  });

  it('are refused whole when the queue does not take them', async () => {
    const { intake, queue } = setUp();
    queue.onEnqueue = async () => 'full';
    expect(await intake.acceptMeasurements([measurement('a', '1')], 100)).toMatchObject({
      code: 'OVERLOADED',
    });
    queue.onEnqueue = () => Promise.reject(new QueueUnavailableError('no answer'));
    const answer = await intake.acceptMeasurements([measurement('a', '1')], 100);
    expect(answer).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  });

  it('fail loudly when a reply does not fit', async () => {
    const { intake, queue } = setUp();
    queue.onAwait = () => [];
    await expect(intake.acceptMeasurements([measurement('a', '1')], 100)).rejects.toThrow('another number');
  });
});

it('drains everything in hand', async () => {
  const { intake, queue } = setUp({ eventsLingerMs: 60_000 });
  const gate = makeGate<'queued'>();
  queue.onEnqueue = () => gate.passed;
  const first = intake.acceptEvents(events(1), 100);
  await new Promise((resolve) => setImmediate(resolve));
  const others = [
    intake.acceptEvents(events(2), 100),
    intake.acceptMeasurements([measurement('a', '1')], 100),
  ];
  const drained = intake.drain();
  gate.open('queued');
  await drained;
  expect(queue.count).toBe(4);
  expect(await Promise.all([first, ...others])).toMatchObject([undefined, undefined, [{ customerId: 'a' }]]);
});
