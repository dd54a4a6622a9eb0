/** Two results beside each other: which figures changed by more than the machine's noise, and for better or worse. */
import { ratioNames, ratioOf } from './ratios.ts';
import { figuresOf, type Results, type Spread } from './results.ts';

export interface Change {
  readonly figure: string;
  readonly before: Spread;
  readonly after: Spread;
  /** The median after ÷ the median before. */
  readonly factor: number;
  readonly verdict: 'better' | 'worse';
}

/** Medians that are nearer to each other than this are the same, whatever the runs say. */
const sameWithin = 0.05;

/**
 * A change is one when all runs of one side lie beyond all of the other, and the medians over 5 % apart. Of results of
 * single runs nothing is known of the noise, so any two that are 5 % apart are told.
 */
export function changesBetween(before: Results, after: Results): readonly Change[] {
  const [old, fresh] = [spreadsOf(before), spreadsOf(after)];
  return [...old].flatMap(([figure, was]) => {
    const is = fresh.get(figure);
    const higherIsBetter = directionOf(figure);
    if (is === undefined || higherIsBetter === undefined) return [];
    const overlap = was.min <= is.max && is.min <= was.max;
    const factor = is.median / was.median;
    // Written so that a figure that was 0, or is now, is told.
    if (overlap || Math.abs(is.median - was.median) <= sameWithin * Math.abs(was.median)) return [];
    const verdict = is.median > was.median === higherIsBetter ? 'better' : 'worse';
    return [{ figure, before: was, after: is, factor, verdict }];
  });
}

function spreadsOf(results: Results): ReadonlyMap<string, Spread> {
  const spreads = [...figuresOf(results)].map(
    ([path, value]) => [path, results.spread?.[path] ?? { min: value, median: value, max: value }] as const,
  );
  return new Map(spreads);
}

/** Undefined: more of it is neither good nor bad. */
function directionOf(figure: string): boolean | undefined {
  const ratio = ratioNames.find((name) => figure === `ratios.${name}`);
  if (ratio !== undefined) return 'atLeast' in ratioOf(ratio).goal;
  if (figure.includes('.details.')) return undefined;
  if (figure.endsWith('PerSecond')) return true;
  return /(\.p\d\d|bytesPerEvent|cpuMicrosPerEvent(\.\w+)?|rssMbMax(Of\.\w+)?)$/.test(figure)
    ? false
    : undefined;
}
