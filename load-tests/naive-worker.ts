/** The worker of a naive design: a job is done once its row is in ClickHouse. Says when it is ready. */
import { createClient } from '@clickhouse/client';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type NaiveDesign, type NaiveEvent, naiveQueue, naiveTable } from './naive-event.ts';

const [design, redisUrl = '', clickhouseUrl = ''] = process.argv.slice(2) as [NaiveDesign, string?, string?];
const rowsMax = 1_000;
const lingerMs = 100;

const clickhouse = createClient({
  url: clickhouseUrl,
  clickhouse_settings: { date_time_input_format: 'best_effort' },
});

interface OpenInsert {
  readonly rows: object[];
  readonly done: Promise<void>;
  readonly send: () => void;
}

let open: OpenInsert | undefined;

const worker = new Worker<NaiveEvent>(
  naiveQueue,
  async ({ data }) => (design === 'jobPerEvent' ? join(row(data)) : insert([row(data)])),
  {
    connection: new Redis(redisUrl, { maxRetriesPerRequest: null }),
    // As many as two inserts take, so that one fills while the other is under way.
    concurrency: design === 'jobPerEvent' ? 2 * rowsMax : 50,
    removeOnComplete: { count: 0 },
  },
);
worker.on('error', (error) => process.stderr.write(`${error.message}\n`));
await worker.waitUntilReady();
process.send?.('ready');
process.once('disconnect', () => process.exit());

/** Resolves when the insert that the row went with is answered. */
function join(of: object): Promise<void> {
  open ??= openInsert();
  const { rows, done, send } = open;
  rows.push(of);
  if (rows.length === rowsMax) send();
  return done;
}

function openInsert(): OpenInsert {
  const rows: object[] = [];
  let send: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    send = resolve;
  }).then(() => {
    clearTimeout(timer);
    open = undefined;
    return insert(rows);
  });
  const timer = setTimeout(send, lingerMs);
  return { rows, done, send };
}

async function insert(values: readonly object[]): Promise<void> {
  await clickhouse.insert({ table: naiveTable, format: 'JSONEachRow', values });
}

function row({ customerId, eventName, idempotencyKey, timestamp, dimensions }: NaiveEvent): object {
  return {
    customer_id: customerId,
    event_name: eventName,
    idempotency_key: idempotencyKey,
    timestamp,
    dimensions,
  };
}
