import type { UsageHistory, UsageInterval, UsagePoint } from '../../usage/usage.ts';
import { ApiProblem, customerNotFound, featureNotFound } from '../api-problem.ts';
import type { ApiContext } from '../context.ts';
import { checkInstant } from './instants.ts';
import { canonicalTimeZone } from './time-zone.ts';

/** Points that one answer can have: about 1 MB of JSON, and with 51 series 5 MB. */
const intervalsMax = 10_000;
const groupedIntervalsMax = 1_000;

/** The shortest that an interval can be, ms: a day may lack an hour, a month three days. */
const shortestMs: Readonly<Record<UsageInterval, number>> = {
  HOUR: 3_600_000,
  DAY: 23 * 3_600_000,
  WEEK: 167 * 3_600_000,
  MONTH: 671 * 3_600_000,
};

interface HistoryInput {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId?: string | null;
  readonly startDate: number;
  readonly endDate?: number | null;
  readonly groupBy?: string | null;
  readonly interval?: UsageInterval | null;
  readonly timezone?: string | null;
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
  checkSpan(start, end, interval, groupBy);
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

function checkSpan(start: number, end: number, interval: UsageInterval, groupBy: string | null): void {
  if (start >= end) throw new ApiProblem('VALIDATION_ERROR', 'startDate must lie before endDate');
  if (groupBy === '') throw new ApiProblem('VALIDATION_ERROR', 'groupBy must name a dimension');
  const countMax = groupBy === null ? intervalsMax : groupedIntervalsMax;
  if (Math.ceil((end - start) / shortestMs[interval]) > countMax) {
    const message = `more than ${countMax} intervals lie between startDate and endDate; ask for a shorter span or longer intervals`;
    throw new ApiProblem('VALIDATION_ERROR', message);
  }
}

function timeZoneOf(name: string): string {
  const timezone = canonicalTimeZone(name);
  if (timezone !== undefined) return timezone;
  throw new ApiProblem('VALIDATION_ERROR', 'timezone must be an IANA name such as UTC or Europe/Berlin');
}
