/** Keeps the data of an INSERT in a file while the engine reads them: the only way in that takes any bytes as they are. */
import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rm, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { raised } from './clickhouse-exception.ts';

export interface SpooledData {
  readonly path: string;
  /** Deletes the file; to be called once. */
  readonly release: () => Promise<void>;
}

export interface SpoolLimits {
  /** One body of an INSERT, after it was unpacked. */
  readonly bodyBytesMax: number;
  /** All bodies that wait or are being read, so that many at once do not fill the disk. */
  readonly totalBytesMax: number;
}

const defaultLimits: SpoolLimits = { bodyBytesMax: 1024 ** 3, totalBytesMax: 4 * 1024 ** 3 };
const memoryFolder = '/dev/shm';
/** A body comes in pieces of 64 KiB at most; each call to write takes a thread of the pool and a turn of the loop. */
const writeBytesMin = 1024 ** 2;

/**
 * Small enough bodies go to the memory file system, which saves the disk the writing; the rest goes under the data
 * folder. Files of a process that was killed are removed at the start.
 */
export class DataSpool {
  readonly #memoryPrefix: string;
  readonly #diskFolder: string;
  readonly #limits: SpoolLimits;
  #memoryBytesFree: number;
  #bytes = 0;

  private constructor(
    memoryPrefix: string,
    diskFolder: string,
    memoryBytesFree: number,
    limits: SpoolLimits,
  ) {
    this.#memoryPrefix = memoryPrefix;
    this.#diskFolder = diskFolder;
    this.#memoryBytesFree = memoryBytesFree;
    this.#limits = limits;
  }

  /** Called by the process that holds the lock of `dataDir`, since what it finds there it deletes. */
  static async open(dataDir: string, limits = defaultLimits): Promise<DataSpool> {
    const disk = join(resolve(dataDir), 'spool');
    // The engine would read these as a pattern of file names, and knows no way to escape them.
    if (/[*?{}]/.test(disk)) throw new Error(`the data folder ${dataDir} may not contain any of * ? { }`);
    await rm(disk, { recursive: true, force: true });
    await mkdir(disk, { recursive: true, mode: 0o700 });
    const prefix = `tollgate-${createHash('sha256').update(disk).digest('hex').slice(0, 16)}-`;
    return new DataSpool(join(memoryFolder, prefix), disk, await clearedMemory(prefix), limits);
  }

  /**
   * Writes `chunks` to a file. `bytesExpected` is the length when it is known: memory is only used for data that are
   * known to fit. Throws TOO_MANY_BYTES for one body that is too large, NOT_ENOUGH_SPACE when all together are, and
   * what `chunks` throws.
   */
  async write(chunks: AsyncIterable<Buffer>, bytesExpected: number | undefined): Promise<SpooledData> {
    const reserved =
      bytesExpected !== undefined && bytesExpected <= this.#memoryBytesFree ? bytesExpected : 0;
    this.#memoryBytesFree -= reserved;
    const path = reserved > 0 ? `${this.#memoryPrefix}${randomUUID()}` : join(this.#diskFolder, randomUUID());
    const { bodyBytesMax, totalBytesMax } = this.#limits;
    let bytes = 0;
    const release = async (): Promise<void> => {
      await rm(path, { force: true });
      this.#memoryBytesFree += reserved;
      this.#bytes -= bytes;
    };
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      this.#bytes += chunk.length;
      if (bytes > bodyBytesMax) throw raised.tooLarge(`The data of one INSERT exceed ${bodyBytesMax} bytes`);
      if (this.#bytes > totalBytesMax) throw raised.notEnoughSpace('Too many data wait to be inserted');
    };
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await writeAll(file, chunks, count);
      } finally {
        await file.close();
      }
      return { path, release };
    } catch (error) {
      await release();
      throw error;
    }
  }
}

/** `count` is told of each chunk before it is kept. */
async function writeAll(
  file: FileHandle,
  chunks: AsyncIterable<Buffer>,
  count: (chunk: Buffer) => void,
): Promise<void> {
  let gathered: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    count(chunk);
    gathered.push(chunk);
    bytes += chunk.length;
    if (bytes < writeBytesMin) continue;
    await write(file, gathered, bytes);
    gathered = [];
    bytes = 0;
  }
  if (bytes > 0) await write(file, gathered, bytes);
}

/** The system may write less than it was given, without an error. */
async function write(file: FileHandle, chunks: readonly Buffer[], bytes: number): Promise<void> {
  const { bytesWritten } = await file.writev(chunks);
  if (bytesWritten < bytes) await file.writeFile(Buffer.concat(chunks).subarray(bytesWritten));
}

/** Bytes that may be used: half of what is free, since others use it too; 0 where there is no memory file system. */
async function clearedMemory(prefix: string): Promise<number> {
  try {
    const left = (await readdir(memoryFolder)).filter((name) => name.startsWith(prefix));
    await Promise.all(left.map((name) => rm(join(memoryFolder, name), { force: true })));
    const { bavail, bsize } = await statfs(memoryFolder);
    return Math.floor((bavail * bsize) / 2);
  } catch {
    return 0;
  }
}
