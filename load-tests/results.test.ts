import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chart, isBeside } from './bench-report.ts';
import { benchmarkPage, renderPage } from './benchmark-page.ts';
import type { Measured } from './ratios.ts';
import { ratioNames, ratiosOf } from './ratios.ts';
import { resultsOf } from './results.fixture.ts';
import { keptResults, medianOf, readResults, type Results } from './results.ts';

const files: readonly (readonly [string, Results])[] = [
  ['latest', readResults('latest')],
  ...keptResults().map(({ name, results }) => [name, results] as const),
];

const number: unknown = expect.any(Number);
const percentiles = { p50: number, p99: number };

describe.each(files)('load-tests/results/%s.json', (_file, results) => {
  it('says what was measured, and on what', () => {
    expect(results).toMatchObject({
      commit: expect.stringMatching(/^[0-9a-f]{7,40}( with changes)?$|^unknown$/),
      machine: expect.stringMatching(/\d+ cores/),
      quick: expect.any(Boolean),
      measuredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      runs: number,
    });
    expect(Object.keys(results.scenarios).length).toBeGreaterThan(0);
  });

  it.each(Object.entries(results.scenarios))('has all figures of %s, which was exact', (name, scenario) => {
    const {
      eventsPerSecond,
      requestsPerSecond,
      freshMs = percentiles,
      cpuMicrosPerEvent,
      ...others
    } = scenario;
    expect([eventsPerSecond, requestsPerSecond].filter((rate) => rate !== undefined)).toEqual([number]);
    expect(freshMs).toEqual(percentiles);
    expect(Object.values(cpuMicrosPerEvent).every((micros) => micros >= 0)).toBe(true);
    expect(others).toMatchObject({ ackMs: percentiles, rssMbMax: number });
    // What a naive design still had to store when its time was up is no fault of Tollgate.
    if (!isBeside(name)) expect(others.exact).toBe(true);
    const known = new Set(['ackMs', 'rssMbMax', 'rssMbMaxOf', 'exact', 'details']);
    expect(Object.keys(others).filter((key) => !known.has(key))).toEqual([]);
  });

  it('has every ratio, or says why not', () => {
    expect(Object.keys(results.ratios).toSorted()).toEqual([...ratioNames].toSorted());
    for (const name of ratioNames) {
      if (results.ratios[name] === null) expect(results.missing[name]).toMatch(/\w/);
      else expect(results.missing).not.toHaveProperty(name);
    }
  });
});

describe('the ratios', () => {
  it('are those that are to be reached', () => {
    expect(ratioNames).toEqual([
      'eventsVsNative',
      'eventsVsJobPerEvent',
      'eventsVsParse',
      'everythingOn',
      'singleEventVsUws',
      'usageAckVsUws',
      'usageAckVsUwsAlways',
      'checkVsUws',
      'ackP99AtThird',
      'freshP99AtThird',
      'queryGrowth',
      'bytesPerEvent',
      'memoryUnderOverload',
    ]);
  });

  it('are computed from the parts that ran, and null of those that did not', () => {
    const scenario = { ackMs: { p50: 1, p99: 20 }, cpuMicrosPerEvent: {}, rssMbMax: 300, exact: true };
    const measured: Measured = {
      scenarios: {
        events100: { ...scenario, eventsPerSecond: 350 },
        eventsAtThird: { ...scenario, eventsPerSecond: 100, freshMs: { p50: 100, p99: 300 } },
        overloadAt1: scenario,
        overloadAt4: { ...scenario, rssMbMax: 450 },
        everythingOn: { ...scenario, eventsPerSecond: 0 },
      },
      stages: { native2: { rowsPerSecond: 1_000, cores: 2 } },
      queries: { monthByDayMs: { '1M': { p50: 5, p99: 10 } }, bytesPerEvent: 41 },
    };
    const { ratios, missing } = ratiosOf(measured);
    expect(ratios).toMatchObject({
      eventsVsNative: 0.35,
      ackP99AtThird: 20,
      freshP99AtThird: 300,
      memoryUnderOverload: 1.5,
      bytesPerEvent: 41,
      queryGrowth: null,
      everythingOn: null,
      checkVsUws: null,
    });
    expect(Object.keys(missing)).toContain('queryGrowth');
    expect(Object.keys(missing)).not.toContain('eventsVsNative');
  });
});

describe('several runs', () => {
  it('are one result of medians, with the range of each figure', () => {
    const all = [110, 100, 500].map((eventsPerSecond) => resultsOf({ eventsPerSecond, ackP99: 10 }));
    const result = medianOf(all);
    expect(result.runs).toBe(3);
    expect(result.scenarios['events100']).toMatchObject({ eventsPerSecond: 110, exact: true });
    expect(result.spread?.['scenarios.events100.eventsPerSecond']).toEqual({
      min: 100,
      median: 110,
      max: 500,
    });
    expect(medianOf(all.slice(0, 2)).scenarios['events100']?.eventsPerSecond).toBe(105);
  });

  it('are exact only if each of them was', () => {
    const good = resultsOf({ eventsPerSecond: 1, ackP99: 1 });
    const bad = resultsOf({ eventsPerSecond: 1, ackP99: 1, exact: false });
    expect(medianOf([bad, good]).scenarios['events100']?.exact).toBe(false);
    expect(medianOf([good, good]).scenarios['events100']?.exact).toBe(true);
  });
});

describe('the page and the chart', () => {
  it('are in step with the results: `npm run bench -- --page` makes docs/benchmarks.md anew', () => {
    expect(readFileSync('docs/benchmarks.md', 'utf8')).toBe(benchmarkPage());
    expect(readFileSync('load-tests/results/latest.svg', 'utf8')).toBe(
      chart(readResults('latest').scenarios),
    );
  });

  it('show every scenario, stage and ratio, and every milestone', () => {
    const latest = resultsOf({ eventsPerSecond: 123_456, ackP99: 10 });
    const page = renderPage(latest, [{ name: 'first-light', results: latest }]);
    for (const text of ['`events100`', '123,456', '`parse`', '`memoryUnderOverload`', 'first-light']) {
      expect(page).toContain(text);
    }
  });
});
