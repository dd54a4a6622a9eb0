/**
 * The period that usage is counted in (contract, 5.8): half-open, in UTC. Every bound is computed from the anchor
 * itself, so an anchor on day 29 to 31 that is clamped in a short month returns to its own day in the next long one.
 */
import { dayMs, monthsLater } from '../calendar.ts';
import type { ResetAnchor, ResetPeriod } from '../catalog/package.ts';
import type { UsagePeriod } from './entitlement.ts';

export interface ResetRule {
  readonly resetPeriod: ResetPeriod;
  /** Null: days and hours follow the calendar, longer periods the start of the subscription. */
  readonly accordingTo: ResetAnchor | null;
}

export interface CountedFrom {
  /** What periods that follow the subscription are counted from. */
  readonly usageAnchor: number;
  /** Where the change of a plan set usage to zero; null where none has. */
  readonly usageResetAt: number | null;
}

/**
 * The period that holds `now`. Where a period of the calendar has the change of a plan inside that set usage to zero,
 * one ends and another begins there; one that only began inside it counts the whole of it.
 */
export function usagePeriodAt(
  rule: ResetRule,
  { usageAnchor, usageResetAt }: CountedFrom,
  now: number,
): UsagePeriod {
  const origin = calendarOrigin(rule);
  const step = steps[rule.resetPeriod];
  const { start, end } = spanAt(step, origin ?? usageAnchor, now);
  const anchor = origin === null ? usageAnchor : start;
  const cut = origin === null ? usageAnchor : usageResetAt;
  if (cut === null) return { start, end, anchor };
  return cut <= now
    ? { start: Math.max(start, cut), end, anchor }
    : { start, end: Math.min(end, cut), anchor };
}

type Step = { readonly months: number } | { readonly ms: number };

const hourMs = 3_600_000;

const steps: Readonly<Record<ResetPeriod, Step>> = {
  YEAR: { months: 12 },
  MONTH: { months: 1 },
  WEEK: { ms: 7 * dayMs },
  DAY: { ms: dayMs },
  HOUR: { ms: hourMs },
};

/** Any instant that the calendar's periods begin at; null where they follow the subscription. */
function calendarOrigin({ resetPeriod, accordingTo }: ResetRule): number | null {
  if (accordingTo === 'StartOfTheMonth') return 0;
  if (accordingTo === null) return resetPeriod === 'DAY' || resetPeriod === 'HOUR' ? 0 : null;
  return accordingTo === 'SubscriptionStart' ? null : firstDays[accordingTo] * dayMs;
}

/** Days after 1 January 1970, which was a Thursday. */
const firstDays: Readonly<Record<Exclude<ResetAnchor, 'SubscriptionStart' | 'StartOfTheMonth'>, number>> = {
  EveryThursday: 0,
  EveryFriday: 1,
  EverySaturday: 2,
  EverySunday: 3,
  EveryMonday: 4,
  EveryTuesday: 5,
  EveryWednesday: 6,
};

function spanAt(step: Step, anchor: number, now: number): { readonly start: number; readonly end: number } {
  if ('ms' in step) {
    const start = anchor + Math.floor((now - anchor) / step.ms) * step.ms;
    return { start, end: start + step.ms };
  }
  const { months } = step;
  const guess = Math.floor((monthNumber(now) - monthNumber(anchor)) / months);
  // The guess is right to the month; in the bound's own month `now` may still come before it.
  const number = monthsLater(anchor, guess * months) <= now ? guess : guess - 1;
  return {
    start: monthsLater(anchor, number * months),
    end: monthsLater(anchor, (number + 1) * months),
  };
}

function monthNumber(instant: number): number {
  const at = new Date(instant);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
