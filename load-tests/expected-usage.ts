/** What usage has to be, by the generator's own books: every event that was acknowledged, counted once. */
import { eventPool } from './event-bodies.ts';
import type { EventTally } from './event-bodies.ts';
import type { EventPool } from './event-pool.ts';
import type { UsageTally } from './load-jobs.ts';
import { type MeteredFeature, meteredFeatures } from './metered-features.ts';

export class ExpectedUsage {
  readonly #pool: EventPool;
  /** By event of the pool: how often it counts, over all loads. */
  readonly #counted: Uint32Array;
  #stored = 0;
  /** Reported usage by customer. */
  readonly #reported = new Map<number, number>();

  constructor(seed: number, poolSize: number) {
    this.#pool = eventPool(seed, Date.now(), poolSize);
    this.#counted = new Uint32Array(poolSize);
  }

  addEvents({ stored, counted }: EventTally): void {
    this.#stored += stored;
    for (let place = 0; place < counted.length; place += 1) {
      this.#counted[place] = (this.#counted[place] as number) + (counted[place] as number);
    }
  }

  addReported({ counted }: UsageTally): void {
    for (const [customer, count] of counted.entries()) {
      if (count > 0) this.#reported.set(customer, (this.#reported.get(customer) ?? 0) + count);
    }
  }

  /** Events that count. */
  get stored(): number {
    return this.#stored;
  }

  reported(customer: number): number {
    return this.#reported.get(customer) ?? 0;
  }

  /** As a decimal text: of all customers together, or of one. */
  usage(feature: MeteredFeature, customer?: number, without: 'late' | 'nothing' = 'nothing'): string {
    const { customers, late, values } = this.#pool.facts;
    const of = values[meteredFeatures.indexOf(feature)] ?? [];
    let sum = 0;
    let largest = 0;
    const distinct = new Set<string>();
    for (const [place, value] of of.entries()) {
      if (value === undefined || this.#counted[place] === 0) continue;
      if (customer !== undefined && customers[place] !== customer) continue;
      if (without === 'late' && late[place] === 1) continue;
      if (typeof value === 'string') distinct.add(`${customers[place]} ${value}`);
      else {
        sum += value * (this.#counted[place] as number);
        largest = Math.max(largest, value);
      }
    }
    const total = { sum, max: largest, distinct: distinct.size }[feature.combine];
    return decimalText(total, feature.scale);
  }

  /** The same of every customer, for features that are summed. */
  usages(feature: MeteredFeature, customers: number): Float64Array {
    const usages = new Float64Array(customers);
    const { facts } = this.#pool;
    for (const [place, value] of (facts.values[meteredFeatures.indexOf(feature)] ?? []).entries()) {
      const customer = facts.customers[place] as number;
      if (typeof value !== 'number' || customer >= customers) continue;
      usages[customer] = (usages[customer] as number) + value * (this.#counted[place] as number);
    }
    return usages;
  }
}

/** @param units whole and below 2^53, so that nothing is rounded; @param scale a power of ten. */
function decimalText(units: number, scale: number): string {
  if (!Number.isSafeInteger(units)) throw new RangeError('a sum is too large to be counted exactly');
  const places = Math.log10(scale);
  const digits = String(units).padStart(places + 1, '0');
  if (places === 0) return digits;
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return `${digits.slice(0, -places)}${fraction === '' ? '' : `.${fraction}`}`;
}
