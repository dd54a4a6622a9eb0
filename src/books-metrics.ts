/** The installation's books on /metrics, read from Redis at each scrape, so that every port tells the same. */
import { Gauge, type Registry } from 'prom-client';
import type { Books, QueueDesk } from './queue/ledger.ts';

const fieldOfState = {
  accepted: 'accepted',
  stored: 'stored',
  duplicate: 'duplicate',
  conflict: 'conflict',
  refused: 'refused',
  dead_lettered: 'deadLettered',
  in_flight: 'inFlight',
} as const satisfies Record<string, keyof Books>;

/**
 * accepted = stored + duplicate + conflict + refused + dead_lettered + in_flight, in every scrape (I5).
 * While Redis is away these metrics are left out, rather than old figures being shown as if they were new.
 */
export function watchBooks(registry: Registry, desk: QueueDesk): void {
  // The gauges of one scrape are collected together and must show one snapshot.
  let reading: Promise<Books | undefined> | undefined;
  const books = (): Promise<Books | undefined> => {
    reading ??= desk
      .books()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  new Gauge({
    name: 'tollgate_events',
    help: 'Events and measurements of the whole installation by where they are: accepted is the sum of the others.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset();
      const snapshot = await books();
      if (snapshot === undefined) return;
      for (const [state, field] of Object.entries(fieldOfState)) this.set({ state }, snapshot[field]);
    },
  });
  new Gauge({
    name: 'tollgate_backlog_bytes',
    help: 'Compressed bytes of batches that are accepted and not yet stored.',
    registers: [registry],
    async collect() {
      const snapshot = await books();
      if (snapshot === undefined) this.remove();
      else this.set(snapshot.inFlightBytes);
    },
  });
  new Gauge({
    name: 'tollgate_events_not_counted',
    help: 'Stored events that match the filters of a feature but do not count in it, by feature and cause.',
    labelNames: ['feature', 'cause'],
    registers: [registry],
    async collect() {
      this.reset();
      const causes = await desk.notCounted().catch(() => ({}));
      for (const [key, count] of Object.entries(causes)) {
        const split = key.lastIndexOf(':');
        this.set({ feature: key.slice(0, split), cause: key.slice(split + 1) }, count);
      }
    },
  });
}
