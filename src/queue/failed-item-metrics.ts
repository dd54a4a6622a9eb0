import { Counter, type Registry } from 'prom-client';
import type { RedisFailedItems } from './redis-failed-items.ts';

/** Read from Redis at each scrape, so that every port tells the same; left as it was while Redis is away. */
export function watchFailedItems(registry: Registry, failed: Pick<RedisFailedItems, 'counts'>): void {
  const counter: Counter<'task'> = new Counter({
    name: 'tollgate_item_failures_total',
    help: 'Times that a customer or an invoice failed in a task of the background; it is tried again, the others go on.',
    labelNames: ['task'] as const,
    registers: [registry],
    async collect() {
      const counts = await failed.counts().catch(() => undefined);
      if (counts === undefined) return;
      counter.reset();
      for (const [task, count] of counts) counter.inc({ task }, count);
    },
  });
}
