/**
 * Calculated usage while a flush is gone through, measurement after measurement: of each one's resource, and of its
 * customer over all resources and none, in the spans that their terms name. A customer's usage is the sum of its
 * resources' folds, so what changes one of them changes the sum by as much.
 */
import type { MeasurementFact } from '../metering/facts.ts';
import {
  addQuantities,
  compareQuantities,
  type Quantity,
  subtractQuantities,
  zeroQuantity,
} from '../quantity.ts';
import { transformUnits } from '../usage/unit-transformation.ts';
import {
  allTime,
  backDatedSets,
  isWithin,
  UsageFold,
  type UsageSpan,
  type UsageState,
  unusedState,
} from './calculated-usage.ts';
import type { CustomerFeature, FlushStore } from './flush-store.ts';
import { groupBy } from './group-by.ts';
import type { Persistence } from './persistence.ts';
import { type FeatureAsk, type FeatureUsage, featureKey, spanKey, type UsageStates } from './usage-states.ts';
import type { UsageTerms } from './usage-terms.ts';

export interface TermedMeasurement {
  readonly fact: MeasurementFact;
  readonly terms: UsageTerms;
}

export interface RunningUsageParts {
  readonly store: Pick<FlushStore, 'deltasAfter'>;
  readonly states: Pick<UsageStates, 'load'>;
  readonly persistence: Persistence;
}

/** @param measurements all that may be counted, in the order of their positions. */
export async function openRunningUsage(
  measurements: readonly TermedMeasurement[],
  flushId: number,
  { store, states, persistence }: RunningUsageParts,
): Promise<RunningUsage> {
  const groups = [...groupBy(measurements, ({ fact }) => featureKey(fact)).values()];
  const asks = groups.flatMap(askOf);
  const usages = await persistence.until('states', () => states.load(asks, flushId));
  const plans = usages.map((usage, index) => foldPlans(usage, asks[index]?.folds, groups[index] ?? []));
  const sets = plans.flat().flatMap((plan) =>
    backDatedSets(plan.state, plan.coming).map((timestamp) => {
      const { customerId, featureId, resourceId, span } = plan;
      return { plan, set: { customerId, featureId, resourceId, ...span, timestamp } };
    }),
  );
  const sums =
    sets.length === 0
      ? []
      : await persistence.until('states', () =>
          store.deltasAfter(
            sets.map(({ set }) => set),
            flushId,
          ),
        );
  const sumsOf = groupBy(
    sets.map(({ plan, set: { timestamp } }, index) => ({ plan, timestamp, sum: sums[index] })),
    ({ plan }) => plan,
  );
  return new RunningUsage(
    usages.map((usage, index) => {
      const folds = (plans[index] ?? []).map((plan) => runningFold(plan, sumsOf.get(plan) ?? []));
      return new RunningFeature(usage, folds);
    }),
  );
}

export class RunningUsage {
  readonly #features: ReadonlyMap<string, RunningFeature>;

  constructor(features: readonly RunningFeature[]) {
    this.#features = new Map(features.map((feature) => [featureKey(feature), feature]));
  }

  /** Whether its terms' hard limit keeps the measurement out. What does not raise usage never exceeds. */
  exceeds(measurement: TermedMeasurement, reserved: Quantity): boolean {
    const { terms } = measurement;
    if (!terms.isHardLimit || terms.limit === null) return false;
    const change = this.#changeBy(measurement);
    if (compareQuantities(change, zeroQuantity) <= 0) return false;
    const usage = addQuantities(this.#counted(measurement), addQuantities(reserved, change));
    return compareQuantities(transformUnits(usage, terms.units), terms.limit) > 0;
  }

  count(fact: MeasurementFact): void {
    this.#feature(fact).count(fact);
  }

  /** What its reporter is told beside its terms' limit, and what the limit is compared with. */
  usage(measurement: TermedMeasurement): Quantity {
    return transformUnits(this.#counted(measurement), measurement.terms.units);
  }

  /** What reservations add to `usage`, in the same units: they may fill up what one of them has begun. */
  added(measurement: TermedMeasurement, reserved: Quantity): Quantity {
    const usage = addQuantities(this.#counted(measurement), reserved);
    return subtractQuantities(transformUnits(usage, measurement.terms.units), this.usage(measurement));
  }

  usages(): FeatureUsage[] {
    return [...this.#features.values()].map((feature) => feature.toUsage());
  }

  /** In the period that the limit is for. What is reserved is for now, whenever it was asked for. */
  #changeBy({ fact, terms }: TermedMeasurement): Quantity {
    if (fact.reservation?.kind === 'reserve') return fact.value;
    const span = terms.period ?? allTime;
    return isWithin(span, fact.timestamp) ? this.#feature(fact).changeBy(fact, span) : zeroQuantity;
  }

  #counted({ fact, terms }: TermedMeasurement): Quantity {
    const span = terms.period ?? allTime;
    const feature = this.#feature(fact);
    return terms.usageScope === 'customer' ? feature.total(span) : feature.usage(fact.resourceId, span);
  }

  #feature(fact: MeasurementFact): RunningFeature {
    const feature = this.#features.get(featureKey(fact));
    if (feature === undefined) throw new RangeError('usage of a feature that was not announced');
    return feature;
  }
}

/** One fold to go on with, and all that may be added to it. */
interface FoldPlan extends CustomerFeature {
  readonly resourceId: string;
  readonly span: UsageSpan;
  readonly state: UsageState;
  readonly coming: readonly MeasurementFact[];
}

interface RunningFold {
  readonly resourceId: string;
  readonly span: UsageSpan;
  readonly fold: UsageFold;
}

class RunningFeature {
  readonly customerId: string;
  readonly featureId: string;
  /** By resource: one or two, seldom more. */
  readonly #folds: ReadonlyMap<string, readonly RunningFold[]>;
  readonly #totals: Map<string, Quantity>;

