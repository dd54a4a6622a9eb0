/** Bare uWebSockets.js in a process of its own, under the load client and connections of the scenarios. */
import { cpuSecondsOf, type StartedScript, startScript } from './child-process.ts';
import { EventBodies } from './event-bodies.ts';
import type { StageFigures } from './figures.ts';
import { runLoad } from './load.ts';

export async function measureUws(
  seconds: number,
  seed: number,
): Promise<{
  readonly uws1: StageFigures;
  readonly uws100: StageFigures;
  readonly uwsGet: StageFigures;
}> {
  const server = await startScript('load-tests/stage-uws-server.ts', []);
  try {
    const uws1 = await measureBodies(server, { eventsPerBody: 1, connections: 64, seconds, seed });
    const uws100 = await measureBodies(server, { eventsPerBody: 100, connections: 16, seconds, seed });
    return { uws1, uws100, uwsGet: uws1 };
  } finally {
    await server.stop();
  }
}

interface BodiesLoad {
  readonly eventsPerBody: number;
  readonly connections: number;
  readonly seconds: number;
  readonly seed: number;
}

async function measureBodies(server: StartedScript, load: BodiesLoad): Promise<StageFigures> {
  const { eventsPerBody, connections, seconds, seed } = load;
  const bodies = new EventBodies(eventsPerBody, seed, Date.now());
  const cpu = cpuSecondsOf(server.pid);
  const result = await runLoad(
    { port: Number(server.greeting), path: '/api/v1/events', apiKey: 'server-test-key-0123456789' },
    {
      connections,
      seconds,
      rate: undefined,
      next: () => ({ body: bodies.take().bytes, succeeded: () => undefined }),
    },
  );
  if (result.failed > 0) throw new Error(`bare uWebSockets.js failed ${result.failed} requests`);
  const requestsPerSecond = result.succeeded / result.seconds;
  return {
    requestsPerSecond,
    eventsPerSecond: requestsPerSecond * eventsPerBody,
    cpuMicrosPerEvent: ((cpuSecondsOf(server.pid) - cpu) * 1e6) / (result.succeeded * eventsPerBody),
    // The load is on the other.
    cores: 1,
  };
}
