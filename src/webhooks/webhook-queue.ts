/** The line in which webhooks wait to be delivered, as those see it who add to it and who deliver. */

/** `webhooks`: what happens in the life of customers and subscriptions. `billing-webhooks`: sealed letters. */
export const webhookQueueNames = ['webhooks', 'billing-webhooks'] as const;
export type WebhookQueueName = (typeof webhookQueueNames)[number];

/** What is kept of a webhook that waits: names only, never a person's or billing data. */
export interface QueuedWebhook<Data> {
  /** The message's id: adding it again adds nothing. */
  readonly id: string;
  readonly type: string;
  readonly data: Data;
}

export interface WebhookQueue<Data> {
  /** Answers how many were dropped because too many wait already. */
  add(webhooks: readonly QueuedWebhook<Data>[]): Promise<number>;
}

export interface WebhookDelivery<Data> {
  /** Undefined once it is delivered or is not to be delivered any more; else what went wrong, for operators. */
  deliver(webhook: QueuedWebhook<Data>): Promise<string | undefined>;
  /** It failed for the last time and becomes a dead letter. `reason` is for operators. */
  bury(webhook: QueuedWebhook<Data>, reason: string): Promise<void>;
}

/** What operators see: how many wait, how many are dead letters, and what became of the others so far. */
export interface WebhookFigures {
  readonly waiting: number;
  readonly dead: number;
  readonly outcomes: Readonly<Record<WebhookOutcome, number>>;
}

/** `retried`: an attempt that failed and was not the last one. */
export const webhookOutcomes = ['delivered', 'retried', 'dead', 'dropped'] as const;
export type WebhookOutcome = (typeof webhookOutcomes)[number];

export interface DeadWebhook {
  readonly messageId: string;
  readonly queue: WebhookQueueName;
  readonly type: string;
  /** What is kept of it; see QueuedWebhook. */
  readonly about: unknown;
  readonly reason: string;
  readonly attempts: number;
  /** ISO 8601. */
  readonly failedAt: string;
}
