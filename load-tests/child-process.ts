/** A script of the load tests in a process of its own, so that what is measured shares no event loop with the load. */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface StartedScript {
  readonly pid: number;
  /** What it sent when it was ready. */
  readonly greeting: unknown;
  /** The next message; rejects when the script ends instead. */
  message(): Promise<unknown>;
  /** kill -9: none of these scripts has anything to lose. */
  stop(): Promise<void>;
}

/** Starts `path` of this repository and waits for its first message. Its standard output is dropped. */
export async function startScript(
  path: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<StartedScript> {
  const child = fork(fileURLToPath(new URL(`../${path}`, import.meta.url)), [...words], {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const greeting = await nextMessage(child, path);
  return {
    pid: child.pid ?? Number.NaN,
    greeting,
    message: () => nextMessage(child, path),
    stop: () => killed(child),
  };
}

/** Processor time that a process has used, as the Linux kernel counts it; NaN where there is no such count. */
export function cpuSecondsOf(pid: number): number {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / clockTicksPerSecond;
}

/** The most memory that it ever had; NaN where the kernel does not tell. */
export function rssMbOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readText(`/proc/${pid}/status`))?.[1]) / 1_024;
}

const clockTicksPerSecond = 100;

function nextMessage(child: ChildProcess, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`${path} ended with ${code}`));
    child.once('message', (message) => {
      child.off('exit', onExit);
      resolve(message);
    });
    child.once('exit', onExit).once('error', reject);
  });
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

/** A process may end while it is looked at. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
