import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Feature } from '../catalog/feature.ts';
import type { Price } from '../catalog/price.ts';
import type { Clock } from '../clock.ts';
import { addQuantities, type Quantity, subtractQuantities, zeroQuantity } from '../quantity.ts';
import type { LiveReservations } from '../usage/live-reservations.ts';
import type { LiveFigure, LiveUsage, UsageAsk } from '../usage/live-usage.ts';
import { transformUnits } from '../usage/unit-transformation.ts';
import {
  checkEntitlement,
  type EntitlementCheck,
  isMeteredFeature,
  type KnownUsage,
  type RequestedAccess,
} from './check-entitlement.ts';
import type { CustomerStanding } from './customer-standing.ts';
import type { GrantedEntitlement } from './effective-entitlement.ts';
import type { Denial, SpendLimit } from './entitlement.ts';
import { areBudgetsSpent } from './spending.ts';

/** Names are refIds; a feature may be named by its id, too. */
export interface EntitlementQuestion extends RequestedAccess {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string | null;
}

export interface EntitlementsQuestion {
  readonly customerId: string;
  readonly resourceId: string | null;
}

/** Where the customers' entitlements come from; see `RecordEntitlements`. */
export interface StandingSource {
  entitlements(customerIds: readonly string[]): Promise<ReadonlyMap<string, CustomerStanding>>;
  remembered(customerId: string): CustomerStanding | undefined;
}

export interface LiveChecksOptions {
  readonly entitlements: StandingSource;
  readonly usage: LiveUsage;
  readonly reservations: Pick<LiveReservations, 'reserved'>;
  readonly clock: Clock;
}

/**
 * What a customer may do now: entitlements and usage put together. Usage is asked for by what is remembered of the
 * entitlement while that is looked up: so a check waits for one round trip to Redis, not for two, and for a second
 * one only when something had changed.
 */
export class LiveChecks {
  readonly #entitlements: StandingSource;
  readonly #usage: LiveUsage;
  readonly #reservations: LiveChecksOptions['reservations'];
  readonly #clock: Clock;
  #batch: FigureBatch | undefined;

  constructor({ entitlements, usage, reservations, clock }: LiveChecksOptions) {
    this.#entitlements = entitlements;
    this.#usage = usage;
    this.#reservations = reservations;
    this.#clock = clock;
  }

  async check(question: EntitlementQuestion): Promise<EntitlementCheck> {
    const { featureId, resourceId } = question;
    const [checked] = await this.#answer(question, (standing) => [
      { featureId, entitlement: standing.of(featureId, resourceId), requested: question },
    ]);
    if (checked === undefined) throw new Error('a check of a customer was not answered');
    return checked;
  }

  /** Every feature that the customer is entitled to, by refId; a denial when there can be none. */
  async all(question: EntitlementsQuestion): Promise<readonly EntitlementCheck[] | Denial> {
    let denial: Denial | undefined;
    const checks = await this.#answer(question, (standing) => {
      const entitlements = standing.all(question.resourceId);
      denial = 'deniedReason' in entitlements ? entitlements : undefined;
      if ('deniedReason' in entitlements) return [];
      return entitlements.map((entitlement) => {
        return { featureId: entitlement.featureId, entitlement, requested: nothingRequested };
      });
    });
    return denial ?? checks;
  }

  /** `select`, which is asked about what is remembered and then about what is, says what is to be checked. */
  async #answer(
    { customerId }: EntitlementsQuestion,
    select: (standing: CustomerStanding) => readonly Selected[],
  ): Promise<readonly EntitlementCheck[]> {
    const remembered = this.#entitlements.remembered(customerId);
    const guessed = remembered === undefined ? [] : asksOf(customerId, remembered, select(remembered));
    const [standings, early] = await Promise.all([
      this.#entitlements.entitlements([customerId]),
      this.#figures(guessed),
    ]);
    const standing = standings.get(customerId);
    if (standing === undefined) throw new Error('the entitlements of a customer were not answered');
    const selected = select(standing);
    const asks = asksOf(customerId, standing, selected);
    const figures = areSame(asks, guessed) ? early : await this.#figures(asks);
    const usage = new FigureTable(asks, figures, this.#clock.now());
    return selected.map(({ featureId, entitlement, requested }) => {
      const feature = standing.feature(featureId);
      const known = usage.of(customerId, standing, feature, entitlement);
      return checkEntitlement(featureId, feature, entitlement, known, requested);
    });
  }

  async #figures(asks: readonly UsageAsk[]): Promise<readonly Figure[]> {
    if (asks.length === 0) return [];
    this.#batch ??= this.#begin();
    const { gathered, figures } = this.#batch;
    const from = gathered.length;
    gathered.push(...asks);
    return (await figures).slice(from, from + asks.length);
  }

  #begin(): FigureBatch {
    const gathered: UsageAsk[] = [];
    return { gathered, figures: this.#gatheredFigures(gathered) };
  }

  /**
   * Of all who ask in one turn of the event loop. What is reserved is asked for first: a commit in between is then in
   * both figures, never in none.
   */
  async #gatheredFigures(asks: readonly UsageAsk[]): Promise<readonly Figure[]> {
    await nextTurn();
    this.#batch = undefined;
    const reservable = asks.filter(({ feature }) => feature.meter === null);
    const reserving = this.#reservations.reserved(
      reservable.map(({ customerId, feature, resourceId }) => {
        return { customerId, featureId: feature.refId, resourceId };
      }),
    );
    const [sums, figures] = await Promise.all([reserving, this.#usage.current(asks)]);
    const sumOf = new Map(reservable.map((ask, at) => [ask, sums[at]]));
    return figures.map((figure, at) => {
      const ask = asks[at];
      return { ...figure, reserved: (ask && sumOf.get(ask)) ?? zeroQuantity };
    });
  }
}

