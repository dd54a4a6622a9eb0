/**
 * States of calculated usage that the worker met lately. The worker is the only writer, so what it folded and
 * stored stays true until its next flush; what is not here is folded by the store.
 */
import { type UsageState, unusedState } from './calculated-usage.ts';
import type { FlushStore, UsagePair } from './flush-store.ts';

export class UsageStates {
  readonly #store: FlushStore;
  readonly #entriesMax: number;
  /** Least lately used first, as a Map keeps the order of insertion. */
  readonly #states = new Map<string, UsageState>();

  /** 100,000 states weigh some 30 MB. */
  constructor(store: FlushStore, entriesMax = 100_000) {
    this.#store = store;
    this.#entriesMax = entriesMax;
  }

  /** By `pairKey`, as all flushes before this one left them. */
  async load(pairs: readonly UsagePair[], beforeFlush: number): Promise<Map<string, UsageState>> {
    const missing = pairs.filter((pair) => !this.#states.has(pairKey(pair)));
    const loaded = missing.length === 0 ? [] : await this.#store.usageStates(missing, beforeFlush);
    const found = new Map(missing.map((pair, index) => [pairKey(pair), loaded[index] ?? unusedState]));
    for (const pair of pairs) {
      const state = this.#states.get(pairKey(pair));
      if (state !== undefined) found.set(pairKey(pair), state);
    }
    return found;
  }

  /** Only for states whose flush is stored. */
  keep(states: ReadonlyMap<string, UsageState>): void {
    for (const [key, state] of states) {
      this.#states.delete(key);
      this.#states.set(key, state);
    }
    for (const key of this.#states.keys()) {
      if (this.#states.size <= this.#entriesMax) return;
      this.#states.delete(key);
    }
  }

  clear(): void {
    this.#states.clear();
  }
}

export function pairKey({ customerId, featureId, resourceId }: UsagePair): string {
  return JSON.stringify([customerId, featureId, resourceId]);
}
