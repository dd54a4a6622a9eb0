import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Feature } from './feature.ts';
import { recordKinds } from '../records/record-kinds.ts';
import type { Audit } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { RecordFeatureCatalog } from './record-feature-catalog.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'key', traceId: 'trace', operation: 'test', at: 1 };
let records: RedisRecordStore;
let catalog: RecordFeatureCatalog;

beforeEach(() => {
  records = new RedisRecordStore(redis, `{features-${randomUUID()}}`);
  catalog = new RecordFeatureCatalog(records);
});

afterAll(async () => {
  await redis.quit();
});

describe('the feature catalog', () => {
  it('finds a feature by refId and by id, as it was stored', async () => {
    const feature = featureCalled('api-calls', 1);
    expect(await catalog.create(feature, audit)).toBe('created');
    expect(await catalog.feature('api-calls')).toEqual(feature);
    expect(await catalog.feature(feature.id)).toEqual(feature);
    expect(await catalog.feature('other')).toBeUndefined();
  });

  it('prefers the refId where one feature is called as another is numbered', async () => {
    const first = featureCalled('first', 1);
    const second = featureCalled(first.id, 2);
    await catalog.create(first, audit);
    await catalog.create(second, audit);
    expect(await catalog.feature(first.id)).toEqual(second);
  });

  it('shows another process a change at its next read', async () => {
    const elsewhere = new RecordFeatureCatalog(records);
    expect(await elsewhere.features()).toEqual([]);
    await catalog.create(featureCalled('a', 1), audit);
    expect(await elsewhere.features()).toHaveLength(1);
    await catalog.create(featureCalled('b', 2), audit);
    expect(await elsewhere.feature('b')).toBeDefined();
  });

  it('never misses a change that was there before the read, with many reads under way', async () => {
    const elsewhere = new RecordFeatureCatalog(records);
    const reads: Promise<unknown>[] = [];
    for (let at = 0; at < 50; at += 1) {
      reads.push(elsewhere.features());
      await catalog.create(featureCalled(`f${at}`, at), audit);
      reads.push(elsewhere.features().then((all) => expect(all.length).toBeGreaterThan(at)));
    }
    await Promise.all(reads);
  });

  it('lists oldest first and by refId where two are equally old', async () => {
    for (const [refId, createdAt] of [
      ['z', 5],
      ['b', 9],
      ['a', 9],
      ['c', 7],
    ] as const) {
      await catalog.create(featureCalled(refId, createdAt), audit);
    }
    expect((await catalog.features()).map((feature) => feature.refId)).toEqual(['z', 'c', 'a', 'b']);
  });

  it('gives a refId to one of many that want it at once', async () => {
    const wanted = Array.from({ length: 20 }, (_, index) => featureCalled('wanted', index));
    const answers = await Promise.all(wanted.map((feature) => catalog.create(feature, audit)));
    const winner = wanted[answers.indexOf('created')];
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
    expect(await catalog.features()).toEqual([winner]);
  });

  it('keeps every one of 20 changes made at once, by refId and by id', async () => {
    const feature = featureCalled('api-calls', 1);
    await catalog.create(feature, audit);
    await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        catalog.update(at % 2 === 0 ? 'api-calls' : feature.id, audit, (existing) => ({
          feature: {
            ...existing,
            additionalMetaData: { ...existing.additionalMetaData, [`field-${at}`]: 'x' },
          },
        })),
      ),
    );
    const changed = await catalog.feature('api-calls');
    expect(Object.keys(changed?.additionalMetaData ?? {})).toHaveLength(21);
  });

  it('changes nothing where a change is refused, or finds nothing', async () => {
    const feature = featureCalled('api-calls', 1);
    await catalog.create(feature, audit);
    const revision = await records.revision('feature');
    expect(await catalog.update('api-calls', audit, () => ({ problem: 'no' }))).toEqual({ problem: 'no' });
    expect(await catalog.update('api-calls', audit, (same) => ({ feature: same }))).toEqual({ feature });
    expect(await catalog.update('other', audit, (same) => ({ feature: same }))).toBeUndefined();
    expect(await records.revision('feature')).toBe(revision);
  });

  it('refuses the feature beyond its bound', async () => {
    const featuresMax = recordKinds.feature.recordsMax;
    const many = Array.from({ length: featuresMax }, (_, index) => featureCalled(`f-${index}`, index));
    const writes = many.map((body) => ({
      kind: 'feature' as const,
      key: body.refId,
      expectedVersion: 0,
      body,
    }));
    for (let from = 0; from < featuresMax; from += 500) {
      expect(await records.commit(writes.slice(from, from + 500), audit)).toBe('committed');
    }
    expect(await catalog.create(featureCalled('one-more', 1), audit)).toBe('full');
    expect(await catalog.create(featureCalled('f-0', 1), audit)).toBe('exists');
    expect(await catalog.features()).toHaveLength(featuresMax);
  });
});

function featureCalled(refId: string, createdAt: number): Feature {
  return {
    id: randomUUID(),
    refId,
    displayName: refId.toUpperCase(),
    description: null,
    featureType: 'NUMBER',
    meterType: 'INCREMENTAL',
    featureUnits: 'call',
    featureUnitsPlural: 'calls',
    enumConfiguration: null,
    unitTransformation: null,
    meter: {
      aggregation: { function: 'SUM', field: 'bytes' },
      filters: [
        { conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'http_request', values: null }] },
      ],
    },
    featureStatus: 'NEW',
    additionalMetaData: { team: 'core' },
    createdAt,
    updatedAt: createdAt,
  };
}
