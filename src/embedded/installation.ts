/** One DATA_DIR is one installation: its lock, its server key and its small secrets. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, relative } from 'node:path';

export class InstallationLockedError extends Error {
  readonly code = 'INSTALLATION_LOCKED';
  readonly retryable = false;
}

/**
 * Holds DATA_DIR for this process until `release`. The lock is a listening socket, which the kernel lets go of
 * with the process, kill -9 included; so a lock left behind is told from one that is held.
 */
export async function lockInstallation(dataDir: string): Promise<{ release(): Promise<void> }> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const path = shortest(join(dataDir, 'lock'));
  if (await answers(path)) {
    throw new InstallationLockedError(
      `Tollgate already runs on the folder ${dataDir}; stop it first, or give this one another DATA_DIR`,
    );
  }
  await unlink(path).catch(() => undefined);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  server.unref();
  return { release: () => closed(server) };
}

/** The server key: the given one, or the one made at the first start and kept with mode 0600. */
export async function serverApiKey(dataDir: string, given: string | undefined): Promise<string> {
  return (
    given ??
    (await keptSecret(dataDir, 'server-api-key', () => `server-${randomBytes(24).toString('base64url')}`))
  );
}

/**
 * A secret that is made once: written whole or not at all, readable by its owner only. Of processes that make it at
 * the same time one does, and all have that one.
 */
export async function keptSecret(folder: string, name: string, make: () => string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, name);
  const kept = await readFile(path, 'utf8').catch(() => '');
  if (kept.trim() !== '') return kept.trim();
  // A name of its own: whoever wrote into the file that another one has linked already would change that one's.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${make()}\n`, { mode: 0o600 });
  await chmod(draft, 0o600);
  // A name that is there already is somebody else's, unless the file is empty, which nobody made so.
  const isEmpty = (await readFile(path, 'utf8').catch(() => undefined))?.trim() === '';
  if (isEmpty) await rename(draft, path);
  else await linkNew(draft, path);
  await unlink(draft).catch(() => undefined);
  return (await readFile(path, 'utf8')).trim();
}

/** On a file system without links whoever comes last is the one. */
async function linkNew(draft: string, path: string): Promise<void> {
  await link(draft, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') await rename(draft, path);
  });
}

/**
 * Roles share their port with others of their kind, so a program that has it already would go unnoticed: whoever
 * starts all of them looks first. Roles whose parent was killed a moment ago are given the time to end.
 */
export async function requireFreePort(setting: string, host: string, port: number): Promise<void> {
  const deadline = Date.now() + portPatienceMs;
  for (;;) {
    const problem = await bindingProblem(host, port);
    if (problem === undefined) return;
    if (problem !== 'EADDRINUSE' || Date.now() > deadline) {
      const why = problem === 'EADDRINUSE' ? 'another program listens there already' : problem;
      throw new Error(`${setting}: cannot listen on ${host}:${port}: ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const portPatienceMs = 2_000;

async function bindingProblem(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  const problem = await new Promise<string | undefined>((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => resolve(undefined));
  });
  if (problem === undefined) await closed(server);
  return problem;
}

/**
 * A port that nothing listens on, for a child that is about to. It lies below those that systems give to outgoing
 * connections, which could take it before the child does, and no port is given twice in a row by one process.
 */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < privatePorts.count; tried += 1) {
    const port = privatePorts.first + nextPrivatePort;
    nextPrivatePort = (nextPrivatePort + 1) % privatePorts.count;
    if ((await bindingProblem('127.0.0.1', port)) === undefined) return port;
  }
  throw new Error(
    `no port between ${privatePorts.first} and ${privatePorts.first + privatePorts.count - 1} is free`,
  );
}

const privatePorts = { first: 10_240, count: 20_480 };

/** Where processes that look at the same moment begin far from each other. */
let nextPrivatePort = randomInt(privatePorts.count);

/** Socket paths are bounded at about 100 bytes; a relative one may fit where the absolute one does not. */
function shortest(path: string): string {
  const near = relative(process.cwd(), path);
  const chosen = near.length < path.length ? near : path;
  if (Buffer.byteLength(chosen) > 100) {
    throw new Error(`the path of DATA_DIR is too long for its lock (${path}); choose one under 95 bytes`);
  }
  return chosen;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
