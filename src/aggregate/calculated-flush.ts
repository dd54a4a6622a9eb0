/**
 * The calculated usage of one flush: what is stored of it and what its reporters are told. Everything follows
 * from the plan and from what earlier flushes stored, so a flush that is done again comes to the same.
 */
import type { UsageOutcome } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import type { Reservation } from '../metering/reservation.ts';
import {
  identityText,
  measurementContentDigest,
  measurementIdentity,
  verdictBeside,
  verdicts,
} from '../metering/identity.ts';
import { type Quantity, quantityToText } from '../quantity.ts';
import { acknowledgement, limitExceeded, measurementId, originalMissing, refusalOf } from './acknowledge.ts';
import { decisions } from './decide.ts';
import { type CountedCopy, type LookupKey, lookupKeysMax } from './deduplicate.ts';
import type { FlushStore, MeasurementKey, MeasurementRow, StoredAcknowledgement } from './flush-store.ts';
import { groupBy } from './group-by.ts';
import type { Persistence } from './persistence.ts';
import { type DecidedMeasurement, type FlushPlan, measurementsOf } from './plan.ts';
import { decodeReservationPlan } from './reservation-orders.ts';
import { openRunningUsage } from './running-usage.ts';
import type { FeatureUsage, UsageStates } from './usage-states.ts';

export interface CalculatedFlush {
  readonly rows: readonly MeasurementRow[];
  /** To be kept once the rows are stored. */
  readonly usages: readonly FeatureUsage[];
  /** By position in the flush. */
  readonly outcomes: ReadonlyMap<number, UsageOutcome>;
  readonly reservations: readonly Reservation[];
}

export interface CalculatedFlushParts {
  readonly store: FlushStore;
  readonly states: UsageStates;
  readonly persistence: Persistence;
  readonly windowMs: number;
}

export async function calculateFlush(plan: FlushPlan, parts: CalculatedFlushParts): Promise<CalculatedFlush> {
  const measurements = measurementsOf(plan);
  const reservations = decodeReservationPlan(plan.manifest.reservations);
  const outcomes = new Map<number, UsageOutcome>(reservations.outcomes);
  const { rows, usages } = await goThrough(plan, measurements, outcomes, parts);
  const originals = await findOriginals(measurements, rows, parts);
  for (const { fact, decision, position } of measurements) {
    if (outcomes.has(position)) continue;
    const original = originals.get(position);
    if (decision !== decisions.duplicate) outcomes.set(position, refusalOf(fact, decision));
    else if (original === undefined) outcomes.set(position, originalMissing);
    else outcomes.set(position, acknowledgement(fact, original, true));
  }
  return { rows, usages, outcomes, reservations: reservations.changes };
}

/** In order: what counts becomes a row, and what a limit kept out is told what usage was just then. */
async function goThrough(
  plan: FlushPlan,
  measurements: readonly DecidedMeasurement[],
  outcomes: Map<number, UsageOutcome>,
  parts: CalculatedFlushParts,
): Promise<Pick<CalculatedFlush, 'rows' | 'usages'>> {
  const { flushId, token } = plan.manifest;
  const heeded = measurements.filter(
    ({ decision }) => decision === decisions.counts || decision === decisions.limitExceeded,
  );
  const running = await openRunningUsage(heeded, flushId, parts);
  const rows: MeasurementRow[] = [];
  for (const measurement of heeded) {
    const { fact, decision, position, terms } = measurement;
    if (decision === decisions.counts) {
      running.count(fact);
      const row = toRow(measurement, flushId, token, running.usage(measurement));
      rows.push(row);
      outcomes.set(position, acknowledgement(fact, row, false));
    } else if (terms.limit !== null && !outcomes.has(position)) {
      const [usage, limit] = [running.usage(measurement), terms.limit].map(quantityToText);
      outcomes.set(position, limitExceeded(fact, usage ?? '', limit ?? '', '0'));
    }
  }
  return { rows, usages: running.usages() };
}

