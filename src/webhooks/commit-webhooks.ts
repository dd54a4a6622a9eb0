/** Puts what a commit means to programs outside into line, once the change log holds the commit. */
import type { ChangeEntry, CommitListener, LetterPointer, OutboxBatch } from '../records/change-log.ts';
import type { Logger } from '../telemetry.ts';
import { billingEventType } from './billing-letter.ts';
import type { LifecycleEvent } from './lifecycle-event.ts';
import { customersGrantedOtherwise, lifecycleEvents } from './lifecycle-events.ts';
import type { WebhookQueue } from './webhook-queue.ts';

export interface CommitWebhooksOptions {
  /** Undefined: nobody is to be told. */
  readonly lifecycle: WebhookQueue<LifecycleEvent> | undefined;
  readonly letters: WebhookQueue<LetterPointer>;
  /** Told of customers, by refId, of whose entitlements something is another now, or gone. Undefined: nobody. */
  readonly grantsChanged?: ((customerIds: readonly string[]) => Promise<void>) | undefined;
  readonly logger: Pick<Logger, 'warn'>;
}

/** A crash anywhere in it, or after it, has it begun anew: every message then has the id that it had. */
export class CommitWebhooks implements CommitListener {
  readonly #options: CommitWebhooksOptions;

  constructor(options: CommitWebhooksOptions) {
    this.#options = options;
  }

  async told({ entries }: OutboxBatch): Promise<void> {
    const { lifecycle, letters, grantsChanged, logger } = this.#options;
    const pointers = entries.flatMap((entry) => entry.letters);
    await letters.add(pointers.map((data) => ({ id: data.id, type: billingEventType, data })));
    if (grantsChanged !== undefined) {
      const customers = new Set(entries.flatMap((entry) => this.#meaning(entry, customersGrantedOtherwise)));
      if (customers.size > 0) await grantsChanged([...customers]);
    }
    if (lifecycle === undefined) return;
    const events = entries.flatMap((entry) => this.#meaning(entry, lifecycleEvents));
    const dropped = await lifecycle.add(events.map((data) => ({ id: data.id, type: data.type, data })));
    if (dropped > 0) logger.warn({ dropped }, 'too many webhooks wait for WEBHOOK_URL; these are not sent');
  }

  /** The change log waits for nobody, so a record that cannot be understood costs its own events only. */
  #meaning<Item>(entry: ChangeEntry, read: (entry: ChangeEntry) => Iterable<Item>): readonly Item[] {
    try {
      return [...read(entry)];
    } catch {
      this.#options.logger.warn({ commit: entry.commit }, 'no webhooks can be made of a commit');
      return [];
    }
  }
}
