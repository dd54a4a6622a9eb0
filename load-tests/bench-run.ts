/** What the scenarios of one run share: the installation, the generators, the rates that later ones build on. */
import type { BenchInstallation } from './bench-installation.ts';
import { type BookedLoad, bookProblems, readBooks, usageProblems } from './exactness.ts';
import type { MeasureOptions, Scenario } from './figures.ts';
import { percentile } from './load.ts';
import type { LoadContent } from './load-jobs.ts';
import { LoadProcess, type LoadReport } from './load-process.ts';
import { cpuMicros, forgetPeaks, memoryPeaks, processFigures } from './process-figures.ts';

/** As many connections as keep the pipeline busy with bodies of that many events. */
export const eventConnections: Readonly<Record<number, number>> = { 1: 64, 100: 16, 1_000: 8 };

export interface LoadPlan {
  readonly path: string;
  readonly content: LoadContent;
  readonly connections: number;
  readonly seconds: number;
  /** Requests a second; undefined: a closed loop. */
  readonly rate?: number | undefined;
}

/** Generators in processes of their own, started when they are first needed and used again. */
export class LoadProcesses {
  readonly #processes: LoadProcess[] = [];
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** All at once, each in a process of its own. What was acknowledged goes into the installation's expectations. */
  async run(bench: BenchInstallation, plans: readonly LoadPlan[]): Promise<LoadReport[]> {
    while (this.#processes.length < plans.length) this.#processes.push(new LoadProcess());
    const reports = await Promise.all(
      plans.map((plan, at) => {
        const target = plan.path === '/graphql' ? bench.graphql : bench.ingest(plan.path);
        const job = { ...plan, target, rate: plan.rate, seed: this.#seed, stream: bench.nextStream() };
        return (this.#processes[at] as LoadProcess).run(job);
      }),
    );
    for (const { events, usage } of reports) {
      if (events !== undefined) bench.expected.addEvents(events);
      if (usage !== undefined) bench.expected.addReported(usage);
    }
    return reports;
  }

  stop(): void {
    for (const each of this.#processes.splice(0)) each.stop();
  }
}

export interface BenchRun {
  readonly bench: BenchInstallation;
  readonly loads: LoadProcesses;
  readonly options: MeasureOptions;
}

export interface MeasuredLoads {
  readonly reports: readonly LoadReport[];
  /** From the first request until everything accepted was stored. */
  readonly seconds: number;
  readonly cpu: (units: number) => Scenario['cpuMicrosPerEvent'];
  readonly memory: Pick<Scenario, 'rssMbMax' | 'rssMbMaxOf'>;
  readonly exact: boolean;
}

/** Sends events of its own until the loads have ended; tells how many were accepted, all of which have to count. */
type Beside = (loadsEnded: AbortSignal) => Promise<number>;

const nothingBeside: Beside = () => Promise.resolve(0);

const sampledCustomers = { quick: 4, full: 12 } as const;

/** Loads the installation, waits until all is stored, and compares what it says with what was acknowledged. */
export async function measureLoads(
  { bench, loads, options }: BenchRun,
  plans: readonly LoadPlan[],
  beside: Beside = nothingBeside,
): Promise<MeasuredLoads> {
  const { pid } = bench.tollgate;
  const books = await readBooks(bench);
  forgetPeaks(pid);
  const before = processFigures(pid);
  const started = performance.now();
  const ended = new AbortController();
  const loading = loads.run(bench, plans).finally(() => ended.abort());
  const [reports, besides] = await Promise.all([loading, beside(ended.signal)]);
  await bench.tollgate.settled();
  const seconds = (performance.now() - started) / 1_000;
  const after = processFigures(pid);
  const sums = acknowledged(reports, besides);
  const { metered } = bench.options;
  const booked = {
    before: books,
    after: await readBooks(bench),
    accepted: sums.accepted,
    stored: metered ? sums.stored : sums.accepted,
  };
  const sampled = options.quick ? sampledCustomers.quick : sampledCustomers.full;
  const problems = [
    ...reportProblems(reports),
    ...bookProblems(booked),
    ...(metered ? await usageProblems(bench, sampled) : []),
  ];
  for (const problem of problems) options.progress(`NOT EXACT: ${problem}`);
  return {
    reports,
    seconds,
    cpu: (units) => cpuMicros(before, after, units),
    memory: memoryPeaks(after),
    exact: problems.length === 0,
  };
}

export function latencies({ latenciesMs }: LoadReport): Scenario['ackMs'] {
  return { p50: percentile(latenciesMs, 0.5), p99: percentile(latenciesMs, 0.99) };
}

/** What a reader needs to judge the figures of a load. */
export function loadDetails(report: LoadReport): NonNullable<Scenario['details']> {
  const { late, unsent, cpuMicrosPerRequest, statuses } = report;
  const answers = Object.entries(statuses).map(([status, count]) => `${status}: ${count}`);
  return {
    answers: answers.join(', '),
    generatorMicrosPerRequest: Math.round(cpuMicrosPerRequest * 10) / 10,
    ...(late > 0 ? { sentLate: late } : {}),
    ...(unsent > 0 ? { unsent } : {}),
  };
}

function acknowledged(
  reports: readonly LoadReport[],
  besides: number,
): Pick<BookedLoad, 'accepted' | 'stored'> {
  let [accepted, stored] = [besides, besides];
  for (const { events, usage } of reports) {
    accepted += events?.accepted ?? 0;
    stored += events?.stored ?? 0;
    const reported = usage?.counted.reduce((sum, count) => sum + count, 0) ?? 0;
    accepted += reported + (usage?.repeats ?? 0);
    stored += reported;
  }
  return { accepted, stored };
}

function reportProblems(reports: readonly LoadReport[]): string[] {
  return reports.flatMap(({ statuses, failed, unresolved }) => {
    const refused = (statuses[429] ?? 0) + (statuses[503] ?? 0);
    const wrong = failed - refused;
    return [
      ...(wrong > 0 ? [`${wrong} answers were wrong or missing (${JSON.stringify(statuses)})`] : []),
      ...(unresolved > 0 ? [`${unresolved} requests never got an answer that says whether they count`] : []),
    ];
  });
}
