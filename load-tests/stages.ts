/**
 * The bare stages: what two cores can do at each step of an event's way with nothing else of Tollgate around it. The
 * ratios of `npm run bench` are taken to these, so they are measured in the same run, on the same bodies and with
 * the same client.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startScript } from './child-process.ts';
import type { MeasureOptions, StageFigures } from './figures.ts';
import type { measureDecoding } from './stage-decode.ts';
import { measureNative } from './stage-native.ts';
import { measureRedis } from './stage-redis.ts';
import { measureUws } from './stage-uws.ts';

export type StageName = 'uws1' | 'uws100' | 'uwsGet' | 'parse' | 'scan' | 'redis' | 'native1' | 'native2';

/** Of each load a quarter of `seconds`; half a minute when quick, a minute and a half otherwise. */
export async function measureStages(options: MeasureOptions): Promise<Record<StageName, StageFigures>> {
  const { quick, seed, progress } = options;
  const seconds = options.seconds / 4;
  progress('bare uWebSockets.js: requests of 1 and of 100 events, and GET');
  const uws = await measureUws({ seconds, seed });
  progress('JSON.parse with a guard, and bytes into columns, on one core');
  const decoding = await decode(2 * seconds, seed);
  progress('Redis with its log, taking sealed batches');
  const redis = await within((folder) => measureRedis(folder, seconds, seed));
  progress('ClickHouse in Native, merges included');
  const sizes = { rows: quick ? 1_000_000 : 2_000_000, rowsPerInsert: 100_000 };
  const native = await within((folder) => measureNative({ folder, seed, ...sizes }));
  return { ...uws, ...decoding, redis, ...native };
}

async function decode(seconds: number, seed: number): Promise<ReturnType<typeof measureDecoding>> {
  const script = await startScript('load-tests/stage-decode-run.ts', [String(seconds), String(seed)]);
  await script.stop();
  return script.greeting as ReturnType<typeof measureDecoding>;
}

async function within<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-stage-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
