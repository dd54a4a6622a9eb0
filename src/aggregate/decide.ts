/**
 * What becomes of each event and measurement of a flush, as one byte each. The bytes stand in the flush's
 * manifest before anything is written, so that a flush that was interrupted is done again exactly the same.
 */
import type { Feature } from '../catalog/feature.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import { verdicts } from '../metering/identity.ts';
import type { Tally } from '../queue/ledger.ts';
import { type ClaimRows, type Claims, eventClaims, measurementClaims } from './deduplicate.ts';
import type { ReadBatch } from './read-batch.ts';

/** Up to 2 as `verdicts` in metering/identity.ts; the rest is for measurements. */
export const decisions = {
  ...verdicts,
  customerNotFound: 3,
  featureNotFound: 4,
  featureNotReportable: 5,
  /** Only where the measurement asks for it: `rejectIfExceeded`. */
  limitExceeded: 6,
  /** Of orders about reservations; what they are told stands in the manifest. */
  reservation: 7,
  reservationRefused: 8,
} as const;

/** What refusing a measurement depends on, as it stood when the flush was decided. */
export interface KnownWorld {
  readonly customers: ReadonlySet<string>;
  /** By refId and by id. */
  readonly features: ReadonlyMap<string, Feature>;
}

/** A batch ready to be settled: refused measurements marked, the rest with identities to be judged by. */
export interface ScreenedBatch {
  readonly batch: ReadBatch;
  readonly rows: ClaimRows;
  /** For each row the decision that refuses it, or 0. */
  readonly refusals: Uint8Array;
}

/**
 * Raw events are never refused: those of unknown customers count once the customer is provisioned (contract,
 * 5.2). Calculated usage for an unknown customer or feature is.
 */
export function screenBatch(batch: ReadBatch, world: KnownWorld): ScreenedBatch {
  if (batch.kind === 'events') {
    const rows = eventClaims(batch.block);
    return { batch, rows, refusals: new Uint8Array(rows.count) };
  }
  const facts = withFeatureRefIds(batch.facts, world.features);
  const refusals = Uint8Array.from(facts, (fact) => refusal(fact, world));
  return { batch: { ...batch, facts }, rows: measurementClaims(facts), refusals };
}

/** What becomes of the measurement of that row, which would count by its identity; told of every one in order. */
export type Admission = (fact: MeasurementFact, row: number) => number;

/** Judges and claims in order. What is refused claims nothing: it counts when it is sent again (contract, 5.1c). */
export function settleBatch(
  { batch, rows, refusals }: ScreenedBatch,
  claims: Claims,
  admission: Admission = () => decisions.counts,
): Uint8Array {
  if (batch.kind === 'events') return claims.settle(rows);
  return refusals.map((refused, row) => {
    if (refused !== 0) return refused;
    const verdict = claims.verdict(rows, row);
    if (verdict !== verdicts.counts) return verdict;
    const fact = batch.facts[row];
    const decision = fact === undefined ? verdict : admission(fact, row);
    if (decision === decisions.counts) claims.claim(rows, row);
    return decision;
  });
}

/**
 * Callers name a feature by its id as well; identities and rows know it by its refId only, so that one
 * measurement sent under both names is still one.
 */
export function withFeatureRefIds(
  facts: readonly MeasurementFact[],
  features: KnownWorld['features'],
): MeasurementFact[] {
  return facts.map((fact) => {
    const refId = features.get(fact.featureId)?.refId ?? fact.featureId;
    return refId === fact.featureId ? fact : { ...fact, featureId: refId };
  });
}

/** Where the rows of a flush ended, from its decisions; dead letters are booked where they are buried. */
export function tallyOf(decided: Uint8Array): Tally {
  let [stored, duplicate, conflict] = [0, 0, 0];
  for (const decision of decided) {
    if (decision === decisions.counts || decision === decisions.reservation) stored += 1;
    else if (decision === decisions.duplicate) duplicate += 1;
    else if (decision === decisions.conflict) conflict += 1;
  }
  const refused = decided.length - stored - duplicate - conflict;
  return { stored, duplicate, conflict, refused, deadLettered: 0 };
}

function refusal(fact: MeasurementFact, { customers, features }: KnownWorld): number {
  if (!customers.has(fact.customerId)) return decisions.customerNotFound;
  const feature = features.get(fact.featureId);
  if (feature === undefined) return decisions.featureNotFound;
  return feature.meter === null && feature.featureType === 'NUMBER' ? 0 : decisions.featureNotReportable;
}
