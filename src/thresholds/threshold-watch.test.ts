/** From reported usage to the webhook: real Redis and ClickHouse, a worker that counts, and whoever looks at it. */
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CheckpointName } from '../aggregate/checkpoint.ts';
import { createTestDatabase, type TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { watchThresholds } from './threshold-metrics.ts';
import { monthlyOf, type Payload, ThresholdScene } from './threshold-scene.fixture.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const tellings = (payloads: readonly Payload[]) =>
  payloads.map(({ threshold, currentUsage }) => [threshold, currentUsage]);

describe('usage that is reported', () => {
  it('is told at each threshold, once', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('50');
    await scene.look();
    expect(await scene.told()).toEqual([]);
    await scene.report('35');
    await scene.look();
    const [first, ...others] = await scene.told();
    expect(others).toEqual([]);
    expect(first).toEqual({
      type: 'entitlement.usage_exceeded',
      messageId: expect.stringMatching(/^[0-9a-f-]{36}-0$/),
      traceId: '',
      timestamp: expect.any(String),
      actor: 'system',
      customer: expect.objectContaining({ refId: scene.customer }),
      feature: expect.objectContaining({ refId: 'seats' }),
      resource: null,
      threshold: 80,
      currentUsage: '85',
      usageLimit: '100',
      usagePeriodStart: '2026-05-01T00:00:00.000Z',
      usagePeriodEnd: '2026-06-01T00:00:00.000Z',
    });
    await scene.report('35');
    await scene.look();
    await scene.report('1');
    await scene.look();
    expect(tellings(await scene.told())).toEqual([
      [80, '85'],
      [100, '120'],
    ]);
  });

  it('is told at the highest threshold of a leap alone, and never again in the period', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('120');
    await scene.look();
    for (const value of ['-120', '85', '100']) {
      await scene.report(value);
      await scene.look();
    }
    expect(tellings(await scene.told())).toEqual([[100, '120']]);
  });

  it('is looked at together, however often it changes before', async () => {
    const scene = await ThresholdScene.open(database);
    for (const value of ['79', '10', '20']) await scene.report(value);
    await scene.look();
    expect(tellings(await scene.told())).toEqual([[100, '109']]);
  });

  it('is told anew in a new period, in which that of the last one does not count', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('90');
    await scene.look();
    scene.clock.advance(20 * 86_400_000);
    await scene.report('70');
    await scene.look();
    expect(tellings(await scene.told())).toEqual([[80, '90']]);
    await scene.report('10');
    await scene.look();
    expect(await scene.told()).toMatchObject([
      { threshold: 80, usagePeriodStart: '2026-05-01T00:00:00.000Z' },
      { threshold: 80, usagePeriodStart: '2026-06-01T00:00:00.000Z', currentUsage: '80' },
    ]);
  });

  it('is told beyond what was told when the limit is raised', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('85');
    await scene.look();
    await scene.subscribe([monthlyOf('seats', 1_000)]);
    await scene.report('735');
    await scene.look();
    await scene.report('180');
    await scene.look();
    expect(tellings(await scene.told())).toEqual([
      [80, '85'],
      [100, '1000'],
    ]);
  });

  it('is compared with a limit that is lowered, at once and once', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('50');
    await scene.look();
    for (const limit of [60, 59]) {
      await scene.subscribe([monthlyOf('seats', limit)]);
      await scene.relay();
      expect(await scene.waiting()).toEqual([scene.customer]);
      await scene.look();
    }
    expect(await scene.told()).toMatchObject([{ threshold: 80, currentUsage: '50', usageLimit: '60' }]);
    await scene.subscribe([monthlyOf('seats', 50)]);
    await scene.relay();
    await scene.look();
    expect(tellings(await scene.told())).toEqual([
      [80, '50'],
      [100, '50'],
    ]);
  });

  it('is compared in the units of the limit, and told of a resource of its own', async () => {
    const unitTransformation = {
      divide: '10',
      round: 'UP',
      featureUnits: null,
      featureUnitsPlural: null,
    } as const;
    const scene = await ThresholdScene.open(database, { resourceId: 'site', unitTransformation });
    await scene.report('2000');
    await scene.report('791', { resourceId: 'site' });
    await scene.look();
    expect(await scene.told()).toMatchObject([
      { threshold: 80, currentUsage: '80', usageLimit: '100', resource: { resourceId: 'site' } },
    ]);
  });

  it('of an archived customer is not told', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('85');
    await scene.archive();
    await scene.look();
    expect(await scene.told()).toEqual([]);
    expect(await scene.waiting()).toEqual([]);
  });

  it('changed by a correction is looked at, too', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.worker.betweenFlushes([scene.customer], () => Promise.resolve());
    expect(await scene.waiting()).toEqual([scene.customer]);
  });
});

