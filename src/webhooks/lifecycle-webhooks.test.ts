/** From a commit to the receiver: what is told, how often, and what becomes of what cannot be told. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { ManualClock } from '../clock.ts';
import { archivedCustomer, provisionedCustomer } from '../customers/change-customer.ts';
import { RecordCustomerDirectory } from '../customers/record-customer-directory.ts';
import type { CommitListener } from '../records/change-log.ts';
import { relayBatch } from '../records/outbox-relay.ts';
import type { Audit } from '../records/record-store.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import {
  BullmqWebhookQueue,
  BullmqWebhookWorker,
  type WebhookWorkerOptions,
} from './bullmq-webhook-queue.ts';
import { CommitWebhooks } from './commit-webhooks.ts';
import { HttpEndpoint } from './http-endpoint.ts';
import type { LifecycleEvent } from './lifecycle-event.ts';
import { LifecycleDelivery } from './lifecycle-delivery.ts';
import { isSignedWith, type Receiver, startReceiver } from './receiver.fixture.ts';

const redis = new Redis(inject('redisUrl'), { maxRetriesPerRequest: null });
const at = Date.parse('2026-05-01T12:00:00Z');
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at };
const secret = 'a secret that the receiver knows';
let database: TestDatabase;
let namespace: string;
let store: RedisRecordStore;
let outbox: RedisOutbox;
let directory: RecordCustomerDirectory;
let receiver: Receiver;

beforeAll(async () => {
  database = await createTestDatabase();
});

beforeEach(async () => {
  namespace = `{webhooks-${randomUUID()}}`;
  store = new RedisRecordStore(redis, namespace);
  outbox = new RedisOutbox(redis, namespace);
  directory = new RecordCustomerDirectory(store);
  receiver = await startReceiver();
});

afterAll(async () => {
  await database.drop();
  await redis.quit();
});

describe('a life-cycle webhook', () => {
  it('tells who did what when, of whom as it is now, signed', async () => {
    await provision('acme', { name: 'Acme', email: 'a@example.com' });
    await relay(queueOf());
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length).toBe(1);
    const [first] = receiver.received;
    expect(first?.json).toEqual({
      type: 'customer.created',
      messageId: expect.stringMatching(/^[0-9a-f-]{36}-0$/),
      traceId: 't-1',
      timestamp: '2026-05-01T12:00:00.000Z',
      actor: 'k-1',
      customer: expect.objectContaining({ refId: 'acme', name: 'Acme', email: 'a@example.com' }),
    });
    expect(first?.headers).toMatchObject({
      'content-type': 'application/json',
      'tollgate-message-id': first?.json['messageId'],
    });
    expect(first && isSignedWith(secret, first)).toBe(true);
    expect(first && isSignedWith('another secret', first)).toBe(false);
  });

  it('is no place where a name or e-mail waits, and tells none of a customer who was archived', async () => {
    await provision('acme', { name: 'Zaphod Beeblebrox', email: 'zaphod@betelgeuse.example' });
    await relay(queueOf());
    expect(await jobTexts()).toHaveLength(1);
    expect(String(await jobTexts())).not.toMatch(/Zaphod|betelgeuse/);
    await directory.change('acme', audit, (existing) => archivedCustomer(existing, 'acme', at));
    await relay(queueOf());
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length).toBe(2);
    const told = receiver.received.map(({ json }) => json);
    expect(told.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['customer.created', 'customer.deleted']),
    );
    for (const { customer } of told)
      expect(customer).toMatchObject({ refId: 'acme', name: null, email: null });
  });

  it.each([
    ['a 500', [500, 503]],
    ['a redirect, which is not followed', [302, 307]],
    ['a refusal', [400, 404]],
    ['silence', ['silence', 'silence']],
  ] as const)('is repeated after %s, with the same id', async (_what, answers) => {
    receiver.answerNext(...answers);
    await provision('acme', {});
    await relay(queueOf());
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length).toBe(3);
    expect(new Set(receiver.received.map(({ json }) => json['messageId'])).size).toBe(1);
    expect(receiver.received.every((item) => isSignedWith(secret, item))).toBe(true);
    await expect.poll(figures).toMatchObject({ waiting: 0, outcomes: { delivered: 1, retried: 2, dead: 0 } });
  });

  it('waits for a receiver that is not there', async () => {
    await provision('acme', {});
    await relay(queueOf());
    const failing = deliverTo('http://127.0.0.1:1/');
    await expect.poll(async () => (await figures()).outcomes.retried).toBeGreaterThan(1);
    await failing.stop();
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length).toBe(1);
  });

  it('that nobody takes becomes a dead letter, which can be sent again', async () => {
    receiver.answerAlways(500);
    await provision('acme', {});
    await relay(queueOf());
    deliverTo(receiver.url, { attempts: 3 });
    await expect.poll(figures).toMatchObject({ waiting: 0, dead: 1, outcomes: { retried: 2, dead: 1 } });
    const queue = queueOf();
    const [letter] = await queue.deadLetters(10);
    expect(letter).toMatchObject({
      type: 'customer.created',
      reason: 'HTTP 500',
      queue: 'webhooks',
      attempts: 3,
    });
    receiver.answerAlways(200);
    expect(await queue.replay('unknown')).toBe(false);
    expect(await queue.replay(letter?.messageId ?? '')).toBe(true);
    await expect.poll(() => receiver.received.length).toBe(4);
    await expect.poll(figures).toMatchObject({ waiting: 0, dead: 0, outcomes: { delivered: 1 } });
    expect(await queue.replay(letter?.messageId ?? '')).toBe(false);
  });

  it.each(['before', 'after'] as const)(
    'has one id however often the relay is killed, %s it is put into line, and goes out once',
    async (when) => {
      await provision('acme', {});
      await provision('beta', {});
      deliverTo(receiver.url);
      const webhooks = queueOf();
      const dying: CommitListener = {
        told: async (batch) => {
          if (when === 'after') await listenerOf(webhooks).told(batch);
          throw new Error('killed');
        },
      };
      for (let time = 0; time < 3; time += 1) await expect(relayTo(dying)).rejects.toThrow('killed');
      if (when === 'after') await expect.poll(() => receiver.received.length).toBe(2);
      await relay(webhooks);
      await expect.poll(async () => (await figures()).outcomes.delivered).toBe(2);
      expect(new Set(receiver.received.map(({ json }) => json['messageId'])).size).toBe(2);
      expect(receiver.received).toHaveLength(2);
    },
  );

  it('beyond the bound is dropped and counted, and the change log goes on', async () => {
    const webhooks = queueOf(1);
    for (const refId of ['a', 'b', 'c']) await provision(refId, {});
    await relay(webhooks);
    expect(await outbox.size()).toBe(0);
    expect(await figures()).toMatchObject({ waiting: 1, outcomes: { dropped: 2 } });
  });
});

describe('the README', () => {
  it('verifies signatures by code that works', async () => {
    const [, code = ''] =
      /```js\n(import \{ createHmac[\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-readme-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'verify.mjs'), code);
    const { isFromTollgate } = (await import(join(folder, 'verify.mjs'))) as {
      isFromTollgate: (header: string, body: Buffer, key: string, now: number) => boolean;
    };
    const endpoint = new HttpEndpoint({ url: receiver.url, secret, clock: new ManualClock(at) });
    await endpoint.post('m-1', '{"name":"Allé 42"}');
    const [first] = receiver.received;
    const header = String(first?.headers['tollgate-signature']);
    const body = Buffer.from(first?.body ?? '');
    expect(isFromTollgate(header, body, secret, at)).toBe(true);
    expect(isFromTollgate(header, body, 'another secret', at)).toBe(false);
    expect(isFromTollgate(header, Buffer.from('{}'), secret, at)).toBe(false);
    expect(isFromTollgate(header, body, secret, at + 301_000)).toBe(false);
    expect(isFromTollgate('', body, secret, at)).toBe(false);
  });
});

describe('an endpoint', () => {
  it('sends the credentials of its URL in a header, and tells of none when it fails', async () => {
    const url = receiver.url.replace('//', '//user:p%40ss@');
    const endpoint = new HttpEndpoint({ url, secret, clock: new ManualClock(at) });
    expect(await endpoint.post('m-1', '{}')).toBeUndefined();
    const basic = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    expect(receiver.received[0]?.headers).toMatchObject({ authorization: basic });
    expect(receiver.received[0]?.headers['tollgate-signature']).toMatch(`t=${at / 1_000},v1=`);
    receiver.answerAlways(401);
    expect(await endpoint.post('m-1', '{}')).toBe('HTTP 401');
  });
});

async function provision(refId: string, fields: { name?: string; email?: string }): Promise<void> {
  await directory.change(refId, audit, (existing) =>
    provisionedCustomer(existing, refId, fields, randomUUID(), at),
  );
}

function queueOf(waitingMax = 100): BullmqWebhookQueue<LifecycleEvent> {
  const options = { redis, namespace, name: 'webhooks', report: fail, waitingMax } as const;
  const queue = new BullmqWebhookQueue<LifecycleEvent>(options);
  onTestFinished(() => queue.close());
  return queue;
}

function deliverTo(
  url: string,
  options: Partial<WebhookWorkerOptions<LifecycleEvent>> = {},
): BullmqWebhookWorker<LifecycleEvent> {
  const endpoint = new HttpEndpoint({ url, secret, clock: new ManualClock(at), timeoutMs: 300 });
  const delivery = new LifecycleDelivery({ records: store, endpoint, logger: { warn: () => undefined } });
  const common = { redis, namespace, name: 'webhooks', report: fail, retryMs: 5 } as const;
  const worker = new BullmqWebhookWorker<LifecycleEvent>({ ...common, delivery, ...options });
  worker.start();
  onTestFinished(() => worker.stop());
  return worker;
}

function listenerOf(lifecycle: BullmqWebhookQueue<LifecycleEvent>): CommitListener {
  const letters = { add: async () => 0 };
  return new CommitWebhooks({ lifecycle, letters, logger: { warn: () => undefined } });
}

async function relay(lifecycle: BullmqWebhookQueue<LifecycleEvent>): Promise<void> {
  await relayTo(listenerOf(lifecycle));
}

async function relayTo(listener: CommitListener): Promise<void> {
  const changeLog = new ClickhouseChangeLog(database.client);
  while (await relayBatch({ outbox, changeLog, listener }));
}

function figures(): ReturnType<BullmqWebhookQueue<LifecycleEvent>['figures']> {
  return queueOf().figures();
}

async function jobTexts(): Promise<readonly string[]> {
  const keys = (await redis.keys(`${namespace}:webhooks:*`)).filter((key) => /-\d+$/.test(key));
  return Promise.all(keys.map(async (key) => JSON.stringify(await redis.hgetall(key))));
}

function fail(error: Error): void {
  throw error;
}
