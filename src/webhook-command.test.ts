import { expect, it, onTestFinished } from 'vitest';
import { namespace } from './app/engines.ts';
import { type Config, readConfig } from './config.ts';
import { closeRedis, openRedis } from './queue/redis-connection.ts';
import { redisServer } from './queue/redis-server.fixture.ts';
import { webhookCommand } from './webhook-command.ts';
import { BullmqWebhookQueue, BullmqWebhookWorker } from './webhooks/bullmq-webhook-queue.ts';
import { webhookQueueNames } from './webhooks/webhook-queue.ts';

async function run(config: Config, ...words: string[]): Promise<string> {
  let output = '';
  await webhookCommand(config, words, (text) => {
    output += text;
  });
  return output;
}

it('lists webhooks that were given up, and sends those again that were kept', async () => {
  const { url } = await redisServer();
  const read = readConfig({ REDIS_URL: url, CLICKHOUSE_URL: 'http://127.0.0.1:1' });
  if (!('config' in read)) throw new Error(read.problems.join());
  const { config } = read;
  const redis = openRedis(url, 'worker');
  onTestFinished(() => closeRedis(redis));
  const report = (): void => undefined;
  const delivered: string[] = [];
  let failure: string | undefined = 'HTTP 500';
  const delivery = {
    deliver: async ({ id }: { readonly id: string }) => {
      if (failure === undefined) delivered.push(id);
      return failure;
    },
    bury: async () => undefined,
  };
  for (const name of webhookQueueNames) {
    const queue = new BullmqWebhookQueue({ redis, namespace, name, report });
    const worker = new BullmqWebhookWorker({ redis, namespace, name, delivery, report, attempts: 1 });
    onTestFinished(() => worker.stop());
    onTestFinished(() => queue.close());
    await queue.add([{ id: `message-of-${name}`, type: 'customer.created', data: {} }]);
    worker.start();
  }
  const listed = async (): Promise<readonly unknown[]> =>
    (await run(config, 'list'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  await expect.poll(listed).toHaveLength(2);
  expect(await listed()).toContainEqual({
    messageId: 'message-of-webhooks',
    queue: 'webhooks',
    type: 'customer.created',
    about: {},
    reason: 'HTTP 500',
    attempts: 1,
    failedAt: expect.stringMatching(/^\d{4}-.*Z$/),
  });

  failure = undefined;
  expect(await run(config, 'replay', 'message-of-webhooks')).toBe('message-of-webhooks is queued again\n');
  await expect.poll(() => delivered).toEqual(['message-of-webhooks']);
  await expect(run(config, 'replay', 'message-of-billing-webhooks')).rejects.toThrow(/was erased/);
  await expect(run(config, 'replay', 'none')).rejects.toThrow(/webhooks list/);
  await expect(run(config, 'drop')).rejects.toThrow(/list or replay MESSAGE_ID/);
  await expect(run({ ...config, redisUrl: 'redis://127.0.0.1:1' }, 'list')).rejects.toThrow(
    /does not answer/,
  );
});
