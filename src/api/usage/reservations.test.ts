import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import type { Reservation, ReservationAnswer } from '../../metering/reservation.ts';
import { parseQuantity, quantityToText, zeroQuantity } from '../../quantity.ts';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;
beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});
afterAll(() => api.stop());
beforeEach(() => {
  api.intake.orders.length = 0;
  api.intake.reservation = { reservation: told };
  api.reservations.records.clear();
});

const exact = (text: string) => parseQuantity(text) ?? zeroQuantity;

const told: ReservationAnswer['reservation'] = {
  id: 'r-1',
  customerId: 'acme',
  featureId: 'seats',
  resourceId: null,
  amount: '5',
  status: 'ACTIVE',
  expiresAt: '2026-05-01T12:05:00.000Z',
  currentUsage: '1',
  reservedUsage: '5',
  usageLimit: '10',
  duplicate: false,
};

const active: Reservation = {
  id: 'r-1',
  customerId: 'acme',
  featureId: 'seats',
  resourceId: 'site',
  amount: exact('5'),
  ttlMs: 300_000,
  expiresAt: startOfTests + 300_000,
  state: 'ACTIVE',
  endedAt: null,
  committed: null,
};

const fields =
  '{ id reservationId customerId featureId resourceId amount status expiresAt currentUsage reservedUsage usageLimit duplicate }';
const reserve = `mutation ($input: ReserveUsageInput!) { reserveUsage(input: $input) ${fields} }`;
const release = `mutation { releaseUsage(input: {reservationId: "r-1"}) ${fields} }`;
const commit =
  'mutation ($input: CommitUsageInput!) { commitUsage(input: $input) { value resourceId currentUsage duplicate } }';

describe('reserveUsage', () => {
  const input = { customerId: 'acme', featureId: 'seats', amount: '5' };

  it('answers the reservation', async () => {
    const answer = await api.ask(reserve, { input });
    expect(dataOf(answer)['reserveUsage']).toEqual({ ...told, reservationId: told.id });
    const [order] = api.intake.orders;
    expect(order).toMatchObject({ customerId: 'acme', featureId: 'seats', resourceId: '' });
    expect(order?.reservation).toMatchObject({ kind: 'reserve', ttlMs: 300_000 });
    expect(order && quantityToText(order.value)).toBe('5');
  });

  it('takes a key, a time to live and a resource, and makes a key where there is none', async () => {
    const whole = { ...input, ttlSeconds: 86_400, idempotencyKey: 'job', resourceId: 'site' };
    for (const each of [whole, input, input]) await api.ask(reserve, { input: each });
    const keys = api.intake.orders.map(({ reservation }) =>
      reservation?.kind === 'reserve' ? reservation.key : '',
    );
    expect(new Set(keys).size).toBe(3);
    expect(api.intake.orders[0]).toMatchObject({
      resourceId: 'site',
      reservation: { kind: 'reserve', ttlMs: 86_400_000, key: 'job' },
    });
  });

  it.each([
    ['an amount of 0', { amount: 0 }, 'input.amount must be above 0'],
    ['an amount below 0', { amount: '-1' }, 'input.amount must be above 0'],
    [
      'no time at all',
      { ttlSeconds: 0 },
      'input.ttlSeconds is 0; a whole number from 1 to 86400 is required',
    ],
    ['more than a day', { ttlSeconds: 86_401 }, 'input.ttlSeconds is 86401'],
    ['an empty key', { idempotencyKey: '' }, 'input.idempotencyKey is ""'],
    ['an empty customerId', { customerId: '' }, 'input.customerId is ""'],
  ])('refuses %s', async (_, more, message) => {
    const answer = await api.ask(reserve, { input: { ...input, ...more } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toContain(message);
    expect(api.intake.orders).toEqual([]);
  });

  it('tells usage, what is reserved and the limit where the limit refused', async () => {
    const [code, message] = ['ENTITLEMENT_LIMIT_EXCEEDED', 'past the limit'] as const;
    const figures = { currentUsage: '1', reservedUsage: '9', usageLimit: '10' };
    api.intake.reservation = { error: { code, message, ...figures } };
    const answer = await api.ask(reserve, { input });
    expect(answer.errors[0]).toMatchObject({ message, extensions: { code, ...figures } });
  });

  it('tells when it may be tried again', async () => {
    const refusal = { code: 'OVERLOADED', message: 'too much', retryAfterSeconds: 2 } as const;
    vi.spyOn(api.intake, 'acceptReservation').mockResolvedValueOnce(refusal);
    const answer = await api.ask(reserve, { input });
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'OVERLOADED', retryAfterSeconds: 2 });
  });
});

describe('commitUsage', () => {
  it('records what was used for whom it was reserved', async () => {
    const accepted = vi.spyOn(api.intake, 'acceptMeasurements');
    api.reservations.records.set('r-1', active);
    const input = { reservationId: 'r-1', amount: '2.5', dimensions: { model: 'large' } };
    const answer = await api.ask(commit, { input });
    expect(dataOf(answer)['commitUsage']).toMatchObject({
      value: '2.5',
      resourceId: 'site',
      currentUsage: '2.5',
    });
    expect(accepted.mock.lastCall?.[0]).toMatchObject([
      {
        customerId: 'acme',
        featureId: 'seats',
        idempotencyKey: 'reservation:r-1',
        dimensions: [['model', 'large']],
        reservation: { kind: 'commit', reservationId: 'r-1' },
      },
    ]);
  });

  it('records all of it without an amount, and what was committed when it is repeated', async () => {
    api.reservations.records.set('r-1', active);
    const whole = await api.ask(commit, { input: { reservationId: 'r-1' } });
    expect(dataOf(whole)['commitUsage']).toMatchObject({ value: '5' });
    api.reservations.records.set('r-1', { ...active, state: 'COMMITTED', committed: exact('3') });
    const again = await api.ask(commit, { input: { reservationId: 'r-1' } });
    expect(dataOf(again)['commitUsage']).toMatchObject({ value: '3' });
  });

  it('refuses one that nobody knows, and an amount below 0', async () => {
    const unknown = await api.ask(commit, { input: { reservationId: 'r-2' } });
    expect(codesOf(unknown)).toEqual(['NOT_FOUND']);
    expect(unknown.errors[0]?.message).toContain('"r-2"');
    const negative = await api.ask(commit, { input: { reservationId: 'r-1', amount: -1 } });
    expect(negative.errors[0]?.message).toBe('input.amount must be 0 or above');
  });
});

describe('releaseUsage', () => {
  it('answers how the reservation ended', async () => {
    api.reservations.records.set('r-1', active);
    api.intake.reservation = { reservation: { ...told, status: 'RELEASED' } };
    expect(dataOf(await api.ask(release))['releaseUsage']).toMatchObject({ status: 'RELEASED' });
    expect(api.intake.orders).toMatchObject([{ reservation: { kind: 'release', reservationId: 'r-1' } }]);
  });

  it('refuses one that nobody knows', async () => {
    expect(codesOf(await api.ask(release))).toEqual(['NOT_FOUND']);
    expect(api.intake.orders).toEqual([]);
  });
});
