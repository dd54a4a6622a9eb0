import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MeasurementFact } from '../metering/facts.ts';
import {
  addQuantities,
  compareQuantities,
  type Quantity,
  quantityToText,
  zeroQuantity,
} from '../quantity.ts';
import {
  allTime,
  isWithin,
  type UsageChange,
  UsageFold,
  type UsageSpan,
  type UsageState,
  unusedState,
} from './calculated-usage.ts';
import type { CustomerFeature, UsagePair } from './flush-store.ts';
import { Persistence } from './persistence.ts';
import { openRunningUsage, type TermedMeasurement } from './running-usage.ts';
import { type FeatureUsage, spanKey, UsageStates } from './usage-states.ts';
import { noTerms, type UsageTerms } from './usage-terms.ts';
import { aMeasurement, amount } from './worker.fixture.ts';

/** What a store answers, folded anew each time. Counts how much it was asked. */
class Stored {
  readonly facts: MeasurementFact[] = [];
  asked = 0;

  usageStates = (asks: readonly (UsagePair & UsageSpan)[]): Promise<UsageState[]> => {
    this.asked += asks.length;
    return Promise.resolve(
      asks.map((ask) => {
        const changes = this.#of(ask).filter(({ resourceId }) => resourceId === ask.resourceId);
        const fold = new UsageFold(unusedState, changes, () => zeroQuantity);
        for (const change of changes) fold.add(change);
        return fold.state;
      }),
    );
  };

  usageTotals = (asks: readonly (CustomerFeature & UsageSpan)[]): Promise<Quantity[]> => {
    this.asked += asks.length;
    return Promise.resolve(asks.map((ask) => totalOf(this.#of(ask))));
  };

  deltasAfter = (asks: readonly (UsagePair & UsageSpan & { timestamp: number })[]): Promise<Quantity[]> =>
    Promise.resolve(
      asks.map((ask) =>
        this.#of(ask)
          .filter((fact) => fact.resourceId === ask.resourceId && fact.updateBehavior === 'DELTA')
          .filter(({ timestamp }) => timestamp > ask.timestamp)
          .reduce((sum, { value }) => addQuantities(sum, value), zeroQuantity),
      ),
    );

  #of({ customerId, featureId, ...span }: CustomerFeature & UsageSpan): MeasurementFact[] {
    return this.facts.filter(
      (fact) =>
        fact.customerId === customerId && fact.featureId === featureId && isWithin(span, fact.timestamp),
    );
  }
}

/** The rule as the contract words it: every resource folded from the period's start, then summed. */
function totalOf(facts: readonly MeasurementFact[]): Quantity {
  const resources = [...new Set(facts.map(({ resourceId }) => resourceId))];
  return resources
    .map((resourceId) => naiveFold(facts.filter((fact) => fact.resourceId === resourceId)))
    .reduce((sum, usage) => addQuantities(sum, usage), zeroQuantity);
}

function naiveFold(changes: readonly UsageChange[]): Quantity {
  let usage = zeroQuantity;
  for (const change of changes.toSorted((a, b) => a.timestamp - b.timestamp)) {
    usage = change.updateBehavior === 'SET' ? change.value : addQuantities(usage, change.value);
  }
  return usage;
}

/** Usage in the terms' period: of the resource, or of the customer with null. */
function usageIn(
  facts: readonly MeasurementFact[],
  { fact, terms }: TermedMeasurement,
  resourceId: string | null,
) {
  const span = terms.period ?? allTime;
  return totalOf(
    facts
      .filter((each) => each.customerId === fact.customerId && isWithin(span, each.timestamp))
      .filter((each) => resourceId === null || each.resourceId === resourceId),
  );
}

/** Null is the customer as a whole. */
function scopeOf({ fact, terms }: TermedMeasurement): string | null {
  return terms.usageScope === 'customer' ? null : fact.resourceId;
}

function isOverLimit(known: readonly MeasurementFact[], measurement: TermedMeasurement): boolean {
  const { fact, terms } = measurement;
  if (terms.limit === null || !terms.isHardLimit || !fact.rejectIfExceeded) return false;
  const scope = scopeOf(measurement);
  const [before, after] = [usageIn(known, measurement, scope), usageIn([...known, fact], measurement, scope)];
  return compareQuantities(after, before) > 0 && compareQuantities(after, terms.limit) > 0;
}

const anyPeriod = fc.constantFrom<UsageSpan | null>(
  null,
  { start: 0, end: 10 },
  { start: 3, end: 10 },
  { start: 10, end: 20 },
);
const anyTerms = fc.record({
  limit: fc.constantFrom('5', '12').map(amount),
  isHardLimit: fc.boolean(),
  usageScope: fc.constantFrom('resource' as const, 'customer' as const),
  period: anyPeriod,
  chargedPeriods: fc.array(fc.constantFrom({ start: 0, end: 10 }, { start: 5, end: 12 }), { maxLength: 2 }),
});
const anyFact = fc
  .record({
    customerId: fc.constantFrom('a', 'b'),
    resourceId: fc.constantFrom('', 'r1', 'r2'),
    timestamp: fc.integer({ min: -2, max: 12 }),
    updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'DELTA' as const, 'SET' as const),
    rejectIfExceeded: fc.boolean(),
    tenths: fc.integer({ min: -20, max: 60 }),
  })
  .map(({ customerId, tenths, ...fact }) => aMeasurement(customerId, String(tenths / 10), fact));
/** What is granted changes from flush to flush; within one it is the same for a customer and resource. */
const anyFlush = fc.record({
  facts: fc.array(anyFact, { minLength: 1, maxLength: 12 }),
  terms: fc.array(anyTerms, { minLength: 6, maxLength: 6 }),
});

test('in any periods and against any limits, usage runs as folding everything anew has it', async () => {
  const persistence = new Persistence({ signal: new AbortController().signal, onRetry: () => {} });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFlush, { minLength: 1, maxLength: 6 }),
      // From nothing remembered to everything.
      fc.constantFrom(0, 4, 1_000),
      async (flushes, foldsMax) => {
        const store = new Stored();
        const states = new UsageStates(store, foldsMax);
        for (const { facts, terms } of flushes) {
          const termed = facts.map((fact) => ({ fact, terms: termsFor(fact, terms) }));
          const running = await openRunningUsage(termed, 1, { store, states, persistence });
          const known = [...store.facts];
          for (const measurement of termed) {
            const { fact } = measurement;
            const refused = fact.rejectIfExceeded && running.exceeds(measurement, zeroQuantity);
            expect(refused).toBe(isOverLimit(known, measurement));
            if (!refused) {
              running.count(fact);
              known.push(fact);
            }
            const shown = usageIn(known, measurement, scopeOf(measurement));
            expect(quantityToText(running.usage(measurement))).toBe(quantityToText(shown));
          }
          store.facts.push(...known.slice(store.facts.length));
          states.keep(running.usages());
          expect(figuresOf(running.usages())).toEqual(figuresOf(running.usages(), known));
          for (const { fact, terms: of } of termed) {
            const figures = running.usages().find(({ customerId }) => customerId === fact.customerId);
            const counted =
              of.usageScope === 'customer' ? figures?.totals : figures?.folds.get(fact.resourceId);
            for (const span of of.chargedPeriods) expect(counted?.has(spanKey(span))).toBe(true);
          }
        }
      },
    ),
    { numRuns: 600 },
  );
});

