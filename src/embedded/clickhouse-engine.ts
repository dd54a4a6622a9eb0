/**
 * The embedded ClickHouse (chDB): one data folder, one connection per query.
 *
 * A connection carries its own settings, parameters and current database, and costs about 0.6 ms; a fresh one per
 * query is what keeps a query's settings from the next one, and lets queries with parameters run side by side, which
 * the binding's own parameter calls do not.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { engineException } from './clickhouse-exception.ts';
import { preparationSql, type QueryRequest, tagSetting } from './clickhouse-request.ts';
import { QuerySlots } from './clickhouse-slots.ts';
import { quoted, type Statement } from './clickhouse-statement.ts';

export interface Execution {
  readonly request: QueryRequest;
  readonly statement: Statement;
  /** What runs: the statement, or the statement reading its data from a file. */
  readonly sql: string;
  readonly format: string;
}

export interface Answer {
  /** The bytes of the answer. They must be read to the end or returned from, since that frees the query's slot. */
  readonly chunks: AsyncGenerator<Uint8Array, void>;
  /** What is known before the first byte is sent. */
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly rowsWritten: number;
  readonly bytesWritten: number;
  readonly elapsedSeconds: number;
}

/** Answers that cannot be streamed are held in memory, up to this size of the rows. */
const wholeAnswerBytesMax = 256 * 1024 ** 2;
const waitingQueriesMax = 1_000;
/** Below the engine's own max_query_size. */
const preparationBytesMax = 200_000;
const lockWaitMsMax = 10_000;
const lockRetryMs = 500;
const killRetryMs = 100;

export class ChdbEngine {
  readonly version: string;
  readonly #binding: Binding;
  readonly #dataDir: string;
  /** Holds the folder open, and stops queries of others. */
  readonly #control: Connection;
  readonly #slots: QuerySlots;

  private constructor(binding: Binding, dataDir: string, control: Connection, threads: number) {
    this.#binding = binding;
    this.#dataDir = dataDir;
    this.#control = control;
    // Each running query blocks one thread of libuv's pool; one stays free for the files of the spool.
    this.#slots = new QuerySlots(Math.max(1, threads - 1), waitingQueriesMax);
    this.version = binding.QueryWithConnection(control, 'SELECT version()', 'TabSeparatedRaw').trim();
  }

  /**
   * Waits up to 10 s for the lock of the folder, since the process that held it may be just ending; then it throws.
   * `threads` is the size of libuv's pool.
   */
  static async open(dataDir: string, threads: number): Promise<ChdbEngine> {
    const binding = loadBinding();
    const deadline = Date.now() + lockWaitMsMax;
    for (;;) {
      try {
        return new ChdbEngine(binding, dataDir, binding.CreateConnection(dataDir), threads);
      } catch (error) {
        const message = `the ClickHouse data in ${dataDir} cannot be opened: ${lockHint}`;
        if (Date.now() >= deadline) throw new Error(message, { cause: error });
        await delay(lockRetryMs);
      }
    }
  }

  /** Runs one statement when it is its turn. Throws ClickhouseException; aborting stops a select. */
  async run(execution: Execution, signal: AbortSignal): Promise<Answer> {
    const lane = execution.statement.kind === 'select' ? 'read' : 'write';
    const release = await this.#slots.acquire(lane, signal);
    let connection: Connection | undefined;
    const close = (): void => {
      if (connection !== undefined) this.#binding.CloseConnection(connection);
      connection = undefined;
      release();
    };
    try {
      const tag = randomUUID();
      connection = this.#binding.CreateConnection(this.#dataDir);
      await this.#prepare(connection, execution, tag);
      signal.throwIfAborted();
      if (isStreamed(execution)) return await this.#stream(connection, execution, tag, signal, close);
      const answer = await this.#whole(connection, execution, tag, signal);
      close();
      return answer;
    } catch (error) {
      close();
      throw engineException(error);
    }
  }

  /** Lets running queries finish and closes the folder. */
  async close(): Promise<void> {
    await this.#slots.idle();
    this.#binding.CloseConnection(this.#control);
  }

