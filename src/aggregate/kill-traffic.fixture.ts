/**
 * Seeded events for workers that get killed, and the account of what must become of them. The fate of each is settled
 * when it is made, and is the same in whatever order the batches are flushed; nothing here asks the code under test.
 */
import type { EventFact } from '../metering/facts.ts';
import { anEvent } from './worker.fixture.ts';

const hourMs = 3_600_000;
export const killWindowMs = 24 * hourMs;
export const customerIds = ['acme', 'globex', 'initech'] as const;

/** mulberry32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  shuffled<T>(items: readonly T[]): T[] {
    const placed = items.map((item) => ({ item, place: this.below(2 ** 32) }));
    return placed.toSorted((a, b) => a.place - b.place).map(({ item }) => item);
  }

  /** Nine digits after the point; some are negative. */
  decimal(): string {
    const sign = this.below(8) === 0 ? '-' : '';
    return `${sign}${1 + this.below(1e6)}.${String(this.below(1e9)).padStart(9, '0')}`;
  }

  /** In one of 30 months from 2015 on: an insert of many touches as many partitions. */
  lateInstant(): number {
    return Date.UTC(2015, this.below(30), 1 + this.below(28)) + this.below(24 * hourMs);
  }
}

export interface Fates {
  stored: number;
  duplicate: number;
  conflict: number;
  refused: number;
}

export function noFates(): Fates {
  return { stored: 0, duplicate: 0, conflict: 0, refused: 0 };
}

/** Marks events whose sender gave no timestamp: any of their copies' may be the one that is stored. */
export const implicitSource = 'implicit';

export class EventTraffic {
  readonly fates = noFates();
  readonly stored: EventFact[] = [];
  readonly conflicting: EventFact[] = [];
  readonly #dice: Dice;
  readonly #repeatable: EventFact[] = [];
  /** Stored before any worker is killed: whatever differs from them conflicts. */
  #settled: readonly EventFact[] = [];
  /** Settled too, and received longer ago than the dedupe window. */
  #old: readonly EventFact[] = [];
  /** Of the old ones, those that may yet come with another timestamp. */
  #renewable: EventFact[] = [];
  /** Unlike a first copy that was sent; whichever of the two comes first counts. */
  readonly #rivals: EventFact[] = [];

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** To be stored before the first kill. */
  history(): EventFact[] {
    const receivedAt = Date.now() - 3 * killWindowMs;
    this.#settled = Array.from({ length: 60 }, () => this.#fresh());
    this.#old = Array.from({ length: 120 }, () =>
      this.#fresh({ timestamp: this.#dice.lateInstant(), receivedAt }),
    );
    this.#renewable = [...this.#old];
    return [...this.#settled, ...this.#old];
  }

  batch(rows: number): EventFact[] {
    const facts: EventFact[] = [];
    while (facts.length < rows) facts.push(...this.#some());
    return facts;
  }

  /** Everything that counted once more, which must add nothing. */
  again(): EventFact[] {
    return this.#repeatable.map((fact) => this.#repeat(fact));
  }

  #some(): EventFact[] {
    const roll = this.#dice.below(100);
    if (roll < 35) return [this.#fresh()];
    if (roll < 55) return [this.#fresh({ timestamp: this.#dice.lateInstant() })];
    if (roll < 70) return [this.#repeat(this.#dice.pick(this.#repeatable))];
    if (roll < 75) return withNext(this.#fresh(), (fact) => this.#repeat(fact));
    if (roll < 80) return [this.#differing(this.#dice.pick(this.#settled))];
    if (roll < 84) return withNext(this.#fresh(), (fact) => this.#differing(fact));
    if (roll < 90) return [this.#rival()];
    if (roll < 94) return [this.#repeat(this.#dice.pick(this.#old))];
    if (roll < 97) return [this.#renewed()];
    const now = Date.now();
    return [this.#fresh({ timestamp: now, receivedAt: now, source: implicitSource })];
  }

  #fresh(more: Partial<EventFact> = {}): EventFact {
    const fact = this.#once(more);
    this.#repeatable.push(fact);
    return fact;
  }

  #once(more: Partial<EventFact> = {}): EventFact {
    const bytes = this.#dice.below(20) === 0 ? [] : [['bytes', this.#dice.decimal()] as const];
    const fact = anEvent(this.#dice.pick(customerIds), `k${this.stored.length}`, {
      timestamp: Date.now() - 60_000 - this.#dice.below(6 * hourMs),
      resourceId: this.#dice.pick(['', 'r1', 'r2']),
      dimensions: [['path', '/'], ...bytes],
      ...more,
    });
    return this.#counts(fact);
  }

  #repeat(fact: EventFact): EventFact {
    this.fates.duplicate += 1;
    const receivedAt = Date.now();
    return { ...fact, receivedAt, timestamp: fact.source === implicitSource ? receivedAt : fact.timestamp };
  }

  #differing(fact: EventFact): EventFact {
    const change: Partial<EventFact> =
      this.#dice.below(2) === 0
        ? { timestamp: fact.timestamp - 1 - this.#dice.below(1_000) }
        : { dimensions: [['bytes', this.#dice.decimal()]] };
    return this.#conflicts({ ...fact, receivedAt: Date.now(), ...change });
  }

  /** Never repeated: of which of the two a third would be a copy depends on the order. */
  #rival(): EventFact {
    const waiting = this.#rivals.shift();
    if (waiting !== undefined) return this.#conflicts({ ...waiting, receivedAt: Date.now() });
    const fact = this.#once();
    this.#rivals.push({ ...fact, dimensions: [...fact.dimensions, ['rival', 'yes']] });
    return fact;
  }

  /** Beyond the window the same identity with another timestamp is a new event, once. */
  #renewed(): EventFact {
    const old = this.#renewable.pop();
    if (old === undefined) return this.#fresh();
    const fact = this.#counts({ ...old, receivedAt: Date.now(), timestamp: old.timestamp + 1 });
    this.#repeatable.push(fact);
    return fact;
  }

  #counts(fact: EventFact): EventFact {
    this.fates.stored += 1;
    this.stored.push(fact);
    return fact;
  }

  #conflicts(fact: EventFact): EventFact {
    this.fates.conflict += 1;
    this.conflicting.push(fact);
    return fact;
  }
}

export function bytesOf(fact: EventFact): string | undefined {
  return fact.dimensions.find(([key]) => key === 'bytes')?.[1];
}

/** A fact and another that follows it in the same batch. */
export function withNext<T>(first: T, next: (first: T) => T): T[] {
  return [first, next(first)];
}
