import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import type { Feature } from '../catalog/feature.ts';
import type { Package } from '../catalog/package.ts';
import type { Product } from '../catalog/product.ts';
import { ManualClock } from '../clock.ts';
import type { PromotionalEntitlement } from '../customers/promotional-entitlement.ts';
import { promotionalEntitlementsWrite } from '../customers/promotional-entitlement-record.ts';
import type { RecordRef, RecordStore, RecordWrite } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { quantityToText } from '../quantity.ts';
import { at, dayMs, makePlan, makeProduct, republished } from '../subscriptions/life-cycle.fixture.ts';
import { bookRef, filterIndexes, subscriptionRef } from '../subscriptions/subscription-record.ts';
import { hasEnded, type Subscription } from '../subscriptions/subscription.ts';
import { entitled, makeFeature, promoted, startOfTests, subscribed } from './entitlement.fixture.ts';
import { RecordEntitlements } from './record-entitlements.ts';

const redis = new Redis(inject('redisUrl'));
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: startOfTests };

/** Counts what is asked of Redis, and does what a test wants done in the middle of a read. */
class WatchedRecords extends RedisRecordStore {
  readonly asked: string[] = [];
  beforePage: (() => Promise<void>) | undefined;

  override marks(...args: Parameters<RecordStore['marks']>): ReturnType<RecordStore['marks']> {
    this.asked.push('marks');
    return super.marks(...args);
  }

  override read(...args: Parameters<RecordStore['read']>): ReturnType<RecordStore['read']> {
    this.asked.push('read');
    return super.read(...args);
  }

  override async page(...args: Parameters<RecordStore['page']>): ReturnType<RecordStore['page']> {
    this.asked.push('page');
    const between = this.beforePage;
    this.beforePage = undefined;
    await between?.();
    return super.page(...args);
  }

  override revision(...args: Parameters<RecordStore['revision']>): ReturnType<RecordStore['revision']> {
    this.asked.push('revision');
    return super.revision(...args);
  }
}

let records: WatchedRecords;
/** The same records, for the tests' own reads. */
let plain: RedisRecordStore;
let clock: ManualClock;
let source: RecordEntitlements;

beforeEach(() => {
  const namespace = `{entitlements-${randomUUID()}}`;
  records = new WatchedRecords(redis, namespace);
  plain = new RedisRecordStore(redis, namespace);
  clock = new ManualClock(startOfTests);
  source = makeSource();
});

afterAll(async () => {
  await redis.quit();
});

