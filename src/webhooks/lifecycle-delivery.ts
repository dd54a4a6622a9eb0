import type { RecordStore } from '../records/record-store.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import type { LifecycleEvent } from './lifecycle-event.ts';
import { lifecyclePayload } from './lifecycle-payload.ts';
import type { QueuedWebhook, WebhookDelivery } from './webhook-queue.ts';

export interface LifecycleDeliveryOptions {
  readonly records: RecordStore;
  readonly endpoint: HttpEndpoint;
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

  async bury(): Promise<void> {
    // It holds nothing but names, so it is kept as it is and can be sent again.
  }
}
