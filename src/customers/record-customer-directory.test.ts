import { randomUUID } from 'node:crypto';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Audit } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import {
  archivedCustomer,
  type CustomerFields,
  unarchivedCustomer,
  updatedCustomer,
} from './change-customer.ts';
import type { Customer, CustomerFilter, CustomerPageQuery } from './customer.ts';
import { RecordCustomerDirectory } from './record-customer-directory.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'key', traceId: 'trace', operation: 'test', at: 1 };
let namespace: string;
let records: RedisRecordStore;
let directory: RecordCustomerDirectory;

beforeEach(() => {
  namespace = `{customers-${randomUUID()}}`;
  records = new RedisRecordStore(redis, namespace);
  directory = new RecordCustomerDirectory(records);
});

afterAll(async () => {
  await redis.quit();
});

describe('one customer', () => {
  it('is created, found and changed', async () => {
    const created = customerCalled('acme', 1);
    await store(created);
    expect(await directory.customer('acme')).toEqual(created);
    const changed = await update('acme', { name: 'Acme' });
    expect(changed).toEqual({ customer: { ...created, name: 'Acme' } });
    expect(await directory.customer('acme')).toEqual({ ...created, name: 'Acme' });
    expect(await directory.customer('other')).toBeUndefined();
  });

  it('has no coupon where it was stored before there were coupons', async () => {
    const { coupon: _coupon, ...body } = customerCalled('old', 1);
    const indexes = [{ name: 'all', score: 1 }];
    await records.commit([{ kind: 'customer', key: 'old', expectedVersion: 0, body, indexes }], audit);
    expect(await directory.customer('old')).toEqual({ ...body, coupon: null, billingId: null });
    expect((await directory.page(firstPage())).customers).toEqual([{ ...body, coupon: null }]);
  });

  it('is left as it is where the change is refused or none', async () => {
    await store(customerCalled('acme', 1));
    const before = await records.read([{ kind: 'customer', key: 'acme' }]);
    const problem = { code: 'CUSTOMER_NOT_FOUND', message: 'no' } as const;
    expect(await directory.change('acme', audit, () => ({ problem }))).toEqual({ problem });
    await update('acme', {});
    expect(await records.read([{ kind: 'customer', key: 'acme' }])).toEqual(before);
  });

  it('keeps every one of 50 changes made at once', async () => {
    await store(customerCalled('acme', 1));
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        directory.change('acme', audit, (found) => {
          const existing = expectDefined(found);
          const additionalMetaData = { ...existing.additionalMetaData, [`field-${index}`]: index };
          return { customer: { ...existing, additionalMetaData } };
        }),
      ),
    );
    const metadata = expectDefined(await directory.customer('acme')).additionalMetaData;
    expect(metadata).toEqual(
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`field-${index}`, index])),
    );
  });

  it('is created once by many that provision it at once', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const stored = await directory.change('acme', audit, (existing) => ({
          customer: existing ?? customerCalled('acme', index),
        }));
        return 'customer' in stored ? stored.customer.id : undefined;
      }),
    );
    expect(new Set(ids).size).toBe(1);
    expect((await directory.page(firstPage())).totalCount).toBe(1);
  });
});

describe('an archived customer', () => {
  const filters = [
    {},
    { refId: 'acme' },
    { name: 'Acme' },
    { email: 'a@example.com' },
    { createdFrom: 0, createdBefore: 100 },
  ];

  beforeEach(async () => {
    await store({ ...customerCalled('acme', 1), name: 'Acme', email: 'a@example.com' });
  });

  const archive = (): Promise<unknown> =>
    directory.change('acme', audit, (existing) => archivedCustomer(existing, 'acme', 2));

  it('is in no list, no question and no answer', async () => {
    for (const filter of filters) expect(await refIdsOf(filter)).toEqual(['acme']);
    await archive();
    expect(await directory.customer('acme')).toBeUndefined();
    expect(await directory.existing(['acme'])).toEqual(new Set());
    for (const filter of filters) expect(await refIdsOf(filter)).toEqual([]);
  });

  it('comes back without name and e-mail', async () => {
    await archive();
    await directory.change('acme', audit, (existing) => unarchivedCustomer(existing, 'acme', 3));
    expect(await directory.customer('acme')).toMatchObject({ name: null, email: null, archivedAt: null });
    expect(await directory.existing(['acme'])).toEqual(new Set(['acme']));
    expect(await refIdsOf({})).toEqual(['acme']);
    expect(await refIdsOf({ email: 'a@example.com' })).toEqual([]);
  });
});

