/** Processor time and memory of a process tree, by role, as the Linux kernel counts them. */
import { readFileSync } from 'node:fs';
import { descendants } from '../test/installation.ts';

export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

const clockTicksPerSecond = 100;

/** The figures of each role below `pid`; the parent itself is `all`. */
export function processFigures(pid: number): Map<string, ProcessFigures> {
  const figures = new Map<string, ProcessFigures>();
  for (const id of [pid, ...descendants(pid)]) {
    const role = roleOf(id);
    const own = role === undefined ? undefined : figuresOf(id);
    if (role === undefined || own === undefined) continue;
    const sum = figures.get(role) ?? { cpuSeconds: 0, rssMb: 0 };
    figures.set(role, { cpuSeconds: sum.cpuSeconds + own.cpuSeconds, rssMb: sum.rssMb + own.rssMb });
  }
  return figures;
}

function roleOf(pid: number): string | undefined {
  const command = readText(`/proc/${pid}/cmdline`).split('\0');
  if (command[0]?.includes('redis-server')) return 'redis';
  const script = command.findIndex((word) => /(main\.js|naive-design\.ts)$/.test(word));
  if (script < 0) return undefined;
  return command[script]?.endsWith('naive-design.ts') ? 'naive' : command[script + 1];
}

function figuresOf(pid: number): ProcessFigures | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const rssKb = /VmRSS:\s+(\d+)/.exec(readText(`/proc/${pid}/status`))?.[1];
  if (rssKb === undefined) return undefined;
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpuSeconds: ticks / clockTicksPerSecond, rssMb: Number(rssKb) / 1_024 };
}

/** A process may end while it is looked at. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
