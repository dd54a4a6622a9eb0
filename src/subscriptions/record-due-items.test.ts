/** Customers for whom what time does always fails, and the others behind them. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { publishPackage, withDraft } from '../catalog/package-changes.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { ManualClock } from '../clock.ts';
import { customerRef } from '../customers/customer-record.ts';
import { TestPaymentProvider } from '../payments/test-payment-provider.ts';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import { RecordsUnavailableError, type RecordStore } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { dayMs, fee, makePlan, makeProduct, paid, published, trialOf } from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import { subscriptionOf, subscriptionRef } from './subscription-record.ts';
import type { DueStep, SubscriptionPageQuery } from './subscription-register.ts';

const redis = openRedis(inject('redisUrl'), 'worker');
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: published };
/** In the order in which they are due. */
const customers = Array.from({ length: 12 }, (_, at) => `customer-${String(at).padStart(2, '0')}`);
const perStep = 2;
const retryMsMax = 300_000;

let records: RedisRecordStore;
let catalog: RecordCatalog;
let clock: ManualClock;
/** Customers of whom no subscription, and no invoice, can be stored. */
let broken: Set<string>;
let failure: Error;
let failed: string[];
let register: RecordSubscriptionRegister;

beforeEach(async () => {
  records = new RedisRecordStore(redis, `{due-${randomUUID()}}`);
  catalog = new RecordCatalog(records);
  clock = new ManualClock(published + dayMs);
  broken = new Set();
  failure = new TypeError('cannot be stored');
  failed = [];
  const failures = { failed: (task: string) => void failed.push(task) };
  const payments = new TestPaymentProvider();
  register = new RecordSubscriptionRegister({
    records: failing(records),
    catalog,
    clock,
    payments,
    failures,
  });
  await provisionCustomers(records, customers);
  const packages = [
    makePlan('trial', 'app', trialOf(7, 'CANCEL_SUBSCRIPTION')),
    makePlan('basic', 'app', paid(fee('10'))),
  ];
  await catalog.change({ products: ['app'], packages: ['trial', 'basic'] }, audit, () => ({
    changes: { products: [makeProduct('app')], packages },
    result: undefined,
  }));
});

afterAll(() => closeRedis(redis));

describe('customers whose settling always fails', () => {
  beforeEach(async () => {
    await subscribeAll('trial');
    clock.advance(30 * dayMs);
    broken = new Set(customers.slice(0, 5));
  });

  it('hold up nobody, and are done once they can be', async () => {
    expect(await walk((after) => register.settleDue(perStep, after))).toBe(7);
    expect(await statuses()).toEqual(customers.map((name) => (broken.has(name) ? 'IN_TRIAL' : 'EXPIRED')));
    expect(failed).toEqual([...broken].map(() => 'advanceSubscriptions'));
    broken.clear();
    clock.advance(retryMsMax);
    expect(await walk((after) => register.settleDue(perStep, after))).toBe(5);
    expect(await statuses()).toEqual(customers.map(() => 'EXPIRED'));
  });

  it('are tried less and less often, and not at every look', async () => {
    for (let second = 0; second < 60; second += 1) {
      await walk((after) => register.settleDue(perStep, after));
      clock.advance(1_000);
    }
    expect(failed.length).toBeGreaterThanOrEqual(5 * 5);
    expect(failed.length).toBeLessThanOrEqual(5 * 7);
  });

  it('are shown in lists as they are stored', async () => {
    const { subscriptions } = await register.page(everything);
    expect(subscriptions).toHaveLength(customers.length);
  });

  it('are not to blame for a store that is away', async () => {
    failure = new RecordsUnavailableError('Redis did not answer');
    await expect(register.settleDue(perStep)).rejects.toThrow('Redis did not answer');
    broken.clear();
    expect(await walk((after) => register.settleDue(perStep, after))).toBe(customers.length);
    expect(failed).toEqual([]);
  });
});

