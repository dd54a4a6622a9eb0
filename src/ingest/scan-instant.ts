/**
 * Epoch ms of `YYYY-MM-DDThh:mm:ss[.fff]Z`, of which nearly all timestamps are; NaN for any other text, which may
 * still be a timestamp. As `parseInstant`, digits after the third of a second are cut off.
 */
export function scanInstant(body: Uint8Array, start: number, end: number): number {
  if (end - start < 20 || !hasSeparators(body, start) || body[end - 1] !== 0x5a) return Number.NaN;
  const year = 100 * twoDigits(body, start) + twoDigits(body, start + 2);
  const month = twoDigits(body, start + 5);
  const day = twoDigits(body, start + 8);
  const hour = twoDigits(body, start + 11);
  const minute = twoDigits(body, start + 14);
  const second = twoDigits(body, start + 17);
  // What is no digit makes its number negative.
  if ((year | month | day | hour | minute | second) < 0) return Number.NaN;
  if (hour > 23 || minute > 59 || second > 59 || month < 1 || month > 12) return Number.NaN;
  if (day < 1 || day > daysIn(year, month)) return Number.NaN;
  const seconds = (hour * 60 + minute) * 60 + second;
  return (
    daysBefore(year, month, day) * 86_400_000 + seconds * 1_000 + milliseconds(body, start + 19, end - 1)
  );
}

const notDigits = -1_000_000;

function twoDigits(body: Uint8Array, at: number): number {
  const tens = (body[at] as number) - 0x30;
  const ones = (body[at + 1] as number) - 0x30;
  return (tens | ones | (9 - tens) | (9 - ones)) < 0 ? notDigits : tens * 10 + ones;
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

/** Of the fraction, where there is one; its first three digits. */
function milliseconds(body: Uint8Array, start: number, end: number): number {
  if (start === end) return 0;
  if (body[start] !== 0x2e || end === start + 1) return Number.NaN;
  let value = 0;
  for (let at = start + 1; at < end; at += 1) {
    const digit = (body[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    if (at < start + 4) value = value * 10 + digit;
  }
  const shown = end - start - 1;
  return shown >= 3 ? value : shown === 2 ? 10 * value : 100 * value;
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
