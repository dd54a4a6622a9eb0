import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Feature } from './feature.ts';
import { featuresMax, RedisFeatureCatalog } from './redis-feature-catalog.ts';

const redis = new Redis(inject('redisUrl'));
let namespace: string;
let catalog: RedisFeatureCatalog;

beforeEach(() => {
  namespace = `{features-${randomUUID()}}`;
  catalog = new RedisFeatureCatalog(redis, namespace);
});

afterAll(async () => {
  await redis.quit();
});

describe('the feature catalog in Redis', () => {
  it('finds a feature by refId and by id, as it was stored', async () => {
    const feature = featureCalled('api-calls', 1);
    expect(await catalog.create(feature)).toBe('created');
    expect(await catalog.feature('api-calls')).toEqual(feature);
    expect(await catalog.feature(feature.id)).toEqual(feature);
    expect(await catalog.feature('other')).toBeUndefined();
  });

  it('prefers the refId where one feature is called as another is numbered', async () => {
    const first = featureCalled('first', 1);
    const second = featureCalled(first.id, 2);
    await catalog.create(first);
    await catalog.create(second);
    expect(await catalog.feature(first.id)).toEqual(second);
  });

  it('shows another process a change at its next read', async () => {
    const elsewhere = new RedisFeatureCatalog(redis, namespace);
    expect(await elsewhere.features()).toEqual([]);
    await catalog.create(featureCalled('a', 1));
    expect(await elsewhere.features()).toHaveLength(1);
    await catalog.create(featureCalled('b', 2));
    expect(await elsewhere.feature('b')).toBeDefined();
  });

  it('never misses a change that was there before the read, with many reads under way', async () => {
    const elsewhere = new RedisFeatureCatalog(redis, namespace);
    const reads: Promise<unknown>[] = [];
    for (let at = 0; at < 50; at += 1) {
      reads.push(elsewhere.features());
      await catalog.create(featureCalled(`f${at}`, at));
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
      await catalog.create(featureCalled(refId, createdAt));
    }
    expect((await catalog.features()).map((feature) => feature.refId)).toEqual(['z', 'c', 'a', 'b']);
  });

  it('gives a refId to one of many that want it at once', async () => {
    const wanted = Array.from({ length: 20 }, (_, index) => featureCalled('wanted', index));
    const answers = await Promise.all(wanted.map((feature) => catalog.create(feature)));
    const winner = wanted[answers.indexOf('created')];
    expect(answers.filter((answer) => answer === 'created')).toHaveLength(1);
    expect(await catalog.features()).toEqual([winner]);
  });

  it('refuses the feature beyond its bound', async () => {
    const many = Array.from({ length: featuresMax }, (_, index) => featureCalled(`f-${index}`, index));
    const entries = many.flatMap((feature) => [feature.refId, JSON.stringify(feature)]);
    await redis.hset(`${namespace}:features`, ...entries);
    await redis.set(`${namespace}:features-version`, 'filled');
    expect(await catalog.create(featureCalled('one-more', 1))).toBe('full');
    expect(await catalog.create(featureCalled('f-0', 1))).toBe('exists');
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
