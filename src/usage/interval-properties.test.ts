/** Intervals in every time zone that the runtime knows, around the moments at which its clocks change. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { intervalStarts, intervalsMax } from './intervals.ts';
import type { UsageInterval } from './usage.ts';

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const zones = [...Intl.supportedValuesOf('timeZone'), 'UTC'];

interface LocalTime {
  /** Days since 1970-01-01 by the local calendar. */
  readonly day: number;
  readonly month: string;
  /** Since local midnight as the clock shows it. */
  readonly seconds: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(instant: number, timeZone: string): LocalTime {
  const known = formats.get(timeZone);
  const format =
    known ??
    new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  formats.set(timeZone, format);
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  const part = (name: Intl.DateTimeFormatPartTypes): number => Number(parts[name]);
  return {
    day: Date.UTC(part('year'), part('month') - 1, part('day')) / dayMs,
    month: `${part('year')}-${part('month')}`,
    seconds: part('hour') * 3600 + part('minute') * 60 + part('second'),
  };
}

/** Local minus UTC, ms. */
function offset(instant: number, timeZone: string): number {
  const whole = Math.floor(instant / 1000) * 1000;
  const { day, seconds } = localTime(whole, timeZone);
  return day * dayMs + seconds * 1000 - whole;
}

/** The instants in the year at which the zone's clocks change. */
function clockChanges(timeZone: string, year: number): readonly number[] {
  const days = Array.from({ length: 366 }, (_, day) => Date.UTC(year, 0, 1) + day * dayMs);
  return days.flatMap((day) => {
    let [low, high] = [day, day + dayMs];
    const before = offset(low, timeZone);
    if (before === offset(high, timeZone)) return [];
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000;
      if (offset(middle, timeZone) === before) low = middle;
      else high = middle;
    }
    return [high];
  });
}

/** A local calendar's name for the interval that the instant is in. */
const labels: Readonly<Record<Exclude<UsageInterval, 'HOUR'>, (local: LocalTime) => unknown>> = {
  DAY: ({ day }) => day,
  // 1 January 1970 was a Thursday.
  WEEK: ({ day }) => Math.floor((day + 3) / 7),
  MONTH: ({ month }) => month,
};

const spans = fc.record({
  timezone: fc.constantFrom(...zones),
  year: fc.integer({ min: 1972, max: 2037 }),
  before: fc.integer({ min: 0, max: 40 * dayMs }),
  after: fc.integer({ min: 1, max: 40 * dayMs }),
});

describe('in every time zone', () => {
  it('days, weeks and months tile the span as the local calendar does, also where clocks change', () => {
    let changes = 0;
    fc.assert(
      fc.property(spans, ({ timezone, year, before, after }) => {
        const moments = clockChanges(timezone, year);
        changes += moments.length;
        for (const moment of moments.length > 0 ? moments : [Date.UTC(year, 5, 1)]) {
          for (const interval of ['DAY', 'WEEK', 'MONTH'] as const) {
            const span = { start: moment - before, end: moment + after, interval, timezone };
            const starts = intervalStarts(span, intervalsMax) ?? [];
            const label = (instant: number) => labels[interval](localTime(instant, timezone));
            const ends = [...starts.slice(1), span.end];
            expect(starts[0]).toBe(span.start);
            // Each interval is of one name, from its first millisecond to its last, and the next has another.
            expect(ends.map((end) => label(end - 1))).toEqual(starts.map(label));
            expect(new Set(starts.map(label)).size).toBe(starts.length);
          }
        }
      }),
      { numRuns: 150 },
    );
    expect(changes).toBeGreaterThan(50);
  });

  it('hours tile the span and begin where the local clock shows a full one', () => {
    fc.assert(
      fc.property(spans, ({ timezone, year, before, after }) => {
        for (const moment of clockChanges(timezone, year)) {
          const start = moment - (before % (3 * dayMs));
          const end = moment + Math.max(1, after % (3 * dayMs));
          const starts = intervalStarts({ start, end, interval: 'HOUR', timezone }, intervalsMax) ?? [];
          expect(starts[0]).toBe(start);
          for (const [index, bound] of starts.entries()) {
            const next = starts[index + 1] ?? end;
            expect(next).toBeGreaterThan(bound);
            // The one in which clocks move by part of an hour is longer.
            expect(next - bound).toBeLessThan(2 * hourMs);
            if (index > 0) expect(localTime(bound, timezone).seconds % 3600).toBe(0);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
