/**
 * `npx tsx load-tests/profile.ts [SCENARIO] [SECONDS]`: where the time of a scenario goes. Writes profiles and tables of
 * ingest, aggregate and api, and ClickHouse's own counters, to load-tests/results/profile/SCENARIO.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { commandLine, descendants, eventually } from '../test/installation.ts';
import { BenchInstallation } from './bench-installation.ts';
import { type BenchRun, LoadProcesses, type LoadPlan, measureLoads } from './bench-run.ts';
import { poolEvents } from './event-pool.ts';
import { type CpuProfile, profileTable } from './cpu-profile.ts';
import { eventPlan } from './event-scenarios.ts';
import { checkPlan, usagePlan } from './request-scenarios.ts';

const customers = 200;

const plans: Readonly<Record<string, (run: BenchRun) => LoadPlan>> = {
  events1: ({ options }) => eventPlan(1, options.seconds),
  events100: ({ options }) => eventPlan(100, options.seconds),
  events1000: ({ options }) => eventPlan(1_000, options.seconds),
  usage: (run) => usagePlan(run, 200),
  checks: (run) => checkPlan(run, 'checks'),
  graphqlChecks: (run) => checkPlan(run, 'graphqlChecks'),
};

const [scenario = 'events100', seconds = '10'] = process.argv.slice(2);
const chosen = plans[scenario];
if (chosen === undefined) {
  console.error(`${scenario} is no scenario; allowed: ${Object.keys(plans).join(', ')}`);
  process.exitCode = 1;
} else await profile(chosen, fileURLToPath(new URL(`results/profile/${scenario}/`, import.meta.url)));

async function profile(planOf: (run: BenchRun) => LoadPlan, folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const seed = 20_261;
  const bench = await BenchInstallation.start({
    seed,
    poolSize: poolEvents,
    customers,
    counted: customers,
    metered: true,
    settings: {
      NODE_OPTIONS: `--import ${new URL('profile-probe.mjs', import.meta.url).href}`,
      PROFILE_FOLDER: folder,
    },
  });
  const options = {
    quick: true,
    seconds: Number(seconds),
    seed,
    progress: (text: string) => process.stderr.write(`${text}\n`),
  };
  const run: BenchRun = { bench, loads: new LoadProcesses(seed), options };
  try {
    const before = await clickhouseCounters(bench);
    const roles = profiledProcesses(bench);
    for (const pid of roles) process.kill(pid, 'SIGUSR2');
    const { reports } = await measureLoads(run, [{ ...planOf(run), seconds: Number(seconds) }]);
    for (const pid of roles) process.kill(pid, 'SIGUSR2');
    const units = reports.reduce((sum, { events, succeeded }) => sum + (events?.accepted ?? succeeded), 0);
    await eventually(() => profilesIn(folder).length === roles.length, 'the profiles');
    writeTables(folder, units);
    writeFileSync(`${folder}/clickhouse.md`, counterTable(before, await clickhouseCounters(bench), units));
    console.log(`${units} units; profiles and tables are in ${folder}`);
  } finally {
    run.loads.stop();
    await bench.remove();
  }
}

function profiledProcesses({ tollgate }: BenchInstallation): readonly number[] {
  return descendants(tollgate.pid).filter((pid) =>
    /main\.js (ingest|aggregate|api)\b/.test(commandLine(pid)),
  );
}

function profilesIn(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
}

function writeTables(folder: string, units: number): void {
  for (const name of profilesIn(folder)) {
    const read = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as CpuProfile;
    const table = profileTable(read, units);
    writeFileSync(`${folder}/${name.replace('.cpuprofile', '.md')}`, table);
    console.log(`\n${name}\n${table}`);
  }
}

/** Its symbols are stripped, so a profiler of machine code sees no names; it counts its own time by what it did. */
async function clickhouseCounters(bench: BenchInstallation): Promise<ReadonlyMap<string, number>> {
  const row = await bench.row('SELECT groupArray(event), groupArray(value) FROM system.events');
  const [events = '', values = ''] = row ?? [];
  const amounts = values.split(',').map(Number);
  return new Map(events.split(',').map((event, index) => [event, amounts[index] ?? 0]));
}

function counterTable(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  units: number,
): string {
  const lines = [...after]
    .map(([event, value]) => [event, value - (before.get(event) ?? 0)] as const)
    .filter(([event, more]) => more > 0 && /(Microseconds|Milliseconds|Rows|Bytes)$/.test(event))
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([event, more]) => `| ${event} | ${more} | ${(more / units).toFixed(3)} |`);
  return ['| counter of system.events | meanwhile | by unit |', '|---|---|---|', ...lines, ''].join('\n');
}
