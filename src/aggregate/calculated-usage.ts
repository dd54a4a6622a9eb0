/**
 * Calculated usage of one customer, feature and resource, folded from its measurements (contract, 5.4).
 *
 * Measurements are ordered by (timestamp, flush, position): a SET replaces everything before it in that order,
 * DELTAs after it add up. A new measurement always has the highest (flush, position), so against those already
 * known only its timestamp decides where it goes, and it comes last among equal timestamps. That is why three
 * values are enough of a state: usage changes by addition, but for a back-dated SET, which needs the sum of
 * the DELTAs that lie after it.
 */
import type { UpdateBehavior } from '../metering/facts.ts';
import { addQuantities, type Quantity, zeroQuantity } from '../quantity.ts';

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
 * The timestamps of those SETs among the changes that may lie before measurements already in the state: what
 * `foldUsage` will ask `storedDeltasAfter` for. None in the usual case, where time goes on.
 */
export function backDatedSets(state: UsageState, changes: readonly UsageChange[]): number[] {
  const timestamps = new Set<number>();
  let setAt = state.setAt ?? Number.NEGATIVE_INFINITY;
  for (const { timestamp, updateBehavior } of changes) {
    if (updateBehavior !== 'SET' || timestamp < setAt) continue;
    setAt = timestamp;
    if (timestamp < state.newestAt) timestamps.add(timestamp);
  }
  return [...timestamps];
}

/**
 * Usage right after each change, and the state after the last.
 * @param changes in the order of their positions; all of one flush that is newer than the state.
 * @param storedDeltasAfter the sum of the state's DELTAs with a later timestamp than the one given.
 */
export function foldUsage(
  state: UsageState,
  changes: readonly UsageChange[],
  storedDeltasAfter: (timestamp: number) => Quantity,
): { readonly state: UsageState; readonly usages: readonly Quantity[] } {
  const deltas = changes.some((change) => change.updateBehavior === 'SET')
    ? new DeltaSums(changes)
    : undefined;
  let { setAt, total, newestAt } = state;
  const usages = changes.map(({ timestamp, updateBehavior, value }) => {
    const counts = setAt === undefined || timestamp >= setAt;
    if (updateBehavior === 'SET' && counts) {
      const stored = timestamp < state.newestAt ? storedDeltasAfter(timestamp) : zeroQuantity;
      const flushed = deltas !== undefined && timestamp < newestAt ? deltas.after(timestamp) : zeroQuantity;
      total = addQuantities(value, addQuantities(stored, flushed));
      setAt = timestamp;
    } else if (updateBehavior === 'DELTA') {
      if (counts) total = addQuantities(total, value);
      deltas?.add(timestamp, value);
    }
    newestAt = Math.max(newestAt, timestamp);
    return total;
  });
  return { state: { setAt, total, newestAt }, usages };
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
