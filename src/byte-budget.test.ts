import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';

it('never holds more than its bound, except for one that is larger alone, and lets all through in order', async () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(fc.nat(), { minLength: 1, maxLength: 30 }), async (all, picks) => {
      const budget = new ByteBudget(100);
      const admitted: number[] = [];
      const holding: number[] = [];
      const takers = all.map(async (bytes, place) => {
        await budget.take(bytes);
        admitted.push(place);
        holding.push(bytes);
      });
      for (let step = 0; admitted.length < all.length || holding.length > 0; step += 1) {
        await Promise.resolve();
        const held = holding.filter((bytes) => bytes > 0);
        expect(budget.taken <= 100 || held.length <= 1).toBe(true);
        const [given] = holding.splice((picks[step % picks.length] ?? 0) % Math.max(holding.length, 1), 1);
        if (given !== undefined) budget.give(given);
      }
      await Promise.all(takers);
      expect(admitted).toEqual(all.map((_, place) => place));
      expect(budget.taken).toBe(0);
    }),
  );
});

it('refuses at once what would go over its bound, or past those who wait', async () => {
  const budget = new ByteBudget(100);
  expect([budget.tryTake(60), budget.tryTake(41), budget.tryTake(40)]).toEqual([true, false, true]);
  expect(budget.taken).toBe(100);
  const waiting = budget.take(90);
  budget.give(60);
  expect(budget.tryTake(10)).toBe(false);
  budget.give(40);
  await waiting;
  expect([budget.tryTake(10), budget.taken]).toEqual([true, 100]);
});
