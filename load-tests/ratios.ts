/** The figures that are to be reached, each from parts of one run, and what each of them is. */
import type { QueryFigures, Scenario, StageFigures } from './figures.ts';

/** What a run measured, part by part; parts that did not run are missing. */
export interface Measured {
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly stages: Readonly<Record<string, StageFigures>>;
  readonly queries: QueryFigures | undefined;
}

interface Ratio {
  readonly what: string;
  readonly goal: { readonly atLeast: number } | { readonly atMost: number };
  /** Undefined when a part of it did not run. */
  readonly of: (measured: Measured) => number | undefined;
}

const ratioTable = {
  eventsVsNative: {
    what: 'events end to end (100 a request, everything on) ÷ bare Native inserts, merges included, on two cores',
    goal: { atLeast: 0.35 },
    of: (run) => divided(events(run, 'events100'), run.stages['native2']?.rowsPerSecond),
  },
  eventsVsJobPerEvent: {
    what: 'events end to end ÷ the design with a job for each event and batched inserts',
    goal: { atLeast: 50 },
    of: (run) => divided(events(run, 'events100'), events(run, 'jobPerEvent')),
  },
  eventsVsParse: {
    what: 'JSON bytes to validated columns ÷ JSON.parse with a guard, one core',
    goal: { atLeast: 1.3 },
    of: ({ stages }) => divided(stages['scan']?.eventsPerSecond, stages['parse']?.eventsPerSecond),
  },
  everythingOn: {
    what: 'events end to end with deduplication, meters and counters ÷ without them',
    goal: { atLeast: 0.75 },
    of: (run) => divided(events(run, 'everythingOn'), events(run, 'everythingOff')),
  },
  singleEventVsUws: {
    what: 'requests of one event ÷ bare uWebSockets.js',
    goal: { atLeast: 0.25 },
    of: (run) => divided(events(run, 'events1'), run.stages['uws1']?.requestsPerSecond),
  },
  usageAckVsUws: {
    what: 'acknowledged measurements, 200 in flight, appendfsync everysec ÷ bare uWebSockets.js',
    goal: { atLeast: 0.28 },
    of: (run) => divided(requests(run, 'usage200Everysec'), run.stages['uws1']?.requestsPerSecond),
  },
  usageAckVsUwsAlways: {
    what: 'the same with appendfsync always',
    goal: { atLeast: 0.2 },
    of: (run) => divided(requests(run, 'usage200Always'), run.stages['uws1']?.requestsPerSecond),
  },
  checkVsUws: {
    what: 'entitlement checks over HTTP ÷ bare uWebSockets.js',
    goal: { atLeast: 0.5 },
    of: (run) => divided(requests(run, 'checks'), run.stages['uwsGet']?.requestsPerSecond),
  },
  ackP99AtThird: {
    what: 'p99 of an acknowledgement at a third of the saturated rate, ms',
    goal: { atMost: 25 },
    of: ({ scenarios }) => scenarios['eventsAtThird']?.ackMs.p99,
  },
  freshP99AtThird: {
    what: 'p99 from accepted to counted by a query at a third of the saturated rate, ms',
    goal: { atMost: 350 },
    of: ({ scenarios }) => scenarios['eventsAtThird']?.freshMs?.p99,
  },
  queryGrowth: {
    what: "p99 of one customer's month by day at 100M stored events ÷ at 1M",
    goal: { atMost: 2 },
    of: ({ queries }) => divided(queries?.monthByDayMs['100M']?.p99, queries?.monthByDayMs['1M']?.p99),
  },
  bytesPerEvent: {
    what: 'bytes of an event on disk in ClickHouse, everything included',
    goal: { atMost: 60 },
    of: ({ queries }) => queries?.bytesPerEvent,
  },
  memoryUnderOverload: {
    what: 'largest resident process at four times the saturated rate ÷ at once',
    goal: { atMost: 1.5 },
    of: ({ scenarios }) => divided(scenarios['overloadAt4']?.rssMbMax, scenarios['overloadAt1']?.rssMbMax),
  },
} as const satisfies Record<string, Ratio>;

export type RatioName = keyof typeof ratioTable;
export const ratioNames = Object.keys(ratioTable) as readonly RatioName[];

export function ratioOf(name: RatioName): Ratio {
  return ratioTable[name];
}

/** Every ratio, and of those that could not be computed why not. */
export function ratiosOf(measured: Measured): {
  readonly ratios: Record<RatioName, number | null>;
  readonly missing: Partial<Record<RatioName, string>>;
} {
  const missing: Partial<Record<RatioName, string>> = {};
  const entries = ratioNames.map((name) => {
    const value = ratioOf(name).of(measured);
    const known = value !== undefined && Number.isFinite(value);
    if (!known) missing[name] = 'a part that it is made of did not run';
    return [name, known ? value : null] as const;
  });
  return { ratios: Object.fromEntries(entries) as Record<RatioName, number | null>, missing };
}

export function isReached({ goal }: Ratio, value: number): boolean {
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

function events({ scenarios }: Measured, name: string): number | undefined {
  return scenarios[name]?.eventsPerSecond;
}

function requests({ scenarios }: Measured, name: string): number | undefined {
  return scenarios[name]?.requestsPerSecond;
}

function divided(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined || by === 0 ? undefined : value / by;
}
