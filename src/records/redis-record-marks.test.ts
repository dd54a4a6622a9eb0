import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, expect, inject, it } from 'vitest';
import type { RecordRef } from './record-store.ts';
import { RedisRecordStore } from './redis-record-store.ts';

const redis = new Redis(inject('redisUrl'));
const plan: RecordRef = { kind: 'package', key: 'pro' };
const acme: RecordRef = { kind: 'customer', key: 'acme' };
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: 0 };
let store: RedisRecordStore;

beforeEach(() => {
  store = new RedisRecordStore(redis, `{marks-${randomUUID()}}`);
});

afterAll(async () => {
  await redis.quit();
});

it('are empty where there is nothing, and in the order asked', async () => {
  expect(await store.marks(['package', 'customer'], [acme, plan])).toEqual(['', '', '', '']);
  expect(await store.marks([], [])).toEqual([]);
  await write(plan, 0, {});
  const [packages, customers, ofAcme, ofPlan] = await store.marks(['package', 'customer'], [acme, plan]);
  expect([customers, ofAcme]).toEqual(['', '']);
  expect(packages).toBe(await store.revision('package'));
  expect(ofPlan).not.toBe('');
});

it('change with every write of the kind and of the record, and with no other', async () => {
  await write(plan, 0, { name: 'a' });
  await write(acme, 0, {});
  const before = await store.marks(['package'], [plan, acme]);
  expect(await store.marks(['package'], [plan, acme])).toEqual(before);
  await write({ kind: 'package', key: 'other' }, 0, {});
  const other = await store.marks(['package'], [plan, acme]);
  expect(other[0]).not.toBe(before[0]);
  expect(other.slice(1)).toEqual(before.slice(1));
  // The very same content is a write like any other.
  await write(plan, 1, { name: 'a' });
  const after = await store.marks(['package'], [plan, acme]);
  expect(after[1]).not.toBe(before[1]);
  expect(after[2]).toBe(before[2]);
});

it('never return to what they were, also when a record is deleted and made anew', async () => {
  const seen: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    await write(plan, 0, { name: 'a' });
    seen.push(...(await store.marks([], [plan])));
    await write(plan, 1, null);
    expect(await store.marks([], [plan])).toEqual(['']);
  }
  expect(new Set(seen).size).toBe(3);
});

async function write(ref: RecordRef, expectedVersion: number, body: unknown): Promise<void> {
  expect(await store.commit([{ ...ref, expectedVersion, body }], audit)).toBe('committed');
}
