/** One role in a process of its own, started again when it dies unasked and never left behind. */
import { type ChildProcess, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

export interface ChildRoleOptions {
  readonly role: string;
  /** The script that runs roles by name. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  /** 0 to 19: how far it stands back where others want the processor too. Default 0. */
  readonly niceness?: number;
  /** Told when the child died unasked, before it is started again. */
  readonly onCrash: (role: string, cause: string) => void;
}

export interface ChildRole {
  /** Drains and ends the child; one that does not end within `stopMsMax` is killed, which loses nothing (I1). */
  stop(): Promise<void>;
}

const stopMsMax = 20_000;
const restartDelayMsMax = 10_000;

/** Resolves once the child says that it is ready; rejects when it ends before it ever was. */
export async function startChildRole(options: ChildRoleOptions): Promise<ChildRole> {
  let stopping = false;
  let restartDelayMs = 250;
  let child = spawnRole(options);
  const supervise = (running: ChildProcess): void => {
    running.once('exit', (code, signal) => {
      if (stopping) return;
      options.onCrash(options.role, signal ?? `exit code ${code}`);
      setTimeout(() => {
        if (stopping) return;
        child = spawnRole(options);
        child.once('message', () => {
          restartDelayMs = 250;
        });
        supervise(child);
      }, restartDelayMs);
      restartDelayMs = Math.min(restartDelayMs * 2, restartDelayMsMax);
    });
  };
  await ready(child, options.role);
  supervise(child);
  return {
    stop: async () => {
      stopping = true;
      await ended(child);
    },
  };
}

/**
 * A session of its own keeps a terminal's Ctrl-C from reaching the child: the parent stops the roles in order.
 * The IPC channel closes when the parent dies in any way, and a role ends when it does.
 */
function spawnRole(options: ChildRoleOptions): ChildProcess {
  const child = fork(options.entry, [options.role], {
    env: { ...process.env, ...options.environment },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  // A child that could not be started says so by itself.
  if (child.pid !== undefined) standBack(child.pid, options.niceness ?? 0);
  return child;
}

/**
 * Threads that the child starts later inherit it. Where Linux groups processes by session (sched_autogroup_enabled, as
 * on most machines), only the group's number counts among children that have sessions of their own.
 */
function standBack(pid: number, niceness: number): void {
  if (niceness === 0) return;
  setPriority(pid, niceness);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(niceness));
  } catch {
    // No such groups here.
  }
}

function ready(child: ChildProcess, role: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve());
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`the role ${role} ended with ${signal ?? `exit code ${code}`} before it was ready`)),
    );
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
  await exit;
  clearTimeout(timer);
}
