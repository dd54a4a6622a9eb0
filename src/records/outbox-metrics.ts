import { Gauge, type Registry } from 'prom-client';
import type { Outbox } from './change-log.ts';
import { outboxEntriesMax } from './redis-record-store.ts';

/** Read from Redis at each scrape, so that every port tells the same; left out while Redis is away. */
export function watchOutbox(registry: Registry, outbox: Pick<Outbox, 'size'>): void {
  new Gauge({
    name: 'tollgate_outbox_entries',
    help: `Changes that the change log does not hold yet; at ${outboxEntriesMax} further ones are refused as OVERLOADED.`,
    registers: [registry],
    async collect() {
      const size = await outbox.size().catch(() => undefined);
      if (size === undefined) this.remove();
      else this.set(size);
    },
  });
}
