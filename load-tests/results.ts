/** Results of runs as files: their form, several runs put together, and where they are kept. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { QueryFigures, Scenario, StageFigures } from './figures.ts';
import type { RatioName } from './ratios.ts';

export interface Results {
  readonly commit: string;
  readonly machine: string;
  readonly quick: boolean;
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly stages: Readonly<Record<string, StageFigures>>;
  readonly ratios: Readonly<Record<RatioName, number | null>>;
  /** Of stored history; a quick run asks none. */
  readonly queries?: QueryFigures;
  /** Why a ratio is null. */
  readonly missing: Partial<Readonly<Record<RatioName, string>>>;
  /** When it was measured, ISO 8601. */
  readonly measuredAt: string;
  readonly runs: number;
  /** Of several runs, by the figure's path: everything above is the median. */
  readonly spread?: Readonly<Record<string, Spread>>;
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

const folder = new URL('results/', import.meta.url);
const latest = 'latest';

/** By the name under which they are kept, or a path. */
export function readResults(name: string): Results {
  const file = /[./]/.test(name) ? name : new URL(`${name}.json`, folder);
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

/** Every result that was kept by a name, oldest first. */
export function keptResults(): { readonly name: string; readonly results: Results }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== `${latest}.json`)
    .map((file) => file.slice(0, -'.json'.length))
    .map((name) => ({ name, results: readResults(name) }))
    .toSorted((a, b) => a.results.measuredAt.localeCompare(b.results.measuredAt));
}

/** The latest ones, unless they are only part of a run; and a copy by name. */
export function writeResults(
  results: Results,
  chart: string,
  { only, keep }: { readonly only?: string | undefined; readonly keep?: string | undefined },
): void {
  mkdirSync(folder, { recursive: true });
  const text = `${JSON.stringify(results, null, 2)}\n`;
  if (keep !== undefined) writeFileSync(new URL(`${keep}.json`, folder), text);
  if (only !== undefined) return;
  writeFileSync(new URL(`${latest}.json`, folder), text);
  writeFileSync(new URL(`${latest}.svg`, folder), chart);
}

/** The median of every figure; what is no number is taken from the last run, and `exact` holds if it always did. */
export function medianOf(runs: readonly Results[]): Results {
  const last = runs.at(-1);
  if (last === undefined) throw new Error('there are no runs');
  if (runs.length === 1) return last;
  const spread = spreadOf(runs);
  const take = (value: unknown, path: string): unknown => {
    const known = spread[path];
    if (known !== undefined) return known.median;
    if (path.endsWith('.exact')) return runs.every((run) => valueAt(run, path) !== false);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, take(each, `${path}.${key}`)]),
    );
  };
  const parts = Object.fromEntries(
    measuredParts.filter((part) => part in last).map((part) => [part, take(last[part], part)]),
  );
  return { ...last, ...(parts as Pick<Results, MeasuredPart>), runs: runs.length, spread };
}

type MeasuredPart = 'scenarios' | 'stages' | 'queries' | 'ratios';
const measuredParts: readonly MeasuredPart[] = ['scenarios', 'stages', 'queries', 'ratios'];

/** Every number of the scenarios, stages and ratios by its path, such as `scenarios.events100.ackMs.p99`. */
export function figuresOf(results: Results): ReadonlyMap<string, number> {
  const figures = new Map<string, number>();
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'number') figures.set(path, value);
    else if (value !== null && typeof value === 'object') {
      for (const [key, each] of Object.entries(value)) walk(each, `${path}.${key}`);
    }
  };
  for (const part of measuredParts) walk(results[part], part);
  return figures;
}

function spreadOf(runs: readonly Results[]): Record<string, Spread> {
  const all = runs.map(figuresOf);
  const paths = new Set(all.flatMap((figures) => [...figures.keys()]));
  return Object.fromEntries(
    [...paths].map((path) => {
      const values = all.flatMap((figures) => figures.get(path) ?? []).sort((a, b) => a - b);
      const [min = Number.NaN, max = Number.NaN] = [values[0], values.at(-1)];
      return [path, { min, median: middleOf(values), max }];
    }),
  );
}

/** @param sorted not empty. */
function middleOf(sorted: readonly number[]): number {
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2;
}

/** Keys hold no dots. */
function valueAt(results: Results, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], results);
}
