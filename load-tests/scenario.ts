/** What is measured of one way of loading a design. */
import { percentile } from './load.ts';
import type { ProcessFigures } from './process-figures.ts';

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export interface Scenario {
  readonly eventsPerSecond?: number;
  readonly requestsPerSecond: number;
  readonly ackMs: Percentiles;
  readonly freshMs?: Percentiles;
  readonly cpuMicrosPerEvent: Readonly<Record<string, number>>;
  readonly rssMbMax: Readonly<Record<string, number>>;
  /** accepted = stored + duplicates, and sampled customers' usage is what was sent. */
  readonly exact: boolean;
}

export function percentiles(sorted: readonly number[]): Percentiles {
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

export function cpuPerEvent(
  before: ReadonlyMap<string, ProcessFigures>,
  after: ReadonlyMap<string, ProcessFigures>,
  events: number,
): Record<string, number> {
  const micros = (role: string) =>
    (((after.get(role)?.cpuSeconds ?? 0) - (before.get(role)?.cpuSeconds ?? 0)) * 1e6) / Math.max(1, events);
  return Object.fromEntries([...after.keys()].map((role) => [role, micros(role)]));
}

export function memory(figures: ReadonlyMap<string, ProcessFigures>): Record<string, number> {
  return Object.fromEntries([...figures].map(([role, { rssMb }]) => [role, Math.round(rssMb)]));
}
