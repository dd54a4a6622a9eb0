/** Passes billing information on, and sees to it that nothing of it remains afterwards. */
import type { LetterPointer } from '../records/change-log.ts';
import type { Logger } from '../telemetry.ts';
import type { HttpEndpoint } from './http-endpoint.ts';
import type { LetterSeal } from './letter-seal.ts';
import { PacedTask } from './paced-task.ts';
import type { QueuedWebhook, WebhookDelivery } from './webhook-queue.ts';

/** Where sealed letters wait. */
export interface LetterBox {
  /** Undefined when it is gone: delivered, erased, or another one took its place. */
  letter(pointer: LetterPointer): Promise<string | undefined>;
  /** Leaves another one that took its place. */
  erase(pointer: LetterPointer): Promise<void>;
}

export interface LetterDeliveryOptions {
  readonly letters: LetterBox;
  readonly seal: LetterSeal;
  /** Undefined: there is no integration any more, so what waits is erased. */
  readonly endpoint: HttpEndpoint | undefined;
  /** Has the disk forget what was erased; costs as much as there is data. */
  readonly forget: () => Promise<void>;
  readonly logger: Pick<Logger, 'error' | 'warn'>;
  /** The least time between two of them. Default a minute. */
  readonly forgetPauseMs?: number;
}

export class LetterDelivery implements WebhookDelivery<LetterPointer> {
  readonly #options: LetterDeliveryOptions;
  readonly #forgetting: PacedTask;
  #hasSaidUnopened = false;

  constructor(options: LetterDeliveryOptions) {
    this.#options = options;
    this.#forgetting = new PacedTask(options.forget, options.forgetPauseMs ?? 60_000);
  }

  start(): void {
    // What a process before this one erased and had no time to have forgotten.
    if (this.#options.endpoint !== undefined) this.#forgetting.request();
  }

  async deliver({ id, data }: QueuedWebhook<LetterPointer>): Promise<string | undefined> {
    const { letters, seal, endpoint } = this.#options;
    const text = await letters.letter(data);
    if (text !== undefined && endpoint !== undefined) {
      const content = seal.open(text, data);
      if (content === undefined) return this.#unopened();
      const failure = await endpoint.post(id, content);
      if (failure !== undefined) return failure;
    }
    await this.#erase(data);
    return undefined;
  }

  /** Said once, as every letter has the same trouble. */
  #unopened(): string {
    const failure = 'sealed with another SECRETS_KEY than this role has; all roles need the same one';
    if (!this.#hasSaidUnopened) this.#options.logger.error(`billing information was ${failure}`);
    this.#hasSaidUnopened = true;
    return failure;
  }

  /** Only that it could not be delivered is kept. */
  async bury({ id, data }: QueuedWebhook<LetterPointer>, reason: string): Promise<void> {
    await this.#erase(data);
    const message = 'billing information could not be delivered and was erased; it has to be passed again';
    this.#options.logger.warn({ messageId: id, reason }, message);
  }

  /** Erased letters are forgotten before it ends, if Redis answers. */
  async stop(): Promise<void> {
    await this.#forgetting.stop();
  }

  async #erase(pointer: LetterPointer): Promise<void> {
    await this.#options.letters.erase(pointer);
    this.#forgetting.request();
  }
}
