/**
 * The worker's side of what is stored for ever. Everything here is safe to repeat: an insert that carries a
 * token already seen adds no row, and a question changes nothing. After an attempt whose end is not known the
 * `repeat…` methods are to be used: they also see to it that nothing is missing.
 * Every method rejects with `StoreRefusedDataError` when the content can never be stored, and with another
 * error, which carries `code`, when the store cannot answer for now or its operator has to act.
 */
import type { UpdateBehavior } from '../metering/facts.ts';
import type { Quantity } from '../quantity.ts';
import type { UsageSpan, UsageState } from './calculated-usage.ts';
import type { LookupStored } from './deduplicate.ts';

export interface CustomerFeature {
  readonly customerId: string;
  readonly featureId: string;
}

/** Whose calculated usage is folded together. */
export interface UsagePair extends CustomerFeature {
  /** Empty: usage reported without a resource. */
  readonly resourceId: string;
}

export interface MeasurementRow extends UsagePair {
  readonly flush: number;
  /** Place among all events and measurements of the flush. */
  readonly position: number;
  /** UUID. */
  readonly id: string;
  readonly contentDigest: number;
  readonly receivedAt: number;
  readonly timestamp: number;
  readonly idempotencyKey: string;
  readonly updateBehavior: UpdateBehavior;
  readonly value: Quantity;
  /** As acknowledged: usage right after this measurement, in the units that it is answered in. */
  readonly currentUsage: Quantity;
  /** As acknowledged; null without a limit. */
  readonly usageLimit: Quantity | null;
  /** As acknowledged: the entitlement's current period; null when its usage never starts from zero again. */
  readonly usagePeriod: UsageSpan | null;
  readonly dimensions: readonly (readonly [key: string, text: string])[];
}

/** One stored measurement, by its identity and timestamp. */
export interface MeasurementKey extends UsagePair {
  readonly idempotencyKey: string;
  readonly timestamp: number;
}

export type StoredAcknowledgement = Pick<
  MeasurementRow,
  'id' | 'value' | 'timestamp' | 'currentUsage' | 'usageLimit' | 'usagePeriod'
>;

/** Identities of stored events and measurements as rows of `identityRowWords` 32-bit words. */
export interface IdentityRows {
  readonly count: number;
  readonly words: Uint32Array;
}

/** Identity 4, content digest 1, timestamp 2, receivedAt 2: instants are signed epoch ms, the lower word first. */
export const identityRowWords = 9;

export interface FlushStore {
  /** Stores the rows whose verdict is 0. `chunks` joined are blocks of `event-block.ts` with their verdicts. */
  insertEvents(flushId: number, token: string, chunks: readonly Buffer[]): Promise<void>;
  /** Keeps the rows whose verdict is 2, for the log of what was reported. */
  insertConflicts(flushId: number, token: string, chunks: readonly Buffer[]): Promise<void>;
  insertMeasurements(token: string, rows: readonly MeasurementRow[]): Promise<void>;
  /** As `insertEvents` when an earlier attempt may have stored all, some or none; `rows` is how many there are. */
  repeatEvents(flushId: number, token: string, chunks: readonly Buffer[], rows: number): Promise<void>;
  repeatMeasurements(flushId: number, token: string, rows: readonly MeasurementRow[]): Promise<void>;
  /** Whether the content of these chunks could be stored; stores nothing. */
  takesEvents(chunks: readonly Buffer[]): Promise<boolean>;

  /** See `deduplicate.ts`; served by the tables' sorting key. */
  readonly lookupStored: LookupStored;
  /** In the order of the keys. */
  acknowledgements(keys: readonly MeasurementKey[]): Promise<readonly (StoredAcknowledgement | undefined)[]>;
  /** Calculated usage from all flushes before this one, in the order of the asks, each within its span. */
  usageStates(asks: readonly (UsagePair & UsageSpan)[], beforeFlush: number): Promise<readonly UsageState[]>;
  /** As `usageStates`, of all resources and none together: each folded for itself, then summed. */
  usageTotals(
    asks: readonly (CustomerFeature & UsageSpan)[],
    beforeFlush: number,
  ): Promise<readonly Quantity[]>;
  /** The sum of the DELTAs after each ask's timestamp and before its span's end, from all flushes before this one. */
  deltasAfter(
    asks: readonly (UsagePair & UsageSpan & { readonly timestamp: number })[],
    beforeFlush: number,
  ): Promise<readonly Quantity[]>;

  /**
   * All identities received or happened since then, from one snapshot: a part that is merged meanwhile is read
   * either before or after, never in halves. The caller compares their number with `countSince`.
   */
  identitiesSince(since: number): AsyncIterable<IdentityRows>;
  countSince(since: number): Promise<number>;
  /** The earliest instant from `since` on, to the minute, after which at most `rowsMax` identities lie. */
  sinceWithin(since: number, rowsMax: number): Promise<number>;
  /** The newest flush of which anything is stored; 0 when nothing is. */
  newestFlush(): Promise<number>;
  /** Events, conflicts and measurements stored of this flush. */
  countOfFlush(flushId: number): Promise<number>;
}

/** The store understood the content and can never take it: a repeat would be refused again. */
export class StoreRefusedDataError extends Error {
  readonly code = 'STORE_REFUSED_DATA';
  readonly retryable = false;
}