describe('usage by events', () => {
  it('is told like any other', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.send(79);
    await scene.look();
    await scene.send(1);
    await scene.look();
    await scene.send(40);
    await scene.look();
    expect(await scene.told()).toMatchObject([
      { threshold: 80, currentUsage: '80', feature: { refId: 'calls' } },
      { threshold: 100, currentUsage: '120', feature: { refId: 'calls' } },
    ]);
  });

  it('that no watched meter counts concerns nobody', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.send(200, 'another');
    expect(await scene.waiting()).toEqual([]);
  });

  it('concerns nobody where there are no thresholds', async () => {
    const scene = await ThresholdScene.open(database, { usageThresholds: [] });
    await scene.send(100);
    await scene.report('100');
    expect(await scene.waiting()).toEqual([]);
  });
});

describe('whoever looks', () => {
  it.each<CheckpointName>(['afterMeasurements', 'afterCount', 'afterTouch', 'afterReply', 'afterFinish'])(
    'finds what a worker counted that died %s, and tells it once',
    async (point) => {
      const scene = await ThresholdScene.open(database);
      await scene.worker.stop();
      const victim = scene.makeWorker((name) => {
        if (name === point) throw new Error('an accident');
      });
      await scene.enqueue(90);
      await victim.start();
      expect(await victim.ended()).toMatchObject({ reason: 'failed' });
      await scene.look();
      await scene.makeWorker().start();
      await scene.world.settled();
      await scene.look();
      await scene.look();
      expect(tellings(await scene.told())).toEqual([[80, '90']]);
    },
  );

  it('tells nothing twice when a look is cut off after it was noted', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('85');
    const settle = () => Promise.reject(new Error('killed'));
    await expect(scene.look({ touched: scene.touchedWith({ settle }) })).rejects.toThrow('killed');
    expect(await scene.waiting()).toEqual([scene.customer]);
    await Promise.all([scene.look(), scene.look(), scene.look()]);
    expect(tellings(await scene.told())).toEqual([[80, '85']]);
    expect(await scene.waiting()).toEqual([]);
  });

  it('looks again at a customer who is touched meanwhile', async () => {
    const scene = await ThresholdScene.open(database);
    await scene.report('85');
    let looks = 0;
    const usage = scene.usageAfter(async () => {
      looks += 1;
      if (looks === 1) await scene.report('15');
    });
    await scene.look({ usage });
    expect(await scene.waiting()).toEqual([scene.customer]);
    await scene.look();
    expect((await scene.told()).map(({ threshold }) => threshold).at(-1)).toBe(100);
    expect(await scene.waiting()).toEqual([]);
  });

  it('looks at everybody where there was no room to write down whom', async () => {
    const scene = await ThresholdScene.open(database, { touchedMax: 1 });
    const others = Array.from({ length: 120 }, () => `other-${randomUUID()}`);
    for (const customer of others) await scene.provision(customer);
    await scene.touched.touch(others);
    await scene.report('85');
    expect(await scene.waiting()).toEqual([others[0], '']);
    const registry = new Registry();
    watchThresholds(registry, scene.touched);
    expect(await registry.metrics()).toContain('tollgate_threshold_looks_waiting 2');
    await scene.look();
    expect(tellings(await scene.told())).toEqual([[80, '85']]);
    expect(await scene.waiting()).toEqual([]);
  });

  it('goes on to those behind customers with whom it always fails, and tries these again later', async () => {
    const scene = await ThresholdScene.open(database);
    const broken = new Set(Array.from({ length: 130 }, () => `broken-${randomUUID()}`));
    for (const customer of broken) await scene.provision(customer);
    await scene.touched.touch([...broken]);
    await scene.report('85');
    const entitlements = scene.entitlementsUnless((customer) => broken.has(customer));
    await scene.look({ entitlements });
    expect(tellings(await scene.told())).toEqual([[80, '85']]);
    expect(new Set(await scene.waiting())).toEqual(broken);
    expect(scene.failed).toHaveLength(broken.size);
    await scene.look({ entitlements });
    expect(scene.failed).toHaveLength(broken.size);
    scene.clock.advance(1_000);
    await scene.look();
    expect(await scene.waiting()).toEqual([]);
  });

  it('does so by itself, goes on after a failure, and stops when told', async () => {
    const scene = await ThresholdScene.open(database);
    let failures = 0;
    const newest = async () => {
      failures += 1;
      if (failures < 3) throw new Error('Redis is away');
      return scene.touched.newest();
    };
    const watch = scene.watch({ touched: scene.touchedWith({ newest }) });
    watch.start();
    await scene.report('85');
    await expect.poll(async () => tellings(await scene.told())).toEqual([[80, '85']]);
    await watch.stop();
    await watch.stop();
    await scene.report('15');
    expect(await scene.waiting()).toEqual([scene.customer]);
  });
});
