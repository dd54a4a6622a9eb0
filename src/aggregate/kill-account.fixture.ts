/** The account of a run of killed workers: pure comparisons of what was sent, stored and answered. */
import type { MeasurementOutcome } from '../metering/acknowledgement.ts';
import type { EventFact, MeasurementFact, UpdateBehavior } from '../metering/facts.ts';
import { quantityToText } from '../quantity.ts';
import type { Books } from '../queue/ledger.ts';
import type { UsagePair } from './flush-store.ts';
import { groupBy } from './group-by.ts';
import { bytesOf, type EventTraffic, type Fates, implicitSource, noFates } from './kill-traffic.fixture.ts';
import { foldNaively, nano, stepOf, type UsageStep, type UsageTraffic } from './kill-usage.fixture.ts';

/** What became of all that was sent. Rows are texts, sorted; amounts are in billionths. */
export interface Account {
  readonly books: Books;
  readonly notCounted: Readonly<Record<string, number>>;
  readonly events: readonly string[];
  readonly conflicts: readonly string[];
  readonly measurements: readonly string[];
  /** By customer and feature. */
  readonly usage: Readonly<Record<string, bigint>>;
  readonly answers: Fates;
  readonly misfolded: readonly StoredMeasurement[];
  readonly misanswered: readonly Answer[];
}

export interface Answer {
  readonly fact: MeasurementFact;
  /** Undefined when none came. */
  readonly outcome: MeasurementOutcome | undefined;
}

export interface StoredMeasurement extends UsagePair {
  readonly id: string;
  readonly idempotencyKey: string;
  readonly updateBehavior: UpdateBehavior;
  readonly value: string;
  readonly timestamp: number;
  readonly currentUsage: string;
}

/** With nothing in flight any more. */
export function expectedAccount(events: EventTraffic, usage: UsageTraffic): Account {
  const sum = (fate: keyof Fates): number => events.fates[fate] + usage.fates[fate];
  const ends = { stored: sum('stored'), duplicate: sum('duplicate'), conflict: sum('conflict') };
  const refused = sum('refused');
  const accepted = ends.stored + ends.duplicate + ends.conflict + refused;
  const nothing = { deadLettered: 0, inFlight: 0, inFlightBatches: 0, inFlightBytes: 0 };
  const withoutBytes = events.stored.filter((fact) => bytesOf(fact) === undefined);
  return {
    books: { accepted, ...ends, refused, ...nothing },
    notCounted: { 'bytes:missing_field': withoutBytes.length },
    events: events.stored.map(eventText).toSorted(),
    conflicts: events.conflicting.map(eventText).toSorted(),
    measurements: usage.stored.map((fact) => measurementText(contentOf(fact))).toSorted(),
    usage: usageOfStored(events.stored, usage.stored),
    answers: usage.fates,
    misfolded: [],
    misanswered: [],
  };
}

export function measurementText(row: Omit<StoredMeasurement, 'id' | 'currentUsage'>): string {
  const { idempotencyKey, updateBehavior, value, timestamp } = row;
  return [scopeText(row), idempotencyKey, updateBehavior, value, timestamp].join(' ');
}

/**
 * The rows whose acknowledgement was not the usage right after them: of the resource, or of all where none is named.
 * @param rows in the order in which they were stored.
 */
export function misfolded(rows: readonly StoredMeasurement[]): StoredMeasurement[] {
  const before = new Map<string, Map<string, UsageStep[]>>();
  return rows.filter((row) => {
    const scope = scopeText({ ...row, resourceId: '' });
    const byResource = before.get(scope) ?? new Map<string, UsageStep[]>();
    before.set(scope, byResource);
    const steps = byResource.get(row.resourceId) ?? [];
    byResource.set(row.resourceId, steps);
    steps.push({ ...row, value: nano(row.value) });
    const shown = row.resourceId === '' ? [...byResource.values()] : [steps];
    return nano(row.currentUsage) !== shown.map(foldNaively).reduce((sum, usage) => sum + usage, 0n);
  });
}

export function fatesTold(answers: readonly Answer[]): Fates {
  const told = noFates();
  for (const { outcome } of answers) {
    if (outcome === undefined) continue;
    if ('id' in outcome) told[outcome.duplicate ? 'duplicate' : 'stored'] += 1;
    else told[outcome.error.code === 'DUPLICATE_ENTITY' ? 'conflict' : 'refused'] += 1;
  }
  return told;
}

/** All but those that speak of the one stored row: once as its first report, else as a duplicate of it. */
export function misanswered(answers: readonly Answer[], rows: readonly StoredMeasurement[]): Answer[] {
  const rowById = new Map(rows.map((row) => [row.id, row]));
  const reported = new Set<string>();
  return answers.filter(({ fact, outcome }) => {
    if (outcome === undefined) return true;
    if (!('id' in outcome)) return false;
    const row = rowById.get(outcome.id);
    if (row === undefined || (!outcome.duplicate && reported.has(outcome.id))) return true;
    if (!outcome.duplicate) reported.add(outcome.id);
    const isOfFact = measurementText(row) === measurementText(contentOf(fact));
    return !isOfFact || row.currentUsage !== outcome.currentUsage;
  });
}

function eventText(fact: EventFact): string {
  const timestamp = fact.source === implicitSource ? '' : fact.timestamp;
  return [fact.customerId, fact.resourceId, fact.idempotencyKey, bytesOf(fact) ?? '', timestamp].join(' ');
}

/** A stored event as `eventText` has it. */
export const eventTextSql = `concatWithSeparator(' ', customer_id, resource_id, idempotency_key, dimensions['bytes'],
  if(source = '${implicitSource}', '', toString(toUnixTimestamp64Milli(timestamp))))`;

function contentOf(fact: MeasurementFact): Omit<StoredMeasurement, 'id' | 'currentUsage'> {
  return { ...fact, value: quantityToText(fact.value) };
}

function scopeText({ customerId, featureId, resourceId }: UsagePair): string {
  return [customerId, featureId, resourceId].join(' ');
}

/** Usage of every customer and feature, from nothing but what was sent. */
function usageOfStored(
  events: readonly EventFact[],
  measurements: readonly MeasurementFact[],
): Record<string, bigint> {
  const usage: Record<string, bigint> = {};
  const add = (customerId: string, featureId: string, amount: bigint): void => {
    const key = `${customerId} ${featureId}`;
    usage[key] = (usage[key] ?? 0n) + amount;
  };
  for (const fact of events) {
    add(fact.customerId, 'calls', nano('1'));
    add(fact.customerId, 'bytes', nano(bytesOf(fact) ?? '0'));
  }
  for (const facts of groupBy(measurements, scopeText).values()) {
    const usageOfScope = foldNaively(facts.map(stepOf));
    for (const { customerId, featureId } of facts.slice(0, 1)) add(customerId, featureId, usageOfScope);
  }
  return usage;
}
