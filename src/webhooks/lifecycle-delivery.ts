import type { RecordStore } from '../records/record-store.ts';
import type { Logger } from '../telemetry.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import type { LifecycleEvent } from './lifecycle-event.ts';
import { lifecyclePayload } from './lifecycle-payload.ts';
import type { QueuedWebhook, WebhookDelivery } from './webhook-queue.ts';

export interface LifecycleDeliveryOptions {
  readonly records: RecordStore;
  readonly endpoint: HttpEndpoint;
  readonly logger: Pick<Logger, 'warn'>;
}

export class LifecycleDelivery implements WebhookDelivery<LifecycleEvent> {
  readonly #options: LifecycleDeliveryOptions;

  constructor(options: LifecycleDeliveryOptions) {
    this.#options = options;
  }

  async deliver({ id, data }: QueuedWebhook<LifecycleEvent>): Promise<string | undefined> {
    const { records, endpoint } = this.#options;
    const payload = lifecyclePayload(data, await records.read(data.about));
    return endpoint.post(id, JSON.stringify(payload));
  }

  /** It holds nothing but names, so it is kept as it is and can be sent again. */
  async bury({ id, type }: QueuedWebhook<LifecycleEvent>, reason: string): Promise<void> {
    this.#options.logger.warn({ messageId: id, type, reason }, 'a webhook could not be delivered');
  }
}
