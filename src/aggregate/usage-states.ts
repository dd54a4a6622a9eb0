/**
 * Folds of calculated usage that the worker met lately. The worker is the only writer, so what it folded and
 * stored stays true until a flush with measurements of the same customer and feature; what is not here is folded
 * by the store.
 */
import { type Quantity, zeroQuantity } from '../quantity.ts';
import { type UsageSpan, type UsageState, unusedState } from './calculated-usage.ts';
import type { CustomerFeature, FlushStore } from './flush-store.ts';

/** Which folds of one customer and feature a flush needs. */
export interface FeatureAsk extends CustomerFeature {
  /** By resource, the empty text being usage without one. */
  readonly folds: ReadonlyMap<string, readonly UsageSpan[]>;
  /** Spans in which usage of all resources and none together is asked. */
  readonly totals: readonly UsageSpan[];
}

/** Usage of one customer and feature; folds by resource and `spanKey`, totals by `spanKey`. */
export interface FeatureUsage extends CustomerFeature {
  readonly folds: ReadonlyMap<string, ReadonlyMap<string, UsageState>>;
  readonly totals: ReadonlyMap<string, Quantity>;
}

export class UsageStates {
  readonly #store: Pick<FlushStore, 'usageStates' | 'usageTotals'>;
  readonly #foldsMax: number;
  /** Least lately used first, as a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry>();
  #folds = 0;

  /** 100,000 folds weigh some 40 MB. At the bound whole features are forgotten, and folded by the store again. */
  constructor(store: Pick<FlushStore, 'usageStates' | 'usageTotals'>, foldsMax = 100_000) {
    this.#store = store;
    this.#foldsMax = foldsMax;
  }

  /** In the order of the asks, as all flushes before this one left them. */
  async load(asks: readonly FeatureAsk[], beforeFlush: number): Promise<FeatureUsage[]> {
    const known = (ask: FeatureAsk): Entry | undefined => this.#entries.get(featureKey(ask));
    const folds = asks.flatMap((ask) => foldAsks(ask).filter((each) => !knownFold(known(ask), each)));
    const totals = asks.flatMap((ask) =>
      totalAsks(ask).filter((each) => !known(ask)?.totals.has(spanKey(each))),
    );
    const [loadedFolds, loadedTotals] = await Promise.all([
      folds.length === 0 ? [] : this.#store.usageStates(folds, beforeFlush),
      totals.length === 0 ? [] : this.#store.usageTotals(totals, beforeFlush),
    ]);
    const foldOf = new Map(folds.map((each, index) => [foldKey(each), loadedFolds[index]]));
    const totalOf = new Map(totals.map((each, index) => [totalKey(each), loadedTotals[index]]));
    return asks.map((ask) => {
      const { customerId, featureId } = ask;
      const entry = known(ask);
      const usage = {
        customerId,
        featureId,
        folds: new Map<string, Map<string, UsageState>>(),
        totals: new Map(),
      };
      for (const [resourceId, spans] of ask.folds) {
        const states = spans.map((span) => {
          const each = { customerId, featureId, resourceId, ...span };
          return [spanKey(span), knownFold(entry, each) ?? foldOf.get(foldKey(each)) ?? unusedState] as const;
        });
        usage.folds.set(resourceId, new Map(states));
      }
      for (const each of totalAsks(ask)) {
        const key = spanKey(each);
        usage.totals.set(key, entry?.totals.get(key) ?? totalOf.get(totalKey(each)) ?? zeroQuantity);
      }
      return usage;
    });
  }

  /**
   * Only for usage whose flush is stored. What the flush changed without folding it, such as another period of a
   * resource, is forgotten.
   */
  keep(usages: readonly FeatureUsage[]): void {
    for (const usage of usages) {
      const key = featureKey(usage);
      const entry = this.#entries.get(key) ?? { folds: new Map(), totals: new Map(), size: 0 };
      this.#forget(key);
      for (const [resourceId, states] of usage.folds) {
        entry.size += states.size - (entry.folds.get(resourceId)?.size ?? 0);
        entry.folds.set(resourceId, states);
      }
      entry.size += usage.totals.size - entry.totals.size;
      entry.totals = usage.totals;
      this.#entries.set(key, entry);
      this.#folds += entry.size;
    }
    for (const key of this.#entries.keys()) {
      if (this.#folds <= this.#foldsMax) return;
      this.#forget(key);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#folds = 0;
  }

  #forget(key: string): void {
    this.#folds -= this.#entries.get(key)?.size ?? 0;
    this.#entries.delete(key);
  }
}

export function spanKey({ start, end }: UsageSpan): string {
  return `${start} ${end}`;
}

export function featureKey({ customerId, featureId }: CustomerFeature): string {
  return JSON.stringify([customerId, featureId]);
}

interface Entry {
  readonly folds: Map<string, ReadonlyMap<string, UsageState>>;
  totals: ReadonlyMap<string, Quantity>;
  /** Folds and totals in it. */
  size: number;
}

type TotalAsk = CustomerFeature & UsageSpan;
type FoldAsk = TotalAsk & { readonly resourceId: string };

function foldAsks({ customerId, featureId, folds }: FeatureAsk): FoldAsk[] {
  return [...folds].flatMap(([resourceId, spans]) =>
    spans.map(({ start, end }) => ({ customerId, featureId, resourceId, start, end })),
  );
}

function totalAsks({ customerId, featureId, totals }: FeatureAsk): TotalAsk[] {
  return totals.map(({ start, end }) => ({ customerId, featureId, start, end }));
}

function knownFold(entry: Entry | undefined, { resourceId, ...span }: FoldAsk): UsageState | undefined {
  return entry?.folds.get(resourceId)?.get(spanKey(span));
}

function foldKey(ask: FoldAsk): string {
  return `${totalKey(ask)}${JSON.stringify(ask.resourceId)}`;
}

function totalKey(ask: TotalAsk): string {
  return `${spanKey(ask)} ${featureKey(ask)}`;
}
