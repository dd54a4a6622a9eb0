/** Whatever bytes come: no crash, no 500, and no neighbour lost. */
import { gzipSync } from 'node:zlib';
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  nat,
  oneof,
  record,
  string,
  uint8Array,
} from 'fast-check';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { ApiKeys } from '../http/api-key.ts';
import type { HttpServer } from '../http/uws-server.ts';
import { EventBlock } from '../metering/event-block.ts';
import { createIngestServer } from './ingest-server.ts';
import { BatchingIntake } from './intake.ts';
import { MemoryQueue } from './memory-queue.fixture.ts';

const key = 'server-0123456789abcdef';
const queue = new MemoryQueue();
const faults: unknown[] = [];
let server: HttpServer;
let url: string;

beforeAll(async () => {
  const registry = new Registry();
  const clock = systemClock;
  const intake = new BatchingIntake({ producer: queue, inbox: queue, clock, registry, ackTimeoutMs: 1_000 });
  server = createIngestServer({
    intake,
    keys: new ApiKeys([{ key, scopes: ['ingest'] }]),
    clock,
    registry,
    log: { error: (...args: unknown[]) => void faults.push(args) },
    checks: [],
  });
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0, { shared: false })}`;
});

afterAll(() => server.stop());

function post(path: string, contentType: string, body: Uint8Array, encoding = 'identity'): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'X-API-KEY': key, 'Content-Type': contentType, 'Content-Encoding': encoding },
    body: Buffer.from(body),
  });
}

function sound(at: number): string {
  const event = {
    customerId: 'ácme 💧',
    eventName: 'call',
    idempotencyKey: `key-${at}`,
    dimensions: { a: 1.5 },
  };
  return JSON.stringify(event);
}

const contentType = constantFrom(
  'application/json',
  'application/json; charset=utf-8',
  'application/x-ndjson',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'text/plain',
  ';;=',
  '',
);

/** A sound body with some of its bytes replaced, and perhaps its end missing. */
const damaged = record({
  events: nat(3),
  damages: array(record({ at: nat(400), byte: nat(255) }), { minLength: 1, maxLength: 4 }),
  keep: nat(500),
}).map(({ events, damages, keep }) => {
  const list = Array.from({ length: events + 1 }, (_, at) => sound(at));
  const body = Buffer.from(`{"events":[${list.join(',')}]}`);
  for (const { at, byte } of damages) body[at % body.length] = byte;
  return body.subarray(0, Math.max(1, keep));
});

const anything = oneof(
  damaged,
  uint8Array({ maxLength: 300 }),
  string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
  nat(100_000).map((depth) => Buffer.alloc(depth, '[')),
);

/** Of events the number that was accepted, of usage the outcomes that came from the queue. */
type Answered = { readonly accepted: number } | readonly { readonly id?: string }[];

function acceptedOf(data: Answered | undefined): number {
  if (data === undefined) return 0;
  return 'accepted' in data ? data.accepted : data.filter(({ id }) => id !== undefined).length;
}

it('answers a thousand damaged bodies with an answer of the contract', { timeout: 120_000 }, async () => {
  const path = constantFrom('/api/v1/events', '/api/v1/usage');
  const encoding = constantFrom('identity', 'identity', 'identity', 'gzip');
  await assert(
    asyncProperty(path, contentType, anything, encoding, async (where, type, body, how) => {
      const before = queue.count;
      const response = await post(where, type, body, how);
      const answer = (await response.json()) as { data?: Answered; error?: { code: string } };
      expect([200, 202, 400, 413, 415]).toContain(response.status);
      expect(answer.error?.code ?? 'none').not.toBe('INTERNAL');
      expect(queue.count - before).toBe(acceptedOf(answer.data));
    }),
    { numRuns: 1_000 },
  );
  expect(faults).toEqual([]);
  expect(server.load()).toEqual({ requests: 0, bodyBytes: 0 });
});

it('keeps every neighbour of a bad line, and what is queued can be read', { timeout: 120_000 }, async () => {
  const badLine = oneof(
    string({ unit: 'binary', maxLength: 60 }).map((text) => `!${text.replaceAll(/[\r\n]/g, ' ')}`),
    constantFrom('{', '[]', 'null', '{"customerId":1}', '"', '{"events":[]}', '\u0000'),
  );
  const batchesBefore = queue.batches.length;
  let sent = 0;
  await assert(
    asyncProperty(array(badLine, { minLength: 1, maxLength: 5 }), nat(5), async (bad, place) => {
      const lines = [...bad];
      lines.splice(place % (bad.length + 1), 0, sound(sent), sound(sent + 1));
      sent += 2;
      const response = await post('/api/v1/events', 'application/x-ndjson', Buffer.from(lines.join('\n')));
      const { data } = (await response.json()) as {
        data: { accepted: number; rejected: { index: number }[] };
      };
      expect([response.status, data.accepted, data.rejected.length]).toEqual([202, 2, bad.length]);
    }),
    { numRuns: 300 },
  );
  const blocks = queue.batches.slice(batchesBefore).map(({ payload }) => new EventBlock(payload));
  expect(blocks.reduce((sum, { count }) => sum + count, 0)).toBe(sent);
});

it('takes a compressed body that is sound', async () => {
  const response = await post('/api/v1/events', 'application/json', gzipSync(sound(0)), 'gzip');
  expect(response.status).toBe(202);
});
