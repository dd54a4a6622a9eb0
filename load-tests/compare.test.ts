import { describe, expect, it } from 'vitest';
import { changesBetween } from './compare.ts';
import { medianOf } from './results.ts';
import { resultsOf } from './results.fixture.ts';

/** As many runs as figures are given. */
function runs(eventsPerSecond: readonly number[], p99 = [10, 10, 10]) {
  return medianOf(
    eventsPerSecond.map((rate, at) => resultsOf({ eventsPerSecond: rate, ackP99: p99[at] ?? 10 })),
  );
}

function told(before: ReturnType<typeof runs>, after: ReturnType<typeof runs>): string[] {
  return changesBetween(before, after).map(({ figure, verdict }) => `${figure} ${verdict}`);
}

const rate = 'scenarios.events100.eventsPerSecond';
const p99 = 'scenarios.events100.ackMs.p99';

describe('comparing two results', () => {
  it('tells nothing of two that are the same', () => {
    expect(told(runs([100, 101, 102]), runs([100, 101, 102]))).toEqual([]);
  });

  it('tells a figure whose ranges do not overlap and whose medians are over 5 % apart', () => {
    expect(told(runs([100, 101, 102]), runs([110, 112, 114]))).toEqual([`${rate} better`]);
    expect(told(runs([110, 112, 114]), runs([100, 101, 102]))).toEqual([`${rate} worse`]);
  });

  it('takes what lies within the ranges for noise, however far medians are apart', () => {
    expect(told(runs([90, 100, 125]), runs([120, 130, 140]))).toEqual([]);
  });

  it('takes medians within 5 % for the same, however narrow the ranges are', () => {
    expect(told(runs([100, 100.5, 101]), runs([103, 104, 105]))).toEqual([]);
  });

  it('knows that less of a time is better', () => {
    expect(told(runs([100, 100, 100], [10, 11, 12]), runs([100, 100, 100], [20, 21, 22]))).toEqual([
      `${p99} worse`,
    ]);
  });

  it('tells any difference over 5 % of single runs', () => {
    expect(told(runs([100]), runs([106]))).toEqual([`${rate} better`]);
    expect(told(runs([100]), runs([104]))).toEqual([]);
  });

  it('passes over figures that one of them has not', () => {
    const before = runs([100]);
    const after = { ...runs([200]), scenarios: {} };
    expect(told(before, after)).toEqual([]);
  });
});
