import { Counter, type Registry } from 'prom-client';
import type { RedisCounterAudit } from './redis-counter-audit.ts';

/** Read from Redis at each scrape, so that every port tells the same; left as they were while Redis is away. */
export function watchCounters(registry: Registry, audit: Pick<RedisCounterAudit, 'noted'>): void {
  const register = (name: string, help: string, read: 'checked' | 'drifted'): void => {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [registry],
      async collect() {
        const noted = await audit.noted().catch(() => undefined);
        if (noted === undefined) return;
        counter.reset();
        counter.inc(noted[read]);
      },
    });
  };
  register('tollgate_counters_checked_total', 'Live counters compared with ClickHouse.', 'checked');
  register(
    'tollgate_counter_drift_total',
    'Live counters that differed from ClickHouse and were dropped; should stay 0.',
    'drifted',
  );
}