/** As counted, like usage. */
interface Figure extends LiveFigure {
  readonly reserved: Quantity;
}

interface FigureBatch {
  readonly gathered: UsageAsk[];
  readonly figures: Promise<readonly Figure[]>;
}

const nothingRequested: RequestedAccess = { requestedUsage: null, requestedValues: null };

interface Selected {
  readonly featureId: string;
  readonly entitlement: GrantedEntitlement | Denial;
  readonly requested: RequestedAccess;
}

/** Each once, though several entitlements may need it. */
function asksOf(
  customerId: string,
  standing: CustomerStanding,
  selected: readonly Selected[],
): readonly UsageAsk[] {
  const asks = new Map<string, UsageAsk>();
  for (const { entitlement } of selected) {
    if ('deniedReason' in entitlement) continue;
    const needed = [
      usageAsk(customerId, standing.feature(entitlement.featureId), entitlement),
      ...entitlement.budgets.flatMap((budget) =>
        budget.prices.map((price) => spendAsk(customerId, standing, budget, price)),
      ),
    ];
    for (const ask of needed) if (ask !== undefined) asks.set(nameOf(ask), ask);
  }
  return [...asks.values()];
}

function usageAsk(
  customerId: string,
  feature: Feature | undefined,
  { usageResourceId, usagePeriod }: GrantedEntitlement,
): UsageAsk | undefined {
  if (feature === undefined || !isMeteredFeature(feature)) return undefined;
  return { customerId, feature, resourceId: usageResourceId, period: usagePeriod };
}

function spendAsk(
  customerId: string,
  standing: CustomerStanding,
  { resourceId, period }: SpendLimit,
  { featureId }: Price,
): UsageAsk | undefined {
  const feature = featureId === null ? undefined : standing.feature(featureId);
  return feature === undefined ? undefined : { customerId, feature, resourceId, period };
}

/** Of one customer's asks. */
function nameOf({ feature, resourceId, period }: UsageAsk): string {
  const { length } = feature.refId;
  const of = resourceId === null ? '' : `:${resourceId}`;
  return `${period?.start ?? ''} ${period?.end ?? ''} ${length} ${feature.refId}${of}`;
}

function areSame(asks: readonly UsageAsk[], others: readonly UsageAsk[]): boolean {
  return (
    asks.length === others.length &&
    asks.every((ask, at) => {
      const other = others[at];
      return other !== undefined && ask.feature === other.feature && nameOf(ask) === nameOf(other);
    })
  );
}

/** Figures by what they were asked for, in the units in which usage is limited and charged. */
class FigureTable {
  readonly #figures: ReadonlyMap<string, Figure>;
  readonly #now: number;

  constructor(asks: readonly UsageAsk[], figures: readonly Figure[], now: number) {
    this.#figures = new Map(
      asks.map((ask, at) => [
        nameOf(ask),
        figures[at] ?? { usage: zeroQuantity, reserved: zeroQuantity, asOf: now },
      ]),
    );
    this.#now = now;
  }

  of(
    customerId: string,
    standing: CustomerStanding,
    feature: Feature | undefined,
    entitlement: GrantedEntitlement | Denial,
  ): KnownUsage {
    if ('deniedReason' in entitlement) {
      return {
        currentUsage: zeroQuantity,
        reservedUsage: zeroQuantity,
        isBudgetSpent: false,
        asOf: this.#now,
      };
    }
    const ask = usageAsk(customerId, feature, entitlement);
    const isBudgetSpent = areBudgetsSpent(entitlement.budgets, (budget, price) =>
      this.#usageOf(spendAsk(customerId, standing, budget, price)),
    );
    const figure = ask === undefined ? undefined : this.#figures.get(nameOf(ask));
    return {
      currentUsage: this.#usageOf(ask),
      reservedUsage: this.#reservedOf(ask),
      isBudgetSpent,
      asOf: figure?.asOf ?? this.#now,
    };
  }

  /** By as much as usage would grow: reservations may fill up a unit that is begun. */
  #reservedOf(ask: UsageAsk | undefined): Quantity {
    const figure = ask === undefined ? undefined : this.#figures.get(nameOf(ask));
    if (figure === undefined || ask === undefined) return zeroQuantity;
    const all = addQuantities(figure.usage, figure.reserved);
    return subtractQuantities(transformUnits(all, ask.feature.unitTransformation), this.#usageOf(ask));
  }

  #usageOf(ask: UsageAsk | undefined): Quantity {
    const figure = ask === undefined ? undefined : this.#figures.get(nameOf(ask));
    return figure === undefined || ask === undefined
      ? zeroQuantity
      : transformUnits(figure.usage, ask.feature.unitTransformation);
  }
}
