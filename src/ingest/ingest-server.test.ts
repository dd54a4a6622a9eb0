import { gzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { ApiKeys } from '../http/api-key.ts';
import { headOf, RawClient } from '../http/raw-client.fixture.ts';
import type { HttpServer } from '../http/uws-server.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import { decodeUsagePayload } from '../metering/usage-payload.ts';
import { createIngestServer } from './ingest-server.ts';
import { BatchingIntake } from './intake.ts';
import { MemoryQueue } from './memory-queue.fixture.ts';

const key = 'server-0123456789abcdef';
const readerKey = 'reader-0123456789abcdef';
const now = Date.parse('2026-03-01T12:00:00Z');

let queue: MemoryQueue;
let server: HttpServer;
let port: number;
let url: string;

beforeEach(async () => {
  queue = new MemoryQueue();
  const registry = new Registry();
  const clock = new ManualClock(now);
  const keys = new ApiKeys([
    { key, scopes: ['ingest', 'api'] },
    { key: readerKey, scopes: ['api'] },
  ]);
  const intake = new BatchingIntake({ producer: queue, inbox: queue, clock, registry, ackTimeoutMs: 1_000 });
  const log = { error: (...args: unknown[]) => expect.fail(`logged ${JSON.stringify(args)}`) };
  const checks = [{ name: 'redis', check: async () => 'PONG' }];
  server = createIngestServer({ intake, keys, clock, registry, log, checks });
  port = await server.listen('127.0.0.1', 0, { shared: false });
  url = `http://127.0.0.1:${port}`;
});

afterEach(() => server.stop());

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'X-API-KEY': key, 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
}

function event(idempotencyKey: string, more: object = {}): object {
  return { customerId: 'acme', eventName: 'call', idempotencyKey, ...more };
}

describe('POST /api/v1/events', () => {
  it('answers 202 in every form of the body', async () => {
    const cloudEvent = { specversion: '1.0', id: '7', source: '/app', type: 'call', subject: 'acme' };
    const ce = {
      'ce-specversion': '1.0',
      'ce-id': '8',
      'ce-source': '/app',
      'ce-type': 'call',
      'ce-subject': 'acme',
    };
    const lines = `${JSON.stringify(event('5'))}\n${JSON.stringify(event('6'))}\n`;
    const forms: [unknown, Record<string, string>, number][] = [
      [{ events: [event('1'), event('2')] }, {}, 2],
      [[event('3')], {}, 1],
      [event('4'), {}, 1],
      [lines, { 'Content-Type': 'application/x-ndjson' }, 2],
      [cloudEvent, { 'Content-Type': 'application/cloudevents+json' }, 1],
      [[cloudEvent], { 'Content-Type': 'application/cloudevents-batch+json' }, 1],
      [{ path: '/' }, ce, 1],
      [gzipSync(JSON.stringify([event('9')])), { 'Content-Encoding': 'gzip' }, 1],
    ];
    for (const [body, headers, accepted] of forms) {
      const response = await post('/api/v1/events', body, headers);
      expect(await response.json()).toEqual({ data: { accepted, rejected: [] } });
      expect(response.status).toBe(202);
      expect(response.headers.get('x-trace-id')).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(queue.count).toBe(10);
  });

  it('answers 202 only when the queue has the batch', async () => {
    const order: string[] = [];
    queue.onEnqueue = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push('durable');
      return 'queued';
    };
    await post('/api/v1/events', event('1')).then(() => order.push('answered'));
    expect(order).toEqual(['durable', 'answered']);
  });

  it('takes the good ones and lists the others', async () => {
    const future = new Date(now + 25 * 3_600_000).toISOString();
    const events = [event('1'), event('2', { timestamp: future }), event('3', { extra: 1 }), event('4')];
    const response = await post('/api/v1/events', { events });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      data: {
        accepted: 2,
        rejected: [
          { index: 1, code: 'TIMESTAMP_IN_FUTURE', message: expect.any(String) },
          { index: 2, code: 'VALIDATION_ERROR', message: expect.stringContaining('extra') },
        ],
      },
    });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('tollgate_intake_rejected_total{kind="events",code="TIMESTAMP_IN_FUTURE"} 1');
  });

  it('answers 400 with the list when none is valid', async () => {
    const response = await post('/api/v1/events', { events: [event(''), { customerId: 1 }] });
    expect(response.status).toBe(400);
    const body = (await response.json()) as { error: Record<string, unknown>; data: { rejected: unknown[] } };
    expect(body.data).toMatchObject({ accepted: 0, rejected: [{ index: 0 }, { index: 1 }] });
    expect(body.error).toMatchObject({
      code: 'VALIDATION_ERROR',
      traceId: response.headers.get('x-trace-id'),
      details: { rejected: body.data.rejected },
    });
    expect(queue.batches).toEqual([]);
  });

  it('refuses what is no body of events', async () => {
    const cases: [unknown, Record<string, string>, number, string][] = [
      ['{"events":[', {}, 400, 'MALFORMED_JSON'],
      ['', {}, 400, 'MALFORMED_JSON'],
      ['5', {}, 400, 'VALIDATION_ERROR'],
      [{ events: [] }, {}, 400, 'VALIDATION_ERROR'],
      [event('1'), { 'Content-Type': 'text/csv' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [event('1'), { 'Content-Encoding': 'br' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
      [Array.from({ length: 10_001 }, (_, at) => event(String(at))), {}, 413, 'PAYLOAD_TOO_LARGE'],
      [Buffer.alloc(16 * 1_048_576 + 1, ' '), {}, 413, 'PAYLOAD_TOO_LARGE'],
      [gzipSync(Buffer.alloc(17 * 1_048_576, ' ')), { 'Content-Encoding': 'gzip' }, 413, 'PAYLOAD_TOO_LARGE'],
    ];
    for (const [body, headers, status, code] of cases) {
      const response = await post('/api/v1/events', body, headers);
      expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }]);
    }
    expect(queue.batches).toEqual([]);
  });

  it('tells when to come back while the queue is full or away', async () => {
    queue.onEnqueue = async () => 'full';
    const full = await post('/api/v1/events', event('1'));
    expect([full.status, await full.json()]).toMatchObject([503, { error: { code: 'OVERLOADED' } }]);
    expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0);
    queue.onEnqueue = () => Promise.reject(new QueueUnavailableError('no answer'));
    const away = await post('/api/v1/events', event('1'));
    expect([away.status, await away.json()]).toMatchObject([503, { error: { code: 'QUEUE_UNAVAILABLE' } }]);
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
    queue.onEnqueue = async () => 'queued';
    expect((await post('/api/v1/events', event('1'))).status).toBe(202);
    expect(queue.count).toBe(1);
  });
});

