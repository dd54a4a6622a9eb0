/** The parts of a run in their order, each with what it needs of those before it. */
import { BenchInstallation } from './bench-installation.ts';
import { type BenchRun, LoadProcesses } from './bench-run.ts';
import { measureEverythingOn, measureOverload } from './comparison-scenarios.ts';
import { poolEvents } from './event-pool.ts';
import { measureAtThird, measureSaturation } from './event-scenarios.ts';
import type { MeasureOptions, Scenario, StageFigures } from './figures.ts';
import { measureLive } from './live-scenario.ts';
import { measureMix } from './mixed-scenarios.ts';
import { measureNaive } from './naive-designs.ts';
import type { Measured } from './ratios.ts';
import { measureChecks, measureUsage } from './request-scenarios.ts';
import { measureStages } from './stages.ts';
import { measureQueries } from './stored-queries.ts';

const ownParts = ['everythingOn', 'events', 'third', 'usage', 'checks', 'live', 'mix', 'overload'] as const;
const partsBeside = ['stages', 'naive', 'queries'] as const;

type PartName = (typeof ownParts)[number] | (typeof partsBeside)[number];
export const partNames: readonly PartName[] = [...ownParts, ...partsBeside];

/** Customers with a plan, and those of them whose applications ask what they may use; the busiest in both cases. */
const customers = {
  quick: { customers: 500, counted: 200 },
  full: { customers: 10_000, counted: 1_000 },
} as const;

/** In less than that a design that queues every event has hardly begun to store. */
const naiveSecondsAtLeast = 8;

export async function measureParts(options: MeasureOptions, wanted: ReadonlySet<string>): Promise<Measured> {
  const scenarios: Record<string, Scenario> = {};
  let stages: Record<string, StageFigures> = {};
  if (ownParts.some((part) => wanted.has(part))) await measureTollgate(options, wanted, scenarios);
  if (wanted.has('stages')) stages = await measureStages(options);
  if (wanted.has('naive')) {
    const seconds = Math.max(naiveSecondsAtLeast, options.seconds);
    Object.assign(scenarios, await measureNaive({ ...options, seconds }));
  }
  // Filling and asking a history takes longer than all of a quick run may.
  const queries = wanted.has('queries') && !options.quick ? await measureQueries(options) : undefined;
  return { scenarios, stages, queries };
}

async function measureTollgate(
  options: MeasureOptions,
  wanted: ReadonlySet<string>,
  scenarios: Record<string, Scenario>,
): Promise<void> {
  const loads = new LoadProcesses(options.seed);
  try {
    options.progress('a Tollgate with its catalog, customers and live counters');
    const bench = await BenchInstallation.start({
      seed: options.seed,
      poolSize: poolEvents,
      metered: true,
      ...(options.quick ? customers.quick : customers.full),
    });
    const parts = new TollgateParts({ bench, loads, options }, scenarios);
    try {
      for (const part of ownParts) if (part !== 'overload' && wanted.has(part)) await parts[part]();
      if (wanted.has('overload')) await parts.saturated();
    } finally {
      await bench.remove();
    }
    if (wanted.has('overload')) await parts.overload();
  } finally {
    loads.stop();
  }
}

class TollgateParts {
  readonly #run: BenchRun;
  readonly #scenarios: Record<string, Scenario>;

  constructor(run: BenchRun, scenarios: Record<string, Scenario>) {
    this.#run = run;
    this.#scenarios = scenarios;
  }

  async everythingOn(): Promise<void> {
    this.#step('events with deduplication, meters and counters, and without, in turns');
    Object.assign(this.#scenarios, await measureEverythingOn(this.#run));
  }

  async events(): Promise<void> {
    for (const size of [1, 100, 1_000]) {
      this.#step(`events, ${size} a request`);
      this.#scenarios[`events${size}`] = await measureSaturation(this.#run, size);
    }
  }

  async third(): Promise<void> {
    const saturated = await this.saturated();
    this.#step(`events at a third of the saturated rate: ${Math.round(saturated / 3)} a second`);
    this.#scenarios['eventsAtThird'] = await measureAtThird(this.#run, saturated);
  }

  async usage(): Promise<void> {
    for (const policy of ['everysec', 'always'] as const) {
      for (const inFlight of [50, 200]) {
        this.#step(`acknowledged usage, ${inFlight} in flight, appendfsync ${policy}`);
        const name = `usage${inFlight}${policy === 'always' ? 'Always' : 'Everysec'}`;
        this.#scenarios[name] = await measureUsage(this.#run, inFlight, policy);
      }
    }
  }

  async checks(): Promise<void> {
    this.#step('entitlement checks over HTTP');
    this.#scenarios['checks'] = await measureChecks(this.#run, 'checks');
    this.#step('entitlement checks over GraphQL');
    this.#scenarios['checksGraphql'] = await measureChecks(this.#run, 'graphqlChecks');
  }

  async live(): Promise<void> {
    const saturated = await this.saturated();
    this.#step('from accepted to denied, at a third of the saturated rate');
    this.#scenarios['live'] = await measureLive(this.#run, saturated);
  }

  async mix(): Promise<void> {
    if (this.#scenarios['usage200Always'] === undefined) await this.usage();
    if (this.#scenarios['checks'] === undefined) await this.checks();
    const rates = {
      eventsPerSecond: await this.saturated(),
      usagePerSecond: this.#scenarios['usage200Always']?.requestsPerSecond ?? 0,
      checksPerSecond: this.#scenarios['checks']?.requestsPerSecond ?? 0,
    };
    this.#step('events, usage, checks and questions at once');
    Object.assign(this.#scenarios, await measureMix(this.#run, rates));
  }

  async overload(): Promise<void> {
    const saturated = await this.saturated();
    this.#step(
      `the saturated rate and four times that offered: ${Math.round(saturated * 4)} events a second`,
    );
    Object.assign(this.#scenarios, await measureOverload(this.#run, saturated));
  }

  /** Events a second with 100 a request; measured now if no part has done so. */
  async saturated(): Promise<number> {
    if (this.#scenarios['events100'] === undefined) {
      this.#step('events, 100 a request');
      this.#scenarios['events100'] = await measureSaturation(this.#run, 100);
    }
    return this.#scenarios['events100'].eventsPerSecond ?? 0;
  }

  #step(text: string): void {
    this.#run.options.progress(text);
  }
}