describe('entitlements from records', () => {
  it('follow from the plan, and are there for every customer that was asked for', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    await keepCustomer('acme', [subscribed('pro')]);
    const found = await source.entitlements(['acme', 'nobody']);
    expect(found.get('acme')?.of('calls', null)).toMatchObject({ featureId: 'calls', usagePeriod: null });
    expect(found.get('nobody')?.of('calls', null)).toEqual({ deniedReason: 'CustomerNotFound' });
    expect(found.get('nobody')?.all(null)).toEqual({ deniedReason: 'CustomerNotFound' });
    expect(await limitOf('acme')).toBe('100');
  });

  it('name a feature by its id, too', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    await keepCustomer('acme', [subscribed('pro')]);
    const acme = (await source.entitlements(['acme'])).get('acme');
    expect(acme?.of('id-of-calls', null)).toMatchObject({ featureId: 'calls' });
  });

  it('take one round trip when nothing changed, however many ask in one turn', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    const customers = Array.from({ length: 20 }, (_, number) => `customer-${number}`);
    for (const customerId of customers) await keepCustomer(customerId, [subscribed('pro')]);
    await source.entitlements(customers);
    records.asked.length = 0;
    await Promise.all(customers.map((customerId) => source.entitlements([customerId])));
    expect(records.asked).toEqual(['marks']);
    expect(source.remembered('customer-7')?.of('calls', null)).toMatchObject({ featureId: 'calls' });
    expect(source.remembered('nobody')).toBeUndefined();
  });

  it('are as they are now after every kind of change', async () => {
    const plan = makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] });
    await keepCatalog([plan]);
    await keepCustomer('acme', [subscribed('pro')]);
    expect(await limitOf('acme')).toBe('100');
    const next = republished(plan, { entitlements: [entitled('calls', 200)] }, startOfTests - 1);
    await keepCatalog([next]);
    expect(await limitOf('acme')).toBe('100');
    await keepCustomer('acme', [subscribed('pro', { planVersion: 2 })]);
    expect(await limitOf('acme')).toBe('200');
    await keepCustomer('acme', [subscribed('pro', { planVersion: 2 })], {
      promotions: [promoted('calls', 300)],
    });
    expect(await limitOf('acme')).toBe('300');
    await keep('feature', 'calls', makeFeature('calls', { featureStatus: 'SUSPENDED' }));
    expect(await limitOf('acme')).toBe('Revoked');
    await keepCustomer('acme', [subscribed('pro')], { archivedAt: startOfTests });
    expect(await limitOf('acme')).toBe('CustomerIsArchived');
  });

  it('count the time that passed while nobody looked', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    const trial = {
      endsAt: startOfTests + dayMs,
      endBehavior: 'CANCEL_SUBSCRIPTION',
      endsSoonToldAt: null,
    } as const;
    await keepCustomer('acme', [subscribed('pro', { status: 'IN_TRIAL', trial })]);
    const acme = (await source.entitlements(['acme'])).get('acme');
    expect(acme?.of('calls', null)).toMatchObject({ validUntil: startOfTests + dayMs });
    clock.advance(dayMs - 1);
    expect(await limitOf('acme')).toBe('100');
    clock.advance(1);
    expect(source.remembered('acme')).toBeUndefined();
    expect(await limitOf('acme')).toBe('NoActiveSubscription');
    expect(await limitOf('acme', makeSource())).toBe('NoActiveSubscription');
  });

  it('carry a customer on to the free plan that follows', async () => {
    const journey = { subscriptionEndSetup: 'DOWNGRADE_TO_FREE', downgradePlanId: 'free' } as const;
    const plans = [
      makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] }),
      makePlan('free', 'product', { entitlements: [entitled('calls', 5)] }),
    ];
    await keepCatalog(plans, makeProduct('product', journey));
    const cancellation = {
      at: startOfTests + 1,
      onGivenDate: true,
      action: 'DEFAULT',
      prorate: false,
    } as const;
    await keepCustomer('acme', [subscribed('pro', { cancellation })]);
    expect(await limitOf('acme')).toBe('100');
    clock.advance(1);
    expect(await limitOf('acme')).toBe('5');
  });

  it('are not a mixture of before and after when the customer is changed in the middle', async () => {
    await keepCatalog([
      makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] }),
      makePlan('max', 'product', { entitlements: [entitled('calls', 900)] }),
    ]);
    await keepCustomer('acme', [subscribed('pro')]);
    records.beforePage = () => {
      const ended = { status: 'CANCELED', endedAt: startOfTests } as const;
      return keepCustomer('acme', [subscribed('pro', ended), subscribed('max')]);
    };
    expect(await limitOf('acme')).toBe('900');
  });

  it('know a plan version that was published in the middle', async () => {
    const plan = makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] });
    await keepCatalog([plan]);
    await keepCustomer('first', [subscribed('pro')]);
    await keepCustomer('second', []);
    expect(await limitOf('first')).toBe('100');
    records.beforePage = async () => {
      await keepCatalog([republished(plan, { entitlements: [entitled('calls', 200)] }, startOfTests)]);
      await keepCustomer('second', [subscribed('pro', { planVersion: 2 })]);
    };
    expect(await limitOf('second')).toBe('200');
  });

  it('inherit from the newest version of the plan above, also from one that a later version left', async () => {
    const base = makePlan('base', 'product', { entitlements: [entitled('calls', 7)] });
    const plan = makePlan('pro', 'product', { parentPlanId: 'base' });
    await keepCatalog([
      republished(base, { entitlements: [entitled('calls', 8)] }, at('2025-06-01')),
      republished(plan, { parentPlanId: null }, at('2025-06-01')),
    ]);
    await keepCustomer('acme', [subscribed('pro')]);
    expect(await limitOf('acme')).toBe('8');
  });

  it('are there for a subscription that is older than a thousand that have ended', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    const ended = { status: 'CANCELED', endedAt: startOfTests, resourceId: 'site' } as const;
    const many = Array.from({ length: 1_001 }, (_, number) =>
      subscribed('pro', { ...ended, refId: `ended-${number}`, createdAt: startOfTests }),
    );
    await keepCustomer('acme', [subscribed('pro'), ...many]);
    expect(await limitOf('acme')).toBe('100');
    expect(await limitOf('acme', source, 'site')).toBe('100');
  });

  it('are right with a cache that holds nothing', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    await keepCustomer('acme', [subscribed('pro')]);
    await keepCustomer('other', [subscribed('pro', { resourceId: 'site' })]);
    const small = makeSource(1);
    for (let round = 0; round < 2; round += 1) {
      expect(await limitOf('acme', small)).toBe('100');
      expect(await limitOf('other', small)).toBe('NoActiveSubscription');
      expect(await limitOf('other', small, 'site')).toBe('100');
      expect(await limitOf('other', small, 'elsewhere')).toBe('CustomerResourceNotFound');
    }
    expect(small.remembered('acme')).toBeUndefined();
  });

  it('ask for a few scripts of Redis for a thousand customers', async () => {
    await keepCatalog([makePlan('pro', 'product', { entitlements: [entitled('calls', 100)] })]);
    await keepCustomer('customer-999', [subscribed('pro')]);
    const found = await source.entitlements(
      Array.from({ length: 1_200 }, (_, number) => `customer-${number}`),
    );
    expect(found.size).toBe(1_200);
    expect(found.get('customer-999')?.of('calls', null)).toMatchObject({ featureId: 'calls' });
    expect(records.asked.filter((name) => name === 'marks')).toHaveLength(6);
    expect(records.asked.filter((name) => name === 'read').length).toBeLessThan(10);
    expect(records.asked.filter((name) => name === 'page')).toHaveLength(1);
  });
});

