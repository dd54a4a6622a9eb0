import { describe, FieldProblem } from './decode-field.ts';
import { isNumeric, numberText } from './decode-number.ts';
import { factLimits } from './facts.ts';

const allowedForms =
  'allowed are ISO 8601 with a zone (2026-05-01T12:00:00.000Z or 2026-05-01T14:00:00+02:00), ' +
  'a date (2026-05-01, its midnight in UTC) and whole epoch milliseconds';

/** Epoch ms of a timestamp as senders write it; `receivedAt` when there is none. */
export function decodeTimestamp(value: unknown, field: string, receivedAt: number): number | FieldProblem {
  if (value === undefined || value === null) return receivedAt;
  const instant = typeof value === 'string' ? parseInstant(value) : parseEpochMs(value);
  if (instant === undefined) {
    const message = `is ${describe(value)}, which is no timestamp; ${allowedForms}`;
    return new FieldProblem('VALIDATION_ERROR', field, message);
  }
  if (instant > receivedAt + factLimits.futureMsMax) {
    const message = `is ${shownInstant(value, instant)}, more than 24 h ahead of its receipt at ${isoOf(receivedAt)}`;
    return new FieldProblem('TIMESTAMP_IN_FUTURE', field, message);
  }
  if (instant < factLimits.instantMin || instant > factLimits.instantMax) {
    const message = `is ${describe(value)}; timestamps must lie in the years 1900 to 2299`;
    return new FieldProblem('VALIDATION_ERROR', field, message);
  }
  return instant;
}

/**
 * Epoch ms of an ISO 8601 text: `YYYY-MM-DD`, which is its midnight in UTC, or `YYYY-MM-DDThh:mm[:ss[.fff]]`
 * with `Z` or `±hh:mm`. Digits after the third of a second are cut off. A time without a zone is undefined, not
 * UTC: senders mean their local time by it as often. So are days that the calendar lacks, and leap seconds.
 */
export function parseInstant(text: string): number | undefined {
  const year = numberAt(text, 0, 4);
  const month = numberAt(text, 5, 2);
  const day = numberAt(text, 8, 2);
  if (text[4] !== '-' || text[7] !== '-' || !isDay(year, month, day)) return undefined;
  if (text.length === 10) return dayStart(year, month, day);
  if (text[10] !== 'T' && text[10] !== 't') return undefined;
  const time = timeOfDay(text);
  const offset = time === undefined ? undefined : zoneOffset(text, time.end);
  if (time === undefined || offset === undefined) return undefined;
  return dayStart(year, month, day) + time.milliseconds - offset;
}

/** Epoch milliseconds from a JSON number; undefined for anything else, fractions too. */
export function parseEpochMs(value: unknown): number | undefined {
  const text = isNumeric(value) ? numberText(value) : undefined;
  return text === undefined || text.includes('.') ? undefined : Number(text);
}

function isDay(year: number, month: number, day: number): boolean {
  return year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Date.UTC reads the years 0 to 99 as 1900 to 1999; one cycle of the calendar, 400 years, later it does not. */
function dayStart(year: number, month: number, day: number): number {
  return Date.UTC(year + 400, month - 1, day) - calendarCycleMs;
}

const calendarCycleMs = 146_097 * 86_400_000;

/** The time from position 11 on, and where it ends. */
function timeOfDay(text: string): { readonly milliseconds: number; readonly end: number } | undefined {
  const hour = numberAt(text, 11, 2);
  const minute = numberAt(text, 14, 2);
  if (text[13] !== ':' || !(hour <= 23) || !(minute <= 59)) return undefined;
  const minutesMs = (hour * 60 + minute) * 60_000;
  if (text[16] !== ':') return { milliseconds: minutesMs, end: 16 };
  const second = numberAt(text, 17, 2);
  if (!(second <= 59)) return undefined;
  const secondsMs = minutesMs + second * 1_000;
  if (text[19] !== '.' && text[19] !== ',') return { milliseconds: secondsMs, end: 19 };
  let end = 20;
  while (numberAt(text, end, 1) >= 0) end += 1;
  if (end === 20) return undefined;
  return { milliseconds: secondsMs + Number(text.slice(20, Math.min(end, 23)).padEnd(3, '0')), end };
}

/** What the zone that ends the text adds to UTC, ms. */
function zoneOffset(text: string, start: number): number | undefined {
  const sign = text[start];
  if (sign === 'Z' || sign === 'z') return text.length === start + 1 ? 0 : undefined;
  if ((sign !== '+' && sign !== '-') || text.length !== start + 6 || text[start + 3] !== ':')
    return undefined;
  const hours = numberAt(text, start + 1, 2);
  const minutes = numberAt(text, start + 4, 2);
  if (!(hours <= 23) || !(minutes <= 59)) return undefined;
  const offsetMs = (hours * 60 + minutes) * 60_000;
  return sign === '-' ? -offsetMs : offsetMs;
}

/** The number that so many digits spell, NaN when they are not all digits; comparing NaN is always false. */
function numberAt(text: string, start: number, length: number): number {
  let value = 0;
  for (let at = start; at < start + length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** As it was sent, and epoch milliseconds in ISO 8601 too; a Date ends in the year 275760. */
function shownInstant(value: unknown, instant: number): string {
  const isShown = typeof value === 'string' || Math.abs(instant) > 8.64e15;
  return isShown ? describe(value) : `${describe(value)} (${isoOf(instant)})`;
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString();
}
