import { Gauge, type Registry } from 'prom-client';
import type { RedisTouchedCustomers } from '../queue/redis-touched-customers.ts';

/** Read from Redis at each scrape; left as it was while Redis is away. */
export function watchThresholds(registry: Registry, touched: Pick<RedisTouchedCustomers, 'waiting'>): void {
  const gauge: Gauge = new Gauge({
    name: 'tollgate_threshold_looks_waiting',
    help: 'Customers whose usage changed and was not compared with its thresholds since; at most 100,000.',
    registers: [registry],
    async collect() {
      const waiting = await touched.waiting().catch(() => undefined);
      if (waiting !== undefined) gauge.set(waiting);
    },
  });
}