describe('invoices of which no answer can be stored', () => {
  it('hold up no others, and are collected once they can be', async () => {
    await subscribeAll('basic');
    for (const customerId of customers) await payBy(customerId, 'test:succeeds');
    clock.advance(60_000);
    broken = new Set(customers.slice(0, 5));
    expect(await walk((after) => register.collectDue(perStep, after))).toBe(7);
    expect(await statuses()).toEqual(
      customers.map((name) => (broken.has(name) ? 'PAYMENT_PENDING' : 'ACTIVE')),
    );
    expect(failed).toEqual([...broken].map(() => 'collectInvoice'));
    expect(await walk((after) => register.collectDue(perStep, after))).toBe(0);
    expect(failed).toHaveLength(5);
    broken.clear();
    clock.advance(retryMsMax);
    expect(await walk((after) => register.collectDue(perStep, after))).toBe(5);
    expect(await statuses()).toEqual(customers.map(() => 'ACTIVE'));
  });
});

describe('subscriptions that cannot be moved to a version for everybody', () => {
  it('hold up neither others nor the next version, and follow once they can', async () => {
    for (const customerId of customers) await payBy(customerId, 'test:succeeds');
    await subscribeAll('basic');
    broken = new Set(customers.slice(3, 6));
    await publishForAll('11');
    while (await register.rollOut(perStep));
    expect(await versions()).toEqual(customers.map((name) => (broken.has(name) ? 1 : 2)));
    clock.advance(60_000);
    while (await register.rollOut(perStep));
    clock.advance(60_000);
    expect(await register.rollOut(perStep)).toBe(false);
    await publishForAll('12');
    while (await register.rollOut(perStep));
    expect(await versions()).toEqual(customers.map((name) => (broken.has(name) ? 1 : 3)));
    broken.clear();
    clock.advance(retryMsMax);
    await walk((after) => register.settleDue(perStep, after));
    expect(await versions()).toEqual(customers.map(() => 3));
  });
});

/** To its end, as the timekeeper does; answers for how many it was done. */
async function walk(step: (after: DueStep['next']) => Promise<DueStep>): Promise<number> {
  let all = 0;
  let after: DueStep['next'] = null;
  do {
    const { done, next } = await step(after);
    all += done;
    after = next;
  } while (after !== null);
  return all;
}

/** The same store, in which nothing can be stored of those who are broken but their book. */
function failing(store: RecordStore): RecordStore {
  const commit: RecordStore['commit'] = (...args) => {
    const owners = args[0].flatMap(({ kind, body }) =>
      kind === 'subscription' || kind === 'invoice' ? [(body as { customerId: string }).customerId] : [],
    );
    return owners.some((owner) => broken.has(owner)) ? Promise.reject(failure) : store.commit(...args);
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return commit;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

/** A second between each two, so that their order is known. */
async function subscribeAll(planId: string): Promise<void> {
  for (const customerId of customers) {
    clock.advance(1_000);
    const request = newSubscription(customerId, planId, {
      refId: `of-${customerId}`,
      billingPeriod: planId === 'basic' ? 'MONTHLY' : null,
    });
    expect(await register.provision(request, audit)).toHaveProperty('subscription');
  }
}

async function payBy(customerId: string, billingId: string): Promise<void> {
  const [record] = await records.read([customerRef(customerId)]);
  const body = { ...(record?.body as object), billingId };
  await records.commit([{ ...customerRef(customerId), expectedVersion: record?.version ?? 0, body }], audit);
}

async function publishForAll(price: string): Promise<void> {
  clock.advance(1_000);
  await catalog.change({ packages: ['basic'] }, audit, ({ packages }) => {
    const basic = packages.get('basic');
    const edited = basic && withDraft(basic, paid(fee(price)), clock.now());
    if (edited === undefined || 'problem' in edited) throw new Error('the draft was refused');
    const made = publishPackage(edited.package, undefined, 'ALL_CUSTOMERS', clock.now());
    if ('problem' in made) throw new Error(made.problem.message);
    return { changes: { packages: [made.package] }, result: undefined };
  });
}

async function stored() {
  const found = await records.read(customers.map((customerId) => subscriptionRef(`of-${customerId}`)));
  return found.map(subscriptionOf);
}

async function statuses(): Promise<readonly (string | undefined)[]> {
  return (await stored()).map((subscription) => subscription?.status);
}

async function versions(): Promise<readonly (number | undefined)[]> {
  return (await stored()).map((subscription) => subscription?.planVersion);
}

const everything: SubscriptionPageQuery = {
  filter: {
    refId: null,
    customerId: null,
    status: null,
    planId: null,
    productId: null,
    resourceId: null,
    pricingType: null,
  },
  createdFrom: null,
  createdBefore: null,
  order: 'oldest-first',
  after: null,
  before: null,
  end: 'first',
  limit: 100,
};
