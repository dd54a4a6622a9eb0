import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { changeRecords } from './change-records.ts';
import { recordKeys } from './record-keys.ts';
import {
  type Audit,
  type RecordPageQuery,
  type RecordRef,
  type RecordStore,
  RecordsFullError,
  RecordsOverloadedError,
} from './record-store.ts';
import { RedisRecordStore } from './redis-record-store.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'k-1', traceId: 't-1', operation: 'test', at: 1_000 };
const plan = { kind: 'package', key: 'pro' } as const;
const acme = { kind: 'customer', key: 'acme' } as const;
let namespace: string;
let store: RedisRecordStore;

beforeEach(() => {
  namespace = `{records-${randomUUID()}}`;
  store = new RedisRecordStore(redis, namespace);
});

afterAll(async () => {
  await redis.quit();
});

describe('a record', () => {
  it('is created, read, changed and deleted, with its version', async () => {
    const body = { id: 'id-1', name: 'Pro ü 漢 \n "x"', list: [], n: 12345678901234 };
    expect(await store.commit([{ ...plan, expectedVersion: 0, body }], audit)).toBe('committed');
    expect(await store.read([plan])).toEqual([{ ...plan, version: 1, body }]);
    const changed = { ...body, name: 'Pro 2' };
    expect(await store.commit([{ ...plan, expectedVersion: 1, body: changed }], audit)).toBe('committed');
    expect(await store.read([plan, acme])).toEqual([{ ...plan, version: 2, body: changed }, undefined]);
    expect(await store.commit([{ ...plan, expectedVersion: 2, body: null }], audit)).toBe('committed');
    expect(await store.read([plan])).toEqual([undefined]);
    expect(await store.byId('package', 'id-1')).toBeUndefined();
  });

  it('is found by its id, also when it gets another', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: { id: 'one' } }], audit);
    expect((await store.byId('package', 'one'))?.key).toBe('pro');
    expect(await store.byId('feature', 'one')).toBeUndefined();
    await store.commit([{ ...plan, expectedVersion: 1, body: { id: 'two' } }], audit);
    expect(await store.byId('package', 'one')).toBeUndefined();
    expect((await store.byId('package', 'two'))?.version).toBe(2);
  });

  it('keeps personal fields apart and answers them together', async () => {
    const body = { id: 'c', name: 'Jane', email: null, tier: 1 };
    await store.commit([{ ...acme, expectedVersion: 0, body }], audit);
    expect(await store.read([acme])).toEqual([{ ...acme, version: 1, body }]);
    expect((await store.byId('customer', 'c'))?.body).toEqual(body);
    expect(await redis.hget(recordKeys(namespace).of('customer').records, 'acme')).not.toContain('Jane');
    const nameless = { ...body, name: null };
    await store.commit([{ ...acme, expectedVersion: 1, body: nameless }], audit);
    expect(await store.read([acme])).toEqual([{ ...acme, version: 2, body: nameless }]);
    expect(await redis.exists(recordKeys(namespace).of('customer').personal)).toBe(0);
  });
});

