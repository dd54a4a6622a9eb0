import { resetIntervals, type UsageReset } from '../../usage/reset-points.ts';
import { type Span, spanProblem } from '../../usage/intervals.ts';
import type { UsageHistory, UsageInterval } from '../../usage/usage.ts';
import { ApiProblem, customerNotFound, featureNotFound } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';
import { checkInstant } from './instants.ts';
import { canonicalTimeZone } from './time-zone.ts';

interface HistoryInput {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId?: string | null;
  readonly startDate: number;
  readonly endDate?: number | null;
  readonly groupBy?: string | null;
  readonly interval?: UsageInterval | null;
  readonly timezone?: string | null;
  readonly asOf?: number | null;
}

export async function usageHistoryV2(
  _: unknown,
  { input }: { readonly input: HistoryInput },
  { services }: ApiContext,
): Promise<unknown> {
  const start = checkInstant(input.startDate, 'startDate');
  const end = checkInstant(input.endDate ?? services.clock.now(), 'endDate');
  const groupBy = input.groupBy ?? null;
  const interval = input.interval ?? 'DAY';
  const timezone = timeZoneOf(input.timezone ?? 'UTC');
  checkSpan({ start, end, interval, timezone }, groupBy);
  const [customer, feature] = await Promise.all([
    services.customers.customer(input.customerId),
    services.features.feature(input.featureId),
  ]);
  if (customer === undefined) throw customerNotFound(input.customerId);
  if (feature === undefined) throw featureNotFound(input.featureId);
  const query = {
    customerId: customer.refId,
    feature,
    resourceId: input.resourceId ?? '',
    start,
    end,
    interval,
    timezone,
    groupBy,
    ...(input.asOf == null ? {} : { asOf: checkInstant(input.asOf, 'asOf') }),
  };
  const [history, resets] = await Promise.all([
    services.usage.history(query),
    services.usageResets.resets(query),
  ]);
  return historyAnswer(history, resets);
}

function historyAnswer(history: UsageHistory, resets: readonly UsageReset[]): unknown {
  const isReset = resetIntervals(
    history.periods.map(({ start }) => start),
    resets,
  );
  return {
    totalUsage: history.totalUsage,
    periods: history.periods.map(({ start, end, usage }) => ({ periodStart: start, periodEnd: end, usage })),
    series: history.series.map(({ tags, points }) => ({
      tags,
      points: points.map((point, index) => ({ ...point, isResetPoint: isReset[index] ?? false })),
    })),
    markers: resets,
    truncated: history.truncated,
  };
}

function checkSpan(span: Span, groupBy: string | null): void {
  const problem = groupBy === '' ? 'groupBy must name a dimension' : spanProblem(span, groupBy !== null);
  if (problem !== undefined) throw new ApiProblem('VALIDATION_ERROR', problem);
}

function timeZoneOf(name: string): string {
  const timezone = canonicalTimeZone(name);
  if (timezone !== undefined) return timezone;
  throw new ApiProblem('VALIDATION_ERROR', 'timezone must be an IANA name such as UTC or Europe/Berlin');
}
