import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactNumber } from '../json.ts';
import { decodeTimestamp, parseInstant } from './decode-timestamp.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const dayMs = 86_400_000;

const notInstants = {
  forms: [
    '',
    '2026',
    '2026-05',
    '2026-5-1',
    '20260501',
    '26-05-01',
    '2026/05/01',
    '2026-W18-5',
    ' 2026-05-01',
  ],
  others: [
    '1777636800000',
    'now',
    'Fri, 01 May 2026 12:00:00 GMT',
    '２０２６-05-01',
    '+002026-05-01T00:00:00Z',
  ],
  days: ['2024-02-30', '2026-02-29', '1900-02-29', '2026-04-31', '2026-13-01', '2026-00-10', '2026-01-00'],
  times: ['2026-05-01T24:00:00Z', '2026-05-01T12:60:00Z', '2016-12-31T23:59:60Z', '2026-05-01T1:00:00Z'],
  partsOfTimes: [
    '2026-05-01T',
    '2026-05-01T12Z',
    '2026-05-01 12:00:00Z',
    '2026-05-01T12:00:00 Z',
    '2026-05-01 ',
  ],
  fractions: ['2026-05-01T12:00:00.Z', '2026-05-01T12:00.5Z', '2026-05-01T12:00:00.-5Z'],
  noZone: ['2026-05-01T12:00:00', '2026-05-01T12:00', '2026-05-01T12:00:00.5', '2026-05-01T12:00:00+'],
  zones: ['2026-05-01Z', '2026-05-01T12:00:00+0200', '2026-05-01T12:00:00+02', '2026-05-01T12:00:00ZZ'],
  offsets: ['2026-05-01T12:00:00+24:00', '2026-05-01T12:00:00+02:60', '2026-05-01T12:00:00+02:00Z'],
};

describe('parseInstant', () => {
  it.each([
    ['2026-05-01T12:00:00.000Z', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01T12:00:00Z', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01T12:00Z', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01t12:00:00z', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01', Date.UTC(2026, 4, 1)],
    ['2026-05-01T14:30:00+02:30', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01T04:00:00-08:00', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01T12:00:00-00:00', Date.UTC(2026, 4, 1, 12)],
    ['2026-05-01T00:30:00+23:59', Date.UTC(2026, 3, 30, 0, 31)],
    ['2026-05-01T12:00:00.5Z', Date.UTC(2026, 4, 1, 12, 0, 0, 500)],
    ['2026-05-01T12:00:00,25Z', Date.UTC(2026, 4, 1, 12, 0, 0, 250)],
    ['2026-05-01T12:00:00.1239999999999999999Z', Date.UTC(2026, 4, 1, 12, 0, 0, 123)],
    ['1969-12-31T23:59:59.9999Z', -1],
    ['2024-02-29T23:59:59Z', Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['2000-02-29', Date.UTC(2000, 1, 29)],
    ['0000-01-01', -62_167_219_200_000],
    ['0099-12-31', -59_011_545_600_000],
  ])('reads %s', (text, instant) => {
    expect(parseInstant(text)).toBe(instant);
  });

  it.each(Object.values(notInstants).flat())('takes %j for no instant', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it('reads every instant as written by toISOString', () => {
    const min = new Date('0000-01-01T00:00:00Z');
    const max = new Date('9999-12-31T23:59:59.999Z');
    fc.assert(
      fc.property(fc.date({ min, max, noInvalidDate: true }), (date) => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime());
      }),
    );
  });

  it('agrees with the calendar on which days there are', () => {
    fc.assert(
      fc.property(fc.nat(9_999), fc.nat(99), fc.nat(99), (year, month, day) => {
        const text = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
        const date = new Date(`${text}T00:00:00Z`);
        const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
        expect(parseInstant(text)).toBe(exists ? date.getTime() : undefined);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('decodeTimestamp', () => {
  it.each([[undefined], [null]])('is the receipt for %s', (value) => {
    expect(decodeTimestamp(value, 'timestamp', receivedAt)).toBe(receivedAt);
  });

  it.each([
    [0, 0],
    [-1, -1],
    [receivedAt, receivedAt],
    [receivedAt + dayMs, receivedAt + dayMs],
    [new ExactNumber('1700000000000.000'), 1_700_000_000_000],
    [new ExactNumber('0.00000000001700000000000e23'), 1_700_000_000_000],
    ['1900-01-01T00:00:00Z', Date.UTC(1900, 0, 1)],
    ['1900-01-01T01:00:00+01:00', Date.UTC(1900, 0, 1)],
  ])('takes %s', (value, instant) => {
    expect(decodeTimestamp(value, 'timestamp', receivedAt)).toBe(instant);
  });

  it.each([
    [1.5, '1.5'],
    [new ExactNumber('1700000000000.0001'), '1700000000000.0001'],
    [Number.NaN, 'NaN'],
    [1e50, '1e+50'],
    [true, 'true'],
    [{}, 'an object'],
    [new Date(0), 'an object'],
    ['', '""'],
    ['yesterday', '"yesterday"'],
    ['1900-01-01T00:00:00+00:01', '"1900-01-01T00:00:00+00:01"'],
    [Date.UTC(1900, 0, 1) - 1, '-2208988800001'],
  ])('refuses %s', (value, excerpt) => {
    expect(decodeTimestamp(value, 'createdAt', receivedAt)).toMatchObject({
      code: 'VALIDATION_ERROR',
      field: 'createdAt',
      message: expect.stringContaining(`is ${excerpt}`),
    });
  });

  it.each([
    receivedAt + dayMs + 1,
    '2026-05-02T12:00:00.001Z',
    '9999-12-31',
    new ExactNumber('1777636800000000000'),
    1_777_636_800_000_000,
  ])('tells %s to be in the future', (value) => {
    expect(decodeTimestamp(value, 'timestamp', receivedAt)).toMatchObject({
      code: 'TIMESTAMP_IN_FUTURE',
      message: expect.stringContaining('24 h ahead of its receipt at 2026-05-01T12:00:00.000Z'),
    });
  });

  it('tells epoch milliseconds in the future as an instant too', () => {
    expect(decodeTimestamp(receivedAt + 2 * dayMs, 'timestamp', receivedAt)).toMatchObject({
      message: expect.stringMatching(/^is 1777809600000 \(2026-05-03T12:00:00\.000Z\), more than 24 h ahead/),
    });
  });

  it('ends with the year 2299, also when that is not the future', () => {
    const late = Date.UTC(2299, 11, 31, 23, 59, 59, 999);
    expect(decodeTimestamp(late, 'timestamp', late)).toBe(late);
    expect(decodeTimestamp(late + 1, 'timestamp', late)).toMatchObject({ code: 'VALIDATION_ERROR' });
  });
});

function pad(value: number, length: number): string {
  return String(value).padStart(length, '0');
}