  constructor({ customerId, featureId, totals }: FeatureUsage, folds: readonly RunningFold[]) {
    this.customerId = customerId;
    this.featureId = featureId;
    this.#folds = groupBy(folds, ({ resourceId }) => resourceId);
    this.#totals = new Map(totals);
  }

  /** How the measurement, which lies within the span, would change its resource's usage there. */
  changeBy(fact: MeasurementFact, span: UsageSpan): Quantity {
    const { fold } = this.#fold(fact.resourceId, span);
    return subtractQuantities(fold.totalWith(fact), fold.state.total);
  }

  count(fact: MeasurementFact): void {
    for (const { span, fold } of this.#folds.get(fact.resourceId) ?? []) {
      if (!isWithin(span, fact.timestamp)) continue;
      const before = fold.state.total;
      fold.add(fact);
      const total = this.#totals.get(spanKey(span));
      if (total === undefined) continue;
      this.#totals.set(spanKey(span), addQuantities(total, subtractQuantities(fold.state.total, before)));
    }
  }

  usage(resourceId: string, span: UsageSpan): Quantity {
    return this.#fold(resourceId, span).fold.state.total;
  }

  total(span: UsageSpan): Quantity {
    const total = this.#totals.get(spanKey(span));
    if (total === undefined) throw new RangeError('a total that was not announced');
    return total;
  }

  toUsage(): FeatureUsage {
    const { customerId, featureId } = this;
    const folds = [...this.#folds].map(([resourceId, running]) => {
      const states = running.map(({ span, fold }) => [spanKey(span), fold.state] as const);
      return [resourceId, new Map(states)] as const;
    });
    return { customerId, featureId, folds: new Map(folds), totals: this.#totals };
  }

  #fold(resourceId: string, span: UsageSpan): RunningFold {
    const folds = this.#folds.get(resourceId) ?? [];
    const found = folds.find(({ span: { start, end } }) => start === span.start && end === span.end);
    if (found === undefined) throw new RangeError('a fold that was not announced');
    return found;
  }
}

/** Measurements of one customer and feature. Each resource is folded wherever its customer's usage is summed. */
function askOf(group: readonly TermedMeasurement[]): FeatureAsk[] {
  const totals = group.flatMap(({ terms }) => (terms.usageScope === 'customer' ? termSpans(terms) : []));
  const byResource = groupBy(group, ({ fact }) => fact.resourceId);
  const folds = [...byResource].map(([resourceId, members]) => {
    const own = members.flatMap(({ terms }) => termSpans(terms));
    return [resourceId, distinct([...totals, ...own])] as const;
  });
  return group.slice(0, 1).map(({ fact: { customerId, featureId } }) => ({
    customerId,
    featureId,
    folds: new Map(folds),
    totals: distinct(totals),
  }));
}

function termSpans({ period, chargedPeriods }: UsageTerms): readonly UsageSpan[] {
  return [period ?? allTime, ...chargedPeriods];
}

function distinct(spans: readonly UsageSpan[]): UsageSpan[] {
  return [...new Map(spans.map((span) => [spanKey(span), span])).values()];
}

function foldPlans(
  { customerId, featureId, folds }: FeatureUsage,
  spansOf: FeatureAsk['folds'] = new Map(),
  group: readonly TermedMeasurement[],
): FoldPlan[] {
  const byResource = groupBy(group, ({ fact }) => fact.resourceId);
  return [...spansOf].flatMap(([resourceId, spans]) =>
    spans.map((span) => {
      const facts = (byResource.get(resourceId) ?? []).map(({ fact }) => fact);
      return {
        customerId,
        featureId,
        resourceId,
        span,
        state: folds.get(resourceId)?.get(spanKey(span)) ?? unusedState,
        coming: facts.filter(({ timestamp }) => isWithin(span, timestamp)),
      };
    }),
  );
}

function runningFold(
  { resourceId, span, state, coming }: FoldPlan,
  sums: readonly { readonly timestamp: number; readonly sum: Quantity | undefined }[],
): RunningFold {
  const sumAfter = new Map(sums.map(({ timestamp, sum }) => [timestamp, sum]));
  const fold = new UsageFold(state, coming, (timestamp) => {
    const sum = sumAfter.get(timestamp);
    if (sum === undefined) throw new RangeError('the fold asked for a sum that it had not announced');
    return sum;
  });
  return { resourceId, span, fold };
}
