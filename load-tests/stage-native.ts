/**
 * ClickHouse alone: the rows of the table `events`, in the Native format, in inserts as large as a flush, with the
 * settings of Tollgate's own inserts. What merging costs meanwhile is in the time, and so are merges that are still
 * running when the last insert is answered.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { EventBlock } from '../src/metering/event-block.ts';
import { createClickhouseClient, selectRows } from '../src/store/clickhouse-client.ts';
import { ClickhouseFlushStore, insertSettings } from '../src/store/clickhouse-flush-store.ts';
import { migrateClickhouse } from '../src/store/migrations.ts';
import { cpuSecondsOf } from './child-process.ts';
import type { StageFigures } from './figures.ts';
import { sealedBatches } from './stage-bodies.ts';
import { type StartedEngine, startClickhouse } from './stage-engines.ts';

export interface NativeOptions {
  readonly folder: string;
  readonly seed: number;
  /** Rows to insert in all, and in one insert. */
  readonly rows: number;
  readonly rowsPerInsert: number;
}

/**
 * `native1`: one connection inserts. `native2`: what two cores can do, which is the better of that and of two
 * connections, since it depends on the machine whether merges fill the second core.
 */
export async function measureNative({
  folder,
  seed,
  rows,
  rowsPerInsert,
}: NativeOptions): Promise<{ readonly native1: StageFigures; readonly native2: StageFigures }> {
  const engine = await startClickhouse(folder);
  try {
    const sealed = sealedBatches(rowsPerInsert, seed);
    const blocks = await nativeBlocks(engine.url, sealed, Math.ceil(rows / rowsPerInsert));
    const native1 = await measureInserts(engine, blocks, 1);
    const both = await measureInserts(engine, blocks, 2);
    return { native1, native2: both.rowsPerSecond > native1.rowsPerSecond ? both : native1 };
  } finally {
    await engine.stop();
  }
}

interface NativeBlock {
  readonly bytes: Buffer;
  readonly rows: number;
}

/** The rows as ClickHouse itself writes them in its Native format, in the order in which they were sent. */
async function nativeBlocks(
  url: string,
  sealed: Generator<Buffer, never>,
  count: number,
): Promise<readonly NativeBlock[]> {
  const client = await eventsDatabase(url, 'stage_source', 'ENGINE = Memory');
  const store = new ClickhouseFlushStore(client);
  const blocks: NativeBlock[] = [];
  for (let flush = 1; flush <= count; flush += 1) {
    const block = new EventBlock(sealed.next().value);
    await store.insertEvents(flush, randomUUID(), block.withVerdicts(new Uint8Array(block.count)));
    const { stream } = await client.exec({ query: 'SELECT * FROM events FORMAT Native' });
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    blocks.push({ bytes: Buffer.concat(chunks), rows: block.count });
    await client.command({ query: 'TRUNCATE TABLE events' });
  }
  await client.close();
  return blocks;
}

async function measureInserts(
  engine: StartedEngine,
  blocks: readonly NativeBlock[],
  connections: number,
): Promise<StageFigures & { readonly rowsPerSecond: number }> {
  const client = await eventsDatabase(engine.url, `stage_native${connections}`);
  const cpu = cpuSecondsOf(engine.pid);
  const started = performance.now();
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let block = blocks[next++]; block !== undefined; block = blocks[next++])
      await insert(client, block.bytes);
  };
  await Promise.all(Array.from({ length: connections }, lane));
  while ((await numberOf(client, mergesRunning)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const elapsedSeconds = (performance.now() - started) / 1_000;
  const cpuSeconds = cpuSecondsOf(engine.pid) - cpu;
  const rows = await numberOf(client, 'SELECT count() AS number FROM events');
  const sent = blocks.reduce((sum, block) => sum + block.rows, 0);
  if (rows !== sent) throw new Error(`${rows} rows are stored of ${sent}`);
  await client.command({ query: 'DROP TABLE events SYNC' });
  await client.close();
  return { rowsPerSecond: rows / elapsedSeconds, cpuMicrosPerEvent: (cpuSeconds * 1e6) / rows, cores: 2 };
}

const mergesRunning = 'SELECT count() AS number FROM system.merges WHERE database = currentDatabase()';

/** A database with Tollgate's tables, or with one like its `events` but of another engine. */
async function eventsDatabase(url: string, database: string, engine?: string): Promise<ClickHouseClient> {
  await migrateClickhouse({ url, database });
  const client = createClickhouseClient({ url, database, requestTimeoutMs: 120_000 });
  if (engine !== undefined) {
    await client.command({ query: 'RENAME TABLE events TO events_as_migrated' });
    await client.command({ query: `CREATE TABLE events AS events_as_migrated ${engine}` });
  }
  return client;
}

async function insert(client: ClickHouseClient, block: Buffer): Promise<void> {
  const { stream } = await client.exec({
    query: 'INSERT INTO events FORMAT Native',
    values: Readable.from([block], { objectMode: false }),
    clickhouse_settings: { ...insertSettings, insert_deduplication_token: randomUUID() },
  });
  // The answer is empty; reading it to its end frees the socket and meets an error that came late.
  for await (const chunk of stream) void chunk;
}

async function numberOf(client: ClickHouseClient, sql: string): Promise<number> {
  const rows = await selectRows<{ number: string }>(client, { sql, params: {} });
  return Number(rows[0]?.number ?? 0);
}
