import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { RecordCatalog } from '../catalog/record-catalog.ts';
import { RecordFeatureCatalog } from '../catalog/record-feature-catalog.ts';
import { ManualClock } from '../clock.ts';
import { entitled, makeFeature, startOfTests, subscribed } from '../entitlements/entitlement.fixture.ts';
import { LiveChecks } from '../entitlements/live-checks.ts';
import { RecordEntitlements } from '../entitlements/record-entitlements.ts';
import { ApiKeys } from '../http/api-key.ts';
import type { HttpServer } from '../http/uws-server.ts';
import { parseQuantity, type Quantity, zeroQuantity } from '../quantity.ts';
import type { RecordWrite } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { at, makePlan, makeProduct } from '../subscriptions/life-cycle.fixture.ts';
import { bookRef, filterIndexes } from '../subscriptions/subscription-record.ts';
import type { LiveFigure, LiveUsage, UsageAsk } from '../usage/live-usage.ts';
import { entitlementRoutes } from './entitlement-routes.ts';
import { createIngestServer } from './ingest-server.ts';
import { BatchingIntake } from './intake.ts';
import { MemoryQueue } from './memory-queue.fixture.ts';

const redis = new Redis(inject('redisUrl'));
const key = 'server-0123456789abcdef';
const readerKey = 'reader-0123456789abcdef';
/** A name that has to be encoded in a path. */
const customerId = 'me|50%@example.com';

class GivenUsage implements LiveUsage {
  usage: Quantity = zeroQuantity;
  fault: Error | undefined;

  async current(asks: readonly UsageAsk[]): Promise<readonly LiveFigure[]> {
    if (this.fault !== undefined) throw this.fault;
    return asks.map(() => ({ usage: this.usage, asOf: startOfTests - 5 }));
  }
}

let server: HttpServer;
let usage: GivenUsage;
let url: string;
let logged: unknown[];

beforeEach(async () => {
  const records = new RedisRecordStore(redis, `{routes-${randomUUID()}}`);
  await keep(records);
  const clock = new ManualClock(startOfTests);
  usage = new GivenUsage();
  logged = [];
  const entitlements = new RecordEntitlements({
    records,
    catalog: new RecordCatalog(records),
    features: new RecordFeatureCatalog(records),
    clock,
  });
  const queue = new MemoryQueue();
  const registry = new Registry();
  const keys = new ApiKeys([
    { key, scopes: ['ingest', 'api'] },
    { key: readerKey, scopes: ['api'] },
  ]);
  const log = { error: (...line: unknown[]) => void logged.push(line) };
  const reservations = { reserved: async (asks: readonly unknown[]) => asks.map(() => zeroQuantity) };
  const checks = new LiveChecks({ entitlements, usage, reservations, clock });
  server = createIngestServer({
    intake: new BatchingIntake({ producer: queue, inbox: queue, clock, registry, ackTimeoutMs: 1_000 }),
    keys,
    clock,
    registry,
    log,
    checks: [],
    moreRoutes: entitlementRoutes({ checks, keys, log }),
  });
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0, { shared: false })}`;
});

afterEach(() => server.stop());

afterAll(async () => {
  await redis.quit();
});

describe('GET …/entitlements/check', () => {
  it('answers whether the customer may use one more', async () => {
    usage.usage = parseQuantity('99.5') ?? zeroQuantity;
    const { status, body } = await get(`${pathOf(customerId)}/check?featureId=calls`);
    expect(status).toBe(200);
    expect(body).toEqual({
      data: {
        isGranted: false,
        accessDeniedReason: 'RequestedUsageExceedingLimit',
        featureId: 'calls',
        usageLimit: '100',
        currentUsage: '99.5',
        reservedUsage: '0',
        requestedUsage: '1',
        hasUnlimitedUsage: false,
        hasSoftLimit: false,
        enumValues: null,
        requestedValues: null,
        usagePeriodStart: '2026-05-01T00:00:00.000Z',
        usagePeriodEnd: '2026-06-01T00:00:00.000Z',
        validUntil: '2026-06-01T00:00:00.000Z',
        asOf: new Date(startOfTests - 5).toISOString(),
      },
    });
  });

  it.each([
    ['featureId=calls&requestedUsage=&resourceId=', { isGranted: true, requestedUsage: '1' }],
    ['featureId=calls&requestedUsage=100', { isGranted: true, requestedUsage: '100' }],
    ['featureId=calls&requestedUsage=1e2', { isGranted: true, requestedUsage: '100' }],
    ['featureId=calls&requestedUsage=100.000000001', { isGranted: false }],
    [
      'featureId=regions&requestedValues=eu&requestedValues=us',
      { isGranted: true, enumValues: ['eu', 'us'] },
    ],
    ['featureId=regions&requestedValues=asia', { accessDeniedReason: 'RequestedValuesMismatch' }],
    ['featureId=regions&requestedUsage=1', { accessDeniedReason: 'FeatureTypeMismatch' }],
    ['featureId=nothing', { accessDeniedReason: 'FeatureNotFound', featureId: 'nothing', usageLimit: null }],
    ['featureId=calls&resourceId=site', { accessDeniedReason: 'CustomerResourceNotFound', validUntil: null }],
  ])('?%s', async (query, expected) => {
    const { status, body } = await get(`${pathOf(customerId)}/check?${query}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ data: expected });
  });

  it('answers a denial for a customer that there is not', async () => {
    const { status, body } = await get(`${pathOf('nobody')}/check?featureId=calls`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ data: { isGranted: false, accessDeniedReason: 'CustomerNotFound' } });
  });

  it.each([
    ['no feature', 'check', 'featureId is missing; a string of 1 to 255 characters is required'],
    ['an empty feature', 'check?featureId=', 'featureId is ""; a string of 1 to 255 characters is required'],
    ['a long feature', `check?featureId=${'x'.repeat(256)}`, /^featureId is /],
    ['a long resource', `check?featureId=calls&resourceId=${'x'.repeat(256)}`, /^resourceId is /],
    [
      'usage that is no number',
      'check?featureId=calls&requestedUsage=two',
      'requestedUsage is "two"; a number, 0 or above, is required',
    ],
    [
      'negative usage',
      'check?featureId=calls&requestedUsage=-1',
      'requestedUsage is "-1"; a number, 0 or above, is required',
    ],
    [
      'too many values',
      `check?featureId=regions&${'requestedValues=a&'.repeat(101)}`,
      'requestedValues is there 101 times; at most 100 are allowed',
    ],
  ])('refuses %s', async (_, query, expected) => {
    const { status, body } = await get(`${pathOf(customerId)}/${query}`);
    const message: unknown = expected instanceof RegExp ? expect.stringMatching(expected) : expected;
    expect([status, body]).toMatchObject([400, { error: { code: 'VALIDATION_ERROR', message } }]);
  });

  it('refuses a customer whose name is too long', async () => {
    const { status, body } = await get(`${pathOf('x'.repeat(256))}/check?featureId=calls`);
    expect([status, body]).toMatchObject([400, { error: { code: 'VALIDATION_ERROR' } }]);
  });

  it.each([
    [{}, 401, 'UNAUTHENTICATED'],
    [{ 'X-API-KEY': 'wrong' }, 401, 'UNAUTHENTICATED'],
    [{ 'X-API-KEY': readerKey }, 403, 'FORBIDDEN'],
  ])('with %j answers %i', async (headers, expected, code) => {
    const { status, body } = await get(`${pathOf(customerId)}/check?featureId=calls`, headers);
    expect([status, body]).toMatchObject([expected, { error: { code } }]);
  });

  it.each([
    ['RECORDS_UNAVAILABLE', 'QUEUE_UNAVAILABLE'],
    ['OVERLOADED', 'OVERLOADED'],
  ])('answers 503 while a store fails with %s', async (fault, code) => {
    usage.fault = Object.assign(new Error('redis://secret'), { code: fault, retryable: true });
    const response = await fetch(`${url}${pathOf(customerId)}/check?featureId=calls`, {
      headers: { Authorization: `Bearer ${key}` },
    });
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      error: { code, message: 'a store does not answer for now; ask again' },
    });
    expect(JSON.stringify(logged)).not.toContain('secret');
  });

  it('answers 500 for a fault of its own', async () => {
    usage.fault = new Error('a fault');
    const { status, body } = await get(`${pathOf(customerId)}/check?featureId=calls`);
    expect([status, body]).toMatchObject([500, { error: { code: 'INTERNAL' } }]);
  });
});

