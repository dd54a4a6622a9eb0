/**
 * Which thresholds of a limit usage has reached, and which of them are still to be told. In a usage period each is
 * told at most once, and of several that are reached together only the highest; what lies below one that was told is
 * never told in that period, whatever becomes of usage and limit. Pure.
 */
import type { UsagePeriod } from '../entitlements/entitlement.ts';
import {
  compareQuantities,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../quantity.ts';

/** What one telling says. */
export interface ToldUsage {
  /** Percent of the limit. */
  readonly threshold: number;
  /** Exact decimals, in the units of the limit. */
  readonly currentUsage: string;
  readonly usageLimit: string;
  /** Epoch ms; both null for usage that never starts from zero again. */
  readonly usagePeriodStart: number | null;
  readonly usagePeriodEnd: number | null;
}

/** What was told of one limit: the highest of each period that has not ended, the newest telling last. */
export type ToldUsages = readonly ToldUsage[];

/** Plan changes can open several periods at once. Beyond these the oldest is forgotten, and may be told again. */
const periodsMax = 20;

/** Undefined when usage has reached none of them. Of a limit of 0 any usage has reached all. */
export function highestReached(
  thresholds: readonly number[],
  usage: Quantity,
  limit: Quantity,
): number | undefined {
  if (compareQuantities(usage, zeroQuantity) <= 0) return undefined;
  const hundredfold = multiplyQuantities(usage, exactly(100));
  const reached = thresholds.filter(
    (threshold) => compareQuantities(hundredfold, multiplyQuantities(limit, exactly(threshold))) >= 0,
  );
  return reached.length === 0 ? undefined : Math.max(...reached);
}

/** Whether any of the thresholds may still be told in the period. */
export function isToBeTold(
  told: ToldUsages,
  thresholds: readonly number[],
  period: UsagePeriod | null,
): boolean {
  const highest = highestTold(told, period);
  return thresholds.some((threshold) => threshold > highest);
}

/** With the new telling, the last one; undefined when there is nothing to tell. */
export function toldWith(told: ToldUsages, telling: ToldUsage, now: number): ToldUsages | undefined {
  const { threshold, usagePeriodStart: start, usagePeriodEnd: end } = telling;
  if (threshold <= highestTold(told, start === null || end === null ? null : { start, end }))
    return undefined;
  const others = told.filter(
    (each) =>
      !isOf(each, telling.usagePeriodStart, telling.usagePeriodEnd) &&
      (each.usagePeriodEnd === null || each.usagePeriodEnd > now),
  );
  return [...others, telling].slice(-periodsMax);
}

function highestTold(told: ToldUsages, period: Pick<UsagePeriod, 'start' | 'end'> | null): number {
  const { start, end } = period ?? { start: null, end: null };
  return told.find((each) => isOf(each, start, end))?.threshold ?? 0;
}

function isOf(
  { usagePeriodStart, usagePeriodEnd }: ToldUsage,
  start: number | null,
  end: number | null,
): boolean {
  return usagePeriodStart === start && usagePeriodEnd === end;
}

function exactly(number: number): Quantity {
  return parseQuantity(String(number)) ?? zeroQuantity;
}
