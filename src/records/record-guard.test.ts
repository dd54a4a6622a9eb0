import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { selectRows } from '../store/clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import type { ChangeLogReader } from './change-log.ts';
import { changeRecords } from './change-records.ts';
import { OutboxRelay, relayBatch } from './outbox-relay.ts';
import { RecordGuard } from './record-guard.ts';
import { type RecordKeys, recordKeys } from './record-keys.ts';
import { type Audit, RecordsClosedError, type RecordWrite } from './record-store.ts';
import { RedisOutbox } from './redis-outbox.ts';
import { RedisRecordStore } from './redis-record-store.ts';
import { RecordsUnknownError, RedisRestore, type RestoreOptions } from './redis-restore.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at: 1_700_000_000_123 };
const plan = { kind: 'package', key: 'pro' } as const;
const acme = { kind: 'customer', key: 'acme' } as const;
const logger = pino({ level: 'silent' });
let database: TestDatabase;
let changeLog: ClickhouseChangeLog;
let namespace: string;
let keys: RecordKeys;
let store: RedisRecordStore;
let outbox: RedisOutbox;

beforeAll(async () => {
  database = await createTestDatabase();
  changeLog = new ClickhouseChangeLog(database.client);
});

beforeEach(async () => {
  namespace = `{guard-${randomUUID()}}`;
  keys = recordKeys(namespace);
  store = new RedisRecordStore(redis, namespace, { mustBeOpen: true });
  outbox = new RedisOutbox(redis, namespace, { mustBeOpen: true });
  for (const table of ['change_log', 'customer_personal']) {
    await database.client.command({ query: `TRUNCATE TABLE ${table}` });
  }
});

afterAll(async () => {
  await database.drop();
  await redis.quit();
});

describe('records that are not open', () => {
  it('answer nothing and take nothing, and a worker opens them', async () => {
    const write: RecordWrite = { ...plan, expectedVersion: 0, body: { id: 'p' } };
    const page = { scoreFrom: null, scoreBefore: null, after: null, before: null, limit: 10 } as const;
    const asked: readonly (() => Promise<unknown>)[] = [
      () => store.read([plan]),
      () => store.byId('package', 'p'),
      () => store.all('package'),
      () => store.revision('package'),
      () => store.marks(['package'], [plan]),
      () => store.page({ kind: 'package', indexes: ['all'], order: 'ascending', end: 'first', ...page }),
      () => store.members('package', 'all', ['pro']),
      () => store.commit([write], audit),
    ];
    for (const ask of asked) await expect(ask()).rejects.toBeInstanceOf(RecordsClosedError);
    expect(await redis.keys(`${namespace}*`)).toEqual([]);
    expect(await guard().open()).toEqual({ outcome: 'restored', records: 0 });
    for (const ask of asked) await ask();
    expect(await guard().open()).toEqual({ outcome: 'open' });
  });

  it('that a version without lives has left are gone on with', async () => {
    const former = new RedisRecordStore(redis, namespace);
    await former.commit([{ ...plan, expectedVersion: 0, body: { id: 'p' } }], audit);
    expect(await guard().open()).toEqual({ outcome: 'adopted' });
    expect((await store.byId('package', 'p'))?.version).toBe(1);
  });

  it('are told to whoever watches', async () => {
    const watching = guard();
    await watching.open();
    watching.watch();
    await loseRedis();
    await expect(watching.lost).rejects.toThrow('gone from Redis');
  });
});

