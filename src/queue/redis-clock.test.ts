import { expect, it } from 'vitest';
import { RedisClock } from './redis-clock.ts';

it('knows Redis’ time to half of the shortest round trip', () => {
  const clock = new RedisClock();
  expect(clock.toRedis(1_000)).toBe(1_000);
  // A slow answer is better than none, a quick one better than a slow one, and a slow one no better after.
  clock.observe(1_000, 1_200, 61_190);
  expect(Math.abs(clock.toRedis(2_000) - 62_000)).toBeLessThanOrEqual(100);
  clock.observe(3_000, 3_004, 63_001);
  expect(clock.toRedis(4_000)).toBe(63_999);
  clock.observe(5_000, 8_000, 65_001);
  expect(clock.toRedis(9_000)).toBe(68_999);
});

it('takes a slow reading again once told that it was wrong', () => {
  const clock = new RedisClock();
  clock.observe(1_000, 1_000, 1_000);
  clock.forget();
  clock.observe(2_000, 2_100, 12_050);
  expect(clock.toRedis(3_000)).toBe(13_000);
});