test('folds that are remembered ask the store for nothing, and at the bound whole features are forgotten', async () => {
  const persistence = new Persistence({ signal: new AbortController().signal, onRetry: () => {} });
  const store = new Stored();
  const states = new UsageStates(store, 4);
  const flush = async (customerId: string): Promise<string> => {
    const before = store.asked;
    const measurement = { fact: aMeasurement(customerId, '1', { timestamp: 5 }), terms: noTerms };
    const running = await openRunningUsage([measurement], 1, { store, states, persistence });
    running.count(measurement.fact);
    store.facts.push(measurement.fact);
    states.keep(running.usages());
    return `${quantityToText(running.usage(measurement))} asking ${store.asked - before}`;
  };
  // A fold and a total each: two features fit.
  expect(await flush('a')).toBe('1 asking 2');
  expect(await flush('b')).toBe('1 asking 2');
  expect(await flush('a')).toBe('2 asking 0');
  expect(await flush('c')).toBe('1 asking 2');
  expect(await flush('a')).toBe('3 asking 0');
  expect(await flush('b')).toBe('2 asking 2');
  states.clear();
  expect(await flush('b')).toBe('3 asking 2');
});

/** Every total and fold as they were kept, or as all that is known comes to. */
function figuresOf(usages: readonly FeatureUsage[], known?: readonly MeasurementFact[]): string[] {
  return usages.flatMap(({ customerId, totals, folds }) => {
    const of = (key: string, usage: Quantity, resourceId: string | null): string => {
      const [start = 0, end = 0] = key.split(' ').map(Number);
      const facts = known?.filter(
        (fact) =>
          fact.customerId === customerId &&
          isWithin({ start, end }, fact.timestamp) &&
          (resourceId === null || fact.resourceId === resourceId),
      );
      return `${customerId} ${resourceId} ${key} ${quantityToText(facts === undefined ? usage : totalOf(facts))}`;
    };
    const ofFolds = [...folds].flatMap(([resourceId, states]) =>
      [...states].map(([key, { total }]) => of(key, total, resourceId)),
    );
    return [...[...totals].map(([key, total]) => of(key, total, null)), ...ofFolds];
  });
}

function termsFor(
  { customerId, resourceId }: MeasurementFact,
  terms: readonly Partial<UsageTerms>[],
): UsageTerms {
  const place = (customerId === 'a' ? 0 : 3) + ['', 'r1', 'r2'].indexOf(resourceId);
  const own: UsageTerms = { ...noTerms, ...terms[place] };
  return resourceId === '' ? { ...own, usageScope: 'customer' } : own;
}