describe('under commits', () => {
  it('a loss leaves one truth: what was taken before or after it follows one on the other', async () => {
    await guard().open();
    const relay = new OutboxRelay({ outbox, changeLog, logger, idleMs: 5 });
    relay.start();
    onTestFinished(() => relay.stop());
    const counting = new AbortController();
    const counters = Array.from({ length: 4 }, (_, at) => countUntil(counting.signal, `plan-${at % 2}`));
    for (let round = 0; round < 3; round += 1) {
      await delay(100 + Math.random() * 200);
      await loseRedis();
      // Two at once, of whom one dies on the way. What the relay has taken is in the log by the time they read it.
      const dying = guard({ changeLog: cutOff(changeLog), leaseMs: 300, settleMs: 300 });
      const died = dying.open().catch(() => undefined);
      await guard({ leaseMs: 300, settleMs: 300 }).open();
      await dying.stop();
      await died;
    }
    await delay(100);
    counting.abort();
    await Promise.all(counters);
    while ((await outbox.size()) > 0) await delay(5);
    for (const key of ['plan-0', 'plan-1']) {
      const entries = await logged(key);
      expect(entries.length).toBeGreaterThan(10);
      // Each was decided on the one before it, and Redis holds the last.
      entries.forEach(({ before }, at) => expect(before).toBe(entries[at - 1]?.after ?? ''));
      const [record] = await store.read([{ kind: 'package', key }]);
      expect(JSON.stringify(record?.body)).toBe(entries.at(-1)?.after);
      expect(record?.version).toBe(entries.length);
    }
  });

  it('one that was decided in an earlier life is decided anew', async () => {
    await guard().open();
    await store.commit([{ ...plan, expectedVersion: 0, body: { by: 'first' } }], audit);
    await relayAll();
    let decisions = 0;
    const outcome = await changeRecords(store, [plan], audit, ([record]) => {
      decisions += 1;
      return {
        writes: [{ ...plan, expectedVersion: record?.version ?? 0, body: { by: 'second' } }],
        result: 1,
      };
    });
    expect([outcome, decisions]).toEqual([{ result: 1 }, 1]);
    // It never reached the log, so what is restored has the version that it was decided on.
    const life = store.life();
    await loseRedis();
    await guard().open();
    const stale = store.commit([{ ...plan, expectedVersion: 1, body: {} }], audit, [], [], life);
    expect(await stale).toBe('conflict');
    expect(await store.read([plan])).toMatchObject([{ version: 1, body: { by: 'first' } }]);
    expect(store.life()).not.toBe(life);
    expect(await store.commit([{ ...plan, expectedVersion: 1, body: {} }], audit, [], [], store.life())).toBe(
      'committed',
    );
  });
});

it('commits that reach the change log when the records are already made again are in what is made next', async () => {
  await guard().open();
  await store.commit([{ ...plan, expectedVersion: 0, body: { by: 'first' } }], audit);
  const late = await outbox.take();
  await loseRedis();
  await guard().open();
  expect(await store.read([plan])).toEqual([undefined]);
  const watching = guard();
  watching.watch();
  if (late !== undefined) await changeLog.append(late);
  await outbox.done(late?.token ?? '');
  await expect(watching.lost).rejects.toThrow('gone from Redis');
  expect(await guard().open()).toEqual({ outcome: 'restored', records: 1 });
  expect(await store.read([plan])).toMatchObject([{ version: 1, body: { by: 'first' } }]);
});

