import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type EntitledTime, resetIntervals, resetsMax, usageResets } from './reset-points.ts';

/** Periods of so many ms, counted from the anchor. */
function time(start: number, end: number, anchor: number, length: number | null): EntitledTime {
  return {
    start,
    end,
    periodAt(instant) {
      if (length === null) return null;
      const from = anchor + Math.floor((instant - anchor) / length) * length;
      return { start: from, end: from + length };
    },
  };
}

const always = { start: -1_000, end: 1_000 };
const shown = (times: readonly EntitledTime[], span = always) =>
  usageResets(times, span).map(
    ({ timestamp, type }) => `${timestamp} ${type === 'PERIODIC_RESET' ? 'period' : 'change'}`,
  );

describe('usage begins again from zero', () => {
  it('where a period ends, from the first entitlement on', () => {
    expect(shown([time(0, 35, 0, 10)])).toEqual(['10 period', '20 period', '30 period']);
    expect(shown([time(0, 35, 0, 10)], { start: 10, end: 30 })).toEqual(['10 period', '20 period']);
    expect(shown([time(0, 35, 0, 10)], { start: 11, end: 20 })).toEqual([]);
    expect(shown([time(0, 35, 0, null)])).toEqual([]);
  });

  it('where another entitlement counts from its own start', () => {
    expect(shown([time(0, 15, 0, 10), time(15, 40, 15, 10)])).toEqual([
      '10 period',
      '15 change',
      '25 period',
      '35 period',
    ]);
    // The period would have ended just then.
    expect(shown([time(0, 20, 0, 10), time(20, 25, 20, 10)])).toEqual(['10 period', '20 period']);
    // It goes on where it stood.
    expect(shown([time(0, 15, 0, 10), time(15, 25, 0, 10)])).toEqual(['10 period', '20 period']);
    // There was one that never reset, and a time without any.
    expect(shown([time(0, 15, 0, null), time(20, 25, 20, 10)])).toEqual(['20 change']);
    expect(shown([time(0, 5, 0, 10), time(10, 15, 10, null)])).toEqual([]);
  });

  it('most often in the newest ones that are told', () => {
    const resets = usageResets([time(0, 3 * resetsMax, 0, 1)], { start: 0, end: 3 * resetsMax });
    expect(resets).toHaveLength(resetsMax);
    expect(resets.at(-1)?.timestamp).toBe(3 * resetsMax - 1);
  });

  it('in just one interval each', () => {
    const instants = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 12 });
    fc.assert(
      fc.property(instants, fc.uniqueArray(fc.integer({ min: 1, max: 60 })), (at, bounds) => {
        const starts = [0, ...bounds.toSorted((a, b) => a - b)];
        const sorted = at.toSorted((a, b) => a - b);
        const resets = sorted.map((timestamp) => ({ timestamp, type: 'PERIODIC_RESET' }) as const);
        const expected = starts.map((start, index) => {
          const end = starts[index + 1] ?? Number.POSITIVE_INFINITY;
          return sorted.some((instant) => instant >= start && instant < end);
        });
        expect(resetIntervals(starts, resets)).toEqual(expected);
      }),
    );
  });
});
