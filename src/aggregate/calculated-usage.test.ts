import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { addQuantities, parseQuantity, type Quantity, quantityToText, zeroQuantity } from '../quantity.ts';
import {
  backDatedSets,
  unusedState,
  type UsageChange,
  UsageFold,
  type UsageState,
} from './calculated-usage.ts';

function quantity(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error(`no number: ${text}`);
  return parsed;
}

const delta = (timestamp: number, value: string): UsageChange => ({
  timestamp,
  value: quantity(value),
  updateBehavior: 'DELTA',
});
const set = (timestamp: number, value: string): UsageChange => ({
  timestamp,
  value: quantity(value),
  updateBehavior: 'SET',
});

/** The rule as the contract words it, folded anew over everything: slow, and plain to see right. */
function oracle(history: readonly UsageChange[]): Quantity {
  const ordered = history.map((change, index) => ({ change, index }));
  ordered.sort((a, b) => a.change.timestamp - b.change.timestamp || a.index - b.index);
  let usage = zeroQuantity;
  for (const { change } of ordered) {
    usage = change.updateBehavior === 'SET' ? change.value : addQuantities(usage, change.value);
  }
  return usage;
}

/** What the store answers: the sum of stored DELTAs after a timestamp. */
function deltasAfter(history: readonly UsageChange[], timestamp: number): Quantity {
  return history
    .filter((change) => change.updateBehavior === 'DELTA' && change.timestamp > timestamp)
    .reduce((sum, change) => addQuantities(sum, change.value), zeroQuantity);
}

/** Usage after each change, and the state after the last. */
function foldUsage(
  state: UsageState,
  changes: readonly UsageChange[],
  storedDeltasAfter: (timestamp: number) => Quantity,
): { readonly state: UsageState; readonly usages: readonly Quantity[] } {
  const fold = new UsageFold(state, changes, storedDeltasAfter);
  const usages = changes.map((change) => {
    const foreseen = fold.totalWith(change);
    fold.add(change);
    expect(quantityToText(fold.state.total)).toBe(quantityToText(foreseen));
    return foreseen;
  });
  return { state: fold.state, usages };
}

const texts = (usages: readonly Quantity[]) => usages.map((usage) => quantityToText(usage));
const nothingStored = () => zeroQuantity;

test('a DELTA adds, a SET replaces what was before it, and 0.1 ten times is 1', () => {
  const tenths = Array.from({ length: 10 }, (_, index) => delta(index, '0.1'));
  expect(texts(foldUsage(unusedState, tenths, nothingStored).usages).at(-1)).toBe('1');
  const mixed = [delta(1, '5'), set(2, '2'), delta(3, '4'), delta(1, '100')];
  expect(texts(foldUsage(unusedState, mixed, nothingStored).usages)).toEqual(['5', '2', '6', '6']);
});

test('an older SET that comes late undoes no newer one, and lets the DELTAs after it add to it', () => {
  expect(texts(foldUsage(unusedState, [set(9, '7'), set(3, '1')], nothingStored).usages)).toEqual(['7', '7']);
  const late = [delta(1, '5'), delta(9, '4'), set(3, '1')];
  expect(texts(foldUsage(unusedState, late, nothingStored).usages)).toEqual(['5', '9', '5']);
});

test('the store is asked only for SETs that lie before what it holds', () => {
  const { state } = foldUsage(unusedState, [set(5, '1'), delta(9, '1')], nothingStored);
  expect(backDatedSets(state, [set(9, '1'), set(10, '1'), delta(6, '1')])).toEqual([]);
  expect(backDatedSets(state, [set(4, '1'), set(7, '1'), set(6, '1')])).toEqual([7, 6]);
});

test('a change that is only looked at, as one that a limit keeps out, leaves no trace', () => {
  const coming = [delta(1, '5'), set(3, '9'), delta(4, '1'), set(2, '2')];
  const fold = new UsageFold(unusedState, coming, nothingStored);
  const totals = coming.map((change, index) => {
    const total = fold.totalWith(change);
    if (index !== 1) fold.add(change);
    return total;
  });
  // The SET at 3 was kept out, so the one at 2 counts, and the DELTA after it adds to it.
  expect(texts(totals)).toEqual(['5', '9', '6', '3']);
});

test('any history in any flushes folds to what folding everything anew gives, after each measurement', () => {
  const change = fc.record({
    // Few timestamps, so that ties, back-dating and SETs in between are the rule.
    timestamp: fc.integer({ min: -3, max: 6 }),
    updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'SET' as const),
    value: fc
      .tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: 0, max: 999 }))
      .map(([whole, part]) => quantity(`${whole}.${String(part).padStart(3, '0')}`)),
  });
  const flushes = fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 6 });
  fc.assert(
    fc.property(flushes, (history) => {
      const known: UsageChange[] = [];
      let state = unusedState;
      for (const changes of history) {
        const askable = new Set(backDatedSets(state, changes));
        const stored = [...known];
        const folded = foldUsage(state, changes, (timestamp) => {
          if (!askable.has(timestamp)) throw new Error('asked for a sum that was not announced');
          return deltasAfter(stored, timestamp);
        });
        const expected = changes.map((each) => {
          known.push(each);
          return oracle(known);
        });
        expect(texts(folded.usages)).toEqual(texts(expected));
        state = folded.state;
      }
      expect(quantityToText(state.total)).toBe(quantityToText(oracle(known)));
    }),
    { numRuns: 400 },
  );
});

test('a flush of 20,000 back-dated SETs and DELTAs takes no time that a caller would notice', () => {
  const changes = Array.from({ length: 20_000 }, (_, index) =>
    index % 2 === 0 ? delta(40_000 - index, '1') : set(index, '3'),
  );
  const { usages } = foldUsage(unusedState, changes, nothingStored);
  expect(quantityToText(usages.at(-1) ?? zeroQuantity)).toBe(quantityToText(oracle(changes)));
});
