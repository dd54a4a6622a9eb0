/** What the roles have of webhooks: aggregate puts them into line and delivers them, api seals and watches. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../clock.ts';
import type { Config } from '../config.ts';
import { keptSecret } from '../embedded/installation.ts';
import type { Redis } from '../queue/redis-connection.ts';
import type { CommitListener, LetterPointer, Outbox } from '../records/change-log.ts';
import type { RecordStore } from '../records/record-store.ts';
import { RedisLetterBox } from '../records/redis-letter-box.ts';
import { BullmqWebhookQueue, BullmqWebhookWorker } from '../webhooks/bullmq-webhook-queue.ts';
import { CommitWebhooks, type CommitWebhooksOptions } from '../webhooks/commit-webhooks.ts';
import { HttpEndpoint } from '../webhooks/http-endpoint.ts';
import { LetterDelivery } from '../webhooks/letter-delivery.ts';
import { LetterSeal } from '../webhooks/letter-seal.ts';
import type { LifecycleEvent } from '../webhooks/lifecycle-event.ts';
import { LifecycleDelivery } from '../webhooks/lifecycle-delivery.ts';
import { type WebhookQueueName, webhookQueueNames } from '../webhooks/webhook-queue.ts';
import { type Engines, namespace } from './engines.ts';

export interface WebhookPart {
  readonly listener: CommitListener;
  start(): void;
}

export interface WebhookSurroundings extends Pick<CommitWebhooksOptions, 'grantsChanged'> {
  readonly records: RecordStore;
  readonly outbox: Pick<Outbox, 'forget'>;
}

/** Stops with the engines. Without WEBHOOK_URL nothing is put into line; letters are, to be passed on or erased. */
export async function makeWebhooks(
  engines: Engines,
  redis: Redis,
  { records, outbox, grantsChanged }: WebhookSurroundings,
): Promise<WebhookPart> {
  const { config, log, report } = engines;
  const queueOf = <Data>(name: WebhookQueueName, waitingMax?: number): BullmqWebhookQueue<Data> => {
    const queue = new BullmqWebhookQueue<Data>({ redis, namespace, name, report, waitingMax });
    engines.onStop(() => queue.close());
    return queue;
  };
  const common = { redis, namespace, report };
  const letterDelivery = new LetterDelivery({
    letters: new RedisLetterBox(redis, namespace),
    seal: await letterSeal(config),
    endpoint: await endpointAt(config.billingWebhookUrl, config),
    forget: () => outbox.forget(),
    logger: log,
  });
  engines.onStop(() => letterDelivery.stop());
  const workers: { start(): void; stop(): Promise<void> }[] = [
    new BullmqWebhookWorker<LetterPointer>({ ...common, name: 'billing-webhooks', delivery: letterDelivery }),
  ];
  const endpoint = await endpointAt(config.webhookUrl, config);
  if (endpoint !== undefined) {
    const delivery = new LifecycleDelivery({ records, endpoint, logger: log });
    workers.push(new BullmqWebhookWorker<LifecycleEvent>({ ...common, name: 'webhooks', delivery }));
  }
  for (const worker of workers) engines.onStop(() => worker.stop());
  const listener = new CommitWebhooks({
    lifecycle: endpoint === undefined ? undefined : queueOf<LifecycleEvent>('webhooks'),
    // Letters themselves are bounded, and one that has no place in the line would never be erased.
    letters: queueOf<LetterPointer>('billing-webhooks', Number.POSITIVE_INFINITY),
    grantsChanged,
    logger: log,
  });
  return {
    listener,
    start: () => {
      letterDelivery.start();
      for (const worker of workers) worker.start();
    },
  };
}

/** The roles that share DATA_DIR share the key that is made there; others are given the same one. */
export async function letterSeal({ dataDir, secretsKey }: Config): Promise<LetterSeal> {
  return new LetterSeal(secretsKey ?? (await keptSecret(dataDir, 'secrets-key', madeSecret)));
}

/** Every queue of webhooks, for those who look at them. */
export function webhookQueues(engines: Engines, redis: Redis): readonly BullmqWebhookQueue<unknown>[] {
  return webhookQueueNames.map((name) => {
    const queue = new BullmqWebhookQueue({ redis, namespace, name, report: engines.report });
    engines.onStop(() => queue.close());
    return queue;
  });
}

async function endpointAt(
  url: string | undefined,
  { dataDir, webhookSecret }: Config,
): Promise<HttpEndpoint | undefined> {
  if (url === undefined) return undefined;
  const secret = webhookSecret ?? (await keptSecret(dataDir, 'webhook-secret', madeSecret));
  return new HttpEndpoint({ url, secret, clock: systemClock });
}

function madeSecret(): string {
  return randomBytes(32).toString('base64url');
}
