/** Every kind of record, as whoever makes it writes it, comes back from the change log byte for byte. */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { dataOf, type RunningApi, startApi, startOfTests } from '../src/api/api.fixture.ts';
import { pendingWrite, turnWrite } from '../src/corrections/correction-record.ts';
import { TestPaymentProvider } from '../src/payments/test-payment-provider.ts';
import { relayBatch } from '../src/records/outbox-relay.ts';
import { recordKeys } from '../src/records/record-keys.ts';
import { recordKinds, type RecordKind } from '../src/records/record-kinds.ts';
import { RedisOutbox } from '../src/records/redis-outbox.ts';
import { RedisRecordStore } from '../src/records/redis-record-store.ts';
import { restoreRecords } from '../src/records/redis-restore.ts';
import { ClickhouseChangeLog } from '../src/store/clickhouse-change-log.ts';
import { createTestDatabase, type TestDatabase } from '../src/store/clickhouse-database.fixture.ts';
import { thresholdWrite } from '../src/thresholds/threshold-record.ts';
import { recordsContent } from './records-content.ts';

const redis = new Redis(inject('redisUrl'));
const kinds = Object.keys(recordKinds) as RecordKind[];
let database: TestDatabase;
let api: RunningApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = await startApi(inject('redisUrl'), '', new TestPaymentProvider());
});

afterAll(async () => {
  await api.stop();
  await database.drop();
  await redis.quit();
});

it('restores what every kind of record is made of', async () => {
  const { namespace } = api;
  await makeSubscriptions();
  await noteUsage();
  const changeLog = new ClickhouseChangeLog(database.client);
  const outbox = new RedisOutbox(redis, namespace);
  while (await relayBatch({ outbox, changeLog }));
  const sizes = await Promise.all(kinds.map((kind) => redis.hlen(recordKeys(namespace).of(kind).records)));
  // A kind that is new has to be made above.
  expect(kinds.filter((_, at) => sizes[at] === 0)).toEqual([]);

  const before = await recordsContent(redis, namespace);
  await redis.del(...(await redis.keys(`${namespace}*`)));
  const count = await restoreRecords({ redis, namespace, changeLog, settleMs: 0 });
  expect(count).toBe(sizes.reduce((sum, size) => sum + size, 0));
  expect(await recordsContent(redis, namespace)).toEqual(before);

  // What was restored goes on: the open invoice is paid, the grant is revoked.
  const paid = `mutation { it: markInvoicePaid(input: { subscriptionId: "bought" }) { status } }`;
  expect(dataOf(await api.ask(paid))['it']).toEqual({ status: 'ACTIVE' });
  const revoked = `mutation { it: revokePromotionalEntitlement(input: { customerId: "acme", featureId: "seats" }) {
    featureId } }`;
  expect(dataOf(await api.ask(revoked))['it']).toEqual({ featureId: 'seats' });
});

/** The invoice of what was bought stays open, since there is no method to pay it; the roll-out waits for a worker. */
async function makeSubscriptions(): Promise<void> {
  dataOf(
    await api.ask(`mutation {
      product: createProduct(input: { refId: "app", displayName: "App", multipleSubscriptions: true }) { id }
      feature: createFeature(input: { refId: "seats", displayName: "Seats", featureType: NUMBER,
        meterType: FLUCTUATING }) { id }
      coupon: createCoupon(input: { refId: "third", name: "Third", percentOff: 12.5 }) { id }
      plan: createPlan(input: { refId: "basic", displayName: "Basic", productId: "app" }) { id }
      grants: setPackageEntitlements(input: { packageId: "basic", entitlements: [
        { featureId: "seats", usageLimit: 10, usageThresholds: [80] }] }) { refId }
      price: setPackagePricing(input: { packageId: "basic", pricingType: PAID, prices: [
        { billingModel: FLAT_FEE, billingPeriod: MONTHLY, price: { amount: 30, currency: "usd" } }] }) { refId }
      first: publishPackage(input: { packageId: "basic" }) { refId }
      customer: provisionCustomer(input: { customerId: "acme", name: "Acme Ü", email: "a@acme.example" }) {
        customer { id } }
      bought: provisionSubscriptionV2(subscription: { customerId: "acme", planId: "basic", billingPeriod: MONTHLY,
        subscriptionId: "bought" }) { id }
      granted: grantPromotionalEntitlements(input: { customerId: "acme", promotionalEntitlements: [
        { featureId: "seats", usageLimit: 3, period: LIFETIME }] }) { id }
      renamed: updatePlan(input: { refId: "basic", displayName: "Basic 2" }) { id }
      second: publishPackage(input: { packageId: "basic", migrationType: ALL_CUSTOMERS }) { refId }
    }`),
  );
}

/** As the worker and the corrections write it; both need usage, which is none of the records. */
async function noteUsage(): Promise<void> {
  const told = [
    {
      threshold: 80,
      currentUsage: '8.5',
      usageLimit: '10',
      usagePeriodStart: startOfTests,
      usagePeriodEnd: startOfTests + 86_400_000,
    },
  ];
  const item = {
    id: randomUUID(),
    kind: 'MEASUREMENT',
    customerId: 'acme',
    resourceId: '',
    name: 'seats',
    idempotencyKey: 'k "1"\n',
    source: '',
    receivedAt: startOfTests,
    updateBehavior: 'DELTA',
    flush: 7,
    position: 3,
    content: { timestamp: startOfTests, value: '8.5', dimensions: { region: 'ü' } },
  } as const;
  const correction = {
    id: randomUUID(),
    kind: 'VOID',
    reason: 'twice',
    at: startOfTests,
    actor: 'k-1',
  } as const;
  const watched = { customerId: 'acme', featureId: 'seats', resourceId: null };
  const writes = [
    thresholdWrite(watched, told, 0),
    pendingWrite({ item, corrections: [{ ...correction, after: null }] }, 0),
    turnWrite(item.id, 0),
  ];
  const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: startOfTests };
  await new RedisRecordStore(redis, api.namespace).commit(writes, audit);
}
