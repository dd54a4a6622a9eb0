/**
 * Live usage from counters that are made when they are first asked for. A counter is reserved as of a flush, filled
 * with ClickHouse's figure through that flush, and kept up to date by the worker from the moment it is reserved, so
 * no flush is in it twice or not at all. Where no counter can be had the figure itself is the answer: counters make
 * answers fast, never different.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { subjectNameOf } from '../catalog/usage-subject.ts';
import type { Clock } from '../clock.ts';
import type { Quantity } from '../quantity.ts';
import type { LiveFigure, LiveUsage, UsageAsk } from './live-usage.ts';
import {
  boundsOf,
  type CounterBounds,
  decodeCounter,
  encodePart,
  type LiveCounter,
  totalOf,
} from './live-counter.ts';
import { usageOf } from './usage-rows.ts';
import { aggregationOf, type UsageRow } from './usage-sql.ts';
import type { UsageBounds, UsageScope } from './usage.ts';

/** A scope's usage as ClickHouse has it. */
export interface UsageTallies {
  tally(scope: UsageScope, bounds: UsageBounds): Promise<UsageRow>;
}

/** What names a counter: one customer's usage of one thing has a counter for each period that is asked about. */
export interface CounterPlace extends CounterBounds {
  readonly customerId: string;
  readonly subjectKey: string;
  /** Empty: of all resources together with usage that names none. */
  readonly resourceId: string;
}

export interface CounterReservation extends CounterPlace {
  readonly subjectText: string;
}

export interface Reserved {
  /** The newest flush that counters are to include; undefined before any was counted. */
  readonly counted: number | undefined;
  /**
   * The caller's, to fill; somebody else's counter; or none now: the token of whoever is filling it, empty where there
   * is no room for one.
   */
  readonly outcome: { readonly token: string } | { readonly counter: string } | { readonly awaited: string };
}

/** Where counters are kept; the worker keeps them up to date. Counters are texts for `decodeCounter`. */
export interface CounterStore {
  /** In the order of the places; empty where there is none. */
  read(places: readonly CounterPlace[], now: number): Promise<readonly string[]>;
  reserve(asked: readonly CounterReservation[], now: number): Promise<readonly Reserved[]>;
  /** The filled counter; undefined when it was dropped meanwhile. */
  fill(place: CounterPlace, token: string, base: string): Promise<string | undefined>;
  /** Replaces the counter unless it has changed. */
  compact(place: CounterPlace, read: string, compacted: string): Promise<void>;
}

export interface LiveCountersOptions {
  readonly store: CounterStore;
  readonly tallies: UsageTallies;
  readonly clock: Clock;
}

/** One ask on its way through a batch. */
interface Asked {
  readonly ask: UsageAsk;
  readonly scope: UsageScope;
  readonly reservation: CounterReservation;
}

interface Batch {
  readonly asked: Asked[];
  readonly answers: Promise<readonly LiveFigure[]>;
}

const none: Reserved = { counted: undefined, outcome: { awaited: '' } };

/** Readers add parts up, and above this number they store the sum. */
const partsMax = 16;

export class LiveCounters implements LiveUsage {
  readonly #options: LiveCountersOptions;
  /** Questions to ClickHouse under way. */
  readonly #tallies = new Map<string, Promise<UsageRow>>();
  #rounds = 0;
  #batch: Batch | undefined;

  constructor(options: LiveCountersOptions) {
    this.#options = options;
  }

  async current(asks: readonly UsageAsk[]): Promise<readonly LiveFigure[]> {
    if (asks.length === 0) return [];
    this.#batch ??= this.#begin();
    const { asked, answers } = this.#batch;
    const from = asked.length;
    asked.push(...asks.map(askedOf));
    return (await answers).slice(from, from + asks.length);
  }

  #begin(): Batch {
    const asked: Asked[] = [];
    return { asked, answers: this.#answer(asked) };
  }

