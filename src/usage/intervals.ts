/**
 * How a span of time divides into a calendar's hours, days, weeks or months in a time zone. Pure: the rules of
 * the zones are the runtime's. ClickHouse only gets the bounds, so a server with older rules divides no
 * differently.
 */
import type { UsageInterval } from './usage.ts';

/** 13 months of hours, 27 years of days. One bound is at most 12 bytes of the query's parameter. */
export const intervalsMax = 10_000;
/** With up to 51 series, a history is at most 51,000 points. */
export const groupedIntervalsMax = 1_000;

export interface Span {
  /** Half-open [start, end), epoch ms. */
  readonly start: number;
  readonly end: number;
  readonly interval: UsageInterval;
  /** IANA name. */
  readonly timezone: string;
}

/** What is wrong with a history's span, as a sentence for the caller; undefined when nothing is. */
export function spanProblem(span: Span, grouped: boolean): string | undefined {
  if (span.end <= span.start) return 'endDate must be later than startDate';
  if (!isTimezone(span.timezone)) return 'timezone must be an IANA name such as Europe/Berlin';
  const max = grouped ? groupedIntervalsMax : intervalsMax;
  if (intervalStarts(span, max) !== undefined) return undefined;
  return `the span holds more than ${max} intervals${grouped ? ' and is grouped' : ''}: ask for a shorter one or a longer interval`;
}

export function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) instanceof Intl.DateTimeFormat;
  } catch {
    return false;
  }
}

/**
 * The starts of all intervals of the span, in order: the first is `start` itself, each other one a bound of the
 * calendar, and the last interval ends with the span. Undefined when there are more than `max`.
 *
 * A day is 23 or 25 hours long where the clocks change, and a day that the zone skipped is missing. Hours
 * start where the local clock shows a full hour, so one that is shown twice is two hours; where clocks change
 * by half an hour, that hour is 90 minutes long.
 */
export function intervalStarts(span: Span, max: number): readonly number[] | undefined {
  const { start, end } = span;
  const offsetAt = zoneOffset(span.timezone);
  const next = span.interval === 'HOUR' ? hourBounds(start, offsetAt) : calendarBounds(span, offsetAt);
  const starts = [start];
  for (let bound = next(); bound < end; bound = next()) {
    if (bound <= (starts.at(-1) ?? start)) continue;
    if (starts.length === max) return undefined;
    starts.push(bound);
  }
  return starts;
}

/** Local time minus UTC at an instant, ms. */
type OffsetAt = (instant: number) => number;
/** Each call answers a later bound, or the same again. */
type NextBound = () => number;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

function hourBounds(start: number, offsetAt: OffsetAt): NextBound {
  let bound = start;
  const nextFullHour = (instant: number) => instant + hourMs - modulo(instant + offsetAt(instant), hourMs);
  return () => {
    bound = nextFullHour(bound);
    // A change of the clocks by part of an hour lay between: the local clock shows no full hour here.
    if (modulo(bound + offsetAt(bound), hourMs) !== 0) bound = nextFullHour(bound);
    return bound;
  };
}

function calendarBounds({ start, interval }: Span, offsetAt: OffsetAt): NextBound {
  const local = new Date(start + offsetAt(start));
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
  const daysSinceMonday = (local.getUTCDay() + 6) % 7;
  let step = 0;
  return () => {
    step += 1;
    if (interval === 'MONTH') return firstInstantAt(Date.UTC(year, month + step, 1), offsetAt);
    if (interval === 'WEEK')
      return firstInstantAt(Date.UTC(year, month, day - daysSinceMonday + 7 * step), offsetAt);
    return firstInstantAt(Date.UTC(year, month, day + step), offsetAt);
  };
}

/**
 * The first instant at which the local clock shows `local` (given as if it were UTC) or, where it was put
 * forward past it, more. No zone changes its clocks twice within two days.
 */
function firstInstantAt(local: number, offsetAt: OffsetAt): number {
  const [before, after] = [offsetAt(local - dayMs), offsetAt(local + dayMs)];
  if (before === after) return local - before;
  const shown = [local - before, local - after].filter((instant) => instant + offsetAt(instant) === local);
  if (shown.length > 0) return Math.min(...shown);
  let [low, high] = [local - Math.max(before, after), local - Math.min(before, after)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (middle + offsetAt(middle) < local) low = middle;
    else high = middle;
  }
  return high;
}

/** Asking the runtime costs about 1 µs. */
function zoneOffset(timezone: string): OffsetAt {
  if (timezone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', { timeZone: timezone, timeZoneName: 'longOffset' });
  return (instant) => {
    // As `1/31/2024, GMT+05:45`; zones before standard time have seconds too, and UTC is plain `GMT`.
    const match = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(format.format(instant));
    if (match === null) return 0;
    const [, sign, hours, minutes, seconds] = match;
    const offset = (Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds ?? 0);
    return (sign === '-' ? -offset : offset) * 1000;
  };
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
