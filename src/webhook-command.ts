/** Lists webhooks that could not be delivered, and sends them again. */
import { namespace } from './app/engines.ts';
import { operatorsRedis } from './app.ts';
import type { Config } from './config.ts';
import { BullmqWebhookQueue } from './webhooks/bullmq-webhook-queue.ts';
import { webhookQueueNames } from './webhooks/webhook-queue.ts';

const listedMax = 1_000;

export async function webhookCommand(
  config: Config,
  [verb, messageId = '']: readonly string[],
  print: (text: string) => void,
): Promise<void> {
  const { redis, close } = await operatorsRedis(config);
  const report = (): void => undefined;
  const queues = webhookQueueNames.map((name) => new BullmqWebhookQueue({ redis, namespace, name, report }));
  try {
    const dead = (await Promise.all(queues.map((queue) => queue.deadLetters(listedMax)))).flat();
    if (verb === 'list') {
      for (const letter of dead) print(`${JSON.stringify(letter)}\n`);
    } else if (verb === 'replay') {
      const found = dead.find((letter) => letter.messageId === messageId);
      if (found?.queue === 'billing-webhooks') throw new Error(erasedMessage);
      const queue = queues.find(({ name }) => name === found?.queue);
      if (queue === undefined || !(await queue.replay(messageId))) throw new Error(missingMessage(messageId));
      print(`${messageId} is queued again\n`);
    } else throw new Error(`webhooks takes list or replay MESSAGE_ID, not ${verb ?? 'nothing'}`);
  } finally {
    await Promise.all(queues.map((queue) => queue.close()));
    await close();
  }
}

const erasedMessage =
  'billing information that could not be delivered was erased; pass it again with updateOneCustomer';

function missingMessage(messageId: string): string {
  return `there is no undelivered webhook ${JSON.stringify(messageId)}; \`webhooks list\` shows those there are`;
}
