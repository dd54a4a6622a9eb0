import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import type { Reservation } from '../metering/reservation.ts';
import { parseQuantity, zeroQuantity } from '../quantity.ts';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import { queueKeys } from '../queue/redis-keys.ts';
import { RedisReservationLedger } from '../queue/redis-reservation-ledger.ts';
import { runScript } from '../queue/redis-script.ts';
import { RedisReservations } from './redis-reservations.ts';
import { watchReservations } from './reservation-metrics.ts';

const redis = openRedis(inject('redisUrl'), 'worker');
afterAll(() => closeRedis(redis));

describe('the gauge of reservations', () => {
  it('shows those that count, and nothing of those that have expired or ended', async () => {
    const keys = queueKeys(`{reservations-${randomUUID()}}`);
    const clock = new ManualClock(Date.parse('2026-05-01T12:00:00Z'));
    await redis.set(keys.epoch, '1');
    const ledger = new RedisReservationLedger(redis, keys, async (script, scriptKeys, args) => {
      await runScript(redis, script, [...scriptKeys, '1', ...args]);
      return [];
    });
    const registry = new Registry();
    watchReservations(registry, new RedisReservations(redis, keys, clock));
    const shown = async () => (await registry.metrics()).match(/^tollgate_reservations_active (\d+)$/m)?.[1];
    expect(await shown()).toBe('0');
    const ends = [10, 20, 30].map((seconds) => aReservation(clock.now() + seconds * 1_000));
    await ledger.apply(ends, clock.now());
    expect(await shown()).toBe('3');
    clock.advance(10_000);
    expect(await shown()).toBe('2');
    const [, second] = ends;
    if (second === undefined) throw new Error('no reservation');
    await ledger.apply([{ ...second, state: 'RELEASED', endedAt: clock.now() }], clock.now());
    expect(await shown()).toBe('1');
  });

  it('shows nothing while Redis is away', async () => {
    const registry = new Registry();
    let isAway = false;
    const active = () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(7));
    watchReservations(registry, { active });
    expect(await registry.metrics()).toContain('tollgate_reservations_active 7');
    isAway = true;
    expect(await registry.metrics()).not.toMatch(/^tollgate_reservations_active/m);
  });
});

function aReservation(expiresAt: number): Reservation {
  return {
    id: randomUUID(),
    customerId: 'acme',
    featureId: 'seats',
    resourceId: '',
    amount: parseQuantity('1') ?? zeroQuantity,
    ttlMs: 60_000,
    expiresAt,
    state: 'ACTIVE',
    endedAt: null,
    committed: null,
  };
}
