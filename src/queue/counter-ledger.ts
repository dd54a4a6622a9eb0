/**
 * The worker's side of the live counters: what a flush adds to them. It happens after the flush is stored and before
 * anybody is told of it, in steps that are each safe to run twice, so that a flush that is done again adds nothing.
 *
 * What makes it exact: a counter knows the newest flush that is in it. `advance` says that everything up to a flush
 * is stored; a counter that is made afterwards is filled with it and knows so, and one that was made before gets
 * the flush's part by `count`, once, because its number is then raised.
 */

/** What counters are kept of: see `catalog/usage-subject.ts`. */
export interface CountedSubject {
  /** Changes whenever the counters of the subject were given up; those of another generation are void. */
  readonly generation: string;
  /** For `decodeSubject`. */
  readonly text: string;
}

/** What a flush does to one counter, if there is one. */
export interface CounterChange {
  readonly customerId: string;
  readonly subjectKey: string;
  readonly generation: string;
  /** Empty: the counter of all resources together with usage that names none. */
  readonly resourceId: string;
  readonly effect: CounterEffect;
}

/** A counter that is dropped is filled anew when it is asked for. */
export type CounterEffect =
  /** What was added, and the earliest and latest timestamp in it, epoch ms. Undefined drops the counter. */
  | { readonly part: UsagePart | undefined; readonly from: number; readonly to: number }
  /** What it is now by the counter's period; a counter of a period that is not here is dropped. */
  | { readonly totals: readonly CounterTotal[] };

export interface CounterTotal {
  /** Epoch ms; null: over all time. */
  readonly period: { readonly start: number; readonly end: number } | null;
  readonly amount: string;
}

/** An aggregate that joins with others of its function: amounts as exact decimal texts. */
export interface UsagePart {
  /** The sum for AVG. */
  readonly amount: string;
  /** How many events or measurements it is of. */
  readonly counted: string;
}

export interface CounterLedger {
  /** On taking over, nothing in hand: counters that lack flushes up to the newest stored one are given up. */
  align(newestFlush: number): Promise<void>;
  /**
   * The flush and all before it are stored. Answers the subjects that counters exist of, by key; the very same map
   * as the last time when they are the same.
   */
  advance(flushId: number): Promise<ReadonlyMap<string, CountedSubject>>;
  /** Those of the customers that have counters. */
  counting(customerIds: readonly string[]): Promise<ReadonlySet<string>>;
  count(flushId: number, changes: readonly CounterChange[]): Promise<void>;
  /** Gives up all counters of these customers: they are filled anew when they are asked for. */
  forget(customerIds: Iterable<string>): Promise<void>;
}
