/** As `kill-traffic.fixture.ts`, for calculated usage: seeded measurements, their fates, and usage folded naively. */
import type { MeasurementFact, UpdateBehavior } from '../metering/facts.ts';
import { quantityToText } from '../quantity.ts';
import { customerIds, type Dice, noFates, withNext } from './kill-traffic.fixture.ts';
import { aMeasurement } from './worker.fixture.ts';

export const reportedFeatures = ['seats', 'tokens'] as const;

export class UsageTraffic {
  readonly fates = noFates();
  readonly stored: MeasurementFact[] = [];
  readonly #dice: Dice;
  readonly #startedAt = Date.now();
  readonly #repeatable: MeasurementFact[] = [];
  #settled: readonly MeasurementFact[] = [];
  #made = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** To be stored before the first kill. */
  history(): MeasurementFact[] {
    this.#settled = Array.from({ length: 20 }, () => this.#fresh());
    return [...this.#settled];
  }

  batch(rows: number): MeasurementFact[] {
    const facts: MeasurementFact[] = [];
    while (facts.length < rows) facts.push(...this.#some());
    return facts;
  }

  /** Everything with a key that counted once more, which must add nothing. */
  again(): MeasurementFact[] {
    return this.#repeatable.map((fact) => this.#repeat(fact));
  }

  #some(): MeasurementFact[] {
    const roll = this.#dice.below(100);
    if (roll < 45) return [this.#fresh()];
    if (roll < 60) return [this.#repeat(this.#dice.pick(this.#repeatable))];
    if (roll < 68) return withNext(this.#fresh(), (fact) => this.#repeat(fact));
    if (roll < 74) return withNext(this.#fresh(), (fact) => this.#differing(fact));
    if (roll < 80) return [this.#differing(this.#dice.pick(this.#settled))];
    // Without a key every copy counts: nothing but the flush's token keeps these from counting twice.
    if (roll < 90) return withNext(this.#counts(this.#any('')), (fact) => this.#counts(fact));
    return [this.#refusable()];
  }

  #fresh(): MeasurementFact {
    const fact = this.#counts(this.#any(`m${this.#made}`));
    this.#repeatable.push(fact);
    return fact;
  }

  /** No two have the same timestamp, so the order of usage does not depend on the order of flushes. */
  #any(idempotencyKey: string): MeasurementFact {
    this.#made += 1;
    // The step is prime to the modulus, so the instants of the last three hours come in any order and only once.
    const recent = this.#startedAt - 60_000 - ((this.#made * 7_919) % 10_000_019);
    const late = Date.UTC(2015, this.#dice.below(30)) + this.#made;
    return aMeasurement(this.#dice.pick(customerIds), this.#dice.decimal(), {
      featureId: this.#dice.pick(reportedFeatures),
      resourceId: this.#dice.pick(['', 'r1']),
      updateBehavior: this.#dice.below(8) === 0 ? 'SET' : 'DELTA',
      timestamp: this.#dice.below(5) === 0 ? late : recent,
      idempotencyKey,
    });
  }

  #repeat(fact: MeasurementFact): MeasurementFact {
    this.fates.duplicate += 1;
    return { ...fact, receivedAt: Date.now() };
  }

  #differing(fact: MeasurementFact): MeasurementFact {
    this.fates.conflict += 1;
    const other = fact.updateBehavior === 'SET' ? 'DELTA' : 'SET';
    const change: Partial<MeasurementFact> =
      this.#dice.below(2) === 0 ? { updateBehavior: other } : { timestamp: fact.timestamp - 1 };
    return { ...fact, receivedAt: Date.now(), ...change };
  }

  /** An unknown customer, an unknown feature, or one whose usage comes from events. */
  #refusable(): MeasurementFact {
    this.fates.refused += 1;
    const fact = this.#any('refused');
    const customerId = this.#dice.pick([fact.customerId, 'nobody']);
    return { ...fact, customerId, featureId: this.#dice.pick(['nothing', 'calls']) };
  }

  #counts(fact: MeasurementFact): MeasurementFact {
    this.fates.stored += 1;
    this.stored.push(fact);
    return fact;
  }
}

export interface UsageStep {
  readonly timestamp: number;
  readonly updateBehavior: UpdateBehavior;
  readonly value: bigint;
}

/** Usage after all steps; among equal timestamps the later in the list is the later. */
export function foldNaively(steps: readonly UsageStep[]): bigint {
  let usage = 0n;
  for (const { updateBehavior, value } of steps.toSorted((a, b) => a.timestamp - b.timestamp)) {
    usage = updateBehavior === 'SET' ? value : usage + value;
  }
  return usage;
}

export function stepOf(fact: MeasurementFact): UsageStep {
  const { timestamp, updateBehavior } = fact;
  return { timestamp, updateBehavior, value: nano(quantityToText(fact.value)) };
}

/** Decimal text with at most nine digits after the point, in billionths. */
export function nano(text: string): bigint {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]{1,9}))?$/.exec(text);
  if (parts === null) throw new Error(`not an amount of this test: ${text}`);
  const [, sign, whole = '', fraction = ''] = parts;
  const size = BigInt(whole + fraction.padEnd(9, '0'));
  return sign === '-' ? -size : size;
}