describe('which customers exist', () => {
  it('is answered for many at once, repeated ones included', async () => {
    await store(customerCalled('a', 1));
    await store(customerCalled('b', 0));
    expect(await directory.existing(['a', 'x', 'b', 'a'])).toEqual(new Set(['a', 'b']));
    expect(await directory.existing([])).toEqual(new Set());
  });
});

describe('a page of customers', () => {
  it('filters by e-mail, name, refId and time of creation, and by all of them together', async () => {
    await store({ ...customerCalled('a', 10), email: 'one@example.com', name: 'One' });
    await store({ ...customerCalled('b', 20), email: 'one@example.com', name: 'Two' });
    await store({ ...customerCalled('c', 30), email: 'two@example.com', name: 'One' });
    expect(await refIdsOf({ email: 'one@example.com' })).toEqual(['a', 'b']);
    expect(await refIdsOf({ name: 'One' })).toEqual(['a', 'c']);
    expect(await refIdsOf({ name: 'One', email: 'one@example.com' })).toEqual(['a']);
    expect(await refIdsOf({ email: 'nobody@example.com' })).toEqual([]);
    expect(await refIdsOf({ createdFrom: 20 })).toEqual(['b', 'c']);
    expect(await refIdsOf({ createdBefore: 20 })).toEqual(['a']);
    expect(await refIdsOf({ createdFrom: 20, name: 'One' })).toEqual(['c']);
    expect(await refIdsOf({ createdFrom: 30, createdBefore: 10 })).toEqual([]);
    expect(await refIdsOf({ refId: 'b' })).toEqual(['b']);
    expect(await refIdsOf({ refId: 'b', name: 'One' })).toEqual([]);
  });

  it('follows a customer whose e-mail changes', async () => {
    await store({ ...customerCalled('a', 10), email: 'old@example.com' });
    await update('a', { email: 'new@example.com' });
    expect(await refIdsOf({ email: 'old@example.com' })).toEqual([]);
    expect(await refIdsOf({ email: 'new@example.com' })).toEqual(['a']);
    await update('a', { email: null });
    expect(await refIdsOf({ email: 'new@example.com' })).toEqual([]);
    expect(await redis.keys(`${namespace}*:email:*`)).toEqual([]);
  });

  it('names no e-mail in a key', async () => {
    await store({ ...customerCalled('a', 10), email: 'someone@example.com' });
    expect((await redis.keys(`${namespace}*`)).join(' ')).not.toContain('someone');
  });

  it('goes on after a place whose customer is gone, and leaves no trace of it', async () => {
    for (const [index, refId] of ['a', 'b', 'c', 'd'].entries()) await store(customerCalled(refId, index));
    const page = await directory.page({ ...firstPage(), after: { createdAt: 1, refId: 'bb' } });
    expect(page.customers.map((customer) => customer.refId)).toEqual(['c', 'd']);
    expect(await directory.existing(['bb'])).toEqual(new Set());
    expect((await directory.page(firstPage())).totalCount).toBe(4);
  });

  it('is the slice that the sorted list gives, whatever is asked', async () => {
    const all = Array.from({ length: 12 }, (_, index) => customerCalled(`c${index % 5}-${index}`, index % 4));
    for (const customer of all) await store(customer);
    const place = fc.option(
      fc.record({
        createdAt: fc.integer({ min: -1, max: 5 }),
        refId: fc.constantFrom('c0', 'c2-7', 'c3-3', 'z'),
      }),
    );
    const bound = fc.option(fc.integer({ min: -1, max: 5 }));
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          order: fc.constantFrom('oldest-first' as const, 'newest-first' as const),
          end: fc.constantFrom('first' as const, 'last' as const),
          limit: fc.integer({ min: 1, max: 14 }),
          after: place,
          before: place,
          createdFrom: bound,
          createdBefore: bound,
        }),
        async ({ createdFrom, createdBefore, ...asked }) => {
          const query = { ...asked, filter: { ...noFilter, createdFrom, createdBefore } };
          // A place names a customer only together with its own time.
          fc.pre([asked.after, asked.before].every((at) => isPlaceOf(all, at)));
          expect(await directory.page(query)).toMatchObject(pageOf(all, query));
        },
      ),
      { numRuns: 300 },
    );
  });
});

