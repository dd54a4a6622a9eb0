/** Bare uWebSockets.js in a process of its own, under the very load of the scenarios, from a process of its own too. */
import { cpuSecondsOf, type StartedScript, startScript } from './child-process.ts';
import { customerCount } from './event-shapes.ts';
import { poolEvents } from './event-pool.ts';
import type { StageFigures } from './figures.ts';
import type { LoadContent } from './load-jobs.ts';
import { LoadProcess } from './load-process.ts';

export interface UwsOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Distinct events that bodies are made of. */
  readonly poolSize?: number;
}

export async function measureUws({ seconds, seed, poolSize = poolEvents }: UwsOptions): Promise<{
  readonly uws1: StageFigures;
  readonly uws100: StageFigures;
  readonly uwsGet: StageFigures;
}> {
  const server = await startScript('load-tests/stage-uws-server.ts', []);
  const load = new LoadProcess();
  try {
    const measure = (loaded: Omit<Loaded, 'seconds' | 'seed'>): Promise<StageFigures> =>
      measureRequests(server, load, { ...loaded, seconds, seed });
    const events = { kind: 'events', pool: poolSize } as const;
    return {
      uws1: await measure({
        connections: connections.one,
        events: 1,
        content: { ...events, eventsPerBody: 1 },
      }),
      uws100: await measure({
        connections: connections.hundred,
        events: 100,
        content: { ...events, eventsPerBody: 100 },
      }),
      uwsGet: await measure({
        connections: connections.checks,
        events: 0,
        content: { kind: 'checks', customers: customerCount, usages: undefined },
      }),
    };
  } finally {
    load.stop();
    await server.stop();
  }
}

/** Those of the scenarios that these figures are compared with. */
const connections = { one: 64, hundred: 16, checks: 50 } as const;

interface Loaded {
  readonly connections: number;
  /** Of a request. */
  readonly events: number;
  readonly content: LoadContent;
  readonly seconds: number;
  readonly seed: number;
}

async function measureRequests(
  server: StartedScript,
  load: LoadProcess,
  { events, ...loaded }: Loaded,
): Promise<StageFigures> {
  const target = { port: Number(server.greeting), path: `/events/${events}`, apiKey: 'none' };
  const cpu = cpuSecondsOf(server.pid);
  const report = await load.run({ ...loaded, target, rate: undefined, stream: events });
  if (report.failed > 0) throw new Error(`bare uWebSockets.js failed ${report.failed} requests`);
  const requestsPerSecond = report.succeeded / report.seconds;
  const eventsOrRequests = report.succeeded * Math.max(1, events);
  return {
    requestsPerSecond,
    ...(events === 0 ? {} : { eventsPerSecond: requestsPerSecond * events }),
    cpuMicrosPerEvent: ((cpuSecondsOf(server.pid) - cpu) * 1e6) / eventsOrRequests,
    // The load is on the other.
    cores: 1,
  };
}
