/** Everything at once, as an installation in use has it: events, reported usage, checks and questions of usage. */
import { type BenchRun, latencies, loadDetails, type LoadPlan, measureLoads } from './bench-run.ts';
import { eventPlanAt } from './event-scenarios.ts';
import type { Scenario } from './figures.ts';
import type { LoadReport } from './load-process.ts';
import { checkPlan, usagePlan } from './request-scenarios.ts';

/** What each can do alone. */
export interface SaturatedRates {
  readonly eventsPerSecond: number;
  readonly usagePerSecond: number;
  readonly checksPerSecond: number;
}

/** Of what each can do alone; so two thirds of the machine are asked for, and the generators' share. */
const shares = { events: 1 / 3, usage: 1 / 10, checks: 1 / 10, graphqlChecks: 1 / 30 } as const;
const usageQueriesPerSecond = 10;

export async function measureMix(run: BenchRun, rates: SaturatedRates): Promise<Record<string, Scenario>> {
  const { bench, options } = run;
  const { seconds } = options;
  await bench.makeCounters();
  const usageQueries: LoadPlan = {
    path: '/graphql',
    content: { kind: 'usageQueries', customers: bench.options.counted },
    connections: 16,
    seconds,
    rate: usageQueriesPerSecond,
  };
  const plans = [
    eventPlanAt(rates.eventsPerSecond * shares.events, seconds),
    { ...usagePlan(run, 200), seconds, rate: rates.usagePerSecond * shares.usage },
    { ...checkPlan(run, 'checks'), seconds, rate: rates.checksPerSecond * shares.checks },
    { ...checkPlan(run, 'graphqlChecks'), seconds, rate: rates.checksPerSecond * shares.graphqlChecks },
    usageQueries,
  ];
  const { reports, seconds: elapsed, cpu, memory, exact } = await measureLoads(run, plans);
  const [events, usage, checks, graphqlChecks, queries] = reports as [
    LoadReport,
    LoadReport,
    LoadReport,
    LoadReport,
    LoadReport,
  ];
  const accepted = events.events?.accepted ?? 0;
  const shared = { ...memory, exact };
  // Processor time cannot be told apart by who caused it, so it stands with the events alone.
  const requests = (report: LoadReport): Scenario => ({
    requestsPerSecond: report.succeeded / report.seconds,
    ackMs: latencies(report),
    cpuMicrosPerEvent: {},
    ...shared,
    details: loadDetails(report),
  });
  return {
    mixEvents: {
      eventsPerSecond: accepted / elapsed,
      ackMs: latencies(events),
      cpuMicrosPerEvent: cpu(accepted),
      ...shared,
      details: loadDetails(events),
    },
    mixUsage: requests(usage),
    mixChecks: requests(checks),
    mixGraphqlChecks: requests(graphqlChecks),
    mixUsageQueries: requests(queries),
  };
}
