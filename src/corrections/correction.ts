/**
 * Corrections of what was reported: what is voided counts nowhere, what is amended counts as if it had been reported
 * so. Nothing that was reported is ever changed: a correction is a fact of its own, with a reason, and the newest one
 * of an item decides.
 */
import type { Audit } from '../records/record-store.ts';

export type CorrectionKind = 'VOID' | 'AMEND';

/** What of an item may turn out wrong. Who it belongs to, and its name, are its identity and stay. */
export interface ItemContent {
  /** Epoch ms. */
  readonly timestamp: number;
  /** Plain decimal text; null for an event, which has no value. */
  readonly value: string | null;
  readonly dimensions: Readonly<Record<string, string>>;
}

/** An event or measurement as it was reported and stored. */
export interface StoredItem {
  /** As in the log of what was reported. */
  readonly id: string;
  readonly kind: 'EVENT' | 'MEASUREMENT';
  readonly customerId: string;
  readonly resourceId: string;
  /** The event's name, or the feature's refId. */
  readonly name: string;
  readonly idempotencyKey: string;
  /** CloudEvents `source`; empty for measurements. */
  readonly source: string;
  readonly receivedAt: number;
  readonly updateBehavior: 'DELTA' | 'SET' | null;
  /** Where it stands in the order of the fold. */
  readonly flush: number;
  readonly position: number;
  readonly content: ItemContent;
}

export interface Correction {
  /** A UUID. */
  readonly id: string;
  readonly kind: CorrectionKind;
  readonly reason: string;
  /** Epoch ms; later than that of the correction before. */
  readonly at: number;
  /** The API key's short id. */
  readonly actor: string;
  /** What counts from then on; null: nothing. */
  readonly after: ItemContent | null;
}

/** An item with all its corrections, oldest first. */
export interface CorrectedItem {
  readonly item: StoredItem;
  readonly corrections: readonly Correction[];
}

/** How a caller names an item: by `id`, or by the rest; `customerId` beside an id makes it quicker to find. */
export interface ItemName {
  readonly id: string | null;
  readonly customerId: string | null;
  readonly eventName: string | null;
  /** The refId. */
  readonly featureId: string | null;
  readonly idempotencyKey: string | null;
  /** As it was reported; where one key was used at several times. */
  readonly timestamp: number | null;
}

/** What is to be different; null leaves it as it counts now. */
export interface Amendment {
  readonly timestamp: number | null;
  readonly value: string | null;
  /** All of them, in the place of all that were. */
  readonly dimensions: Readonly<Record<string, string>> | null;
}

export type CorrectionRequest =
  | { readonly kind: 'VOID'; readonly reason: string }
  | { readonly kind: 'AMEND'; readonly reason: string; readonly amendment: Amendment };

/** Why nothing was corrected, or, with ACK_PENDING, why nobody knows yet whether it is. */
export interface CorrectionProblem {
  readonly code: 'VALIDATION_ERROR' | 'ACK_PENDING';
  readonly message: string;
}

export type CorrectionOutcome = CorrectedItem | { readonly problem: CorrectionProblem };

export interface Corrections {
  /** Answers once every question about usage heeds it. */
  correct(name: ItemName, request: CorrectionRequest, audit: Audit): Promise<CorrectionOutcome>;
  /** By the items' ids, oldest first, those that usage heeds; items without any are not in it. */
  of(items: readonly ItemKey[]): Promise<ReadonlyMap<string, readonly Correction[]>>;
}

export type ItemKey = Pick<StoredItem, 'id' | 'customerId'>;

/** Where items are found and corrections are stored. */
export interface CorrectionStore {
  /** What the name fits, as far as it was stored; at most `candidatesMax`. */
  find(name: ItemName): Promise<readonly StoredItem[]>;
  of(items: readonly ItemKey[]): Promise<ReadonlyMap<string, readonly Correction[]>>;
  /** Adds nothing where they are stored already. */
  insert(corrected: readonly CorrectedItem[]): Promise<void>;
}

export const candidatesMax = 10;
