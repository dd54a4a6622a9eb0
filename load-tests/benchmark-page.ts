/** docs/benchmarks.md, made from the results; `load-tests/benchmark-page.test.ts` holds it to them. */
import { goalOf, figure, pair, rateOf } from './bench-report.ts';
import type { QueryFigures, Scenario } from './figures.ts';
import { isReached, ratioNames, ratioOf } from './ratios.ts';
import { keptResults, readResults, type Results } from './results.ts';

export interface KeptResults {
  readonly name: string;
  readonly results: Results;
}

export function benchmarkPage(): string {
  return renderPage(readResults('latest'), keptResults());
}

export function renderPage(latest: Results, kept: readonly KeptResults[]): string {
  return `${[
    '# Benchmarks',
    `Made by \`npm run bench\` from [load-tests/results](../load-tests/results); what each part does stands in
[load-tests/README.md](../load-tests/README.md). The load generator runs on the same machine, and every scenario is checked
afterwards: all that was acknowledged is counted once, and usage is what the generator counted for itself.`,
    origin(latest),
    '![Events a second](../load-tests/results/latest.svg)',
    '## Against the limits of the engines',
    ratioTable(latest),
    '## Scenarios',
    scenarioTable(latest.scenarios),
    memoryTable(latest.scenarios),
    ...(Object.keys(latest.stages).length > 0 ? ['## Bare stages', stageTable(latest)] : []),
    ...(latest.queries === undefined ? [] : ['## Stored history', queryTable(latest.queries)]),
    ...(kept.length > 0 ? ['## History', historyTable(kept)] : []),
  ].join('\n\n')}\n`;
}

function origin({ commit, machine, quick, runs, measuredAt }: Results): string {
  const how = `${quick ? 'a quick run' : 'a full run'}${runs > 1 ? `, medians of ${runs}` : ''}`;
  return `Commit ${commit}, ${measuredAt.slice(0, 10)}, ${how}, on ${machine}.`;
}

function ratioTable({ ratios, missing }: Results): string {
  const rows = ratioNames.map((name) => {
    const [ratio, value] = [ratioOf(name), ratios[name]];
    const state =
      value === null ? (missing[name] ?? '') : isReached(ratio, value) ? 'reached' : 'not reached';
    return [`\`${name}\``, ratio.what, figure(value ?? undefined), goalOf(name), state];
  });
  return table(['ratio', 'what', 'is', 'goal', ''], rows);
}

function scenarioTable(scenarios: Results['scenarios']): string {
  const rows = Object.entries(scenarios).map(([name, scenario]) => [
    `\`${name}\``,
    scenarioNames[name] ?? '',
    rateOf(scenario),
    pair(scenario.ackMs),
    pair(scenario.freshMs),
    scenario.exact ? 'yes' : '**no**',
  ]);
  return table(['scenario', '', 'per second', 'ack p50 / p99 ms', 'fresh p50 / p99 ms', 'exact'], rows);
}

/** Processes in the order of an event's way. */
const processes = ['ingest', 'aggregate', 'clickhouse', 'redis', 'api', 'naive'] as const;

function memoryTable(scenarios: Results['scenarios']): string {
  const rows = Object.entries(scenarios)
    .filter(([, { cpuMicrosPerEvent }]) => Object.keys(cpuMicrosPerEvent).length > 0)
    .map(([name, { cpuMicrosPerEvent, rssMbMaxOf = {} }]) => [
      `\`${name}\``,
      ...processes.map((each) => cell(cpuMicrosPerEvent[each], rssMbMaxOf[each])),
    ]);
  return `Processor time by event, or by request where the scenario counts requests, in µs; and the most memory, in MB:\n\n${table(
    ['scenario', ...processes],
    rows,
  )}`;
}

function cell(micros: number | undefined, mb: number | undefined): string {
  return micros === undefined ? '' : `${figure(micros)}; ${figure(mb)}`;
}

function stageTable({ stages }: Results): string {
  const rows = Object.entries(stages).map(([name, stage]) => [
    `\`${name}\``,
    stage.rowsPerSecond === undefined
      ? rateOf({ ...stage, ackMs: { p50: 0, p99: 0 }, cpuMicrosPerEvent: {}, rssMbMax: 0, exact: true })
      : `${figure(stage.rowsPerSecond)} rows`,
    String(stage.cores),
    figure(stage.cpuMicrosPerEvent),
  ]);
  return table(['stage', 'per second', 'cores', 'CPU µs'], rows);
}

function queryTable({ monthByDayMs, bytesPerEvent }: QueryFigures): string {
  const rows = Object.entries(monthByDayMs).map(([size, ms]) => [size, pair(ms)]);
  return `One customer's month by day, while a worker stands by; ${figure(bytesPerEvent)} bytes of disk an event.\n\n${table(
    ['stored events', 'p50 / p99 ms'],
    rows,
  )}`;
}

/** Of the scenarios that every milestone has. */
const historyOf = ['events1', 'events100', 'events1000', 'usage200Always', 'checks'] as const;

function historyTable(kept: readonly KeptResults[]): string {
  const rows = kept.map(({ name, results }) => [
    name,
    results.commit,
    results.measuredAt.slice(0, 10),
    ...historyOf.map((scenario) => {
      const measured: Scenario | undefined = results.scenarios[scenario];
      return measured === undefined ? '' : figure(measured.eventsPerSecond ?? measured.requestsPerSecond);
    }),
  ]);
  return table(['milestone', 'commit', 'measured', ...historyOf], rows);
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');
}

const scenarioNames: Readonly<Record<string, string>> = {
  events1: 'events, 1 a request, closed loop',
  events100: 'events, 100 a request, closed loop',
  events1000: 'events, 1,000 a request, closed loop',
  eventsAtThird: 'events, 100 a request, open loop at a third of that rate',
  usage50Everysec: 'acknowledged usage, 50 in flight, `appendfsync everysec`',
  usage200Everysec: 'acknowledged usage, 200 in flight, `everysec`',
  usage50Always: 'acknowledged usage, 50 in flight, `always`, the default',
  usage200Always: 'acknowledged usage, 200 in flight, `always`',
  checks: 'entitlement checks over HTTP, 50 in flight',
  checksGraphql: 'entitlement checks over GraphQL, 50 in flight',
  live: 'from accepted until a check denies (fresh; the goal is 150 / 450 ms), beside events at a third',
  mixEvents: 'everything at once: events, 100 a request',
  mixUsage: 'acknowledged usage, meanwhile',
  mixChecks: 'checks over HTTP, meanwhile',
  mixGraphqlChecks: 'checks over GraphQL, meanwhile',
  mixUsageQueries: 'questions of usage over GraphQL, meanwhile',
  everythingOn: 'events, 100 a request, with deduplication, meters and live counters',
  everythingOff: 'the same without them',
  overloadAt1: 'offered at the saturated rate, on a fresh installation',
  overloadAt4: 'offered at four times that, on another one',
  jobPerEvent: 'the naive design with a job for each event and batched inserts',
  fullyNaive: 'the naive design with a job and an insert for each event',
};
