import { expect, it } from 'vitest';
import { type Config, readConfig } from './config.ts';
import { deadLetterCommand } from './dead-letter-command.ts';
import { EventBlockBuilder } from './metering/event-block.ts';
import { someEvent } from './metering/facts.fixture.ts';
import { queueUnderTest, sealedBatch } from './queue/redis-queue.fixture.ts';
import { redisServer } from './queue/redis-server.fixture.ts';

async function run(config: Config, ...words: string[]): Promise<string> {
  let output = '';
  await deadLetterCommand(config, words, (text) => {
    output += text;
  });
  return output;
}

it('lists dead letters, shows what can be read of them, and queues them again', async () => {
  const { url } = await redisServer();
  const read = readConfig({ REDIS_URL: url, CLICKHOUSE_URL: 'http://127.0.0.1:1' });
  if (!('config' in read)) throw new Error(read.problems.join());
  const { config } = read;
  const { producer, owner, desk } = await queueUnderTest(url, '{tollgate}');
  const block = new EventBlockBuilder();
  block.append(someEvent({ customerId: 'acme', idempotencyKey: 'lost' }));
  const readable = { ...sealedBatch(1), payload: block.finish() };
  const [brokenEvents, brokenUsage] = [sealedBatch(2), sealedBatch(2, 'usage')];
  const queue = await producer();
  for (const batch of [readable, brokenEvents, brokenUsage]) await queue.enqueue(batch);
  const ledger = await owner();
  await ledger.bury([readable.id, brokenEvents.id, brokenUsage.id], 'a reason');

  const listed = (await run(config, 'list')).trim().split('\n');
  expect(listed.map((line) => JSON.parse(line) as unknown)).toHaveLength(3);
  expect(JSON.parse(await run(config, 'show', readable.id))).toMatchObject({
    batchId: readable.id,
    events: [{ customerId: 'acme', idempotencyKey: 'lost' }],
  });
  for (const { id, payload } of [brokenEvents, brokenUsage]) {
    const shown = JSON.parse(await run(config, 'show', id));
    expect(Buffer.from(shown.payloadBase64, 'base64').equals(payload)).toBe(true);
  }

  expect(await run(config, 'replay', readable.id)).toBe(`${readable.id} is queued again\n`);
  expect(await desk.books()).toMatchObject({ deadLettered: 4, inFlight: 1 });
  await expect(run(config, 'replay', readable.id)).rejects.toThrow(/there is no dead letter/);
  await expect(run(config, 'show', 'none')).rejects.toThrow(/dead-letters list/);
  await expect(run({ ...config, redisUrl: 'redis://127.0.0.1:1' }, 'list')).rejects.toThrow(
    /does not answer/,
  );
  await expect(run(config, 'drop')).rejects.toThrow(/list, show BATCH_ID or replay BATCH_ID/);
});
