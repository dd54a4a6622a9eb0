import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stageBodies } from './stage-bodies.ts';
import { guardedEvents, measureDecoding, scanner } from './stage-decode.ts';
import { measureNative } from './stage-native.ts';
import { measureRedis } from './stage-redis.ts';
import { measureUws } from './stage-uws.ts';

const seed = 11;
const folder = { path: '' };

beforeAll(async () => {
  folder.path = await mkdtemp(join(tmpdir(), 'tollgate-stages-'));
});

afterAll(() => rm(folder.path, { recursive: true, force: true }));

describe('decoding', () => {
  it('takes every event of the generator, either way', () => {
    const scan = scanner();
    for (const body of stageBodies(100, 20, seed)) {
      expect(guardedEvents(body)).toBe(100);
      expect(scan(body)).toBe(100);
    }
  });

  it('guards', () => {
    const event = { customerId: 'c', eventName: 'n', idempotencyKey: 'k', dimensions: { a: 1 } };
    const broken = [
      { ...event, customerId: '' },
      { ...event, eventName: 7 },
      { ...event, idempotencyKey: 'k'.repeat(256) },
      { ...event, dimensions: { a: [] } },
      { ...event, dimensions: [] },
      null,
    ];
    const body = (events: unknown) => Buffer.from(JSON.stringify({ events }));
    expect(guardedEvents(body([event, ...broken]))).toBe(1);
    expect(guardedEvents(body('none'))).toBe(0);
  });

  it('has figures', () => {
    const { parse, scan } = measureDecoding(stageBodies(10, 10, seed), 0.1);
    expect(parse.eventsPerSecond).toBeGreaterThan(1_000);
    expect(scan.eventsPerSecond).toBeGreaterThan(1_000);
    expect(scan.cpuMicrosPerEvent).toBeGreaterThan(0);
  });
});

describe('engines', () => {
  it('answer bare requests', async () => {
    const stages = await measureUws({ seconds: 0.2, seed, poolSize: 1_000 });
    for (const { requestsPerSecond } of Object.values(stages)) expect(requestsPerSecond).toBeGreaterThan(100);
    expect(stages.uws100.eventsPerSecond).toBeCloseTo(100 * Number(stages.uws100.requestsPerSecond), 3);
  });

  it('take batches into Redis', async () => {
    const { eventsPerSecond } = await measureRedis(folder.path, 0.2, seed);
    expect(eventsPerSecond).toBeGreaterThan(1_000);
  });

  it('take rows into ClickHouse, all of them', async () => {
    // It throws when rows are missing.
    const figures = await measureNative({ folder: folder.path, seed, rows: 3_000, rowsPerInsert: 1_000 });
    expect(figures.native1.rowsPerSecond).toBeGreaterThan(100);
    expect(figures.native2.rowsPerSecond).toBeGreaterThan(100);
  });
});
