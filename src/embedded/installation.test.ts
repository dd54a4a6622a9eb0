import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort, keptSecret } from './installation.ts';

describe('a kept secret', () => {
  it('is one, however many make it at the same time, and only its owner reads it', async () => {
    const folder = await temporaryFolder();
    let made = 0;
    const make = (): string => {
      made += 1;
      return `secret-${made}`;
    };
    const all = await Promise.all(Array.from({ length: 20 }, () => keptSecret(folder, 'secret', make)));
    expect(new Set(all).size).toBe(1);
    expect(await keptSecret(folder, 'secret', make)).toBe(all[0]);
    expect(await readdir(folder)).toEqual(['secret']);
    expect((await stat(join(folder, 'secret'))).mode & 0o777).toBe(0o600);
  });

  it('takes the place of an empty file', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'secret'), '\n');
    expect(await keptSecret(folder, 'secret', () => 'made')).toBe('made');
    expect(await keptSecret(folder, 'secret', () => 'another')).toBe('made');
  });
});

describe('a free port', () => {
  it('is given once, one after another and at the same moment', async () => {
    const ports = [await freePort(), await freePort(), ...(await Promise.all([freePort(), freePort()]))];
    expect(new Set(ports).size).toBe(4);
  });

  it('is not one that something listens on', async () => {
    const taken = (await freePort()) + 1;
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(taken, '127.0.0.1', resolve);
    });
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    expect(await freePort()).not.toBe(taken);
  });
});

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}