function makeSource(cachedItemsMax?: number): RecordEntitlements {
  const catalog = new RecordCatalog(records);
  const features = new RecordFeatureCatalog(records);
  const bound = cachedItemsMax === undefined ? {} : { cachedItemsMax };
  return new RecordEntitlements({ records, catalog, features, clock, ...bound });
}

/** What `calls` is limited to, or why it is denied. */
async function limitOf(
  customerId: string,
  asked = source,
  resourceId: string | null = null,
): Promise<string> {
  const entitlement = (await asked.entitlements([customerId])).get(customerId)?.of('calls', resourceId);
  if (entitlement === undefined) throw new Error('the customer is not in the answer');
  if ('deniedReason' in entitlement) return entitlement.deniedReason;
  return entitlement.usageLimit === null ? 'unlimited' : quantityToText(entitlement.usageLimit);
}

async function keepCatalog(
  plans: readonly Package[],
  product: Product = makeProduct('product'),
): Promise<void> {
  await keep('product', product.refId, product);
  await keep('feature', 'calls', makeFeature('calls') satisfies Feature);
  for (const plan of plans) await keep('package', plan.refId, plan);
}

async function keepCustomer(
  customerId: string,
  subscriptions: readonly Subscription[],
  more: { readonly promotions?: readonly PromotionalEntitlement[]; readonly archivedAt?: number } = {},
): Promise<void> {
  await keep('customer', customerId, { refId: customerId, archivedAt: more.archivedAt ?? null });
  const live: string[] = [];
  for (const subscription of subscriptions) {
    const refId = `${customerId}-${subscription.refId}`;
    const body = { ...subscription, refId, customerId, id: randomUUID() };
    const { status, planId, productId, resourceId, pricingType } = body;
    const names = filterIndexes({ customerId, status, planId, productId, resourceId, pricingType });
    const indexes = names.map((name) => ({ name, score: body.createdAt }));
    await keepRecord(subscriptionRef(refId), { body, indexes });
    if (!hasEnded(subscription)) live.push(refId);
  }
  await keepRecord(bookRef(customerId), { body: { customerId, live, trialedProductIds: [], dueAt: null } });
  const write = promotionalEntitlementsWrite(customerId, more.promotions ?? [], 0);
  await keepRecord(write, write);
}

function keep(kind: RecordRef['kind'], key: string, body: unknown): Promise<void> {
  return keepRecord({ kind, key }, { body });
}

async function keepRecord(
  { kind, key }: RecordRef,
  write: Pick<RecordWrite, 'body' | 'indexes'>,
): Promise<void> {
  const [before] = await plain.read([{ kind, key }]);
  const { body, indexes = [] } = write;
  const expectedVersion = before?.version ?? 0;
  const outcome = await plain.commit([{ kind, key, expectedVersion, body, indexes }], audit);
  if (outcome !== 'committed') throw new Error(`not kept: ${outcome}`);
}
