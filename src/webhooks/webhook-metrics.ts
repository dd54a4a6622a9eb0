import { Gauge, type Registry } from 'prom-client';
import type { WebhookFigures, WebhookQueueName } from './webhook-queue.ts';

export interface WatchedQueue {
  readonly name: WebhookQueueName;
  figures(): Promise<WebhookFigures>;
}

/** Read from Redis at each scrape, so that every port tells the same; left out while Redis is away. */
export function watchWebhooks(registry: Registry, queues: readonly WatchedQueue[]): void {
  new Gauge({
    name: 'tollgate_webhooks',
    help: 'Webhooks by queue and state: those that wait to be delivered or tried again (waiting), and the dead letters (kept); and how many have been delivered (or had nothing left to deliver), retried after a failure, given up (dead) or dropped because too many waited, since the beginning.',
    labelNames: ['queue', 'state'],
    registers: [registry],
    async collect() {
      this.reset();
      await Promise.all(
        queues.map(async (queue) => {
          const figures = await queue.figures().catch(() => undefined);
          if (figures === undefined) return;
          const { waiting, dead, outcomes } = figures;
          const states = Object.entries({ waiting, kept: dead, ...outcomes });
          for (const [state, count] of states) this.set({ queue: queue.name, state }, count);
        }),
      );
    },
  });
}