function usage(customerId: string, more: object = {}): object {
  return { customerId, featureId: 'calls', value: '0.10', ...more };
}

describe('POST /api/v1/usage', () => {
  it('answers each measurement in its place', async () => {
    const usages = [
      usage('acme', { idempotencyKey: 'a', createdAt: '2026-02-01T00:00:00Z', dimensions: { n: 1 } }),
      usage('nobody'),
      usage('acme', { value: 'much' }),
      usage('globex', { value: 5, updateBehavior: 'SET', resourceId: 'site-1' }),
    ];
    const response = await post('/api/v1/usage', { usages });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      data: [
        { customerId: 'acme', value: '0.1', timestamp: '2026-02-01T00:00:00.000Z', duplicate: false },
        { error: { code: 'CUSTOMER_NOT_FOUND' } },
        { error: { code: 'VALIDATION_ERROR' } },
        { customerId: 'globex', resourceId: 'site-1', value: '5' },
      ],
    });
    const [batch] = queue.batches;
    expect(decodeUsagePayload(batch?.payload ?? Buffer.alloc(0))).toMatchObject([
      { customerId: 'acme' },
      { customerId: 'nobody' },
      { customerId: 'globex', updateBehavior: 'SET' },
    ]);
  });

  it('answers 200 in the same way when none could be taken', async () => {
    const response = await post('/api/v1/usage', { usages: [usage('acme', { value: 'much' })] });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ data: [{ error: { code: 'VALIDATION_ERROR' } }] });
    expect(queue.batches).toEqual([]);
  });

  it('answers 504 when it is not processed in time, and says that a repeat is safe', async () => {
    queue.onAwait = () => undefined;
    const response = await post('/api/v1/usage', { usages: [usage('acme')] });
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({
      error: { code: 'ACK_PENDING', message: expect.stringContaining('same idempotencyKey') },
    });
  });

  it('refuses what is no list of measurements', async () => {
    for (const body of [[], { usages: [] }, { usage: [] }, 'null']) {
      expect((await post('/api/v1/usage', body)).status).toBe(400);
    }
    const tooMany = { usages: Array.from({ length: 1_001 }, () => usage('acme')) };
    expect((await post('/api/v1/usage', tooMany)).status).toBe(413);
  });
});

describe('keys', () => {
  it('are taken from either header', async () => {
    const bearer = { 'X-API-KEY': '', Authorization: `Bearer ${key}` };
    expect((await post('/api/v1/events', event('1'), bearer)).status).toBe(202);
  });

  it('are missing, wrong or without the scope', async () => {
    const cases: [Record<string, string>, number, string][] = [
      [{ 'X-API-KEY': '' }, 401, 'UNAUTHENTICATED'],
      [{ 'X-API-KEY': `${key}0` }, 401, 'UNAUTHENTICATED'],
      [{ 'X-API-KEY': '', Authorization: 'Basic abc' }, 401, 'UNAUTHENTICATED'],
      [{ 'X-API-KEY': readerKey }, 403, 'FORBIDDEN'],
    ];
    for (const path of ['/api/v1/events', '/api/v1/usage']) {
      for (const [headers, status, code] of cases) {
        const response = await post(path, event('1'), headers);
        expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }]);
      }
      expect((await post(`${path}?apiKey=${key}`, event('1'), { 'X-API-KEY': '' })).status).toBe(401);
    }
    expect(queue.batches).toEqual([]);
  });

  it('are asked for before the body is read', async () => {
    const client = await RawClient.connect(port);
    await client.send(headOf('POST', '/api/v1/events', 'Content-Length: 1000000'));
    expect((await client.response()).status).toBe(401);
    client.destroy();
  });

  it('are not needed for health', async () => {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });
});

it('answers 405 and 404', async () => {
  const wrongMethod = await fetch(`${url}/api/v1/events`, { headers: { 'X-API-KEY': key } });
  expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  expect((await post('/api/v1/event', event('1'))).status).toBe(404);
});