  /** Those who ask in this turn are resumed by promises, all of which run before the next one. */
  async #answer(asked: readonly Asked[]): Promise<readonly LiveFigure[]> {
    await nextTurn();
    this.#batch = undefined;
    const { store, clock } = this.#options;
    // What is acknowledged was counted before, so a counter read from now on has all that is acknowledged by now.
    const asOf = clock.now();
    const counters = await store.read(
      asked.map(({ reservation }) => reservation),
      asOf,
    );
    const usages = asked.map((each, index) => this.#usageFrom(each, counters[index] ?? ''));
    const missing = asked.flatMap((_, index) => (usages[index] === undefined ? [index] : []));
    if (missing.length > 0) {
      const filled = await this.#fill(missing.flatMap((index) => asked[index] ?? []));
      missing.forEach((index, place) => {
        usages[index] = filled[place];
      });
    }
    return usages.map((usage) => {
      if (usage === undefined) throw new RangeError('an ask has no figure');
      return { usage, asOf };
    });
  }

  /** Undefined when the text is no counter that answers the ask. */
  #usageFrom({ scope, reservation }: Asked, text: string): Quantity | undefined {
    const counter = decodeCounter(text);
    if (counter === undefined) return undefined;
    const name = aggregationOf(scope);
    const total = totalOf(name, counter);
    if (total === undefined) return undefined;
    if (counter.parts.length > partsMax) this.#compact(reservation, text, counter, total);
    return usageOf(name, total);
  }

  /** Nobody waits for it: the next reader does it when this one did not. */
  #compact(place: CounterPlace, text: string, { head }: LiveCounter, total: UsageRow): void {
    this.#options.store.compact(place, text, `${head} ${encodePart(total)}`).catch(() => undefined);
  }

  async #fill(asked: readonly Asked[]): Promise<readonly Quantity[]> {
    const { store, clock } = this.#options;
    const reservations = asked.map(({ reservation }) => reservation);
    const reserved = await store.reserve(reservations, clock.now());
    this.#rounds += 1;
    const round = String(this.#rounds);
    return Promise.all(
      asked.map((each, index) => this.#usageOnceReserved(each, reserved[index] ?? none, round)),
    );
  }

  async #usageOnceReserved(asked: Asked, { counted, outcome }: Reserved, round: string): Promise<Quantity> {
    if ('counter' in outcome) {
      const usage = this.#usageFrom(asked, outcome.counter);
      if (usage !== undefined) return usage;
    }
    const tally = await this.#tally(asked, counted, tokenIn(outcome) || round);
    if ('token' in outcome) {
      const filled = await this.#options.store.fill(asked.reservation, outcome.token, encodePart(tally));
      const usage = filled === undefined ? undefined : this.#usageFrom(asked, filled);
      if (usage !== undefined) return usage;
    }
    return usageOf(aggregationOf(asked.scope), tally);
  }

  /**
   * The figure through the flushes that were counted when it was asked for: what a flush in hand has stored is left
   * out, so that no answer counts what a later one does not. It is shared by those who met the same reservation, or
   * asked at the same time: a correction changes no flush's number, but it gives reservations up.
   */
  #tally(
    { ask, scope, reservation }: Asked,
    counted: number | undefined,
    sharedBy: string,
  ): Promise<UsageRow> {
    const { customerId, subjectKey, resourceId, start, end } = reservation;
    const key = JSON.stringify([customerId, subjectKey, resourceId, start, end, counted, sharedBy]);
    const underWay = this.#tallies.get(key);
    if (underWay !== undefined) return underWay;
    const bounds: UsageBounds = {
      period: ask.period,
      ...(counted === undefined ? {} : { throughFlush: counted }),
    };
    const tally = this.#options.tallies.tally(scope, bounds).finally(() => this.#tallies.delete(key));
    this.#tallies.set(key, tally);
    return tally;
  }
}

/** Empty where there is no reservation. */
function tokenIn(outcome: Reserved['outcome']): string {
  if ('token' in outcome) return outcome.token;
  return 'awaited' in outcome ? outcome.awaited : '';
}

function askedOf(ask: UsageAsk): Asked {
  const { customerId, feature, period } = ask;
  const resourceId = ask.resourceId ?? '';
  const { key: subjectKey, text: subjectText } = subjectNameOf(feature);
  return {
    ask,
    scope: { customerId, feature, resourceId },
    reservation: { customerId, subjectKey, subjectText, resourceId, ...boundsOf(period) },
  };
}
