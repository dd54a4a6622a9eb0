import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { watchFailedItems } from './failed-item-metrics.ts';
import { closeRedis, openRedis } from './redis-connection.ts';
import { RedisFailedItems } from './redis-failed-items.ts';
import { queueKeys } from './redis-keys.ts';

const redis = openRedis(inject('redisUrl'), 'worker');

afterAll(() => closeRedis(redis));

describe('items that failed', () => {
  it('are counted by task for every process, and logged once, without saying which', async () => {
    const keys = queueKeys(`{failed-${randomUUID()}}`);
    const lines: unknown[] = [];
    const logger = { warn: (...line: readonly unknown[]) => void lines.push(line) };
    const failed = new RedisFailedItems(redis, keys, logger);
    for (let at = 0; at < 3; at += 1) failed.failed('settle', new TypeError('of jane@example.com'));
    failed.failed('collect', new Error('of jane@example.com'));
    const registry = new Registry();
    watchFailedItems(registry, new RedisFailedItems(redis, keys, logger));
    await expect.poll(() => registry.metrics()).toContain('tollgate_item_failures_total{task="collect"} 1');
    expect(await registry.metrics()).toContain('tollgate_item_failures_total{task="settle"} 3');
    const message = 'an item failed; it is tried again later, and the others go on';
    expect(lines).toEqual([
      [{ task: 'settle', error: 'TypeError', failures: 1 }, message],
      [{ task: 'collect', error: 'Error', failures: 1 }, message],
    ]);
  });

  it('that Redis does not hear of harm nobody', async () => {
    const away = openRedis(inject('redisUrl'), 'edge');
    await closeRedis(away);
    const lines: unknown[] = [];
    const logger = { warn: (line: unknown) => void lines.push(line) };
    const failed = new RedisFailedItems(away, queueKeys(`{failed-${randomUUID()}}`), logger);
    failed.failed('settle', new Error('broken'));
    expect(lines).toHaveLength(1);
    const registry = new Registry();
    watchFailedItems(registry, failed);
    expect(await registry.metrics()).not.toContain('task=');
  });
});
