/** What the aggregate role has of thresholds. Without WEBHOOK_URL there is nobody to tell, and they cost nothing. */
import type { UsageWatch } from '../aggregate/touched-usage.ts';
import { RecordWatchedFeatures } from '../catalog/record-watched-features.ts';
import { systemClock } from '../clock.ts';
import { type FailureReport, ItemRetries } from '../item-retries.ts';
import { RedisTouchedCustomers } from '../queue/redis-touched-customers.ts';
import type { Redis } from '../queue/redis-connection.ts';
import { ThresholdWatch, type ThresholdWatchOptions } from '../thresholds/threshold-watch.ts';
import type { Engines } from './engines.ts';
import { makeLiveUsage } from './front-door.ts';

export interface ThresholdPart {
  readonly usageWatch: UsageWatch | undefined;
  /** Has whoever is granted something else than before looked at, as if usage had changed. */
  readonly grantsChanged: ((customerIds: readonly string[]) => Promise<void>) | undefined;
  start(): void;
}

export interface ThresholdSurroundings extends Pick<ThresholdWatchOptions, 'records' | 'entitlements'> {
  readonly failures: FailureReport;
}

/** Stops with the engines. */
export function makeThresholds(
  engines: Engines,
  redis: Redis,
  { records, entitlements, failures: report }: ThresholdSurroundings,
): ThresholdPart {
  if (engines.config.webhookUrl === undefined) {
    return { usageWatch: undefined, grantsChanged: undefined, start: () => undefined };
  }
  const watched = new RecordWatchedFeatures(records);
  const touched = new RedisTouchedCustomers(redis, engines.keys);
  const usage = makeLiveUsage(engines, redis);
  const retries = new ItemRetries({ task: 'lookAtThresholds', clock: systemClock, report });
  const common = { touched, entitlements, usage, records, retries };
  const watch = new ThresholdWatch({ ...common, clock: systemClock, logger: engines.log });
  engines.onStop(() => watch.stop());
  return {
    usageWatch: { features: () => watched.features(), touched },
    grantsChanged: async (customerIds) => {
      if ((await watched.features()).size > 0) await touched.touch(customerIds);
    },
    start: () => watch.start(),
  };
}
