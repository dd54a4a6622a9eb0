/**
 * Calculated usage of one customer, feature and resource in one span of time, folded from its measurements
 * (contract, 5.4).
 *
 * Measurements of the span are ordered by (timestamp, flush, position): a SET replaces everything before it in that
 * order, DELTAs after it add up. A new measurement always has the highest (flush, position), so against those
 * already known only its timestamp decides where it goes, and it comes last among equal timestamps. That is why
 * three values are enough of a state: usage changes by addition, but for a back-dated SET, which needs the sum of
 * the DELTAs that lie after it.
 */
import { factLimits, type UpdateBehavior } from '../metering/facts.ts';
import { addQuantities, type Quantity, zeroQuantity } from '../quantity.ts';

/** Half-open [start, end), epoch ms: the fold starts from zero with it and knows nothing beyond it. */
export interface UsageSpan {
  readonly start: number;
  readonly end: number;
}

export const allTime: UsageSpan = { start: factLimits.instantMin, end: factLimits.instantMax + 1 };

export function isWithin({ start, end }: UsageSpan, timestamp: number): boolean {
  return start <= timestamp && timestamp < end;
}

export interface UsageState {
  /** Timestamp of the newest SET, in the order above; undefined when there is none. */
  readonly setAt: number | undefined;
  /** Usage now: that SET's value and the DELTAs after it. */
  readonly total: Quantity;
  /** The newest timestamp of all measurements; -Infinity when there are none. */
  readonly newestAt: number;
}

export const unusedState: UsageState = {
  setAt: undefined,
  total: zeroQuantity,
  newestAt: Number.NEGATIVE_INFINITY,
};

export interface UsageChange {
  readonly timestamp: number;
  readonly updateBehavior: UpdateBehavior;
  readonly value: Quantity;
}

/**
 * The timestamps of those SETs among the changes that may lie before measurements already in the state: what a
 * fold may ask `storedDeltasAfter` for. None in the usual case, where time goes on.
 */
export function backDatedSets(state: UsageState, changes: readonly UsageChange[]): number[] {
  const { setAt = Number.NEGATIVE_INFINITY, newestAt } = state;
  const timestamps = changes
    .filter(({ updateBehavior }) => updateBehavior === 'SET')
    .map(({ timestamp }) => timestamp)
    .filter((timestamp) => setAt <= timestamp && timestamp < newestAt);
  return [...new Set(timestamps)];
}

/** Goes on from a state, one change after another. */
export class UsageFold {
  readonly #loaded: UsageState;
  readonly #storedDeltasAfter: (timestamp: number) => Quantity;
  readonly #deltas: DeltaSums | undefined;
  #state: UsageState;

  /**
   * @param coming every change that may be added, all of one flush that is newer than the state.
   * @param storedDeltasAfter the sum of the state's DELTAs with a later timestamp than the one given.
   */
  constructor(
    state: UsageState,
    coming: readonly UsageChange[],
    storedDeltasAfter: (timestamp: number) => Quantity,
  ) {
    this.#loaded = state;
    this.#state = state;
    this.#storedDeltasAfter = storedDeltasAfter;
    if (coming.some((change) => change.updateBehavior === 'SET')) this.#deltas = new DeltaSums(coming);
  }

  get state(): UsageState {
    return this.#state;
  }

  /** What usage would be with one change more. */
  totalWith({ timestamp, updateBehavior, value }: UsageChange): Quantity {
    const { setAt, total, newestAt } = this.#state;
    if (setAt !== undefined && timestamp < setAt) return total;
    if (updateBehavior === 'DELTA') return addQuantities(total, value);
    const stored = timestamp < this.#loaded.newestAt ? this.#storedDeltasAfter(timestamp) : zeroQuantity;
    const added = timestamp < newestAt ? (this.#deltas?.after(timestamp) ?? zeroQuantity) : zeroQuantity;
    return addQuantities(value, addQuantities(stored, added));
  }

  /** In the order of their positions. */
  add(change: UsageChange): void {
    const { timestamp, updateBehavior, value } = change;
    const { setAt, newestAt } = this.#state;
    const replaces = updateBehavior === 'SET' && (setAt === undefined || timestamp >= setAt);
    const total = this.totalWith(change);
    if (updateBehavior === 'DELTA') this.#deltas?.add(timestamp, value);
    this.#state = { setAt: replaces ? timestamp : setAt, total, newestAt: Math.max(newestAt, timestamp) };
  }
}

/**
 * Sums of one flush's DELTAs by timestamp, as a Fenwick tree: adding and summing take log2(n) additions each,
 * so that a flush of many thousand back-dated SETs and DELTAs stays far from n² (which would be minutes).
 */
class DeltaSums {
  readonly #rankOf: ReadonlyMap<number, number>;
  readonly #sums: Quantity[];

  constructor(changes: readonly UsageChange[]) {
    const distinct = [...new Set(changes.map((change) => change.timestamp))].sort((a, b) => b - a);
    // The newest timestamp has rank 1: the sum of everything after a timestamp is then a prefix sum.
    this.#rankOf = new Map(distinct.map((timestamp, index) => [timestamp, index + 1]));
    this.#sums = Array.from({ length: distinct.length + 1 }, () => zeroQuantity);
  }

  add(timestamp: number, value: Quantity): void {
    for (let rank = this.#rank(timestamp); rank < this.#sums.length; rank += rank & -rank) {
      this.#sums[rank] = addQuantities(this.#sums[rank] ?? zeroQuantity, value);
    }
  }

  /** The sum of what was added with a later timestamp. */
  after(timestamp: number): Quantity {
    let sum = zeroQuantity;
    for (let rank = this.#rank(timestamp) - 1; rank > 0; rank -= rank & -rank) {
      sum = addQuantities(sum, this.#sums[rank] ?? zeroQuantity);
    }
    return sum;
  }

  #rank(timestamp: number): number {
    const rank = this.#rankOf.get(timestamp);
    if (rank === undefined) throw new Error('a timestamp that no change has');
    return rank;
  }
}
