import { Gauge, type Registry } from 'prom-client';
import type { RedisReservations } from './redis-reservations.ts';

/** Read from Redis at each scrape, so that every port tells the same; left out while Redis is away. */
export function watchReservations(registry: Registry, reservations: Pick<RedisReservations, 'active'>): void {
  new Gauge({
    name: 'tollgate_reservations_active',
    help: 'Reservations of the installation that count against limits; at most 100,000.',
    registers: [registry],
    async collect() {
      const active = await reservations.active().catch(() => undefined);
      if (active === undefined) this.remove();
      else this.set(active);
    },
  });
}
