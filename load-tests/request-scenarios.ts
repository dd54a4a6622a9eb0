/** Requests that are answered from what is known at that moment: acknowledged usage, and what a customer may do. */
import { type BenchRun, latencies, loadDetails, type LoadPlan, measureLoads } from './bench-run.ts';
import type { Scenario } from './figures.ts';
import { limitedFeature, type LoadContent } from './load-jobs.ts';
import { meteredFeatures } from './metered-features.ts';

export function usagePlan({ bench, options }: BenchRun, inFlight: number): LoadPlan {
  const content: LoadContent = { kind: 'usage', customers: bench.options.counted };
  return { path: '/api/v1/usage', content, connections: inFlight, seconds: options.seconds / 2 };
}

/** In flight of checks, over either door. */
const checksInFlight = 50;

export function checkPlan({ bench, options }: BenchRun, kind: 'checks' | 'graphqlChecks'): LoadPlan {
  return {
    path: kind === 'checks' ? '/api/v1/customers' : '/graphql',
    content: { kind, customers: bench.options.counted, usages: undefined },
    connections: checksInFlight,
    seconds: options.seconds / 2,
  };
}

export async function measureUsage(
  run: BenchRun,
  inFlight: number,
  policy: 'always' | 'everysec',
): Promise<Scenario> {
  await run.bench.setAppendFsync(policy);
  try {
    return await requestScenario(run, usagePlan(run, inFlight));
  } finally {
    await run.bench.setAppendFsync('always');
  }
}

/** While nothing else runs, so that the usage in the answers is known. */
export async function measureChecks(run: BenchRun, kind: 'checks' | 'graphqlChecks'): Promise<Scenario> {
  const { bench } = run;
  const feature = meteredFeatures.find(({ refId }) => refId === limitedFeature);
  if (feature === undefined) throw new Error('the limited feature is not metered');
  await bench.makeCounters();
  const usages = bench.expected.usages(feature, bench.options.counted);
  const plan = checkPlan(run, kind);
  return requestScenario(run, { ...plan, content: { kind, customers: bench.options.counted, usages } });
}

async function requestScenario(run: BenchRun, plan: LoadPlan): Promise<Scenario> {
  const { reports, cpu, memory, exact } = await measureLoads(run, [plan]);
  const [report] = reports;
  if (report === undefined) throw new Error('the load has no report');
  return {
    requestsPerSecond: report.succeeded / report.seconds,
    ackMs: latencies(report),
    cpuMicrosPerEvent: cpu(report.succeeded),
    ...memory,
    exact,
    details: loadDetails(report),
  };
}
