/** Scenarios that compare installations: everything on and the most of it off, four times the load and once. */
import { BenchInstallation } from './bench-installation.ts';
import { type BenchRun, type LoadPlan, loadDetails, measureLoads } from './bench-run.ts';
import { eventPlan, eventPlanAt, eventScenario } from './event-scenarios.ts';
import type { Scenario } from './figures.ts';
import type { LoadReport } from './load-process.ts';

const withoutDeduplication = new URL('without-deduplication.mjs', import.meta.url).href;
const rounds = 2;
const warmUpSeconds = 2;

/**
 * The same load on this installation, whose customers all ask for what they may use, and on one that was never told a
 * feature and remembers no identity. In turns, so that whatever else the machine does meets both.
 */
export async function measureEverythingOn(run: BenchRun): Promise<Record<string, Scenario>> {
  const { bench, options } = run;
  const NODE_OPTIONS = `${process.env['NODE_OPTIONS'] ?? ''} --import ${withoutDeduplication}`.trim();
  const bare = await BenchInstallation.start({
    ...bench.options,
    metered: false,
    settings: { NODE_OPTIONS },
  });
  const bareRun: BenchRun = { ...run, bench: bare };
  const [on, off]: [Scenario[], Scenario[]] = [[], []];
  try {
    await measureOne(run, warmUpSeconds);
    await measureOne(bareRun, warmUpSeconds);
    for (let round = 0; round < rounds; round += 1) {
      await bench.makeCounters();
      on.push(await measureOne(run, options.seconds / 2));
      off.push(await measureOne(bareRun, options.seconds / 2));
    }
  } finally {
    await bare.remove();
  }
  return { everythingOn: faster(on), everythingOff: faster(off) };
}

function faster(scenarios: readonly Scenario[]): Scenario {
  const [first, ...others] = scenarios.toSorted(
    (a, b) => (b.eventsPerSecond ?? 0) - (a.eventsPerSecond ?? 0),
  );
  if (first === undefined) throw new Error('nothing was measured');
  return { ...first, exact: first.exact && others.every(({ exact }) => exact) };
}

async function measureOne(run: BenchRun, seconds: number): Promise<Scenario> {
  return eventScenario(await measureLoads(run, [eventPlan(100, seconds)]));
}

/** Of the saturated rate. */
const overload = 4;
const overloadSecondsMax = 15;
/** Requests that may be on their way: far more than a server answers well. */
const overloadInFlight = 1_000;
const customersHere = 200;

/** On installations of their own, so that neither has memory that an earlier load made it take. */
export async function measureOverload(
  run: BenchRun,
  saturatedPerSecond: number,
): Promise<Record<string, Scenario>> {
  return {
    overloadAt1: await measureOffered(run, saturatedPerSecond),
    overloadAt4: await measureOffered(run, saturatedPerSecond * overload),
  };
}

async function measureOffered(run: BenchRun, eventsPerSecond: number): Promise<Scenario> {
  const { options } = run;
  const customers = { customers: customersHere, counted: customersHere };
  const bench = await BenchInstallation.start({ ...run.bench.options, ...customers });
  try {
    const seconds = Math.min(overloadSecondsMax, options.seconds);
    const plan: LoadPlan = { ...eventPlanAt(eventsPerSecond, seconds), connections: overloadInFlight };
    const measured = await measureLoads({ ...run, bench }, [plan]);
    const scenario = eventScenario(measured);
    const [report] = measured.reports as [LoadReport];
    const unexpected = Object.keys(report.statuses).filter((status) => !allowed.has(status));
    for (const status of unexpected)
      options.progress(`NOT EXACT: an overloaded server answered with ${status}`);
    return {
      ...scenario,
      exact: scenario.exact && unexpected.length === 0,
      details: { ...loadDetails(report), offeredPerSecond: Math.round(eventsPerSecond) },
    };
  } finally {
    await bench.remove();
  }
}

/** Answers that an overloaded server may give. */
const allowed: ReadonlySet<string> = new Set(['202', '429', '503']);
