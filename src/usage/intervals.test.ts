import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupedIntervalsMax, intervalStarts, intervalsMax, isTimezone, spanProblem } from './intervals.ts';
import type { UsageInterval } from './usage.ts';

const at = (text: string) => Date.parse(text);
const hours = (starts: readonly number[], end: number) =>
  starts.map((start, index) => ((starts[index + 1] ?? end) - start) / 3_600_000);

function split(interval: UsageInterval, timezone: string, from: string, to: string) {
  const span = { start: at(from), end: at(to), interval, timezone };
  const starts = intervalStarts(span, intervalsMax) ?? [];
  return { starts: starts.map((start) => new Date(start).toISOString()), hours: hours(starts, span.end) };
}

describe('intervalStarts', () => {
  it('clips the first and the last interval to the span', () => {
    expect(split('HOUR', 'UTC', '2024-01-01T10:20:30.007Z', '2024-01-01T12:00:00.001Z').starts).toEqual([
      '2024-01-01T10:20:30.007Z',
      '2024-01-01T11:00:00.000Z',
      '2024-01-01T12:00:00.000Z',
    ]);
    expect(split('MONTH', 'UTC', '2024-01-31T00:00:00Z', '2024-03-01T00:00:00Z').starts).toEqual([
      '2024-01-31T00:00:00.000Z',
      '2024-02-01T00:00:00.000Z',
    ]);
  });

  it('starts weeks on Monday', () => {
    expect(split('WEEK', 'UTC', '2024-02-25T12:00:00Z', '2024-03-06T00:00:00Z').starts).toEqual([
      '2024-02-25T12:00:00.000Z',
      '2024-02-26T00:00:00.000Z',
      '2024-03-04T00:00:00.000Z',
    ]);
  });

  it.each([
    ['Europe/Berlin', '2024-03-31', '2024-03-30T23:00:00Z', '2024-03-31T22:00:00Z', 23],
    ['Europe/Berlin', '2024-10-27', '2024-10-26T22:00:00Z', '2024-10-27T23:00:00Z', 25],
    ['America/New_York', '2024-03-10', '2024-03-10T05:00:00Z', '2024-03-11T04:00:00Z', 23],
    ['America/New_York', '2024-11-03', '2024-11-03T04:00:00Z', '2024-11-04T05:00:00Z', 25],
    ['Australia/Lord_Howe', '2024-04-07', '2024-04-06T13:00:00Z', '2024-04-07T13:30:00Z', 24.5],
    ['Australia/Lord_Howe', '2024-10-06', '2024-10-05T13:30:00Z', '2024-10-06T13:00:00Z', 23.5],
    ['Asia/Kathmandu', '2024-06-01', '2024-05-31T18:15:00Z', '2024-06-01T18:15:00Z', 24],
    // Clocks go forward at midnight: the day starts at 01:00. And back at midnight: the day before is longer.
    ['America/Havana', '2024-03-10', '2024-03-10T05:00:00Z', '2024-03-11T04:00:00Z', 23],
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00:00Z', '2018-11-05T02:00:00Z', 23],
    ['America/Sao_Paulo', '2018-02-17', '2018-02-17T02:00:00Z', '2018-02-18T03:00:00Z', 25],
  ])('in %s, %s is the day from %s to %s of %d hours', (timezone, _day, from, to, length) => {
    const twoDaysBefore = new Date(at(from) - 40 * 3_600_000).toISOString();
    const twoDaysAfter = new Date(at(to) + 40 * 3_600_000).toISOString();
    const { starts, hours: lengths } = split('DAY', timezone, twoDaysBefore, twoDaysAfter);
    const place = starts.indexOf(new Date(at(from)).toISOString());
    expect(place).toBe(2);
    expect(starts[place + 1]).toBe(new Date(at(to)).toISOString());
    expect(lengths[place]).toBe(length);
  });

  it('leaves out a day that the zone skipped', () => {
    // Samoa went from the 29th to the 31st of December 2011.
    const { starts } = split('DAY', 'Pacific/Apia', '2011-12-29T10:00:00Z', '2012-01-01T10:00:00Z');
    expect(starts).toEqual([
      '2011-12-29T10:00:00.000Z',
      '2011-12-30T10:00:00.000Z',
      '2011-12-31T10:00:00.000Z',
    ]);
  });

  it('has 25 hours in a day on which the clocks go back an hour', () => {
    const day = split('HOUR', 'Europe/Berlin', '2024-10-26T22:00:00Z', '2024-10-27T23:00:00Z');
    expect(day.hours).toEqual(Array.from({ length: 25 }, () => 1));
  });

  it('makes the hour in which clocks move by half an hour 90 minutes long', () => {
    const day = split('HOUR', 'Australia/Lord_Howe', '2024-04-06T13:00:00Z', '2024-04-07T13:30:00Z');
    expect(day.hours).toEqual([1, 1.5, ...Array.from({ length: 22 }, () => 1)]);
    expect(day.hours.reduce((a, b) => a + b)).toBe(24.5);
  });

  it('starts hours where the local clock shows one, also a quarter past', () => {
    expect(split('HOUR', 'Asia/Kathmandu', '2024-06-01T00:00:00Z', '2024-06-01T02:00:00Z').starts).toEqual([
      '2024-06-01T00:00:00.000Z',
      '2024-06-01T00:15:00.000Z',
      '2024-06-01T01:15:00.000Z',
    ]);
  });

  const zones = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'America/Havana',
  ];
  const spans = fc.record({
    start: fc.integer({ min: at('1900-01-01T00:00:00Z'), max: at('2100-01-01T00:00:00Z') }),
    length: fc.integer({ min: 1, max: 60 * 86_400_000 }),
    interval: fc.constantFrom<UsageInterval>('HOUR', 'DAY', 'WEEK', 'MONTH'),
    timezone: fc.constantFrom(...zones),
  });

  it('divides any span without a gap, by day at every change of the local date', () => {
    fc.assert(
      fc.property(spans, ({ start, length, interval, timezone }) => {
        const span = { start, end: start + length, interval, timezone };
        const starts = intervalStarts(span, intervalsMax) ?? [];
        expect(starts[0]).toBe(start);
        expect(starts.every((bound) => bound >= start && bound < span.end)).toBe(true);
        const later = starts.slice(1);
        expect(later.every((bound, index) => bound > (starts[index] ?? NaN))).toBe(true);
        // The query relies on whole seconds.
        expect(later.every((bound) => Number.isInteger(bound / 1000))).toBe(true);
        if (interval !== 'DAY') return;
        // Each bound starts a local date, and each interval ends within the date it started in.
        const firsts = starts.map((bound) => localDate(bound, timezone));
        const lasts = starts.map((_, index) => localDate((starts[index + 1] ?? span.end) - 1, timezone));
        const dates = new Set(firsts);
        expect([dates.size, lasts]).toEqual([starts.length, firsts]);
      }),
      { numRuns: 80 },
    );
  });
});

