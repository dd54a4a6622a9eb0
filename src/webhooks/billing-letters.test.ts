/** Billing information on its way: what is passed on, and that nothing of it can be found anywhere afterwards. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../clock.ts';
import { redisServer, type RedisServer } from '../queue/redis-server.fixture.ts';
import type { LetterPointer } from '../records/change-log.ts';
import { changeRecords } from '../records/change-records.ts';
import { relayBatch } from '../records/outbox-relay.ts';
import { type Audit, RecordsOverloadedError, type SealedLetter } from '../records/record-store.ts';
import { RedisLetterBox } from '../records/redis-letter-box.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { selectRows } from '../store/clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { type BillingInformation, billingLetter, noLetter } from './billing-letter.ts';
import { BullmqWebhookQueue, BullmqWebhookWorker } from './bullmq-webhook-queue.ts';
import { CommitWebhooks } from './commit-webhooks.ts';
import { HttpEndpoint } from './http-endpoint.ts';
import { LetterDelivery } from './letter-delivery.ts';
import { LetterSeal } from './letter-seal.ts';
import { isSignedWith, type Receiver, startReceiver } from './receiver.fixture.ts';

const namespace = '{letters}';
const name = 'billing-webhooks';
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at: Date.UTC(2026, 4, 1) };
const secret = 'a secret that the receiver knows';
const seal = new LetterSeal('the key of this installation 0123456789');
const secrets = ['Vogsphere-7Q', 'Magrathea Allé 42', 'pm_heart_of_gold', 'DK-99887766', 'Trillian+45'];
const [city = '', addressLine1 = '', paymentMethodId = '', vat = '', note = ''] = secrets;
const address = { country: 'DK', city, state: null, addressLine1, addressLine2: null, postalCode: null };
const information: BillingInformation = {
  billingAddress: { ...address, phoneNumber: null },
  shippingAddress: null,
  taxIds: [{ type: 'eu_vat', value: vat }],
  paymentMethodId,
  currency: 'dkk',
  metadata: { note },
};

let database: TestDatabase;
let server: RedisServer;
let redis: Redis;
let store: RedisRecordStore;
let receiver: Receiver;
let logged: unknown[];

beforeAll(async () => {
  database = await createTestDatabase();
});

beforeEach(async () => {
  server = await redisServer();
  redis = new Redis(server.url, { maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  store = new RedisRecordStore(redis, namespace, { lettersMax: 2 });
  receiver = await startReceiver();
  logged = [];
});

afterAll(() => database.drop());

describe('billing information', () => {
  it('reaches the integration signed, and is in no byte of any file before or after', async () => {
    const letter = letterFor('acme');
    await change('acme', 0, [letter]);
    await relay();
    // The search sees what is on disk: the sealed text, and nothing of what it says.
    expect(await filesWith([letter.text])).not.toEqual([]);
    expect(await filesWith(plain)).toEqual([]);
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length).toBe(1);
    const [first] = receiver.received;
    expect(first?.json).toEqual({
      type: 'customer.billing_information',
      messageId: letter.id,
      traceId: 't-1',
      timestamp: '2026-05-01T00:00:00.000Z',
      actor: 'k-1',
      customerId: 'acme',
      billingInformation: information,
    });
    expect(first?.headers['tollgate-message-id']).toBe(letter.id);
    expect(first && isSignedWith(secret, first)).toBe(true);
    // Not even sealed.
    await expect.poll(() => filesWith([letter.text]), { timeout: 10_000 }).toEqual([]);
    expect(await filesWith(plain)).toEqual([]);
    expect(await redis.hlen(`${namespace}:letters`)).toBe(0);
    const rows = await selectRows(database.client, { sql: 'SELECT * FROM change_log', params: {} });
    expect(holds(JSON.stringify(rows) + JSON.stringify(logged), [...plain, letter.text])).toBe(false);
  });

  it('alone is passed on without a change of the customer, and only if the customer is as it was read', async () => {
    await change('acme', 0);
    const letter = letterFor('acme');
    const outcome = await store.commit([], audit, [{ ...acme, expectedVersion: 7 }], [letter]);
    expect(outcome).toBe('conflict');
    expect(await redis.hlen(`${namespace}:letters`)).toBe(0);
    await changeRecords(store, [acme], audit, () => ({ writes: [], letters: [letter], result: null }));
    await relay();
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.map(({ json }) => json['messageId'])).toEqual([letter.id]);
    expect((await store.read([acme]))[0]?.version).toBe(1);
  });

  it('that is newer takes the place of what waits, and archiving drops it', async () => {
    const [first, second, third] = [letterFor('acme'), letterFor('acme'), letterFor('beta')];
    await change('acme', 0, [first]);
    await change('acme', 1, [second]);
    await change('beta', 0, [third]);
    await change('beta', 1, [noLetter('beta')]);
    await relay();
    deliverTo(receiver.url);
    await expect.poll(figures).toMatchObject({ waiting: 0, outcomes: { delivered: 3 } });
    expect(receiver.received.map(({ json }) => json['messageId'])).toEqual([second.id]);
    const texts = [first.text, second.text, third.text];
    await expect.poll(() => filesWith(texts), { timeout: 10_000 }).toEqual([]);
  });

  it('is repeated until it is taken, also when processes die between the steps', async () => {
    receiver.answerNext(500, 'silence');
    const letter = letterFor('acme');
    await change('acme', 0, [letter]);
    const dying = { told: () => Promise.reject(new Error('killed')) };
    const changeLog = new ClickhouseChangeLog(database.client);
    const outbox = new RedisOutbox(redis, namespace);
    await expect(relayBatch({ outbox, changeLog, listener: dying })).rejects.toThrow('killed');
    await server.kill();
    await server.start();
    await relay();
    deliverTo(receiver.url);
    await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(3);
    expect(new Set(receiver.received.map(({ json }) => json['messageId']))).toEqual(new Set([letter.id]));
    await expect.poll(() => filesWith([letter.text]), { timeout: 10_000 }).toEqual([]);
  });

  it('that nobody takes becomes a dead letter that says nothing, sealed or not', async () => {
    receiver.answerAlways(500);
    const letter = letterFor('acme');
    await change('acme', 0, [letter]);
    await relay();
    deliverTo(receiver.url, seal, 3);
    await expect.poll(figures).toMatchObject({ waiting: 0, dead: 1, outcomes: { dead: 1, retried: 2 } });
    expect(receiver.received).toHaveLength(3);
    await expect.poll(() => filesWith([letter.text]), { timeout: 10_000 }).toEqual([]);
    expect(await filesWith(plain)).toEqual([]);
    const [dead] = await queue().deadLetters(10);
    const { customerId, id } = letter;
    expect(dead).toMatchObject({ about: { customerId, id }, reason: 'HTTP 500', attempts: 3 });
    expect(logged).toEqual([expect.stringContaining(id)]);
    expect(holds(JSON.stringify([logged, dead]), [...plain, letter.text])).toBe(false);
  });

  it('that was sealed with another key is not delivered, and the log says why', async () => {
    await change('acme', 0, [letterFor('acme')]);
    await relay();
    deliverTo(receiver.url, new LetterSeal('the key of another installation 0123456789'), 2);
    await expect.poll(figures).toMatchObject({ waiting: 0, dead: 1 });
    expect(receiver.received).toEqual([]);
    expect(logged[0]).toContain('SECRETS_KEY');
    expect(logged).toHaveLength(2);
  });

  it('is erased when there is no integration any more', async () => {
    const letter = letterFor('acme');
    await change('acme', 0, [letter]);
    await relay();
    deliverTo(undefined);
    await expect.poll(() => filesWith([letter.text]), { timeout: 10_000 }).toEqual([]);
    expect(await figures()).toMatchObject({ waiting: 0, dead: 0 });
  });

  it('is refused while too much of it waits, and so is the change that it came with', async () => {
    await change('a', 0, [letterFor('a')]);
    await change('b', 0, [letterFor('b')]);
    await expect(change('c', 0, [letterFor('c')])).rejects.toBeInstanceOf(RecordsOverloadedError);
    expect((await store.read([{ kind: 'customer', key: 'c' }]))[0]).toBeUndefined();
    await change('a', 1, [letterFor('a')]);
  });
});

describe('a seal', () => {
  const letter = { customerId: 'acme', id: randomUUID() };

  it('opens for its own letter only, with its own key only, undamaged only', () => {
    const text = seal.seal('Slartibartfast', letter);
    expect(seal.open(text, letter)).toBe('Slartibartfast');
    expect(seal.seal('Slartibartfast', letter)).not.toBe(text);
    expect(seal.open(text, { ...letter, customerId: 'beta' })).toBeUndefined();
    expect(seal.open(text, { ...letter, id: randomUUID() })).toBeUndefined();
    expect(new LetterSeal('another key').open(text, letter)).toBeUndefined();
    const damaged = Buffer.from(text, 'base64');
    damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1);
    for (const broken of [damaged.toString('base64'), text.slice(0, 40), '']) {
      expect(seal.open(broken, letter)).toBeUndefined();
    }
  });
});

const acme = { kind: 'customer', key: 'acme' } as const;

/** As text, as JSON would escape it, and as base64 in each of its three positions. */
const plain = secrets.flatMap((text) => {
  const shifted = [0, 1, 2].map((skip) => Buffer.from(text).subarray(skip).toString('base64'));
  return [text, JSON.stringify(text).slice(1, -1), ...shifted.map((base64) => base64.slice(0, -4))];
});

