/**
 * Looks at the customers whose usage has changed and notes each threshold that it has reached, in a commit of which
 * the webhook is made: so each is told exactly once, however often a look is begun anew after a crash. A customer is
 * looked at once a round, whatever happens in it, so of what is reached between two rounds the highest is told.
 */
import { BackgroundLoop } from '../background-loop.ts';
import type { Clock } from '../clock.ts';
import { customerOf, customerRef, customersIndex } from '../customers/customer-record.ts';
import { isMeteredFeature } from '../entitlements/check-entitlement.ts';
import type { CustomerStanding } from '../entitlements/customer-standing.ts';
import type { ItemRetries } from '../item-retries.ts';
import { quantityToText, type Quantity } from '../quantity.ts';
import { everybody, type TouchedCustomers } from '../queue/touched-customers.ts';
import { changeRecords } from '../records/change-records.ts';
import type { Audit, RecordPlace, RecordStore } from '../records/record-store.ts';
import type { Logger } from '../telemetry.ts';
import type { LiveUsage, UsageAsk } from '../usage/live-usage.ts';
import { transformUnits } from '../usage/unit-transformation.ts';
import { thresholdRef, thresholdWrite, toldOf, type WatchedUsage } from './threshold-record.ts';
import { highestReached, isToBeTold, type ToldUsage, toldWith } from './usage-threshold.ts';

export interface ThresholdWatchOptions {
  readonly touched: TouchedCustomers;
  readonly entitlements: {
    entitlements(customerIds: readonly string[]): Promise<ReadonlyMap<string, CustomerStanding>>;
  };
  readonly usage: LiveUsage;
  readonly records: RecordStore;
  readonly clock: Clock;
  /** By customer. */
  readonly retries: ItemRetries;
  readonly logger: Pick<Logger, 'warn'>;
  /** Between two rounds. Default 1,000. */
  readonly pauseMs?: number;
}

/** Of one step. A customer's first look at a limit costs ClickHouse a question of some 10 ms. */
const customersPerStep = 100;
/** Limits that are read, asked for and noted together; a commit takes 500 writes. */
const limitsPerStep = 400;

export class ThresholdWatch {
  readonly #loop: BackgroundLoop;

  constructor(options: ThresholdWatchOptions) {
    const { pauseMs: idleMs = 1_000, logger } = options;
    const look = async (signal: AbortSignal): Promise<boolean> => {
      await lookAtTouched(options, signal);
      return false;
    };
    this.#loop = new BackgroundLoop({ look, idleMs, logger, message: 'thresholds have to wait' });
  }

  start(): void {
    this.#loop.start();
  }

