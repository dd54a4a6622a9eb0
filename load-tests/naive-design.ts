/**
 * What Tollgate is measured against: the design that comes to mind first. One HTTP request, one BullMQ job an
 * event, one row insert a job; the same Redis, the same ClickHouse, the same durability.
 */
import { createServer } from 'node:http';
import { createClient } from '@clickhouse/client';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

interface Event {
  readonly customerId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  readonly timestamp: string;
  readonly dimensions: Record<string, unknown>;
}

const [port, redisUrl = '', clickhouseUrl = ''] = process.argv.slice(2);
const clickhouse = createClient({ url: clickhouseUrl });
await clickhouse.command({
  query: `CREATE TABLE IF NOT EXISTS naive_events (customer_id String, event_name String, idempotency_key String,
    timestamp DateTime64(3, 'UTC'), dimensions Map(String, String))
    ENGINE = MergeTree ORDER BY (customer_id, event_name, timestamp)`,
});
const connect = () => new Redis(redisUrl, { maxRetriesPerRequest: null });
const queue = new Queue<Event>('naive', { connection: connect() });
const worker = new Worker<Event>('naive', async ({ data }) => insert(data), {
  connection: connect(),
  concurrency: 50,
  removeOnComplete: { count: 0 },
});
worker.on('error', (error) => console.error(error.message));

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on(
    'end',
    () => void answer(Buffer.concat(chunks)).then((status) => response.writeHead(status).end('{}')),
  );
});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));

async function answer(body: Buffer): Promise<number> {
  const { events } = JSON.parse(body.toString('utf8')) as { events: Event[] };
  await Promise.all(events.map((event) => queue.add('event', event)));
  return 202;
}

async function insert(event: Event): Promise<void> {
  const dimensions = Object.entries(event.dimensions).map(([key, value]) => [key, String(value)]);
  await clickhouse.insert({
    table: 'naive_events',
    format: 'JSONEachRow',
    values: [
      {
        customer_id: event.customerId,
        event_name: event.eventName,
        idempotency_key: event.idempotencyKey,
        timestamp: event.timestamp.replace('T', ' ').replace('Z', ''),
        dimensions: Object.fromEntries(dimensions),
      },
    ],
  });
}
