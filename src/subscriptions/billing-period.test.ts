import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BillingPeriod } from '../catalog/price.ts';
import { periodAt, periodStart } from './billing-period.ts';

const at = (text: string): number => Date.parse(`${text}Z`);
const iso = (instant: number): string => new Date(instant).toISOString().slice(0, 19);
const starts = (anchor: string, period: BillingPeriod, count: number): string[] =>
  Array.from({ length: count }, (_, number) => iso(periodStart(at(anchor), period, number)).slice(0, 10));

describe('billing periods', () => {
  it('clamp an anchor on day 31 to short months and return to its day', () => {
    expect(starts('2023-01-31T10:00:00', 'MONTHLY', 6)).toEqual([
      '2023-01-31',
      '2023-02-28',
      '2023-03-31',
      '2023-04-30',
      '2023-05-31',
      '2023-06-30',
    ]);
  });

  it.each([
    ['29', ['2024-01-29', '2024-02-29', '2024-03-29']],
    ['30', ['2024-01-30', '2024-02-29', '2024-03-30']],
    ['31', ['2024-01-31', '2024-02-29', '2024-03-31']],
  ])('know the leap day for an anchor on day %s', (day, expected) => {
    expect(starts(`2024-01-${day}T00:00:00`, 'MONTHLY', 3)).toEqual(expected);
  });

  it('bring an annual anchor on 29 February back in leap years', () => {
    expect(starts('2024-02-29T23:59:59', 'ANNUALLY', 5)).toEqual([
      '2024-02-29',
      '2025-02-28',
      '2026-02-28',
      '2027-02-28',
      '2028-02-29',
    ]);
  });

  it('keep the time of day, and cross the year', () => {
    expect(iso(periodStart(at('2025-12-31T21:00:13'), 'MONTHLY', 2))).toBe('2026-02-28T21:00:13');
  });

  it('are half-open: the last millisecond is inside, the boundary is the next one', () => {
    const anchor = at('2026-01-31T12:00:00');
    const boundary = at('2026-02-28T12:00:00');
    expect(periodAt(anchor, 'MONTHLY', boundary - 1)).toEqual({ start: anchor, end: boundary });
    expect(periodAt(anchor, 'MONTHLY', boundary)).toEqual({
      start: boundary,
      end: at('2026-03-31T12:00:00'),
    });
  });
});

describe('for any anchor', () => {
  const instant = fc.integer({ min: Date.UTC(1900, 0, 1), max: Date.UTC(2200, 0, 1) });
  const period = fc.constantFrom<BillingPeriod>('MONTHLY', 'ANNUALLY');

  it('every instant lies in exactly one period, which is the one that its number gives', () => {
    fc.assert(
      fc.property(instant, period, instant, (anchor, billingPeriod, moment) => {
        const { start, end } = periodAt(anchor, billingPeriod, moment);
        expect(start <= moment && moment < end).toBe(true);
        expect(periodAt(anchor, billingPeriod, start)).toEqual({ start, end });
        expect(periodAt(anchor, billingPeriod, end).start).toBe(end);
        expect(periodAt(anchor, billingPeriod, start - 1).end).toBe(start);
      }),
    );
  });

  it('the k-th period computed at once is the k-th that walking reaches', () => {
    fc.assert(
      fc.property(instant, period, fc.integer({ min: 0, max: 60 }), (anchor, billingPeriod, number) => {
        let start = anchor;
        for (let walked = 0; walked < number; walked += 1) {
          start = periodAt(anchor, billingPeriod, start).end;
        }
        expect(start).toBe(periodStart(anchor, billingPeriod, number));
      }),
    );
  });

  it('a boundary is on the anchor day, or on the last day of a month that has no such day', () => {
    fc.assert(
      fc.property(instant, period, fc.integer({ min: -60, max: 60 }), (anchor, billingPeriod, number) => {
        const boundary = new Date(periodStart(anchor, billingPeriod, number));
        const day = new Date(anchor).getUTCDate();
        const lastDay = new Date(
          Date.UTC(boundary.getUTCFullYear(), boundary.getUTCMonth() + 1, 0),
        ).getUTCDate();
        expect(boundary.getUTCDate()).toBe(Math.min(day, lastDay));
        expect(boundary.getUTCHours()).toBe(new Date(anchor).getUTCHours());
      }),
    );
  });
});