function toRow(
  { fact, position, terms }: DecidedMeasurement,
  flush: number,
  token: string,
  currentUsage: Quantity,
): MeasurementRow {
  const { customerId, featureId, resourceId, idempotencyKey, dimensions } = fact;
  const { receivedAt, timestamp, updateBehavior, value } = fact;
  return {
    flush,
    position,
    id: measurementId(token, position),
    contentDigest: measurementContentDigest(fact),
    customerId,
    featureId,
    resourceId,
    idempotencyKey,
    dimensions,
    receivedAt,
    timestamp,
    updateBehavior,
    value,
    currentUsage,
    usageLimit: terms.limit,
    usagePeriod: terms.period,
  };
}

/** By position of the duplicate: the acknowledgement of the measurement that it repeats. */
async function findOriginals(
  measurements: readonly DecidedMeasurement[],
  rows: readonly MeasurementRow[],
  parts: CalculatedFlushParts,
): Promise<ReadonlyMap<number, StoredAcknowledgement>> {
  const duplicates = measurements.filter(({ decision }) => decision === decisions.duplicate);
  const originals = new Map<number, StoredAcknowledgement>();
  if (duplicates.length === 0) return originals;
  const rowsByIdentity = groupBy(rows, identityKey);
  const elsewhere = duplicates.filter((duplicate) => {
    const inFlush = (rowsByIdentity.get(identityKey(duplicate.fact)) ?? []).find((row) =>
      repeats(duplicate.fact, row, parts.windowMs),
    );
    if (inFlush !== undefined) originals.set(duplicate.position, inFlush);
    return inFlush === undefined;
  });
  for (let from = 0; from < elsewhere.length; from += lookupKeysMax) {
    await findStoredOriginals(elsewhere.slice(from, from + lookupKeysMax), originals, parts);
  }
  return originals;
}

/**
 * Two questions: which stored copy is repeated, then what was answered for it. The table of identities knows the
 * first too, but not when a flush is done again after a crash; duplicates are rare enough to ask either time.
 */
async function findStoredOriginals(
  duplicates: readonly DecidedMeasurement[],
  originals: Map<number, StoredAcknowledgement>,
  { store, persistence, windowMs }: CalculatedFlushParts,
): Promise<void> {
  const keys = duplicates.map(({ fact }) => lookupKey(fact));
  const copies = await persistence.until('originals', () => store.lookupStored(keys, windowMs));
  const copiesByIdentity = groupBy(copies, ({ identity }) => identity);
  const found = duplicates.flatMap(({ fact, position }, index) => {
    const candidates = copiesByIdentity.get(keys[index]?.identity ?? '') ?? [];
    const copy = candidates.find((candidate) => repeats(fact, candidate, windowMs));
    if (copy === undefined) return [];
    const key: MeasurementKey = { ...fact, timestamp: copy.timestamp };
    return [{ position, key }];
  });
  if (found.length === 0) return;
  const answers = await persistence.until('originals', () =>
    store.acknowledgements(found.map(({ key }) => key)),
  );
  found.forEach(({ position }, index) => {
    const answer = answers[index];
    if (answer !== undefined) originals.set(position, answer);
  });
}

function lookupKey(fact: MeasurementFact): LookupKey {
  const { customerId, featureId, resourceId, idempotencyKey, timestamp, receivedAt } = fact;
  return {
    kind: 'measurement',
    customerId,
    name: featureId,
    resourceId,
    idempotencyKey,
    source: '',
    identity: identityText(measurementIdentity(fact)),
    timestamp,
    receivedAt,
    scope: 'window',
  };
}

function repeats(fact: MeasurementFact, copy: CountedCopy, windowMs: number): boolean {
  const verdict = verdictBeside(
    fact.timestamp,
    fact.receivedAt,
    measurementContentDigest(fact),
    copy.timestamp,
    copy.receivedAt,
    copy.contentDigest,
    windowMs,
  );
  return verdict === verdicts.duplicate;
}

function identityKey(
  fact: Pick<MeasurementFact, 'customerId' | 'featureId' | 'resourceId' | 'idempotencyKey'>,
): string {
  return JSON.stringify([fact.customerId, fact.featureId, fact.resourceId, fact.idempotencyKey]);
}
