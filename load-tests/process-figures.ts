/** Processor time and memory of a process tree, by role, as the Linux kernel counts them; elsewhere there are none. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { descendants } from '../test/installation.ts';
import type { ProcessName } from './figures.ts';

export interface ProcessFigures {
  readonly cpuSeconds: number;
  /** The most since `forgetPeaks`. */
  readonly rssMbMax: number;
}

const clockTicksPerSecond = 100;

/** The figures of each role below `pid`; the parent itself is `all`. */
export function processFigures(pid: number): Map<string, ProcessFigures> {
  const figures = new Map<string, ProcessFigures>();
  for (const id of processesOf(pid)) {
    const role = roleOf(id);
    const own = role === undefined ? undefined : figuresOf(id);
    if (role === undefined || own === undefined) continue;
    const sum = figures.get(role) ?? { cpuSeconds: 0, rssMbMax: 0 };
    figures.set(role, {
      cpuSeconds: sum.cpuSeconds + own.cpuSeconds,
      rssMbMax: sum.rssMbMax + own.rssMbMax,
    });
  }
  return figures;
}

/** Starts the peaks of these processes' memory anew, at what they use now. */
export function forgetPeaks(pid: number): void {
  for (const id of processesOf(pid)) {
    try {
      writeFileSync(`/proc/${id}/clear_refs`, '5');
    } catch {
      // The process has ended, or the kernel keeps one peak for ever, which then is what it is.
    }
  }
}

/** The environment variable of the first process of the role; undefined where it cannot be read. */
export function environmentOf(pid: number, role: string, name: string): string | undefined {
  const id = processesOf(pid).find((each) => roleOf(each) === role);
  const entry = readText(`/proc/${id}/environ`)
    .split('\0')
    .find((each) => each.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

/** What the roles used since `before`, by unit of work; the roles that users know, and the supervisor. */
export function cpuMicros(
  before: ReadonlyMap<string, ProcessFigures>,
  after: ReadonlyMap<string, ProcessFigures>,
  units: number,
): Partial<Record<ProcessName, number>> {
  const micros = ([role, { cpuSeconds }]: readonly [string, ProcessFigures]) =>
    ((cpuSeconds - (before.get(role)?.cpuSeconds ?? 0)) * 1e6) / Math.max(1, units);
  return Object.fromEntries([...after].map((entry) => [entry[0], micros(entry)]));
}

export function memoryPeaks(figures: ReadonlyMap<string, ProcessFigures>): {
  readonly rssMbMax: number;
  readonly rssMbMaxOf: Partial<Record<ProcessName, number>>;
} {
  const peaks = [...figures].map(([role, { rssMbMax }]) => [role, Math.round(rssMbMax)] as const);
  return { rssMbMax: Math.max(0, ...peaks.map(([, mb]) => mb)), rssMbMaxOf: Object.fromEntries(peaks) };
}

function processesOf(pid: number): number[] {
  return existsSync('/proc/self/stat') ? [pid, ...descendants(pid)] : [];
}

function roleOf(pid: number): string | undefined {
  const command = readText(`/proc/${pid}/cmdline`).split('\0');
  if (command[0]?.includes('redis-server')) return 'redis';
  const script = command.findIndex((word) => /\bmain\.[jt]s$/.test(word));
  return script < 0 ? undefined : command[script + 1];
}

function figuresOf(pid: number): ProcessFigures | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const status = readText(`/proc/${pid}/status`);
  const rssKb = /VmRSS:\s+(\d+)/.exec(status)?.[1];
  if (rssKb === undefined) return undefined;
  const peakKb = /VmHWM:\s+(\d+)/.exec(status)?.[1] ?? rssKb;
  const ticks = Number(fields[11]) + Number(fields[12]);
  return {
    cpuSeconds: ticks / clockTicksPerSecond,
    rssMbMax: Number(peakKb) / 1_024,
  };
}

/** A process may end while it is looked at. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
