import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ClickhouseChangeLog } from '../store/clickhouse-change-log.ts';
import { selectRows } from '../store/clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import type { ChangeLog, Outbox } from './change-log.ts';
import { watchOutbox } from './outbox-metrics.ts';
import { OutboxRelay, relayBatch } from './outbox-relay.ts';
import type { Audit } from './record-store.ts';
import { RedisOutbox } from './redis-outbox.ts';
import { RedisRecordStore } from './redis-record-store.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at: 1_700_000_000_123 };
const plan = { kind: 'package', key: 'pro' } as const;
let database: TestDatabase;
let changeLog: ClickhouseChangeLog;
let store: RedisRecordStore;
let outbox: RedisOutbox;

beforeAll(async () => {
  database = await createTestDatabase();
  changeLog = new ClickhouseChangeLog(database.client);
});

beforeEach(async () => {
  const namespace = `{relay-${randomUUID()}}`;
  store = new RedisRecordStore(redis, namespace);
  outbox = new RedisOutbox(redis, namespace);
  for (const table of ['change_log', 'customer_personal']) {
    await database.client.command({ query: `TRUNCATE TABLE ${table}` });
  }
});

afterAll(async () => {
  await database.drop();
  await redis.quit();
});

describe('the relay', () => {
  it('tells the change log who did what, before and after, when, and by which request', async () => {
    const body = { id: 'p', name: 'Pro "ü"\n' };
    const indexes = [{ name: 'all', score: 7 }];
    await store.commit([{ ...plan, expectedVersion: 0, body, indexes }], audit);
    await store.commit([{ ...plan, expectedVersion: 1, body: null }], { ...audit, operation: 'gone' });
    expect(await relayBatch({ outbox, changeLog })).toBe(true);
    const all = await logged('toUnixTimestamp64Milli(at) AS ms, * EXCEPT (entry_ms, entry_seq, commit, at)');
    const common = { ms: '1700000000123', actor: 'k-1', trace_id: 't-1', kind: 'package', key: 'pro' };
    const text = JSON.stringify(body);
    expect(all).toEqual([
      { ...common, operation: 'test', version: '1', before: '', after: text, indexes: '[["all","7"]]' },
      { ...common, operation: 'gone', version: '2', before: text, after: '', indexes: '[]' },
    ]);
    expect(await relayBatch({ outbox, changeLog })).toBe(false);
    expect(await outbox.size()).toBe(0);
  });

  const steps = ['take', 'append', 'personal', 'keepPersonal', 'erasePersonal', 'forget', 'done'] as const;

  it.each(steps.flatMap((step) => [[step, 'before'] as const, [step, 'after'] as const]))(
    'that dies at %s, %s it was done, leaves every change in the log once',
    async (step, when) => {
      await makeCustomer('jane', 'Jane', 0);
      await relayBatch({ outbox, changeLog });
      await makeCustomer('joe', 'Joe', 0);
      await makeCustomer('jane', null, 1);
      const victim = dying({ outbox, changeLog }, step, when);
      await expect(relayBatch(victim)).rejects.toThrow('killed');
      // What came later goes with the next batch, and not with the one that is taken again.
      await store.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
      while (await relayBatch({ outbox, changeLog }));
      expect(await logged('kind, key, version')).toEqual([
        { kind: 'customer', key: 'jane', version: '1' },
        { kind: 'customer', key: 'joe', version: '1' },
        { kind: 'customer', key: 'jane', version: '2' },
        { kind: 'package', key: 'pro', version: '1' },
      ]);
      expect(await personal()).toEqual([
        { key: 'jane', content: '' },
        { key: 'joe', content: '[]\n{"name":"Joe"}' },
      ]);
      expect(await outbox.size()).toBe(0);
    },
  );

  it('moves more than one batch holds in order, while changes go on and another relay does the same', async () => {
    const rival = relay();
    const mine = relay();
    const count = 600;
    for (let at = 0; at < count; at += 1) {
      await store.commit([{ ...plan, expectedVersion: at, body: { at } }], audit);
      if (at === 100) mine.start();
      if (at === 200) rival.start();
    }
    await expect.poll(() => outbox.size(), { timeout: 20_000 }).toBe(0);
    await Promise.all([mine.stop(), rival.stop()]);
    const rows = await logged('version');
    expect(rows).toEqual(Array.from({ length: count }, (_, at) => ({ version: String(at + 1) })));
  });

  it('waits while the change log is away, and goes on', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
    let away = true;
    const refused: string[] = [];
    const flaky: ChangeLog = {
      append: (batch) => (away ? Promise.reject(new Error('secret')) : changeLog.append(batch)),
      keepPersonal: (texts) => changeLog.keepPersonal(texts),
      erasePersonal: (keys) => changeLog.erasePersonal(keys),
    };
    const warn = (line: unknown): void => {
      refused.push(JSON.stringify(line));
      away = false;
    };
    const registry = new Registry();
    watchOutbox(registry, outbox);
    const patient = new OutboxRelay({ outbox, changeLog: flaky, logger: { warn }, idleMs: 5 });
    expect(await registry.metrics()).toContain('tollgate_outbox_entries 1');
    patient.start();
    await expect.poll(() => outbox.size(), { timeout: 20_000 }).toBe(0);
    await patient.stop();
    expect(refused).toEqual([expect.not.stringContaining('secret')]);
    expect(await logged('version')).toEqual([{ version: '1' }]);
    expect(await registry.metrics()).toContain('tollgate_outbox_entries 0');
  });

  it('erases at its start what a relay that was cut off kept beside an erased text', async () => {
    await makeCustomer('jane', 'Jane', 0);
    await makeCustomer('jane', null, 1);
    await relayBatch({ outbox, changeLog });
    await changeLog.keepPersonal([{ key: 'jane', version: 1, content: '[]\n{"name":"Jane"}' }]);
    const next = relay();
    next.start();
    await expect.poll(personal, { timeout: 20_000 }).toEqual([{ key: 'jane', content: '' }]);
    await next.stop();
  });
});

function relay(): OutboxRelay {
  const logger = { warn: () => undefined };
  return new OutboxRelay({ outbox, changeLog, logger, idleMs: 5 });
}

async function makeCustomer(key: string, name: string | null, expectedVersion: number): Promise<void> {
  const write = { kind: 'customer', key, expectedVersion, body: { name } } as const;
  expect(await store.commit([write], audit)).toBe('committed');
}

type Ports = { readonly outbox: Outbox; readonly changeLog: ChangeLog };
type Step = keyof Outbox | keyof ChangeLog;

/** The same ports, but the process ends when it comes to `step`: before it happens, or before its answer comes. */
function dying(ports: Ports, step: Step, when: 'before' | 'after'): Ports {
  const cut = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get: (_, name) => {
        const method = (port as Readonly<Record<string | symbol, unknown>>)[name];
        if (typeof method !== 'function') return method;
        return async (...args: readonly unknown[]): Promise<unknown> => {
          if (name === step && when === 'before') throw new Error('killed');
          const answer: unknown = await method.apply(port, args);
          if (name === step) throw new Error('killed');
          return answer;
        };
      },
    });
  return { outbox: cut(ports.outbox), changeLog: cut(ports.changeLog) };
}

function logged(columns: string): Promise<unknown[]> {
  const sql = `SELECT ${columns} FROM change_log ORDER BY entry_ms, entry_seq`;
  return selectRows(database.client, { sql, params: {} });
}

function personal(): Promise<unknown[]> {
  const sql = 'SELECT key, content FROM customer_personal FINAL ORDER BY key';
  return selectRows(database.client, { sql, params: {} });
}