const noFilter: CustomerFilter = {
  refId: null,
  name: null,
  email: null,
  createdFrom: null,
  createdBefore: null,
};

function firstPage(): CustomerPageQuery {
  return { filter: noFilter, order: 'oldest-first', after: null, before: null, end: 'first', limit: 100 };
}

function customerCalled(refId: string, createdAt: number): Customer {
  return {
    id: randomUUID(),
    refId,
    name: null,
    email: null,
    additionalMetaData: null,
    coupon: null,
    billingId: null,
    createdAt,
    updatedAt: createdAt,
    archivedAt: null,
  };
}

async function store(customer: Customer): Promise<void> {
  await directory.change(customer.refId, audit, () => ({ customer }));
}

function update(refId: string, fields: CustomerFields): Promise<unknown> {
  return directory.change(refId, audit, (existing) => updatedCustomer(existing, refId, fields, 0));
}

async function refIdsOf(filter: Partial<CustomerFilter>): Promise<string[]> {
  const page = await directory.page({ ...firstPage(), filter: { ...noFilter, ...filter } });
  expect(page.totalCount).toBe(page.customers.length);
  return page.customers.map((customer) => customer.refId);
}

function expectDefined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('expected a value');
  return value;
}

type Place = Pick<Customer, 'createdAt' | 'refId'>;

function isPlaceOf(all: readonly Customer[], place: Place | null): boolean {
  const named = all.find((customer) => customer.refId === place?.refId);
  return place === null || named === undefined || named.createdAt === place.createdAt;
}

function comparePlaces(a: Place, b: Place): number {
  if (a.createdAt !== b.createdAt) return a.createdAt - b.createdAt;
  if (a.refId === b.refId) return 0;
  return a.refId < b.refId ? -1 : 1;
}

/** The plain reading of what a page is, to hold the store against; an empty page has no neighbours to tell of. */
function pageOf(all: readonly Customer[], query: CustomerPageQuery): object {
  const sign = query.order === 'oldest-first' ? 1 : -1;
  const compare = (a: Place, b: Place): number => comparePlaces(a, b) * sign;
  const { createdFrom, createdBefore } = query.filter;
  const met = all
    .filter((customer) => createdFrom === null || customer.createdAt >= createdFrom)
    .filter((customer) => createdBefore === null || customer.createdAt < createdBefore)
    .toSorted(compare);
  const { after, before } = query;
  const between = met
    .filter((customer) => after === null || compare(customer, after) > 0)
    .filter((customer) => before === null || compare(customer, before) < 0);
  const customers = query.end === 'first' ? between.slice(0, query.limit) : between.slice(-query.limit);
  const [first, last] = [customers[0], customers.at(-1)];
  if (first === undefined || last === undefined) {
    return { customers, totalCount: met.length };
  }
  return {
    customers,
    totalCount: met.length,
    hasNextPage: met.at(-1) !== last,
    hasPreviousPage: met[0] !== first,
  };
}
