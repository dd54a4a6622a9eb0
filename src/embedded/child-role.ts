/** One role in a process of its own, started again when it dies unasked and never left behind. */
import { type ChildProcess, fork } from 'node:child_process';

export interface ChildRoleOptions {
  readonly role: string;
  /** The script that runs roles by name. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
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
  return fork(options.entry, [options.role], {
    env: { ...process.env, ...options.environment },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
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
