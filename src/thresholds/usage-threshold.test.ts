import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity, type Quantity, zeroQuantity } from '../quantity.ts';
import { highestReached, isToBeTold, type ToldUsage, type ToldUsages, toldWith } from './usage-threshold.ts';

const exact = (text: string): Quantity => parseQuantity(text) ?? zeroQuantity;
const monthMs = 30 * 86_400_000;

describe('the highest threshold that is reached', () => {
  it.each([
    ['79.999999999999999999999999999999', '100', undefined],
    ['80', '100', 80],
    ['99.99', '100', 80],
    ['100', '100', 100],
    ['1000000', '100', 150],
    ['-5', '100', undefined],
    ['0', '0', undefined],
    ['0.1', '0', 150],
    ['0.24', '0.3', 80],
  ])('by %s of %s is %s', (usage, limit, expected) => {
    expect(highestReached([80, 100, 150], exact(usage), exact(limit))).toBe(expected);
  });
});

describe('what was told', () => {
  it('is the highest of each period that has not ended', () => {
    const first = telling(80, 0);
    const told = toldWith([], first, 1) ?? [];
    expect(told).toEqual([first]);
    expect(toldWith(told, first, 1)).toBeUndefined();
    expect(toldWith(told, telling(100, 0), 1)).toEqual([telling(100, 0)]);
    // As after a change of plans, and back.
    const both = toldWith(told, telling(50, 7), 1) ?? [];
    expect(both).toEqual([first, telling(50, 7)]);
    expect(toldWith(both, first, 1)).toBeUndefined();
    expect(toldWith(both, telling(50, monthMs + 7), monthMs + 7)).toEqual([telling(50, monthMs + 7)]);
  });

  it('stays short, whatever becomes of the periods', () => {
    let told: ToldUsages = [];
    for (let start = 0; start < 100; start += 1) told = toldWith(told, telling(80, start), 1) ?? told;
    expect(told).toHaveLength(20);
    expect(told.at(-1)).toEqual(telling(80, 99));
  });

  it('is kept for ever where usage never starts from zero again', () => {
    const always = { ...telling(80, 0), usagePeriodStart: null, usagePeriodEnd: null };
    expect(toldWith([always], always, monthMs)).toBeUndefined();
    expect(isToBeTold([always], [80, 100], null)).toBe(true);
    expect(isToBeTold([always], [80], null)).toBe(false);
  });
});

it('tells each threshold at most once a period, and of a leap the highest alone, over any history', () => {
  const looks = fc.array(
    fc.record({
      usage: fc.integer({ min: -10, max: 250 }),
      limit: fc.integer({ min: 0, max: 120 }),
      period: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 60 },
  );
  const thresholds = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(thresholds, looks, (given, history) => {
      let told: ToldUsages = [];
      const tellings = new Map<number, number[]>();
      for (const { usage, limit, period } of history.toSorted((a, b) => a.period - b.period)) {
        const now = period * monthMs + 1;
        const reached = highestReached(given, exact(String(usage)), exact(String(limit)));
        const before = tellings.get(period) ?? [];
        const after =
          reached === undefined ? undefined : toldWith(told, telling(reached, period * monthMs), now);
        // The oracle: beyond everything told in the period, by JavaScript's own numbers.
        const beyond = given.filter((each) => usage > 0 && usage * 100 >= limit * each);
        const expected = Math.max(0, ...beyond);
        expect(after !== undefined).toBe(expected > Math.max(0, ...before));
        if (after === undefined) continue;
        told = after;
        tellings.set(period, [...before, expected]);
        expect(told.at(-1)?.threshold).toBe(expected);
      }
      for (const each of tellings.values()) {
        expect(each).toEqual([...new Set(each)].toSorted((a, b) => a - b));
      }
    }),
  );
});

function telling(threshold: number, start: number): ToldUsage {
  const period = { usagePeriodStart: start, usagePeriodEnd: start + monthMs };
  return { threshold, currentUsage: '1', usageLimit: '1', ...period };
}
