import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { customerRef } from '../customers/customer-record.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { makePlan, makeProduct, published } from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import { bookRef, bookRewrite, subscriptionWrite } from './subscription-record.ts';
import type { Subscription } from './subscription.ts';

const redis = new Redis(inject('redisUrl'));
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: published };
/** More than one commit hides. */
const endedCount = 450;

let records: RedisRecordStore;
let clock: ManualClock;
let register: RecordSubscriptionRegister;

beforeEach(async () => {
  records = new RedisRecordStore(redis, `{visibility-${randomUUID()}}`);
  clock = new ManualClock(published + 1_000);
  register = new RecordSubscriptionRegister({ records, catalog, clock });
  await provisionCustomers(records, ['acme', 'beta']);
  for (const customerId of ['acme', 'beta']) {
    const request = newSubscription(customerId, 'free', { refId: `of-${customerId}` });
    await register.provision(request, audit);
  }
});

afterAll(async () => {
  await redis.quit();
});

describe('subscriptions of a customer who is archived', () => {
  it('are hidden and shown by whoever lists next, however many there are and whoever stopped before', async () => {
    const live = await register.subscription('of-acme');
    if (live === undefined) throw new Error('no subscription');
    const ended = Array.from({ length: endedCount }, (_, at) => endedCopy(live, at));
    await records.commit(
      ended.map((subscription) => subscriptionWrite(subscription, 0, false)),
      audit,
    );
    expect(await totals()).toEqual([endedCount + 2, endedCount + 1]);
    // The process that does it is gone right after the commit.
    await setArchived(clock.now());
    expect(await Promise.all([totals(), totals()])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(await register.subscription('ended-7')).toBeUndefined();
    expect(await register.live('acme')).toEqual([]);
    await setArchived(null);
    expect(await totals()).toEqual([endedCount + 2, endedCount + 1]);
    expect(await register.subscription('of-acme')).toEqual(live);
  });

  it('are brought back by the timekeeper', async () => {
    await setArchived(clock.now());
    expect((await register.settleDue(10)).done).toBe(1);
    expect((await register.settleDue(10)).done).toBe(0);
    await setArchived(null);
    expect((await register.settleDue(10)).done).toBe(1);
    expect((await register.settleDue(10)).done).toBe(0);
    expect((await register.live('acme')).map(({ refId }) => refId)).toEqual(['of-acme']);
  });

  it('cannot be changed, and nothing is added to them', async () => {
    await setArchived(clock.now());
    const added = await register.provision(newSubscription('acme', 'free'), audit);
    expect(added).toMatchObject({ problem: { code: 'CUSTOMER_NOT_FOUND' } });
    for (const change of [
      register.migrate('of-acme', 'IMMEDIATE', audit),
      register.transfer('of-acme', 'r', audit),
    ]) {
      expect(await change).toMatchObject({ problem: { code: 'SUBSCRIPTION_NOT_FOUND' } });
    }
  });
});

describe('a paying customer', () => {
  it('has to be there, and not to be archived', async () => {
    const pay = (payingCustomerId: string): Promise<unknown> =>
      register.provision(newSubscription('beta', 'free', { payingCustomerId }), audit);
    expect(await pay('nobody')).toMatchObject({
      problem: { code: 'CUSTOMER_NOT_FOUND', message: expect.stringContaining('payingCustomerId') },
    });
    expect(await pay('acme')).toMatchObject({ subscription: { payingCustomerId: 'acme' } });
    await setArchived(clock.now());
    expect(await pay('acme')).toMatchObject({ problem: { code: 'CUSTOMER_NOT_FOUND' } });
  });
});

const catalog = {
  package: (name: string) => Promise.resolve(name === 'free' ? makePlan('free', 'app') : undefined),
  product: (name: string) => Promise.resolve(makeProduct(name)),
  coupon: () => Promise.resolve(undefined),
};

function endedCopy(live: Subscription, at: number): Subscription {
  const endedAt = live.startDate;
  return { ...live, id: randomUUID(), refId: `ended-${at}`, status: 'CANCELED', endedAt };
}

/** The one commit of archiving or bringing back, and nothing after it. */
async function setArchived(archivedAt: number | null): Promise<void> {
  const [customer, book] = await records.read([customerRef('acme'), bookRef('acme')]);
  const body = { ...(customer?.body as object), archivedAt };
  const write = { ...customerRef('acme'), expectedVersion: customer?.version ?? 0, body };
  const due = bookRewrite('acme', book, { dueAt: clock.now() });
  expect(await records.commit([write, due], audit)).toBe('committed');
}

/** Of all customers, and of the one. */
async function totals(): Promise<readonly number[]> {
  const filter = {
    refId: null,
    customerId: null,
    status: null,
    planId: null,
    productId: null,
    resourceId: null,
    pricingType: null,
  };
  const query = {
    createdFrom: null,
    createdBefore: null,
    order: 'oldest-first',
    after: null,
    before: null,
    end: 'first',
    limit: 10,
  } as const;
  const all = await register.page({ ...query, filter });
  const own = await register.page({ ...query, filter: { ...filter, customerId: 'acme' } });
  return [all.totalCount, own.totalCount];
}
