/** What is lost with Redis comes back from the change log, byte for byte; what was erased comes back from nowhere. */
import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { archivedCustomer, provisionedCustomer } from '../src/customers/change-customer.ts';
import { RecordCustomerDirectory } from '../src/customers/record-customer-directory.ts';
import { recordKinds, type RecordKind } from '../src/records/record-kinds.ts';
import { relayBatch } from '../src/records/outbox-relay.ts';
import { type Audit, RecordsClosedError, type RecordWrite } from '../src/records/record-store.ts';
import { RedisOutbox } from '../src/records/redis-outbox.ts';
import { RedisRecordStore } from '../src/records/redis-record-store.ts';
import { RecordsPresentError, restoreRecords, type RestoreOptions } from '../src/records/redis-restore.ts';
import type { ChangeLogReader } from '../src/records/change-log.ts';
import { ClickhouseChangeLog } from '../src/store/clickhouse-change-log.ts';
import { selectRows } from '../src/store/clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from '../src/store/clickhouse-database.fixture.ts';
import { readable, recordsContent } from './records-content.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at: 1_700_000_000_123 };
let database: TestDatabase;
let changeLog: ClickhouseChangeLog;
let namespace: string;
let store: RedisRecordStore;

beforeAll(async () => {
  database = await createTestDatabase();
  changeLog = new ClickhouseChangeLog(database.client);
});

beforeEach(async () => {
  await startAfresh();
});

afterAll(async () => {
  await database.drop();
  await redis.quit();
});

describe('a restore', () => {
  it('makes of any history the state that was there, byte for byte, and the records go on from it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 25 }),
        (history) => expectRestored(history),
      ),
      { numRuns: 15 },
    );
  });

  it('reads the log in pages, whatever is at their ends', async () => {
    for (let from = 0; from < 4_500; from += 500) {
      const writes = Array.from({ length: 500 }, (_, at) => ({
        kind: 'customer' as const,
        key: `customer-${from + at}`,
        expectedVersion: 0,
        body: { id: randomUUID(), name: `Name ${from + at}` },
        indexes: [{ name: 'all', score: from + at }],
      }));
      await store.commit(writes, audit);
    }
    await relayAll();
    const before = await recordsContent(redis, namespace);
    expect(before.size).toBeGreaterThan(4);
    const count = await lostAndRestored();
    expect(count).toBe(4_500);
    expect(await recordsContent(redis, namespace)).toEqual(before);
  });

  it('is refused where there are records, or changes that wait for the log', async () => {
    await commitCustomer('acme', 'Acme');
    await relayAll();
    await expect(restored()).rejects.toBeInstanceOf(RecordsPresentError);
    const other = `{restore-${randomUUID()}}`;
    const elsewhere = new RedisRecordStore(redis, other);
    const write = { kind: 'package', key: 'pro', expectedVersion: 0, body: {} } as const;
    await elsewhere.commit([write], audit);
    await elsewhere.commit([{ ...write, expectedVersion: 1, body: null }], audit);
    await expect(restored({ namespace: other })).rejects.toBeInstanceOf(RecordsPresentError);
  });

  it('that was cut off keeps changes out until it is run again to its end', async () => {
    await commitCustomer('acme', 'Acme');
    await commitCustomer('beta', 'Beta');
    await relayAll();
    const before = await recordsContent(redis, namespace);
    await loseRedis();
    await expect(restored({ changeLog: cutOff(changeLog) })).rejects.toThrow('cut off');
    await expect(commitCustomer('gamma', 'Gamma')).rejects.toBeInstanceOf(RecordsClosedError);
    await restored();
    expect(await recordsContent(redis, namespace)).toEqual(before);
    await commitCustomer('gamma', 'Gamma');
  });

  it('of an empty log leaves an empty Redis that takes records', async () => {
    await loseRedis();
    await expect(commitCustomer('acme', 'Acme')).rejects.toBeInstanceOf(RecordsClosedError);
    expect(await restored()).toBe(0);
    expect((await store.page(allCustomers)).totalCount).toBe(0);
    await commitCustomer('acme', 'Acme');
  });
});

