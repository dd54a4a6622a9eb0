/**
 * Epoch ms of `YYYY-MM-DDThh:mm:ss[.fff]Z`, of which nearly all timestamps are; NaN for any other text, which may
 * still be a timestamp. As `parseInstant`, digits after the third of a second are cut off.
 */
export function scanInstant(body: Uint8Array, start: number, end: number): number {
  if (end - start < 20 || !hasSeparators(body, start) || body[end - 1] !== 0x5a) return Number.NaN;
  const year = digits(body, start, 4);
  const month = digits(body, start + 5, 2);
  const day = digits(body, start + 8, 2);
  const hour = digits(body, start + 11, 2);
  const minute = digits(body, start + 14, 2);
  const second = digits(body, start + 17, 2);
  const isTime = hour <= 23 && minute <= 59 && second <= 59;
  if (!isTime || !(month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month))) return Number.NaN;
  const seconds = (daysBefore(year, month, day) * 24 + hour) * 3_600 + minute * 60 + second;
  return seconds * 1_000 + milliseconds(body, start + 19, end - 1);
}

function hasSeparators(body: Uint8Array, start: number): boolean {
  return (
    body[start + 4] === 0x2d &&
    body[start + 7] === 0x2d &&
    body[start + 10] === 0x54 &&
    body[start + 13] === 0x3a &&
    body[start + 16] === 0x3a
  );
}

/** Of the fraction, where there is one. */
function milliseconds(body: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  const count = end - start - 1;
  if (body[start] !== 0x2e || count === 0) return Number.NaN;
  const rest = count > 3 ? digits(body, start + 4, count - 3) : 0;
  const shown = digits(body, start + 1, Math.min(count, 3));
  return Number.isNaN(rest) ? Number.NaN : shown * (count === 1 ? 100 : count === 2 ? 10 : 1);
}

function digits(body: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) {
    const digit = (body[at] as number) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01, counted in years that begin with March, so that the leap day is a year's last. */
function daysBefore(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const marchMonth = month <= 2 ? month + 9 : month - 3;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return 365 * marchYear + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 719_469;
}
