/** How cost grows when one thing is ten times as much and the rest is as it was. */
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Installation } from '../test/installation.ts';
import { GrowthBodies } from './growth-bodies.ts';
import { type Axis, axes, checkPath, type Load, prepareFeatures, preparePlan } from './growth-axes.ts';
import { type LoadResult, percentile, runLoad } from './load.ts';
import { environmentOf, processFigures } from './process-figures.ts';

const help = `npx tsx load-tests/growth.ts [AXIS…]: sends short loads to installations of its own, each with ten times as
much of one thing as the one before it, and prints the processor time of each process by event, or by check. It needs a build
(npm run build). Stored history has a command of its own: load-tests/query-bench.ts. Axes: ${axes.map(({ name }) => name).join(', ')}.`;

interface GrowthPoint {
  readonly axis: string;
  readonly value: number;
  /** Events, or checks, that were answered with 2xx. */
  readonly units: number;
  readonly perSecond: number;
  /** Beyond what the processes use while nothing is sent. */
  readonly cpuMicros: Readonly<Record<Role, number>>;
  readonly ackP50Ms: number;
  readonly failed: number;
  /** Of Redis: what a customer with a subscription and a live counter takes. */
  readonly customerBytes: number | undefined;
}

/** What is compiled and cached by the first requests is none of growth. */
const warmUpSeconds = 2;
const idleSeconds = 2;
const roles = ['ingest', 'aggregate', 'clickhouse', 'redis'] as const;
type Role = (typeof roles)[number];
let streams = 0;

const wanted = process.argv.slice(2);
if (wanted.includes('--help')) console.log(help);
else {
  for (const axis of axes) {
    if (wanted.length > 0 && !wanted.includes(axis.name)) continue;
    const points: GrowthPoint[] = [];
    for (const value of axis.values) {
      process.stderr.write(`${axis.name}: ${value.toLocaleString('en-US')}\n`);
      points.push(await measurePoint(axis, value));
    }
    report(axis, points);
  }
}

async function measurePoint(axis: Axis, value: number): Promise<GrowthPoint> {
  const load = axis.load(value);
  const tollgate = await Installation.create({ LOG_LEVEL: 'error' });
  try {
    await tollgate.start();
    await prepareFeatures(tollgate, load);
    const redisBefore = await redisBytes(tollgate);
    if (load.checks) await preparePlan(tollgate, load);
    const customerBytes = ((await redisBytes(tollgate)) - redisBefore) / load.customers;
    await send(tollgate, load, warmUpSeconds);
    await tollgate.settled();
    const idle = await used(tollgate, () => pause(idleSeconds * 1_000));
    const { result, cpuSeconds, seconds } = await used(tollgate, async () => {
      const sent = await send(tollgate, load, load.seconds);
      await tollgate.settled();
      return sent;
    });
    const units = result.succeeded * (load.checks ? 1 : load.eventsPerBody);
    const cpuOf = (role: Role): number => cpuSeconds[role] - (idle.cpuSeconds[role] / idle.seconds) * seconds;
    return {
      axis: axis.name,
      value,
      units,
      perSecond: units / result.seconds,
      cpuMicros: byRole((role) => (Math.max(0, cpuOf(role)) * 1e6) / units),
      ackP50Ms: percentile(result.latenciesMs, 0.5),
      failed: result.failed,
      customerBytes: load.checks ? customerBytes : undefined,
    };
  } finally {
    await tollgate.remove();
  }
}

interface Used<Result> {
  readonly result: Result;
  readonly cpuSeconds: Readonly<Record<Role, number>>;
  readonly seconds: number;
}

async function used<Result>(tollgate: Installation, work: () => Promise<Result>): Promise<Used<Result>> {
  const before = processFigures(tollgate.pid);
  const startedAt = performance.now();
  const result = await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = processFigures(tollgate.pid);
  const cpuSeconds = byRole(
    (role) => (after.get(role)?.cpuSeconds ?? 0) - (before.get(role)?.cpuSeconds ?? 0),
  );
  return { result, cpuSeconds, seconds };
}

function byRole(figureOf: (role: Role) => number): Record<Role, number> {
  return Object.fromEntries(roles.map((role) => [role, figureOf(role)])) as Record<Role, number>;
}

async function send(tollgate: Installation, load: Load, seconds: number): Promise<LoadResult> {
  const port = Number(new URL(tollgate.ingestUrl).port);
  const target = { port, path: '/api/v1/events', apiKey: tollgate.apiKey };
  const { connections, eventsPerBody } = load;
  const rate = load.eventsPerSecond === undefined ? undefined : load.eventsPerSecond / eventsPerBody;
  if (load.checks) {
    let asked = 0;
    const next = () => ({ path: checkPath(asked++ % load.customers) });
    return runLoad(target, { connections, seconds, rate, next });
  }
  const bodies = new GrowthBodies({ ...load, stream: streams++ });
  return runLoad(target, { connections, seconds, rate, next: () => ({ body: bodies.take() }) });
}

async function redisBytes(tollgate: Installation): Promise<number> {
  const redis = new Redis(environmentOf(tollgate.pid, 'api', 'REDIS_URL') ?? '');
  try {
    return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  } finally {
    redis.disconnect();
  }
}

/** The column `growth`: cost at ten times as much ÷ cost before. */
function report(axis: Axis, points: readonly GrowthPoint[]): void {
  console.log(`\n${axis.name}: ${axis.explanation}`);
  console.table(
    points.map((point, index) => {
      const before = points[index - 1];
      const times = before === undefined ? '' : `× ${(sum(point) / sum(before)).toFixed(2)}`;
      const cpu = Object.fromEntries(roles.map((role) => [`${role} µs`, point.cpuMicros[role].toFixed(1)]));
      return {
        [axis.name]: point.value,
        'per second': Math.round(point.perSecond),
        ...cpu,
        'all µs': sum(point).toFixed(1),
        growth: times,
        'p50 ms': point.ackP50Ms.toFixed(1),
        failed: point.failed,
        ...(point.customerBytes === undefined
          ? {}
          : { 'Redis bytes a customer': Math.round(point.customerBytes) }),
      };
    }),
  );
}

function sum({ cpuMicros: micros }: GrowthPoint): number {
  return roles.reduce((total, role) => total + micros[role], 0);
}
