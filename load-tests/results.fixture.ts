/** Results as a run with few parts has them. */
import { ratiosOf } from './ratios.ts';
import type { Results } from './results.ts';

export interface FixtureFigures {
  readonly eventsPerSecond: number;
  readonly ackP99: number;
  readonly exact?: boolean;
}

export function resultsOf({ eventsPerSecond, ackP99, exact = true }: FixtureFigures): Results {
  const measured = {
    scenarios: {
      events100: {
        eventsPerSecond,
        ackMs: { p50: 1, p99: ackP99 },
        cpuMicrosPerEvent: { ingest: 2, aggregate: 3, clickhouse: 4, redis: 0.5 },
        rssMbMax: 300,
        rssMbMaxOf: { aggregate: 300 },
        exact,
      },
    },
    stages: { parse: { eventsPerSecond: 1_000_000, cores: 1 } },
    queries: undefined,
  };
  return {
    commit: 'abc1234',
    machine: '2 cores',
    quick: true,
    scenarios: measured.scenarios,
    stages: measured.stages,
    ...ratiosOf(measured),
    measuredAt: '2026-01-01T00:00:00.000Z',
    runs: 1,
  };
}