  async #prepare(connection: Connection, execution: Execution, tag: string): Promise<void> {
    const { request } = execution;
    const ownSettings = new Map([[tagSetting, tag]]);
    if (!isStreamed(execution) && !request.settings.has('max_result_bytes')) {
      ownSettings.set('max_result_bytes', String(wholeAnswerBytesMax)).set('result_overflow_mode', 'throw');
    }
    const sql = preparationSql(request, ownSettings);
    // Parameters are no part of a query's size, and the size of the statement itself was checked before.
    if (sql.length > preparationBytesMax) {
      await this.#binding.QueryAsyncConnection(connection, 'SET max_query_size = 0', 'Null');
    }
    await this.#binding.QueryAsyncConnection(connection, sql, 'Null');
  }

  async #whole(
    connection: Connection,
    execution: Execution,
    tag: string,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { sql, format, statement } = execution;
    const started = performance.now();
    if (statement.kind === 'insert') {
      // An insert is finished even when its client has gone, as a server does. This call runs any SQL; of the
      // binding's calls it is the one that tells how many rows were written.
      const written = await this.#binding.InsertRawAsyncConnection(connection, sql, Buffer.alloc(0), false);
      return {
        ...wholeAnswer(Buffer.alloc(0), started),
        rowsWritten: written.rowsWritten,
        bytesWritten: written.bytesWritten,
      };
    }
    const running = this.#binding.QueryAsyncConnection(connection, sql, format);
    const result = await (statement.kind === 'select' ? this.#stoppable(running, tag, signal) : running);
    return { ...wholeAnswer(result.bytes, started), rowsRead: result.rowsRead, bytesRead: result.bytesRead };
  }

  /** The first chunk is fetched before this resolves, so that most errors come before the first byte is sent. */
  async #stream(
    connection: Connection,
    execution: Execution,
    tag: string,
    signal: AbortSignal,
    close: () => void,
  ): Promise<Answer> {
    const started = performance.now();
    const binding = this.#binding;
    const stream = binding.StreamQuery(connection, execution.sql, execution.format);
    // The engine frees a stream that has ended or failed; cancelling it then would free it twice.
    let open = true;
    const fetch = async (): Promise<{ bytes: Uint8Array; done: boolean }> => {
      open = false;
      const fetched = await this.#stoppable(binding.StreamFetch(stream), tag, signal);
      open = !fetched.done;
      return fetched;
    };
    let chunk = await fetch();
    const chunks = async function* (): AsyncGenerator<Uint8Array, void> {
      try {
        while (!chunk.done) {
          if (chunk.bytes.length > 0) yield chunk.bytes;
          signal.throwIfAborted();
          chunk = await fetch();
        }
      } catch (error) {
        throw engineException(error);
      } finally {
        if (open) binding.StreamCancel(stream);
        close();
      }
    };
    return { ...wholeAnswer(Buffer.alloc(0), started), chunks: chunks() };
  }

  /**
   * The binding cannot interrupt a call that has not come back, but another connection can kill its query. Waits for
   * the call in any case: closing its connection earlier takes the engine down.
   */
  async #stoppable<T>(call: Promise<T>, tag: string, signal: AbortSignal): Promise<T> {
    const settled = new AbortController();
    const kill = async (): Promise<void> => {
      // A query that is only starting is not in the list yet, hence again and again.
      while (!settled.signal.aborted) {
        const sql = `KILL QUERY WHERE Settings[${quoted(tagSetting)}] = ${quoted(tag)} ASYNC`;
        try {
          this.#binding.QueryWithConnection(this.#control, sql, 'Null');
        } catch {
          // Not killed now; the query may end by itself or be killed the next time.
        }
        await delay(killRetryMs);
      }
    };
    const onAbort = (): void => void kill();
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await call;
    } finally {
      settled.abort();
      signal.removeEventListener('abort', onAbort);
    }
  }
}

const lockHint = 'another process uses them, or they are damaged (the lines above say which)';

/**
 * Formats whose rows need nothing around them. The engine formats every chunk of a stream as a document of its own, so
 * that one with a header or a frame, such as JSON, would repeat it.
 */
const streamedFormats = new Set(
  `JSONEachRow JSONLines NDJSON JSONStringsEachRow JSONCompactEachRow JSONCompactStringsEachRow TSV TabSeparated TSVRaw
  TabSeparatedRaw CSV RowBinary Native`.split(/\s+/),
);

function isStreamed({ request, statement, format }: Execution): boolean {
  return statement.kind === 'select' && !request.waitEndOfQuery && streamedFormats.has(format);
}

function wholeAnswer(bytes: Uint8Array, startedMs: number): Answer {
  const chunks = async function* (): AsyncGenerator<Uint8Array, void> {
    if (bytes.length > 0) yield bytes;
  };
  const elapsedSeconds = (performance.now() - startedMs) / 1_000;
  return { chunks: chunks(), rowsRead: 0, bytesRead: 0, rowsWritten: 0, bytesWritten: 0, elapsedSeconds };
}

declare const connectionBrand: unique symbol;
type Connection = { readonly [connectionBrand]: true };
declare const streamBrand: unique symbol;
type Stream = { readonly [streamBrand]: true };

/** The calls of the native binding that are used here. The asynchronous ones run on libuv's pool. */
interface Binding {
  CreateConnection(dataDir: string): Connection;
  CloseConnection(connection: Connection): void;
  QueryWithConnection(connection: Connection, sql: string, format: string): string;
  QueryAsyncConnection(
    connection: Connection,
    sql: string,
    format: string,
  ): Promise<{ bytes: Uint8Array; rowsRead: number; bytesRead: number }>;
  InsertRawAsyncConnection(
    connection: Connection,
    sql: string,
    data: Buffer,
    countLines: boolean,
  ): Promise<{ rowsWritten: number; bytesWritten: number }>;
  StreamQuery(connection: Connection, sql: string, format: string): Stream;
  StreamFetch(stream: Stream): Promise<{ bytes: Uint8Array; done: boolean }>;
  StreamCancel(stream: Stream): void;
}

/**
 * chDB's own loader picks the library of the platform. Its Session class is not used: it defers closing a connection
 * until every query of every other session has ended.
 */
function loadBinding(): Binding {
  const require = createRequire(import.meta.url);
  let manifest: string;
  try {
    manifest = require.resolve('chdb/package.json');
  } catch (error) {
    throw new Error(
      'the embedded ClickHouse needs the optional package chdb (glibc Linux or macOS); install it, or set CLICKHOUSE_URL to a server',
      { cause: error },
    );
  }
  const loader = require(join(dirname(manifest), 'dist', 'loader.js')) as { loadNative(): Binding };
  return loader.loadNative();
}
