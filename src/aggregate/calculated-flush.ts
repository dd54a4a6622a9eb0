/**
 * The calculated usage of one flush: what is stored of it and what its reporters are told. Everything follows
 * from the plan and from what earlier flushes stored, so a flush that is done again comes to the same.
 */
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import {
  measurementContentDigest,
  measurementIdentity,
  verdictBeside,
  verdicts,
} from '../metering/identity.ts';
import type { Quantity } from '../quantity.ts';
import { acknowledgement, measurementId, originalMissing, refusalOf } from './acknowledge.ts';
import { backDatedSets, foldUsage, unusedState, type UsageState } from './calculated-usage.ts';
import { decisions } from './decide.ts';
import { type CountedCopy, type LookupKey, lookupKeysMax } from './deduplicate.ts';
import type { FlushStore, MeasurementKey, MeasurementRow, StoredAcknowledgement } from './flush-store.ts';
import { groupBy } from './group-by.ts';
import type { Persistence } from './persistence.ts';
import { type DecidedMeasurement, type FlushPlan, measurementsOf } from './plan.ts';
import { pairKey, type UsageStates } from './usage-states.ts';

export interface CalculatedFlush {
  readonly rows: readonly MeasurementRow[];
  /** To be kept once the rows are stored. */
  readonly states: ReadonlyMap<string, UsageState>;
  /** By position in the flush. */
  readonly outcomes: ReadonlyMap<number, MeasurementOutcome>;
}

export interface CalculatedFlushParts {
  readonly store: FlushStore;
  readonly states: UsageStates;
  readonly persistence: Persistence;
  readonly windowMs: number;
}

export async function calculateFlush(plan: FlushPlan, parts: CalculatedFlushParts): Promise<CalculatedFlush> {
  const measurements = measurementsOf(plan);
  const { rows, states } = await foldCounted(plan, measurements, parts);
  const originals = await findOriginals(measurements, rows, parts);
  const rowAt = new Map(rows.map((row) => [row.position, row]));
  const outcomes = new Map(
    measurements.map(({ fact, decision, position }) => {
      const row = rowAt.get(position);
      if (row !== undefined) return [position, acknowledgement(fact, row, false)];
      if (decision !== decisions.duplicate) return [position, refusalOf(fact, decision)];
      const original = originals.get(position);
      return [position, original === undefined ? originalMissing : acknowledgement(fact, original, true)];
    }),
  );
  return { rows, states, outcomes };
}

async function foldCounted(
  plan: FlushPlan,
  measurements: readonly DecidedMeasurement[],
  { store, states, persistence }: CalculatedFlushParts,
): Promise<Pick<CalculatedFlush, 'rows' | 'states'>> {
  const counted = measurements.filter(({ decision }) => decision === decisions.counts);
  const groups = groupBy(counted, ({ fact }) => pairKey(fact));
  const { flushId, token } = plan.manifest;
  const pairs = [...groups.values()].flatMap(([first]) => first?.fact ?? []);
  const before = await persistence.until('states', () => states.load(pairs, flushId));
  const stored = await sumsAfterBackDatedSets(groups, before, flushId, store, persistence);
  const after = new Map<string, UsageState>();
  const rows: MeasurementRow[] = [];
  for (const [key, members] of groups) {
    const facts = members.map(({ fact }) => fact);
    const { state, usages } = foldUsage(before.get(key) ?? unusedState, facts, (timestamp) => {
      const sum = stored.get(pointKey(key, timestamp));
      if (sum === undefined) throw new RangeError('the fold asked for a sum that it had not announced');
      return sum;
    });
    after.set(key, state);
    members.forEach(({ fact, position }, index) => {
      rows.push(toRow(fact, flushId, token, position, usages[index] ?? state.total));
    });
  }
  return { rows: rows.sort((a, b) => a.position - b.position), states: after };
}

async function sumsAfterBackDatedSets(
  groups: ReadonlyMap<string, readonly DecidedMeasurement[]>,
  before: ReadonlyMap<string, UsageState>,
  flushId: number,
  store: FlushStore,
  persistence: Persistence,
): Promise<ReadonlyMap<string, Quantity>> {
  const points = [...groups].flatMap(([key, members]) => {
    const facts = members.map(({ fact }) => fact);
    const timestamps = backDatedSets(before.get(key) ?? unusedState, facts);
    return facts.slice(0, 1).flatMap((fact) => timestamps.map((timestamp) => ({ ...fact, timestamp })));
  });
  if (points.length === 0) return new Map();
  const sums = await persistence.until('states', () => store.deltasAfter(points, flushId));
  return new Map(
    points.flatMap((point, index) => {
      const sum = sums[index];
      return sum === undefined ? [] : [[pointKey(pairKey(point), point.timestamp), sum] as const];
    }),
  );
}

function pointKey(pair: string, timestamp: number): string {
  return `${timestamp} ${pair}`;
}

function toRow(
  fact: MeasurementFact,
  flush: number,
  token: string,
  position: number,
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
    identity: measurementIdentity(fact).toString('hex'),
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
