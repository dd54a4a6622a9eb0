/** Lists, shows and replays batches that could not be stored. */
import type { Config } from './config.ts';
import { openDesk } from './app.ts';
import { EventBlock } from './metering/event-block.ts';
import type { Delivery } from './queue/ledger.ts';

const listedMax = 1_000;

export async function deadLetterCommand(
  config: Config,
  [verb, batchId = '']: readonly string[],
  print: (text: string) => void,
): Promise<void> {
  const counter = await openDesk(config);
  const { desk } = counter;
  try {
    if (verb === 'list') {
      for (const letter of await desk.deadLetters(listedMax)) print(`${JSON.stringify(letter)}\n`);
    } else if (verb === 'show') print(`${JSON.stringify(content(await found(batchId)))}\n`);
    else if (verb === 'replay') {
      if (!(await desk.replay(batchId))) throw notFound(batchId);
      print(`${batchId} is queued again\n`);
    } else
      throw new Error(`dead-letters takes list, show BATCH_ID or replay BATCH_ID, not ${verb ?? 'nothing'}`);
  } finally {
    await counter.close();
  }

  async function found(id: string): Promise<Delivery> {
    const delivery = await desk.deadLetter(id);
    if (delivery === undefined) throw notFound(id);
    return delivery;
  }
}

function notFound(batchId: string): Error {
  return new Error(
    `there is no dead letter ${JSON.stringify(batchId)}; \`dead-letters list\` shows those there are`,
  );
}

/** Readable where the payload can be read; the bytes as they are where it cannot, which may be why it is dead. */
function content({ payload, ...delivery }: Delivery): Record<string, unknown> {
  try {
    return delivery.kind === 'usage'
      ? { ...delivery, usages: JSON.parse(payload.toString('utf8')) as unknown }
      : { ...delivery, events: blockEvents(new EventBlock(payload)) };
  } catch {
    return { ...delivery, payloadBase64: payload.toString('base64') };
  }
}

function blockEvents(block: EventBlock): Record<string, unknown>[] {
  return Array.from({ length: block.count }, (_, row) => ({
    customerId: block.text('customer_id', row),
    resourceId: block.text('resource_id', row),
    eventName: block.text('event_name', row),
    idempotencyKey: block.text('idempotency_key', row),
    source: block.text('source', row),
    timestamp: new Date(block.timestamp(row)).toISOString(),
    receivedAt: new Date(block.receivedAt(row)).toISOString(),
    dimensions: Object.fromEntries(block.dimensions(row)),
  }));
}