describe('GET …/entitlements', () => {
  it('answers all that the customer is entitled to, used up or not', async () => {
    usage.usage = parseQuantity('100') ?? zeroQuantity;
    const { status, body } = await get(pathOf(customerId));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      data: [
        { featureId: 'calls', isGranted: false, usageLimit: '100', currentUsage: '100' },
        { featureId: 'regions', isGranted: true, enumValues: ['eu', 'us'], currentUsage: null },
      ],
    });
  });

  it('is empty where there can be none', async () => {
    expect((await get(pathOf('nobody'))).body).toEqual({ data: [] });
  });
});

function pathOf(name: string): string {
  return `/api/v1/customers/${encodeURIComponent(name)}/entitlements`;
}

async function get(
  path: string,
  headers: Readonly<Record<string, string>> = { 'X-API-KEY': key },
): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`${url}${path}`, { headers });
  return { status: response.status, body: await response.json() };
}

async function keep(records: RedisRecordStore): Promise<void> {
  const monthly = {
    resetPeriod: 'MONTH',
    resetPeriodConfiguration: { accordingTo: 'SubscriptionStart' },
  } as const;
  const entitlements = [
    entitled('calls', 100, monthly),
    entitled('regions', null, { enumValues: ['eu', 'us'] }),
  ];
  const subscription = subscribed('pro', { customerId, startDate: at('2026-05-01') });
  const { status, planId, productId, resourceId, pricingType } = subscription;
  const names = filterIndexes({ customerId, status, planId, productId, resourceId, pricingType });
  const features = [makeFeature('calls'), makeFeature('regions', { featureType: 'ENUM', meterType: 'None' })];
  const writes: readonly Omit<RecordWrite, 'expectedVersion'>[] = [
    { kind: 'product', key: 'product', body: makeProduct('product') },
    ...features.map((body) => ({ kind: 'feature', key: body.refId, body }) as const),
    { kind: 'package', key: 'pro', body: makePlan('pro', 'product', { entitlements }) },
    { kind: 'customer', key: customerId, body: { refId: customerId, archivedAt: null } },
    {
      kind: 'subscription',
      key: subscription.refId,
      body: subscription,
      indexes: names.map((name) => ({ name, score: 0 })),
    },
    {
      ...bookRef(customerId),
      body: { customerId, live: [subscription.refId], trialedProductIds: [], dueAt: null },
    },
  ];
  const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: startOfTests };
  const outcome = await records.commit(
    writes.map((write) => ({ ...write, expectedVersion: 0 })),
    audit,
  );
  if (outcome !== 'committed') throw new Error(`not kept: ${outcome}`);
}
