/** `npm run bench`: Tollgate end to end and the naive design beside it, in one run, with checks that all is exact. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { Installation } from '../test/installation.ts';
import { chart, printTable } from './bench-report.ts';
import { EventBodies } from './event-bodies.ts';
import { runLoad } from './load.ts';
import { measureNaive } from './naive-bench.ts';
import { processFigures } from './process-figures.ts';
import { cpuPerEvent, memory, percentiles, type Scenario } from './scenario.ts';

const help = `npm run bench [-- --quick]: starts a Tollgate of its own in a temporary folder, loads it with events in
requests of 1, 100 and 1000 and with calculated usage, then loads the naive design (one job and one row insert an
event) on the same machine, and checks that everything acknowledged was counted exactly once. Prints a table and
writes load-tests/results/latest.json and latest.svg. --quick takes under two minutes.`;

const resultsFolder = new URL('results/', import.meta.url);
const quick = process.argv.includes('--quick');
const seconds = quick ? 5 : 20;
/** How the load is laid on: connections by events a request, as many as keep the pipeline busy. */
const connectionsByBatch: Readonly<Record<number, number>> = { 1: 64, 100: 16, 1_000: 8 };

if (process.argv.includes('--help')) console.log(help);
else process.exitCode = await bench();

async function bench(): Promise<number> {
  const scenarios: Record<string, Scenario> = {};
  const tollgate = await Installation.create();
  try {
    await tollgate.start();
    await prepare(tollgate);
    for (const batch of [1, 100, 1_000]) {
      step(`events, ${batch} a request`);
      scenarios[`events${batch}`] = await measureEvents(tollgate, batch);
    }
    const third = (scenarios['events100']?.eventsPerSecond ?? 3_000) / 3;
    step(`freshness at a third of the saturated rate (${Math.round(third)} events/s)`);
    scenarios['eventsAtThird'] = await measureAtThird(tollgate, third);
    for (const inFlight of [50, 200]) {
      step(`calculated usage, ${inFlight} in flight`);
      scenarios[`usage${inFlight}`] = await measureUsage(tollgate, inFlight);
    }
  } finally {
    await tollgate.remove();
  }
  for (const batch of [1, 100]) {
    step(`the naive design, ${batch} events a request`);
    scenarios[`naive${batch}`] = await measureNaive(batch, seconds);
  }
  const ratios = {
    eventsVsNaive1: ratio(scenarios, 'events1', 'naive1'),
    eventsVsNaive100: ratio(scenarios, 'events100', 'naive100'),
  };
  save({ commit: commit(), machine: machine(), quick, scenarios, ratios });
  printTable(scenarios, ratios);
  return Object.values(scenarios).every(({ exact }) => exact) ? 0 : 1;
}

function matching(name: string) {
  return [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: name }] }];
}

/** Features with meters over the events, so that matching is part of what is measured. */
async function prepare(tollgate: Installation): Promise<void> {
  const every = {
    aggregation: { function: 'COUNT' },
    filters: [{ conditions: [{ field: 'region', operation: 'IS_NOT_NULL' }] }],
  };
  await tollgate.createFeature('all-events', every);
  for (let index = 0; index < 9; index++) {
    const aggregation =
      index % 3 === 0
        ? { function: 'COUNT' }
        : { function: index % 3 === 1 ? 'SUM' : 'MAX', field: 'tokens' };
    await tollgate.createFeature(`meter-${index}`, { aggregation, filters: matching(`event-${index}`) });
  }
  await tollgate.createFeature('seats');
  for (let index = 0; index < 100; index++) await tollgate.provision(`customer-${index}`);
}

async function measureEvents(tollgate: Installation, batch: number, rate?: number): Promise<Scenario> {
  const bodies = new EventBodies(batch, 20_260_000 + batch + (rate === undefined ? 0 : 7), Date.now());
  const sent = new Map<string, number>();
  const usageBefore = await sampledUsage(tollgate);
  const before = processFigures(tollgate.pid);
  const result = await runLoad(target(tollgate, '/api/v1/events'), {
    connections: connectionsByBatch[batch] ?? 16,
    seconds,
    rate: rate === undefined ? undefined : rate / batch,
    next: () => {
      const { bytes, customerEvents } = bodies.take();
      const succeeded = () => {
        for (const [customer, count] of customerEvents) sent.set(customer, (sent.get(customer) ?? 0) + count);
      };
      return { body: bytes, succeeded };
    },
  });
  await tollgate.settled();
  const after = processFigures(tollgate.pid);
  const events = result.succeeded * batch;
  const usage = await sampledUsage(tollgate);
  const exact =
    result.failed === 0 &&
    (await booksBalance(tollgate)) &&
    [...usage].every(
      ([customer, figure]) => figure - (usageBefore.get(customer) ?? 0) === (sent.get(customer) ?? 0),
    );
  return {
    eventsPerSecond: events / result.seconds,
    requestsPerSecond: result.succeeded / result.seconds,
    ackMs: percentiles(result.latenciesMs),
    cpuMicrosPerEvent: cpuPerEvent(before, after, events),
    rssMbMax: memory(after),
    exact,
  };
}