describe('the name and e-mail of an archived customer', () => {
  const [name, renamed, email] = ['Zaphod Beeblebrox', 'Zarniwoop Vann Harl', 'zaphod@betelgeuse.example'];

  it('are in no byte of Redis, of the change log or of what else ClickHouse holds, and are not restored', async () => {
    const directory = new RecordCustomerDirectory(store);
    const provision = (fields: { name?: string; email?: string }): Promise<unknown> =>
      directory.change('acme', audit, (existing) => provisionedCustomer(existing, 'acme', fields, 'id', 1));
    await provision({ name, email });
    await relayAll();
    await provision({ name: renamed });
    await relayAll();
    await commitCustomer('other', 'Somebody Else');
    expect(await holders()).toEqual(['customer_personal', 'redis']);

    // The name's last change is still in the outbox when the customer is archived.
    await provision({ name });
    await directory.change('acme', audit, (existing) => archivedCustomer(existing, 'acme', 2));
    expect(await holders()).toEqual(['customer_personal']);
    await relayAll();
    expect(await holders()).toEqual([]);

    await lostAndRestored();
    expect(await holders()).toEqual([]);
    expect((await store.read([{ kind: 'customer', key: 'acme' }]))[0]?.body).toMatchObject({
      name: null,
      email: null,
      archivedAt: 2,
    });
    expect((await directory.customer('other'))?.name).toBe('Somebody Else');
  });

  /** Where any of the texts is found: `redis`, or a table's name. */
  async function holders(): Promise<readonly string[]> {
    const texts = [name, renamed, email, 'Beeblebrox', 'Zarniwoop', 'betelgeuse'];
    const found = (content: string): boolean => texts.some((text) => content.includes(text));
    const dumps = await Promise.all(
      (await redis.keys(`${namespace}*`)).map(async (key) => {
        return `${key} ${(await redis.dumpBuffer(key)).toString('latin1')} ${await readable(redis, key)}`;
      }),
    );
    const tables = await selectRows<{ name: string }>(database.client, {
      sql: "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'",
      params: {},
    });
    const holding = await Promise.all(
      tables.map(async (table) => {
        const rows = await selectRows(database.client, { sql: `SELECT * FROM ${table.name}`, params: {} });
        return found(JSON.stringify(rows)) ? [table.name] : [];
      }),
    );
    return [...holding.flat(), ...(dumps.some(found) ? ['redis'] : [])].toSorted();
  }
});

/** One write of a random commit: a small space of keys, so that records change and vanish often. */
const change = fc.record({
  kind: fc.constantFrom(...(Object.keys(recordKinds) as RecordKind[])),
  key: fc.constantFrom('a', 'b', 'c'),
  body: fc.option(
    fc.record({
      id: fc.constantFrom('id-1', 'id-2', 'id-3'),
      name: fc.option(fc.string({ unit: 'grapheme' })),
      email: fc.option(fc.string()),
      more: fc.jsonValue(),
    }),
  ),
  indexes: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom('all', 'x', 'y:"z"'),
      score: fc.oneof(fc.integer(), fc.maxSafeInteger()),
    }),
    { selector: ({ name }) => name },
  ),
  personalIndex: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

async function expectRestored(history: readonly (readonly Change[])[]): Promise<void> {
  await startAfresh();
  for (const commit of history) await commitChanges(commit);
  await relayAll();
  const before = await recordsContent(redis, namespace);
  await lostAndRestored();
  expect(await recordsContent(redis, namespace)).toEqual(before);
  // Both go on the same way, and the restored one can be restored again.
  for (const commit of history) await commitChanges(commit);
  await relayAll();
  const grown = await recordsContent(redis, namespace);
  await lostAndRestored();
  expect(await recordsContent(redis, namespace)).toEqual(grown);
}

async function commitChanges(changes: readonly Change[]): Promise<void> {
  const distinct = new Map(changes.map((item) => [`${item.kind} ${item.key}`, item]));
  const found = await store.read([...distinct.values()]);
  const writes = [...distinct.values()].map((item, at): RecordWrite => {
    const { kind, key, body, indexes, personalIndex } = item;
    const personal =
      personalIndex && kind === 'customer' ? [{ name: 'name:n', score: 1, personal: true as const }] : [];
    return {
      kind,
      key,
      expectedVersion: found[at]?.version ?? 0,
      // An id belongs to one record of its kind.
      body: body === null ? null : { ...body, id: `${key}-${body.id}` },
      indexes: [...indexes, ...(body?.name === null ? [] : personal)],
    };
  });
  const present = writes.filter(({ expectedVersion, body }) => expectedVersion > 0 || body !== null);
  expect(await store.commit(present, audit)).toBe('committed');
}

async function commitCustomer(key: string, name: string): Promise<void> {
  const indexes = [{ name: 'all', score: 1 }];
  const body = { name, archivedAt: null };
  await store.commit([{ kind: 'customer', key, expectedVersion: 0, body, indexes }], audit);
}

async function startAfresh(): Promise<void> {
  namespace = `{restore-${randomUUID()}}`;
  store = new RedisRecordStore(redis, namespace, { mustBeOpen: true });
  for (const table of ['change_log', 'customer_personal']) {
    await database.client.command({ query: `TRUNCATE TABLE ${table}` });
  }
  await restored();
}

async function relayAll(): Promise<void> {
  const outbox = new RedisOutbox(redis, namespace, { mustBeOpen: true });
  while (await relayBatch({ outbox, changeLog }));
}

const allCustomers = {
  kind: 'customer',
  indexes: ['all'],
  scoreFrom: null,
  scoreBefore: null,
  order: 'ascending',
  after: null,
  before: null,
  end: 'first',
  limit: 10,
} as const;

async function loseRedis(): Promise<void> {
  const keys = await redis.keys(`${namespace}*`);
  if (keys.length > 0) await redis.del(...keys);
}

async function lostAndRestored(): Promise<number> {
  await loseRedis();
  return restored();
}

function restored(options: Partial<RestoreOptions> = {}): Promise<number> {
  return restoreRecords({ redis, namespace, changeLog, settleMs: 0, ...options });
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