  /** Ends after the step in hand. Safe to call twice, and before `start`. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }
}

/**
 * One round: whoever was touched before it. They leave the line once they are looked at; those with whom that fails go
 * to its end, and hold up nobody.
 */
export async function lookAtTouched(
  options: Omit<ThresholdWatchOptions, 'logger'>,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { touched } = options;
  const newest = await touched.newest();
  while (!signal.aborted) {
    const some = await touched.take(customersPerStep, newest);
    if (some.length === 0) return;
    const customerIds = some.map(({ customerId }) => customerId);
    await lookAtEach(
      customerIds.filter((customerId) => customerId !== everybody),
      options,
    );
    // Cut short, it is begun anew.
    if (customerIds.includes(everybody) && !(await lookAtEverybody(options, signal))) return;
    await touched.settle(some);
  }
}

/** False when it was cut short. */
async function lookAtEverybody(
  options: Omit<ThresholdWatchOptions, 'logger'>,
  signal: AbortSignal,
): Promise<boolean> {
  let after: RecordPlace | null = null;
  for (;;) {
    const { records, hasNextPage } = await options.records.page({
      kind: 'customer',
      indexes: [customersIndex],
      scoreFrom: null,
      scoreBefore: null,
      order: 'ascending',
      after,
      before: null,
      end: 'first',
      limit: customersPerStep,
    });
    const customers = records.map(customerOf).filter((customer) => customer !== undefined);
    await lookAtEach(
      customers.map(({ refId }) => refId),
      options,
    );
    const last = customers.at(-1);
    if (!hasNextPage || last === undefined) return true;
    if (signal.aborted) return false;
    after = { score: last.createdAt, key: last.refId };
  }
}

async function lookAtEach(
  customerIds: readonly string[],
  options: Omit<ThresholdWatchOptions, 'logger'>,
): Promise<void> {
  const { retries, touched } = options;
  const left = await retries.attemptTogether(customerIds, (some) => lookAt(some, options));
  if (left.length > 0) await touched.touch(left);
}

/** A limit with thresholds, and what counts against it. */
interface WatchedLimit extends WatchedUsage {
  readonly thresholds: readonly number[];
  readonly limit: Quantity;
  readonly ask: UsageAsk;
}

async function lookAt(
  customerIds: readonly string[],
  options: Omit<ThresholdWatchOptions, 'logger'>,
): Promise<void> {
  const standings = await options.entitlements.entitlements(customerIds);
  const limits = [...standings].flatMap(([customerId, standing]) => watchedLimits(customerId, standing));
  for (let at = 0; at < limits.length; at += limitsPerStep) {
    await compare(limits.slice(at, at + limitsPerStep), options);
  }
}

/** Of the customer and of each resource with a subscription of its own; none of an archived customer. */
function watchedLimits(customerId: string, standing: CustomerStanding): readonly WatchedLimit[] {
  const limits = new Map<string, WatchedLimit>();
  for (const scope of [null, ...standing.resources()]) {
    const entitlements = standing.all(scope);
    if ('deniedReason' in entitlements) continue;
    for (const { featureId, usageLimit, usageThresholds, usageResourceId, usagePeriod } of entitlements) {
      const feature = standing.feature(featureId);
      if (usageLimit === null || usageThresholds.length === 0) continue;
      if (feature === undefined || !isMeteredFeature(feature)) continue;
      const usage: WatchedUsage = { customerId, featureId, resourceId: usageResourceId };
      const { key } = thresholdRef(usage);
      // What a resource shares with the whole customer is the customer's.
      if (limits.has(key)) continue;
      const ask: UsageAsk = { customerId, feature, resourceId: usageResourceId, period: usagePeriod };
      limits.set(key, { ...usage, thresholds: usageThresholds, limit: usageLimit, ask });
    }
  }
  return [...limits.values()];
}

async function compare(
  limits: readonly WatchedLimit[],
  { records, usage, clock }: Pick<ThresholdWatchOptions, 'records' | 'usage' | 'clock'>,
): Promise<void> {
  const stored = await records.read(limits.map(thresholdRef));
  const open = limits.filter(({ thresholds, ask }, at) =>
    isToBeTold(toldOf(stored[at]), thresholds, ask.period),
  );
  if (open.length === 0) return;
  const figures = await usage.current(open.map(({ ask }) => ask));
  const reached = new Map<string, Reached[]>();
  for (const [at, watched] of open.entries()) {
    const figure = figures[at];
    const telling = figure === undefined ? undefined : tellingOf(watched, figure.usage);
    if (telling === undefined) continue;
    const others = reached.get(watched.customerId) ?? [];
    reached.set(watched.customerId, [...others, { watched, telling }]);
  }
  for (const [customerId, tellings] of reached) await note(customerId, tellings, records, clock.now());
}

interface Reached {
  readonly watched: WatchedUsage;
  readonly telling: ToldUsage;
}

/** Undefined when none of the thresholds is reached. */
function tellingOf({ thresholds, limit, ask }: WatchedLimit, counted: Quantity): ToldUsage | undefined {
  const usage = transformUnits(counted, ask.feature.unitTransformation);
  const threshold = highestReached(thresholds, usage, limit);
  if (threshold === undefined) return undefined;
  return {
    threshold,
    currentUsage: quantityToText(usage),
    usageLimit: quantityToText(limit),
    usagePeriodStart: ask.period?.start ?? null,
    usagePeriodEnd: ask.period?.end ?? null,
  };
}

/** Of an archived customer nothing is told any more. Several who note the same note it once. */
async function note(
  customerId: string,
  tellings: readonly Reached[],
  records: RecordStore,
  now: number,
): Promise<void> {
  const audit: Audit = { actor: 'system', traceId: '', operation: 'noteUsageThreshold', at: now };
  const refs = [customerRef(customerId), ...tellings.map(({ watched }) => thresholdRef(watched))];
  await changeRecords(records, refs, audit, ([customer, ...stored]) => {
    if (customerOf(customer)?.archivedAt !== null) return { writes: [], result: undefined };
    const writes = tellings.flatMap(({ watched, telling }, at) => {
      const told = toldWith(toldOf(stored[at]), telling, now);
      return told === undefined ? [] : [thresholdWrite(watched, told, stored[at]?.version ?? 0)];
    });
    return { writes, result: undefined };
  });
}
