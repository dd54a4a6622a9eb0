import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { publishPackage, withDraft } from '../catalog/package-changes.ts';
import type { MigrationType, Package } from '../catalog/package.ts';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { ManualClock } from '../clock.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { fee, makePlan, makeProduct, paid, published } from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import { subscriptionOf, subscriptionRef, subscriptionWrite } from './subscription-record.ts';
import type { Subscription } from './subscription.ts';

const redis = new Redis(inject('redisUrl'));
const customers = Array.from({ length: 25 }, (_, at) => `customer-${at}`);
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: published };
/** How long after the publishing the second pass comes. */
const secondPassMs = 60_000;

let records: RedisRecordStore;
let catalog: RecordCatalog;
let clock: ManualClock;
let register: RecordSubscriptionRegister;

beforeEach(async () => {
  records = new RedisRecordStore(redis, `{rollouts-${randomUUID()}}`);
  catalog = new RecordCatalog(records);
  clock = new ManualClock(published + 1_000);
  register = new RecordSubscriptionRegister({ records, catalog, clock });
  await provisionCustomers(records, customers);
  const packages = [makePlan('basic', 'app', paid(fee('10')))];
  await catalog.change({ products: ['app'], packages: ['basic'] }, audit, () => ({
    changes: { products: [makeProduct('app')], packages },
    result: undefined,
  }));
  for (const customerId of customers) await subscribe(customerId);
});

afterAll(async () => {
  await redis.quit();
});

describe('a version that is published for all customers', () => {
  it('reaches every subscription once, page by page, also when some stop on the way', async () => {
    await publish('ALL_CUSTOMERS');
    // One that dies in the middle: it has moved its page and told nobody.
    const dying = registerOn(stoppingAfter(records, 7));
    await expect(dying.rollOut(10)).rejects.toThrow('stopped');
    const others = [1, 2, 3].map(() => registerOn(records));
    await Promise.all(others.map((other) => drain(other)));
    expect(await versions()).toEqual(customers.map(() => [2, 2]));
    clock.advance(secondPassMs);
    await drain(register);
    expect(await versions()).toEqual(customers.map(() => [2, 2]));
    clock.advance(secondPassMs);
    expect(await register.rollOut(10)).toBe(false);
  });

  it('finds in a second pass what was committed behind the first one', async () => {
    await publish('ALL_CUSTOMERS');
    await drain(register);
    // Decided on the catalog as it was before the publishing.
    const [customerId = ''] = customers;
    const stale = { ...(await stored(customerId)), planVersion: 1 };
    await records.commit([subscriptionWrite(stale, 2, false)], audit);
    expect(await register.rollOut(10)).toBe(false);
    clock.advance(secondPassMs);
    await drain(register);
    expect((await stored(customerId)).planVersion).toBe(2);
    expect((await versions()).slice(1)).toEqual(customers.slice(1).map(() => [2, 2]));
  });

  it('begins nothing when it is for new customers', async () => {
    await publish('NEW_CUSTOMERS');
    expect(await register.rollOut(10)).toBe(false);
    expect(await versions()).toEqual(customers.map(() => [1, 1]));
  });
});

async function subscribe(customerId: string): Promise<void> {
  const request = newSubscription(customerId, 'basic', {
    refId: `of-${customerId}`,
    billingPeriod: 'MONTHLY',
  });
  expect(await register.provision(request, audit)).toMatchObject({ subscription: { status: 'ACTIVE' } });
}

function registerOn(store: RecordStore): RecordSubscriptionRegister {
  return new RecordSubscriptionRegister({ records: store, catalog, clock });
}

/** As the timekeeper does. */
async function drain(own: RecordSubscriptionRegister): Promise<void> {
  for (let isBusy = true; isBusy; ) isBusy = await own.rollOut(10);
}

async function publish(migrationType: MigrationType): Promise<void> {
  clock.advance(1_000);
  await catalog.change({ packages: ['basic'] }, audit, ({ packages }) => {
    const basic = packages.get('basic');
    const edited = basic && withDraft(basic, paid(fee('12')), clock.now());
    if (edited === undefined || 'problem' in edited) throw new Error('the draft was refused');
    const made = publishPackage(edited.package, undefined, migrationType, clock.now());
    if ('problem' in made) throw new Error(made.problem.message);
    return { changes: { packages: [made.package] }, result: made.package satisfies Package };
  });
}

/** A store whose process is gone after so many commits. */
function stoppingAfter(store: RecordStore, commitsMax: number): RecordStore {
  let commits = 0;
  const commit: RecordStore['commit'] = (...args) => {
    commits += 1;
    return commits > commitsMax ? Promise.reject(new Error('stopped')) : store.commit(...args);
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') return commit;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

async function stored(customerId: string): Promise<Subscription> {
  const [record] = await records.read([subscriptionRef(`of-${customerId}`)]);
  if (record === undefined) throw new Error('no subscription');
  return record.body as Subscription;
}

/** Of each subscription: the plan's version, and how often it was written. */
async function versions(): Promise<readonly (readonly [number, number])[]> {
  const found = await records.read(customers.map((customerId) => subscriptionRef(`of-${customerId}`)));
  return found.map((record) => [subscriptionOf(record)?.planVersion ?? 0, record?.version ?? 0]);
}