function letterFor(customerId: string): SealedLetter {
  return billingLetter(customerId, information, audit, seal);
}

async function change(
  key: string,
  expectedVersion: number,
  letters: readonly SealedLetter[] = [],
): Promise<void> {
  const write = { kind: 'customer', key, expectedVersion, body: { archivedAt: null } } as const;
  expect(await store.commit([write], audit, [], letters)).toBe('committed');
}

async function relay(): Promise<void> {
  const changeLog = new ClickhouseChangeLog(database.client);
  const outbox = new RedisOutbox(redis, namespace);
  const logger = { warn: (...line: unknown[]) => void logged.push(line) };
  const listener = new CommitWebhooks({ lifecycle: undefined, letters: queue(), logger });
  while (await relayBatch({ outbox, changeLog, listener }));
}

function queue(): BullmqWebhookQueue<LetterPointer> {
  const opened = new BullmqWebhookQueue<LetterPointer>({ redis, namespace, name, report: () => undefined });
  onTestFinished(() => opened.close());
  return opened;
}

function figures(): ReturnType<BullmqWebhookQueue<LetterPointer>['figures']> {
  return queue().figures();
}

function deliverTo(url: string | undefined, key = seal, attempts = 10): void {
  const clock = new ManualClock(audit.at);
  const log = (...line: unknown[]): void => void logged.push(JSON.stringify(line));
  const delivery = new LetterDelivery({
    letters: new RedisLetterBox(redis, namespace),
    seal: key,
    endpoint: url === undefined ? undefined : new HttpEndpoint({ url, secret, clock, timeoutMs: 300 }),
    forget: () => new RedisOutbox(redis, namespace).forget(),
    logger: { error: log, warn: log },
    forgetPauseMs: 50,
  });
  const report = (): void => undefined;
  const worker = new BullmqWebhookWorker({ redis, namespace, name, delivery, report, retryMs: 5, attempts });
  delivery.start();
  worker.start();
  onTestFinished(async () => {
    await worker.stop();
    await delivery.stop();
  });
}

/** The files of redis-server that hold one of the texts. */
async function filesWith(texts: readonly string[]): Promise<readonly string[]> {
  const entries = await readdir(server.folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  // A file may be gone again: the rewritten log takes the place of the one before.
  const contents = await Promise.all(paths.map((path) => readFile(path).catch(() => Buffer.alloc(0))));
  return paths.filter((_, at) => holds(contents[at]?.toString('latin1') ?? '', texts));
}

function holds(content: string, texts: readonly string[]): boolean {
  return texts.some(
    (text) => content.includes(Buffer.from(text).toString('latin1')) || content.includes(text),
  );
}