describe('a commit', () => {
  it('conflicts with another version than the expected one, whichever that is', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
    for (const expectedVersion of [0, 2, 10]) {
      expect(await store.commit([{ ...plan, expectedVersion, body: { lost: true } }], audit)).toBe(
        'conflict',
      );
    }
    expect(await store.commit([{ ...acme, expectedVersion: 1, body: {} }], audit)).toBe('conflict');
    expect(await store.read([plan, acme])).toEqual([{ ...plan, version: 1, body: {} }, undefined]);
  });

  it('writes all of its records or, when one of them conflicts, none and no trace of it', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: { id: 'p' } }], audit);
    const before = await everything();
    const indexes = [{ name: 'all', score: 1 }];
    const outcome = await store.commit(
      [
        { ...acme, expectedVersion: 0, body: { id: 'c', name: 'Jane' }, indexes },
        { ...plan, expectedVersion: 7, body: { id: 'q' } },
      ],
      audit,
    );
    expect(outcome).toBe('conflict');
    expect(await everything()).toEqual(before);
  });

  it('conflicts when a record that is to be unchanged has changed, come or gone', async () => {
    const write = { ...plan, expectedVersion: 0, body: {} };
    const commit = (expectedVersion: number): Promise<unknown> =>
      store.commit([write], audit, [{ ...acme, expectedVersion }]);
    expect(await commit(1)).toBe('conflict');
    await store.commit([{ ...acme, expectedVersion: 0, body: {} }], audit);
    expect(await commit(0)).toBe('conflict');
    expect(await commit(2)).toBe('conflict');
    expect(await store.read([plan])).toEqual([undefined]);
    expect(await commit(1)).toBe('committed');
    expect((await store.read([acme]))[0]?.version).toBe(1);
  });

  it('leaves one of many that want the same two records, and every one of them whole', async () => {
    const refs = [plan, acme];
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, by) =>
        store.commit(
          (by % 2 === 0 ? refs : refs.toReversed()).map((ref) => ({
            ...ref,
            expectedVersion: 0,
            body: { by },
          })),
          audit,
        ),
      ),
    );
    const by = outcomes.indexOf('committed');
    expect(outcomes.filter((outcome) => outcome === 'committed')).toHaveLength(1);
    expect((await store.read(refs)).map((record) => record?.body)).toEqual([
      { by },
      { by, name: null, email: null },
    ]);
  });

  it('that is sent a second time, because its answer was lost, is done once', async () => {
    const twice = new Redis(inject('redisUrl'));
    const once = twice.eval.bind(twice) as (...args: unknown[]) => Promise<unknown>;
    const resend = async (...args: unknown[]): Promise<unknown> => {
      await once(...args);
      return once(...args);
    };
    Object.assign(twice, { eval: resend });
    const resending = new RedisRecordStore(twice, namespace);
    expect(await resending.commit([{ ...plan, expectedVersion: 0, body: {} }], audit)).toBe('committed');
    expect((await store.read([plan]))[0]?.version).toBe(1);
    expect(await redis.xlen(recordKeys(namespace).outbox)).toBe(1);
    await twice.quit();
  });

  it('refuses the record beyond its kind’s bound, and goes on changing those there are', async () => {
    const features = Array.from({ length: 500 }, (_, at) => ({
      kind: 'product' as const,
      key: `p-${at}`,
      expectedVersion: 0,
      body: { at },
    }));
    expect(await store.commit(features, audit)).toBe('committed');
    const more = features.map((write) => ({ ...write, key: `q-${write.key}` }));
    expect(await store.commit(more, audit)).toBe('committed');
    const one = { kind: 'product' as const, key: 'one-more', expectedVersion: 0, body: {} };
    expect(await store.commit([one], audit)).toBe('full');
    expect((await store.all('product')).records).toHaveLength(1_000);
    expect(await store.commit([{ ...one, key: 'p-0', expectedVersion: 1 }], audit)).toBe('committed');
    await expect(
      changeRecords(store, [one], audit, () => ({ writes: [one], result: undefined })),
    ).rejects.toBeInstanceOf(RecordsFullError);
  });

  it('is refused as overloaded while the outbox is at its bound', async () => {
    const small = new RedisRecordStore(redis, namespace, { outboxEntriesMax: 2 });
    await small.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
    await small.commit([{ ...plan, expectedVersion: 1, body: {} }], audit);
    const third = small.commit([{ ...plan, expectedVersion: 2, body: {} }], audit);
    await expect(third).rejects.toBeInstanceOf(RecordsOverloadedError);
    expect((await store.read([plan]))[0]?.version).toBe(2);
  });

  it('says to the outbox what was before and after', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: { v: 1 } }], audit);
    await store.commit([{ ...plan, expectedVersion: 1, body: { v: 2 } }], { ...audit, operation: 'second' });
    const [, second] = await redis.xrange(recordKeys(namespace).outbox, '-', '+');
    expect(second?.[1].slice(4)).toEqual(
      ['package', 'pro', '2', '{"v":1}', '{"v":2}', '[]'].flatMap((field) => ['write', field]),
    );
    expect(JSON.parse(second?.[1][3] ?? '')).toEqual({ ...audit, operation: 'second' });
  });
});

describe('a change', () => {
  it('is lost by none of 50 that are made at once', async () => {
    await store.commit([{ ...plan, expectedVersion: 0, body: { count: 0 } }], audit);
    await Promise.all(
      Array.from({ length: 50 }, () =>
        changeRecords(store, [plan], audit, ([record]) => {
          const { count } = record?.body ? (record.body as { count: number }) : { count: -1 };
          const write = { ...plan, expectedVersion: record?.version ?? 0, body: { count: count + 1 } };
          return { writes: [write], result: count };
        }),
      ),
    );
    expect(await store.read([plan])).toEqual([{ ...plan, version: 51, body: { count: 50 } }]);
  });

  it('is decided again when a record that it only looked at has changed', async () => {
    await store.commit([{ ...acme, expectedVersion: 0, body: { open: true } }], audit);
    let decisions = 0;
    const rival = store.commit.bind(store, [{ ...acme, expectedVersion: 1, body: { open: false } }], audit);
    const racing: RecordStore = Object.assign(Object.create(store) as RecordStore, {
      read: async (refs: readonly RecordRef[]) => {
        const found = await store.read(refs);
        decisions += 1;
        if (decisions === 1) await rival();
        return found;
      },
      commit: store.commit.bind(store),
      life: () => store.life(),
    });
    const outcome = await changeRecords<null, string>(racing, [acme, plan], audit, ([customer]) =>
      (customer?.body as { open: boolean } | undefined)?.open === true
        ? { writes: [{ ...plan, expectedVersion: 0, body: {} }], result: null }
        : { problem: 'closed' },
    );
    expect(outcome).toEqual({ problem: 'closed' });
    expect(decisions).toBe(2);
    expect(await store.read([plan])).toEqual([undefined]);
  });

  it('that is refused, or writes nothing, changes nothing', async () => {
    const refused = await changeRecords(store, [plan], audit, () => ({ problem: 'no' }));
    expect(refused).toEqual({ problem: 'no' });
    expect(await changeRecords(store, [plan], audit, () => ({ writes: [], result: 7 }))).toEqual({
      result: 7,
    });
    expect(await redis.keys(`${namespace}*`)).toEqual([]);
  });

  it('gives up, retryable, when somebody else is always first', async () => {
    const rival = changeRecords(store, [plan], audit, () => ({
      writes: [{ ...plan, expectedVersion: 99, body: {} }],
      result: undefined,
    }));
    await expect(rival).rejects.toMatchObject({ code: 'OVERLOADED', retryable: true });
  });
});

