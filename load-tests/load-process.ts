/**
 * Runs loads in a process of its own, so that neither their probes nor the bench's own work hold up their sending. The
 * parent sends a `LoadJob` and is sent a `LoadReport`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { HttpLane, type LoadTarget, postHead } from './http-lane.ts';
import { type LoadRequest, type LoadResult, runLoad } from './load.ts';
import { type Acknowledged, type LoadJob, startJob } from './load-jobs.ts';

export interface LoadReport extends LoadResult, Acknowledged {
  /** Processor time of the generator, sending included. */
  readonly cpuMicrosPerRequest: number;
  /** Requests whose answers left open whether they were taken, and that were never answered with 2xx later. */
  readonly unresolved: number;
}

/** The parent's side. */
export class LoadProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(import.meta.url), ['load'], {
      execArgv: ['--import', 'tsx'],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  }

  /** One load at a time. */
  run(job: LoadJob): Promise<LoadReport> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const onExit = (): void => reject(new Error('the process of the load has ended'));
      child.once('exit', onExit);
      child.once('message', (message) => {
        child.off('exit', onExit);
        const { report, problem } = message as Sent;
        if (report === undefined) reject(new Error(problem));
        else resolve(report);
      });
      child.send(job);
    });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

interface Sent {
  readonly report?: LoadReport;
  readonly problem?: string;
}

/** Requests that are kept to be sent again; beyond them the run is not exact. */
const unsureMax = 2_000;
const triesMax = 40;

async function run(job: LoadJob): Promise<LoadReport> {
  const { next, acknowledged } = startJob(job);
  const unsure: LoadRequest[] = [];
  let lost = 0;
  const watched = (): LoadRequest => {
    const request = next();
    return {
      ...request,
      answered: (status, answer) => {
        if (request.succeeded !== undefined && leavesOpen(status, answer)) {
          if (unsure.length < unsureMax) unsure.push(request);
          else lost += 1;
        }
        return request.answered?.(status, answer) ?? true;
      },
    };
  };
  const cpu = process.cpuUsage();
  const result = await runLoad(job.target, { ...job, next: watched });
  const { user, system } = process.cpuUsage(cpu);
  const unresolved = lost + (await sendAgain(job.target, unsure));
  const cpuMicrosPerRequest = (user + system) / Math.max(1, result.latenciesMs.length);
  return { ...result, ...acknowledged(), cpuMicrosPerRequest, unresolved };
}

/** After 429 and 503 nothing was taken, but for a batch whose answer Redis kept: that says QUEUE_UNAVAILABLE. */
function leavesOpen(status: number, answer: Buffer): boolean {
  return (
    status === 0 ||
    status === 500 ||
    status === 504 ||
    (status === 503 && answer.includes('QUEUE_UNAVAILABLE'))
  );
}

/** As every client should: with the same keys, until it is acknowledged. Returns how many never were. */
async function sendAgain(target: LoadTarget, requests: readonly LoadRequest[]): Promise<number> {
  let open: readonly LoadRequest[] = requests;
  for (let tries = 0; open.length > 0 && tries < triesMax; tries += 1) {
    const still: LoadRequest[] = [];
    for (const request of open) {
      const status = await sendOnce(target, request);
      if (status >= 200 && status < 300) request.succeeded?.();
      else still.push(request);
    }
    open = still;
    if (open.length > 0) await pause(250);
  }
  return open.length;
}

async function sendOnce(target: LoadTarget, { body }: LoadRequest): Promise<number> {
  const lane = await HttpLane.open(target.port).catch(() => undefined);
  if (lane === undefined) return 0;
  const status = await new Promise<number>((resolve) =>
    lane.request(postHead(target, body?.length ?? 0), body, resolve),
  );
  lane.close();
  return status;
}

if (process.argv[2] === 'load' && process.send !== undefined) {
  process.on('message', (job: LoadJob) => {
    run(job).then(
      (report) => process.send?.({ report } satisfies Sent),
      (problem: unknown) => process.send?.({ problem: String(problem) } satisfies Sent),
    );
  });
  process.once('disconnect', () => process.exit(0));
}
