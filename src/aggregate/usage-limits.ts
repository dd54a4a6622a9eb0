/** What a flush's measurements are acknowledged by, and which of them a hard limit keeps out. */
import type { CustomerEntitlements, EntitlementSource } from '../entitlements/entitlement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { placeOf, reservationIdOf } from '../metering/reservation.ts';
import type { ReservationLedger } from '../queue/reservation-ledger.ts';
import { type Admission, decisions, type KnownWorld, type ScreenedBatch } from './decide.ts';
import { OpenReservations } from './open-reservations.ts';
import { ReservationOrders, type ReservationPlan } from './reservation-orders.ts';
import { openRunningUsage, type RunningUsageParts, type TermedMeasurement } from './running-usage.ts';
import { featureKey } from './usage-states.ts';
import { noTerms, termsOf, type UsageTerms } from './usage-terms.ts';

export interface UsageLimitsParts extends RunningUsageParts {
  readonly entitlements: EntitlementSource;
  readonly reservations: Pick<ReservationLedger, 'load'>;
  /** Epoch ms: what had expired by then is reserved no more. */
  readonly decidedAt: number;
}

export interface UsageLimits {
  /** Of all measurements of the flush in order. */
  readonly terms: readonly UsageTerms[];
  /** For each batch in order. */
  readonly admissions: readonly Admission[];
  /** Once every batch is settled. */
  readonly reservations: () => ReservationPlan;
}

/**
 * Two to four round trips to Redis for a flush with measurements, none for one without. Usage is folded here only
 * for customers' features that a limit may refuse: nobody but the worker changes it, nor what is reserved, so what is
 * found stays true until the flush is stored.
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
      .filter(isLimited)
      .map(({ fact }) => featureKey(fact)),
  );
  const heeded = termed.flat().filter(({ fact }) => limited.has(featureKey(fact)));
  const running = await openRunningUsage(heeded, flushId, parts);
  const orders = new ReservationOrders(await openReservations(heeded, parts), running);
  const starts = startsOf(screened);
  return {
    terms: termed.flatMap((batch) => batch.map(({ terms }) => terms)),
    admissions: termed.map((batch, index) => (_, row) => {
      const measurement = batch[row];
      if (measurement === undefined || !limited.has(featureKey(measurement.fact))) return decisions.counts;
      const decision = admit(measurement, orders, (starts[index] ?? 0) + row);
      if (decision === decisions.counts) running.count(measurement.fact);
      return decision;
    }),
    reservations: () => orders.plan,
  };
}

/** Whether usage and what is reserved have to be known to decide it. */
function isLimited({ fact, terms }: TermedMeasurement): boolean {
  return fact.reservation !== undefined || (fact.rejectIfExceeded && terms.isHardLimit);
}

function admit(measurement: TermedMeasurement, orders: ReservationOrders, position: number): number {
  const { reservation, rejectIfExceeded } = measurement.fact;
  if (reservation !== undefined) return orders.settle(measurement, reservation, position);
  const isExceeding = rejectIfExceeded && orders.exceeds(measurement, position);
  return isExceeding ? decisions.limitExceeded : decisions.counts;
}

async function openReservations(
  measurements: readonly TermedMeasurement[],
  { reservations, persistence, decidedAt }: UsageLimitsParts,
): Promise<OpenReservations> {
  const places = new Set(measurements.map(({ fact }) => placeOf(fact)));
  const ids = new Set(measurements.flatMap(({ fact }) => orderedIds(fact)));
  const known = await persistence.until('reservations', () =>
    reservations.load([...places], [...ids], decidedAt),
  );
  return new OpenReservations(known, decidedAt);
}

function orderedIds(fact: MeasurementFact): string[] {
  const { reservation, customerId, featureId, resourceId } = fact;
  if (reservation === undefined) return [];
  if (reservation.kind !== 'reserve') return [reservation.reservationId];
  return [reservationIdOf({ customerId, featureId, resourceId, key: reservation.key })];
}

/** Position of each batch's first row among all rows of the flush. */
function startsOf(screened: readonly ScreenedBatch[]): number[] {
  let start = 0;
  return screened.map(({ rows }) => {
    start += rows.count;
    return start - rows.count;
  });
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