describe('what is left of the records', () => {
  it('in the outbox goes to the change log first, and what was erased is not brought back', async () => {
    await guard().open();
    const write = { ...acme, expectedVersion: 0, body: { name: 'Zaphod', archivedAt: null } };
    await store.commit([write], audit);
    const other = { ...acme, key: 'other', body: { name: 'Trillian', archivedAt: null } };
    await store.commit([{ ...write, ...other }], audit);
    await relayAll();
    await store.commit([{ ...write, expectedVersion: 1, body: { name: null, archivedAt: 7 } }], audit);
    const renamed = { ...other, expectedVersion: 1, body: { name: 'Tricia', archivedAt: null } };
    await store.commit([renamed], audit);
    await loseRedis((key) => key === keys.outbox);
    expect(await guard().open()).toEqual({ outcome: 'restored', records: 2 });
    const found = await store.read([acme, { kind: 'customer', key: 'other' }]);
    expect(found).toMatchObject([
      { version: 2, body: { name: null, archivedAt: 7 } },
      // The text was only in Redis; the one before it is the newest that is kept.
      { version: 2, body: { name: 'Trillian', archivedAt: null } },
    ]);
    const texts = await selectRows<{ content: string }>(database.client, {
      sql: "SELECT content FROM customer_personal WHERE content LIKE '%Zaphod%'",
      params: {},
    });
    expect(texts).toEqual([]);
  });

  it('is cleared once nothing of it vanishes any more, so that no index names what is gone', async () => {
    await guard().open();
    const indexes = [{ name: 'all', score: 1 }];
    await store.commit([{ ...plan, expectedVersion: 0, body: {}, indexes }], audit);
    await relayAll();
    await store.commit([{ ...plan, key: 'lost', expectedVersion: 0, body: {}, indexes }], audit);
    await loseRedis((key) => key.startsWith(keys.prefix));
    expect(await guard().open()).toEqual({ outcome: 'restored', records: 1 });
    expect([...(await store.members('package', 'all', ['pro', 'lost']))]).toEqual(['pro']);
    expect((await store.read([{ ...plan, key: 'lost' }]))[0]).toBeUndefined();
  });

  it('stays as it is where the change log does not know of it', async () => {
    await guard().open();
    await store.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
    await loseRedis((key) => key.startsWith(keys.prefix));
    const keysNow = async () => (await redis.keys(`${namespace}*`)).toSorted();
    const before = await keysNow();
    await expect(restore().open()).rejects.toBeInstanceOf(RecordsUnknownError);
    expect(await keysNow()).toEqual(before);
  });
});

function restore(options: Partial<RestoreOptions> = {}): RedisRestore {
  return new RedisRestore({ redis, namespace, changeLog, settleMs: 20, ...options });
}

function guard(options: Partial<RestoreOptions> = {}): RecordGuard {
  const made = new RecordGuard({
    opener: restore(options),
    outbox,
    changeLog,
    logger,
    watchMs: 10,
    retryMs: 20,
  });
  onTestFinished(() => made.stop());
  return made;
}

/** Adds one again and again, and goes on through a loss. */
async function countUntil(signal: AbortSignal, key: string): Promise<void> {
  const ref = { kind: 'package', key } as const;
  while (!signal.aborted) {
    const counted = changeRecords(store, [ref], audit, ([record]) => {
      const { count = 0 } = (record?.body ?? {}) as { count?: number };
      return {
        writes: [{ ...ref, expectedVersion: record?.version ?? 0, body: { count: count + 1 } }],
        result: 1,
      };
    });
    await counted.catch((error: unknown) => {
      if (!(error instanceof RecordsClosedError)) throw error;
    });
    await delay(2);
  }
}

/** Each commit once: a batch whose token was deleted before its commits is appended under another one, too. */
async function logged(key: string): Promise<readonly { before: string; after: string }[]> {
  const sql = `SELECT DISTINCT entry_ms, entry_seq, before, after FROM change_log WHERE key = {key:String}
    ORDER BY entry_ms, entry_seq`;
  return selectRows<{ before: string; after: string }>(database.client, { sql, params: { key } });
}

/** One after the other, as somebody with a shell does it. */
async function loseRedis(kept: (key: string) => boolean = () => false): Promise<void> {
  for (const key of await redis.keys(`${namespace}*`)) if (!kept(key)) await redis.del(key);
}

async function relayAll(): Promise<void> {
  while (await relayBatch({ outbox, changeLog }));
}

function cutOff(reader: ChangeLogReader): ChangeLogReader {
  return {
    async *newest() {
      for await (const page of reader.newest()) {
        yield page.slice(0, 1);
        throw new Error('cut off');
      }
    },
    revisions: () => reader.revisions(),
    isGrowing: () => reader.isGrowing(),
  };
}
