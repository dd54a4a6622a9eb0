/** What a flush's measurements are acknowledged by, and which of them a hard limit keeps out. */
import type { CustomerEntitlements, EntitlementSource } from '../entitlements/entitlement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import type { Admission, KnownWorld, ScreenedBatch } from './decide.ts';
import {
  openRunningUsage,
  type RunningUsage,
  type RunningUsageParts,
  type TermedMeasurement,
} from './running-usage.ts';
import { featureKey } from './usage-states.ts';
import { noTerms, termsOf, type UsageTerms } from './usage-terms.ts';

export interface UsageLimitsParts extends RunningUsageParts {
  readonly entitlements: EntitlementSource;
}

export interface UsageLimits {
  /** Of all measurements of the flush in order. */
  readonly terms: readonly UsageTerms[];
  /** For each batch in order. */
  readonly admissions: readonly Admission[];
}

/**
 * Two or three round trips to Redis for a flush with measurements, none for one without. Usage is folded here only
 * for customers' features that a limit may refuse: nobody but the worker changes it, so what is found stays true
 * until the flush is stored.
 */
export async function openUsageLimits(
  screened: readonly ScreenedBatch[],
  world: KnownWorld,
  flushId: number,
  parts: UsageLimitsParts,
): Promise<UsageLimits> {
  const termed = await termsByBatch(screened, world, parts);
  const limited = new Set(
    termed
      .flat()
      .filter(({ fact, terms }) => fact.rejectIfExceeded && terms.isHardLimit)
      .map(({ fact }) => featureKey(fact)),
  );
  const heeded = termed.flat().filter(({ fact }) => limited.has(featureKey(fact)));
  const running = await openRunningUsage(heeded, flushId, parts);
  return {
    terms: termed.flatMap((batch) => batch.map(({ terms }) => terms)),
    admissions: termed.map((batch) => (_, row) => {
      const measurement = batch[row];
      if (measurement === undefined || !limited.has(featureKey(measurement.fact))) return true;
      return admit(measurement, running);
    }),
  };
}

function admit(measurement: TermedMeasurement, running: RunningUsage): boolean {
  if (measurement.fact.rejectIfExceeded && running.exceeds(measurement)) return false;
  running.count(measurement.fact);
  return true;
}

async function termsByBatch(
  screened: readonly ScreenedBatch[],
  { features }: KnownWorld,
  { entitlements, persistence }: UsageLimitsParts,
): Promise<readonly (readonly TermedMeasurement[])[]> {
  const facts = screened.map(({ batch }) => (batch.kind === 'usage' ? batch.facts : []));
  const customerIds = new Set(
    screened.flatMap(({ refusals }, index) =>
      (facts[index] ?? []).filter((_, row) => refusals[row] === 0).map(({ customerId }) => customerId),
    ),
  );
  const known = await persistence.until('entitlements', () => entitlements.entitlements([...customerIds]));
  const terms = new Map<string, UsageTerms>();
  const remembered = (fact: MeasurementFact): UsageTerms => {
    const key = JSON.stringify([fact.customerId, fact.featureId, fact.resourceId]);
    const found = terms.get(key) ?? worked(fact, known.get(fact.customerId), features);
    terms.set(key, found);
    return found;
  };
  return facts.map((batch, index) =>
    batch.map((fact, row) => {
      const isRefused = screened[index]?.refusals[row] !== 0;
      return { fact, terms: isRefused ? noTerms : remembered(fact) };
    }),
  );
}

function worked(
  fact: MeasurementFact,
  entitlements: CustomerEntitlements | undefined,
  features: KnownWorld['features'],
): UsageTerms {
  const units = features.get(fact.featureId)?.unitTransformation ?? null;
  return entitlements === undefined ? { ...noTerms, units } : termsOf(fact, entitlements, units);
}
