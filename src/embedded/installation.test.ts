import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { keptSecret } from './installation.ts';

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

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-secret-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}