describe('the revision of a kind', () => {
  it('changes with every commit that touches it, and with no other', async () => {
    expect(await store.revision('package')).toBe('');
    await store.commit([{ ...plan, expectedVersion: 0, body: {} }], audit);
    const first = await store.revision('package');
    await store.commit([{ ...acme, expectedVersion: 0, body: {} }], audit);
    expect(await store.revision('package')).toBe(first);
    await store.commit([{ ...plan, expectedVersion: 1, body: null }], audit);
    expect(await store.revision('package')).not.toBe(first);
    expect(await store.all('package')).toEqual({ revision: await store.revision('package'), records: [] });
  });
});

describe('an index', () => {
  it('holds a record until a commit says otherwise', async () => {
    const indexes = [
      { name: 'all', score: 5 },
      { name: 'name:x', score: 5, personal: true as const },
    ];
    await store.commit([{ ...acme, expectedVersion: 0, body: { name: 'Jane' }, indexes }], audit);
    expect(await store.members('customer', 'all', ['acme', 'other', 'acme'])).toEqual(new Set(['acme']));
    expect(await keysOf({ indexes: ['all', 'name:x'] })).toEqual(['acme']);
    await store.commit([{ ...acme, expectedVersion: 1, body: {}, indexes: indexes.slice(0, 1) }], audit);
    expect(await keysOf({ indexes: ['name:x'] })).toEqual([]);
    expect(await keysOf({ indexes: ['all'] })).toEqual(['acme']);
    await store.commit([{ ...acme, expectedVersion: 2, body: {} }], audit);
    expect(await store.members('customer', 'all', ['acme'])).toEqual(new Set());
    expect(await redis.keys(`${namespace}*:by:*`)).toEqual([]);
  });

  it('gives the members that several have, at their places in the first', async () => {
    const score = fc.integer({ min: 0, max: 3 });
    const member = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
      a: fc.option(score),
      b: fc.option(score),
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(member, { selector: ({ key }) => key }), async (members) => {
        store = new RedisRecordStore(redis, `{records-${randomUUID()}}`);
        for (const { key, a, b } of members) {
          const indexes = [
            ...(a === null ? [] : [{ name: 'a', score: a }]),
            ...(b === null ? [] : [{ name: 'b', score: b }]),
          ];
          await store.commit([{ kind: 'subscription', key, expectedVersion: 0, body: {}, indexes }], audit);
        }
        const expected = members
          .filter(({ a, b }) => a !== null && b !== null)
          .toSorted((x, y) => Number(x.a) - Number(y.a) || (x.key < y.key ? -1 : 1));
        const page = await store.page({ ...wholePage, kind: 'subscription', indexes: ['a', 'b'] });
        expect(page.records.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
      }),
      { numRuns: 30 },
    );
  });
});

const wholePage: RecordPageQuery = {
  kind: 'customer',
  indexes: ['all'],
  scoreFrom: null,
  scoreBefore: null,
  order: 'ascending',
  after: null,
  before: null,
  end: 'first',
  limit: 1_000,
};

async function keysOf(query: Partial<RecordPageQuery>): Promise<string[]> {
  const page = await store.page({ ...wholePage, ...query });
  expect(page.totalCount).toBe(page.records.length);
  return page.records.map(({ key }) => key);
}

/** Every byte that Redis holds of this test's records. */
async function everything(): Promise<readonly (readonly [string, string])[]> {
  const keys = (await redis.keys(`${namespace}*`)).toSorted();
  return Promise.all(
    keys.map(async (key) => [key, (await redis.dumpBuffer(key)).toString('base64')] as const),
  );
}
