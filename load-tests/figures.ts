/** What a run of the load tests measures, as `results/*.json` holds it. */

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** Who is part of the design under test; the load generator is not. */
export type ProcessName = 'ingest' | 'aggregate' | 'clickhouse' | 'redis' | 'api' | 'all' | 'naive';

export interface Scenario {
  /** Events that were accepted, by the time until the last of them was stored. */
  readonly eventsPerSecond?: number;
  readonly requestsPerSecond?: number;
  /** From when a request was due until its answer. */
  readonly ackMs: Percentiles;
  /** From an event's acceptance until a query counts it. */
  readonly freshMs?: Percentiles;
  /** Of each process, by event; by request where the scenario counts requests. */
  readonly cpuMicrosPerEvent: Partial<Readonly<Record<ProcessName, number>>>;
  /** Of the largest process. */
  readonly rssMbMax: number;
  readonly rssMbMaxOf?: Partial<Readonly<Record<ProcessName, number>>>;
  /** Everything accepted is stored or a duplicate, and usage is what the generator counted for itself. */
  readonly exact: boolean;
  /** What else a reader needs to judge the figures: answers by status, arrivals that were late, … */
  readonly details?: Readonly<Record<string, number | string>>;
}

/** What one engine, or one step, does alone with what the load tests send. */
export interface StageFigures {
  readonly eventsPerSecond?: number;
  readonly requestsPerSecond?: number;
  readonly rowsPerSecond?: number;
  readonly cpuMicrosPerEvent?: number;
  /** Cores that the stage itself could use. */
  readonly cores: number;
}

/** Queries over stored history; sizes by name, such as `1M`. */
export interface QueryFigures {
  readonly monthByDayMs: Readonly<Record<string, Percentiles>>;
  readonly bytesPerEvent: number;
}

/** What every part of a run is told. */
export interface MeasureOptions {
  readonly quick: boolean;
  /** How long one load lasts. */
  readonly seconds: number;
  readonly seed: number;
  /** Tells how far it is, on standard error. */
  readonly progress: (text: string) => void;
}