describe('spanProblem', () => {
  const span = { start: 0, end: 3_600_000, interval: 'HOUR', timezone: 'UTC' } as const;

  it('finds nothing wrong with a span within the bounds', () => {
    expect(spanProblem(span, false)).toBeUndefined();
    expect(spanProblem({ ...span, end: intervalsMax * 3_600_000 }, false)).toBeUndefined();
    expect(spanProblem({ ...span, end: groupedIntervalsMax * 3_600_000 }, true)).toBeUndefined();
  });

  it('says what is wrong with others', () => {
    expect(spanProblem({ ...span, end: 0 }, false)).toBe('endDate must be later than startDate');
    expect(spanProblem({ ...span, timezone: 'Mars/Base' }, false)).toContain('timezone');
    expect(spanProblem({ ...span, end: intervalsMax * 3_600_000 + 1 }, false)).toContain('10000 intervals');
    expect(spanProblem({ ...span, end: groupedIntervalsMax * 3_600_000 + 1 }, true)).toContain(
      '1000 intervals',
    );
  });

  it('knows time zones', () => {
    expect(isTimezone('America/Argentina/Buenos_Aires')).toBe(true);
    expect(isTimezone('')).toBe(false);
  });
});

const dateFormats = new Map<string, Intl.DateTimeFormat>();

function localDate(instant: number, timezone: string): string {
  const known = dateFormats.get(timezone);
  const format = known ?? new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  dateFormats.set(timezone, format);
  return format.format(instant);
}
