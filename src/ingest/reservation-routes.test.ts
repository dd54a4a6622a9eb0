import { Registry } from 'prom-client';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { ApiKeys } from '../http/api-key.ts';
import { createHttpServer, type HttpServer } from '../http/uws-server.ts';
import type { MeasurementOutcome, ReservationOutcome } from '../metering/acknowledgement.ts';
import { QueueUnavailableError } from '../metering/batch.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import type { Reservation } from '../metering/reservation.ts';
import { parseQuantity, quantityToText, zeroQuantity } from '../quantity.ts';
import { MemoryQueue } from './memory-queue.fixture.ts';
import { BatchingIntake } from './intake.ts';
import { reservationRoutes } from './reservation-routes.ts';

const key = 'a key for tests';
const now = Date.UTC(2026, 4, 1);
const active: Reservation = {
  id: 'r-1',
  customerId: 'acme',
  featureId: 'seats',
  resourceId: '',
  amount: parseQuantity('5') ?? zeroQuantity,
  ttlMs: 300_000,
  expiresAt: now + 300_000,
  state: 'ACTIVE',
  endedAt: null,
  committed: null,
};

/** Takes orders and measurements, and answers what it was given. */
class GivenIntake extends BatchingIntake {
  readonly taken: MeasurementFact[] = [];
  answer: ReservationOutcome = { error: { code: 'INTERNAL', message: 'nothing was given' } };

  constructor() {
    const queue = new MemoryQueue();
    const clock = new ManualClock(now);
    super({ producer: queue, inbox: queue, clock, registry: new Registry(), ackTimeoutMs: 1_000 });
  }

  override async acceptReservation(order: MeasurementFact): Promise<ReservationOutcome> {
    this.taken.push(order);
    return this.answer;
  }

  override async acceptMeasurements(
    facts: readonly MeasurementFact[],
  ): Promise<readonly MeasurementOutcome[]> {
    this.taken.push(...facts);
    return facts.map(() => ({ error: { code: 'DUPLICATE_ENTITY', message: 'committed before' } }));
  }
}

let intake: GivenIntake;
let server: HttpServer;
let url: string;
let isAway: boolean;

beforeEach(async () => {
  intake = new GivenIntake();
  isAway = false;
  server = createHttpServer({
    bodyBytesMax: 2_000_000,
    routes: reservationRoutes({
      intake,
      reservations: {
        reservation: async (id) => {
          if (isAway) throw new QueueUnavailableError('away');
          return id === active.id ? active : undefined;
        },
      },
      keys: new ApiKeys([{ key, scopes: ['ingest'] }]),
      clock: new ManualClock(now),
    }),
    log: { error: () => undefined },
  });
  url = `http://127.0.0.1:${await server.listen('127.0.0.1', 0, { shared: false })}`;
});
afterEach(() => server.stop());

async function post(path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${url}/api/v1/usage/reservations${path}`, {
    method: 'POST',
    headers: { 'X-API-KEY': key, 'Content-Type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('reserves', async () => {
  const reservation = {
    id: 'r-1',
    customerId: 'acme',
    featureId: 'seats',
    resourceId: null,
    amount: '5',
    status: 'ACTIVE',
    expiresAt: '2026-05-01T00:01:00.000Z',
    currentUsage: '0',
    reservedUsage: '5',
    usageLimit: '10',
    duplicate: false,
  } as const;
  intake.answer = { reservation };
  const asked = { customerId: 'acme', featureId: 'seats', amount: 5, ttlSeconds: 60, idempotencyKey: 'k' };
  expect(await post('', asked)).toEqual({ status: 200, body: { data: reservation } });
  expect(intake.taken).toMatchObject([{ reservation: { kind: 'reserve', ttlMs: 60_000, key: 'k' } }]);
});

it('tells the figures where the limit refuses', async () => {
  const figures = { currentUsage: '4', reservedUsage: '5', usageLimit: '10' };
  intake.answer = { error: { code: 'ENTITLEMENT_LIMIT_EXCEEDED', message: 'past it', ...figures } };
  const { status, body } = await post('', { customerId: 'acme', featureId: 'seats', amount: '2' });
  expect(status).toBe(409);
  expect(body).toMatchObject({ error: { code: 'ENTITLEMENT_LIMIT_EXCEEDED', details: figures } });
});

it('commits what the body says, or all of it', async () => {
  expect((await post('/r-1/commit', { amount: '2.5' })).status).toBe(409);
  await post('/r-1/commit');
  expect(intake.taken.map(({ value }) => quantityToText(value))).toEqual(['2.5', '5']);
  expect(intake.taken).toMatchObject([{ idempotencyKey: 'reservation:r-1' }, {}]);
});

it('releases', async () => {
  await post('/r-1/release');
  expect(intake.taken).toMatchObject([{ reservation: { kind: 'release', reservationId: 'r-1' } }]);
});

it.each([
  ['', { customerId: 'acme', featureId: 'seats', amount: 0 }, 400, 'amount must be above 0'],
  ['', { customerId: 'acme', featureId: 'seats', amount: 1, more: 1 }, 400, 'The body has the unknown field'],
  ['', '{', 400, 'The body is not valid JSON'],
  ['', [1], 400, 'The body is an array; an object is required'],
  ['/r-1/commit', { reservationId: 'r-2' }, 400, 'reservationId stands in the path'],
  ['/r-1/commit', { dimensions: { a: 'x'.repeat(1_100_000) } }, 413, 'The body is larger than 1048576 bytes'],
  ['/r-2/commit', {}, 404, 'there is no reservation "r-2"'],
  ['/r-2/release', undefined, 404, 'there is no reservation "r-2"'],
])('refuses %s %j', async (path, body, status, message) => {
  const answer = await post(path, body);
  expect(answer.status).toBe(status);
  expect(JSON.stringify(answer.body).replaceAll('\\', '')).toContain(message);
  expect(intake.taken).toEqual([]);
});

it('refuses strangers, other media types, and says when Redis is away', async () => {
  expect((await post('', {}, { 'X-API-KEY': 'another' })).status).toBe(401);
  expect((await post('', '<a/>', { 'Content-Type': 'text/xml' })).status).toBe(415);
  isAway = true;
  expect(await post('/r-1/release')).toMatchObject({
    status: 503,
    body: { error: { code: 'QUEUE_UNAVAILABLE' } },
  });
});
