import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataSpool } from './clickhouse-spool.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-spool-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* chunks(...texts: string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

describe('DataSpool', () => {
  it('keeps bytes as they are until they are released, wherever they fit', async () => {
    const spool = await DataSpool.open(folder);
    for (const bytesExpected of [4, undefined]) {
      const { path, release } = await spool.write(chunks('a\n', '\n\0'), bytesExpected);
      expect(await readFile(path, 'latin1')).toBe('a\n\n\0');
      await release();
      expect(existsSync(path)).toBe(false);
    }
  });

  it('removes what a process left that was killed', async () => {
    const left = await (await DataSpool.open(folder)).write(chunks('left'), 4);
    await writeFile(join(folder, 'spool', 'left'), 'left');
    await DataSpool.open(folder);
    expect(existsSync(left.path)).toBe(false);
    expect(await readdir(join(folder, 'spool'))).toEqual([]);
  });

  it('refuses one body that is too large, and more bodies than there is room for', async () => {
    const spool = await DataSpool.open(folder, { bodyBytesMax: 10, totalBytesMax: 15 });
    await expect(spool.write(chunks('123456', '12345'), undefined)).rejects.toMatchObject({ code: 307 });
    const held = await spool.write(chunks('1234567890'), undefined);
    await expect(spool.write(chunks('123456'), undefined)).rejects.toMatchObject({ code: 243 });
    await held.release();
    await (await spool.write(chunks('123456'), undefined)).release();
    expect(await readdir(join(folder, 'spool'))).toEqual([]);
  });

  it('leaves nothing of a body that was refused before its file was open', async () => {
    const spool = await DataSpool.open(folder, { bodyBytesMax: 10, totalBytesMax: 15 });
    for (let round = 0; round < 300; round += 1) {
      const refused = Array.from({ length: 4 }, () => spool.write(chunks('1234567890', '1'), undefined));
      const outcomes = await Promise.allSettled(refused);
      expect(outcomes.map(({ status }) => status)).toEqual(Array(4).fill('rejected'));
    }
    expect(await readdir(join(folder, 'spool'))).toEqual([]);
  });

  it('refuses a folder whose name the engine would read as a pattern', async () => {
    await expect(DataSpool.open(join(folder, 'a*{b,c}'))).rejects.toThrow('may not contain');
  });
});
