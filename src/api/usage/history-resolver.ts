import { type Span, spanProblem } from '../../usage/intervals.ts';
import type { UsageHistory, UsageInterval, UsagePoint } from '../../usage/usage.ts';
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
  const history = await services.usage.history({
    customerId: customer.refId,
    feature,
    resourceId: input.resourceId ?? '',
    start,
    end,
    interval,
    timezone,
    groupBy,
    ...(input.asOf == null ? {} : { asOf: checkInstant(input.asOf, 'asOf') }),
  });
  return historyAnswer(history);
}

/** Usage is not reset until subscriptions give it periods, so no point is a reset and there is no marker. */
function historyAnswer(history: UsageHistory): unknown {
  return {
    totalUsage: history.totalUsage,
    periods: history.periods.map(({ start, end, usage }) => ({ periodStart: start, periodEnd: end, usage })),
    series: history.series.map(({ tags, points }) => ({ tags, points: points.map(pointAnswer) })),
    markers: [],
    truncated: history.truncated,
  };
}

function pointAnswer({ timestamp, value }: UsagePoint): unknown {
  return { timestamp, value, isResetPoint: false };
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