/** Beside the load, one event after another of a customer of its own is sent and asked for until it is counted. */
async function measureAtThird(tollgate: Installation, rate: number): Promise<Scenario> {
  const fresh: number[] = [];
  const load = { running: true };
  const probe = async (): Promise<void> => {
    await tollgate.provision('probe');
    for (let index = 0; load.running; index++) {
      const event = {
        customerId: 'probe',
        eventName: 'probe',
        idempotencyKey: `probe-${index}`,
        dimensions: { region: 'eu' },
      };
      const answer = await tollgate.send('/api/v1/events', { events: [event] });
      if (answer.status !== 202) continue;
      const acknowledged = performance.now();
      while (Number(await tollgate.totalUsage('probe', 'all-events')) <= index) await pause(5);
      fresh.push(performance.now() - acknowledged);
    }
  };
  const probing = probe();
  const scenario = await measureEvents(tollgate, 100, rate);
  load.running = false;
  await probing;
  return { ...scenario, freshMs: percentiles(fresh.sort((a, b) => a - b)) };
}

async function measureUsage(tollgate: Installation, inFlight: number): Promise<Scenario> {
  const before = processFigures(tollgate.pid);
  const usageBefore = Number(await tollgate.totalUsage('customer-1', 'seats'));
  let key = 0;
  let counted = 0;
  const result = await runLoad(target(tollgate, '/api/v1/usage'), {
    connections: inFlight,
    seconds,
    rate: undefined,
    next: () => {
      const idempotencyKey = `usage-${inFlight}-${key++}`;
      const usage = { customerId: `customer-${key % 100}`, featureId: 'seats', value: 1, idempotencyKey };
      const body = Buffer.from(JSON.stringify({ usages: [usage] }));
      return { body, succeeded: () => void (usage.customerId === 'customer-1' && counted++) };
    },
  });
  const after = processFigures(tollgate.pid);
  const usage = Number(await tollgate.totalUsage('customer-1', 'seats'));
  return {
    requestsPerSecond: result.succeeded / result.seconds,
    ackMs: percentiles(result.latenciesMs),
    cpuMicrosPerEvent: cpuPerEvent(before, after, result.succeeded),
    rssMbMax: memory(after),
    exact: result.failed === 0 && usage - usageBefore === counted && (await booksBalance(tollgate)),
  };
}

/** I5: all that was accepted is stored, a duplicate, refused or dead-lettered, once nothing is in flight. */
async function booksBalance(tollgate: Installation): Promise<boolean> {
  const figure = async (state: string) =>
    (await tollgate.metric('tollgate_events', `state="${state}"`)) ?? Number.NaN;
  const [accepted = 0, ...ended] = await Promise.all(
    ['accepted', 'stored', 'duplicate', 'conflict', 'refused', 'dead_lettered', 'in_flight'].map(figure),
  );
  return accepted === ended.reduce((sum, value) => sum + value, 0);
}

async function sampledUsage(tollgate: Installation): Promise<Map<string, number>> {
  const usage = new Map<string, number>();
  for (let index = 0; index < 100; index += 10) {
    const customer = `customer-${index}`;
    usage.set(customer, Number(await tollgate.totalUsage(customer, 'all-events')));
  }
  return usage;
}

function target(tollgate: Installation, path: string) {
  return { port: Number(new URL(tollgate.ingestUrl).port), path, apiKey: tollgate.apiKey };
}

function ratio(scenarios: Readonly<Record<string, Scenario>>, name: string, to: string): number {
  return (scenarios[name]?.eventsPerSecond ?? Number.NaN) / (scenarios[to]?.eventsPerSecond ?? Number.NaN);
}

interface Results {
  readonly commit: string;
  readonly machine: string;
  readonly quick: boolean;
  readonly scenarios: Readonly<Record<string, Scenario>>;
  readonly ratios: Readonly<Record<string, number>>;
}

function save(results: Results): void {
  mkdirSync(resultsFolder, { recursive: true });
  writeFileSync(new URL('latest.json', resultsFolder), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(new URL('latest.svg', resultsFolder), chart(results.scenarios));
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

function machine(): string {
  const processors = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${processors.length} cores (${processors[0]?.model ?? 'unknown'}), ${gib} GiB, ${platform()} ${arch()}, Node.js ${process.versions.node}`;
}

function step(name: string): void {
  process.stderr.write(`${name} …\n`);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
