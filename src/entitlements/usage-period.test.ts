import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResetAnchor, ResetPeriod } from '../catalog/package.ts';
import { at, dayMs, iso } from '../subscriptions/life-cycle.fixture.ts';
import { type ResetRule, type CountedFrom, usagePeriodAt } from './usage-period.ts';

const weekdays = [
  'EverySunday',
  'EveryMonday',
  'EveryTuesday',
  'EveryWednesday',
  'EveryThursday',
  'EveryFriday',
  'EverySaturday',
] as const satisfies readonly ResetAnchor[];

const anchorsOf: Readonly<Record<ResetPeriod, readonly (ResetAnchor | null)[]>> = {
  YEAR: ['SubscriptionStart'],
  MONTH: ['SubscriptionStart', 'StartOfTheMonth'],
  WEEK: ['SubscriptionStart', ...weekdays],
  DAY: [null, 'SubscriptionStart'],
  HOUR: [null, 'SubscriptionStart'],
};

const rules = Object.entries(anchorsOf).flatMap(([resetPeriod, anchors]) =>
  anchors.map((accordingTo): ResetRule => ({ resetPeriod: resetPeriod as ResetPeriod, accordingTo })),
);

const instants = fc.integer({ min: at('1996-01-01'), max: at('2105-01-01') });
/** Days 28 to 31 of any month, leap days among them. */
const lateDays = fc
  .record({
    year: fc.integer({ min: 1999, max: 2030 }),
    month: fc.integer({ min: 0, max: 11 }),
    day: fc.integer({ min: 28, max: 31 }),
    timeMs: fc.integer({ min: 0, max: dayMs - 1 }),
  })
  .map(({ year, month, day, timeMs }) => Date.UTC(year, month, day) + timeMs);
const anchors = fc.oneof(instants, lateDays);

describe('a usage period', () => {
  it.each([
    ['YEAR', 'SubscriptionStart', '2024-02-29', '2026-05-15', '2026-02-28', '2027-02-28'],
    ['YEAR', 'SubscriptionStart', '2024-02-29', '2028-02-28', '2027-02-28', '2028-02-29'],
    ['MONTH', 'SubscriptionStart', '2026-01-31', '2026-02-28', '2026-02-28', '2026-03-31'],
    ['MONTH', 'SubscriptionStart', '2026-01-31', '2026-02-27', '2026-01-31', '2026-02-28'],
    ['MONTH', 'SubscriptionStart', '2026-01-30', '2028-03-29', '2028-02-29', '2028-03-30'],
    ['MONTH', 'StartOfTheMonth', '2025-12-31', '2026-02-14', '2026-02-01', '2026-03-01'],
    ['MONTH', 'StartOfTheMonth', '2026-02-10', '2026-02-14', '2026-02-10', '2026-03-01'],
    ['WEEK', 'SubscriptionStart', '2026-05-05', '2026-05-15', '2026-05-12', '2026-05-19'],
    ['WEEK', 'EveryMonday', '2026-01-01', '2026-05-15', '2026-05-11', '2026-05-18'],
    ['WEEK', 'EverySunday', '2026-01-01', '2026-05-15', '2026-05-10', '2026-05-17'],
    ['WEEK', 'EveryFriday', '2026-01-01', '2026-05-15', '2026-05-15', '2026-05-22'],
    ['DAY', null, '2026-01-01T07:30:00', '2026-05-15T12:00:00', '2026-05-15', '2026-05-16'],
    ['DAY', null, '2026-05-15T07:30:00', '2026-05-15T12:00:00', '2026-05-15T07:30:00', '2026-05-16'],
    [
      'DAY',
      'SubscriptionStart',
      '2026-01-01T07:30:00',
      '2026-05-15T07:00:00',
      '2026-05-14T07:30:00',
      '2026-05-15T07:30:00',
    ],
    ['HOUR', null, '2026-01-01', '2026-05-15T12:59:59', '2026-05-15T12:00:00', '2026-05-15T13:00:00'],
    [
      'HOUR',
      'SubscriptionStart',
      '2026-01-01T00:20:00',
      '2026-05-15T12:10:00',
      '2026-05-15T11:20:00',
      '2026-05-15T12:20:00',
    ],
  ] as const)('%s, %s from %s: %s is in [%s, %s)', (resetPeriod, accordingTo, anchor, now, start, end) => {
    const period = usagePeriodAt({ resetPeriod, accordingTo }, resetAt(at(anchor)), at(now));
    expect([iso(period.start), iso(period.end)]).toEqual([iso(at(start)), iso(at(end))]);
  });

  it.each(rules)('holds now, and the next one begins where it ends: %o', (rule) => {
    fc.assert(
      fc.property(anchors, instants, (usageAnchor, now) => {
        const period = usagePeriodAt(rule, resetAt(usageAnchor), now);
        expect(period.start).toBeLessThanOrEqual(now);
        expect(period.end).toBeGreaterThan(now);
        expect(usagePeriodAt(rule, resetAt(usageAnchor), period.start)).toEqual(period);
        expect(usagePeriodAt(rule, resetAt(usageAnchor), period.end - 1)).toEqual(period);
        expect(usagePeriodAt(rule, resetAt(usageAnchor), period.end).start).toBe(period.end);
      }),
    );
  });

  it('is never counted from before the anchor, once that has passed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...rules), anchors, instants, (rule, usageAnchor, now) => {
        fc.pre(usageAnchor <= now);
        const period = usagePeriodAt(rule, resetAt(usageAnchor), now);
        expect(period.start).toBeGreaterThanOrEqual(usageAnchor);
        const follows = rule.accordingTo === 'SubscriptionStart';
        expect(follows ? period.anchor : Math.max(period.anchor, usageAnchor)).toBe(
          follows ? usageAnchor : period.start,
        );
      }),
    );
  });

  it('of the calendar is whole where no change of a plan set usage to zero inside it', () => {
    const began = { usageAnchor: at('2026-05-15T09:00:00'), usageResetAt: null };
    const now = at('2026-05-20');
    const month: ResetRule = { resetPeriod: 'MONTH', accordingTo: 'StartOfTheMonth' };
    expect(usagePeriodAt(month, began, now)).toMatchObject({
      start: at('2026-05-01'),
      end: at('2026-06-01'),
    });
    const changed = { ...began, usageResetAt: began.usageAnchor };
    expect(usagePeriodAt(month, changed, now)).toMatchObject({
      start: began.usageAnchor,
      end: at('2026-06-01'),
    });
    const own: ResetRule = { resetPeriod: 'MONTH', accordingTo: 'SubscriptionStart' };
    expect(usagePeriodAt(own, began, now).start).toBe(began.usageAnchor);
  });

  it("returns to the anchor's own day after a short month", () => {
    fc.assert(
      fc.property(lateDays, fc.integer({ min: 0, max: 600 }), (anchor, months) => {
        const rule: ResetRule = { resetPeriod: 'MONTH', accordingTo: 'SubscriptionStart' };
        let { start, end } = usagePeriodAt(rule, resetAt(anchor), anchor);
        for (let month = 0; month < months % 50; month += 1)
          ({ start, end } = usagePeriodAt(rule, resetAt(anchor), end));
        const lastDay = new Date(end).getUTCDate();
        const own = new Date(anchor).getUTCDate();
        const after = new Date(end + dayMs).getUTCDate();
        expect(lastDay === own || after === 1).toBe(true);
        expect(end).toBeGreaterThan(start);
      }),
    );
  });
});

/** A change of the plan then set usage to zero. */
function resetAt(usageAnchor: number): CountedFrom {
  return { usageAnchor, usageResetAt: usageAnchor };
}
