/**
 * ClickHouse's HTTP interface on top of the embedded engine, so that everything else in Tollgate talks to it by plain
 * @clickhouse/client, the same as to a server.
 *
 * It runs in the main thread of a process of its own: the engine crashes at the exit of a worker thread.
 */
import { timingSafeEqual, createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { answerException, answerQuery } from './clickhouse-answer.ts';
import { type RequestBody, type SplitBody, readBody } from './clickhouse-body.ts';
import { ChdbEngine } from './clickhouse-engine.ts';
import { engineException, raised } from './clickhouse-exception.ts';
import {
  parseCredentials,
  parseQueryRequest,
  type QueryRequest,
  type RequestHead,
} from './clickhouse-request.ts';
import { DataSpool } from './clickhouse-spool.ts';
import { parseInsertHead, parseStatement, type Statement } from './clickhouse-statement.ts';

export interface EmbeddedClickhouseOptions {
  readonly dataDir: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of the user `default`; '' asks for none. */
  readonly password: string;
  /** The process's UV_THREADPOOL_SIZE, of which each running query takes one; libuv's own default is 4. */
  readonly threads?: number;
}

export interface EmbeddedClickhouse {
  readonly url: string;
  readonly port: number;
  /** Takes no more queries, finishes those that run, closes the data folder. */
  stop(): Promise<void>;
}

/** A server's limit for one URL, and parameters travel in it. */
const headBytesMax = 1024 ** 2;
/** As long as a server; the client gives up an idle socket after 2.5 s. */
const keepAliveMs = 10_000;
const threadsDefault = 4;
const connectionsMax = 1_024;
const drainMsMax = 15_000;

export async function startEmbeddedClickhouse(
  options: EmbeddedClickhouseOptions,
): Promise<EmbeddedClickhouse> {
  const engine = await ChdbEngine.open(options.dataDir, options.threads ?? threadsDefault);
  try {
    const door = new Door(engine, await DataSpool.open(options.dataDir), options.password);
    const limits = { maxHeaderSize: headBytesMax, keepAliveTimeout: keepAliveMs };
    const server = createServer(limits, (request, response) => void door.serve(request, response));
    // Sockets beyond this many are closed at once; each of the others holds one request.
    server.maxConnections = connectionsMax;
    const port = await listen(server, options);
    const stop = async (): Promise<void> => {
      await closed(server);
      await engine.close();
    };
    return { url: `http://${options.host}:${port}`, port, stop };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function listen(server: Server, { host, port }: EmbeddedClickhouseOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
}

/** Connections end after the answer that they are waiting for; one that stays longer is torn. */
async function closed(server: Server): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 20);
  const late = setTimeout(() => server.closeAllConnections(), drainMsMax);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearInterval(idle);
  clearTimeout(late);
}

class Door {
  readonly #engine: ChdbEngine;
  readonly #spool: DataSpool;
  readonly #passwordDigest: Buffer | undefined;

  constructor(engine: ChdbEngine, spool: DataSpool, password: string) {
    this.#engine = engine;
    this.#spool = spool;
    this.#passwordDigest = password === '' ? undefined : digestOf(password);
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(raised.aborted('The client went away')));
    response.setHeader('X-ClickHouse-Server-Display-Name', 'tollgate-embedded');
    try {
      const path = new URL(request.url ?? '/', 'http://server').pathname;
      if (path === '/ping' || path === '/replicas_status') response.end('Ok.\n');
      else if (path !== '/') response.writeHead(404).end(`There is no handle ${path}\n`);
      else await this.#query(request, response, gone.signal);
    } catch (error) {
      // What is left of the body is not worth reading. The header says so before the socket closes: a client that
      // was not told would send its next request into it.
      if (!request.complete && !response.headersSent) response.setHeader('Connection', 'close');
      answerException(response, engineException(error), this.#engine.version);
    }
  }

  async #query(request: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const head: RequestHead = {
      method: request.method ?? 'GET',
      target: request.url ?? '/',
      headers: request.headers,
    };
    this.#authenticate(head);
    const body = await readBody(request, head);
    const query = parseQueryRequest(head, body.form);
    response.setHeader('X-ClickHouse-Query-Id', query.queryId ?? randomUUID());
    const { statement, text, rest, restBytes } = await readStatement(body, query);
    const { data } = statement;
    const sqlBytes = data?.offset ?? text.length;
    if (sqlBytes > query.queryBytesMax) throw raised.syntaxError('Max query size exceeded');
    const format = statement.format ?? query.defaultFormat;
    const answer = async (sql: string): Promise<void> => {
      const execution = { request: query, statement, sql, format };
      await answerQuery(response, query, format, await this.#engine.run(execution, signal));
    };
    if (data === undefined) {
      await answer(statement.sql);
      return;
    }
    const start = text.subarray(data.offset);
    const bytesExpected = restBytes === undefined ? undefined : restBytes + start.length;
    const spooled = await this.#spool.write(joined(start, rest), bytesExpected);
    try {
      await answer(data.readFrom(spooled.path));
    } finally {
      await spooled.release();
    }
  }

  #authenticate(head: RequestHead): void {
    // A browser's page could reach a loopback port; a client library sends neither header.
    if (head.headers['origin'] !== undefined || head.headers['sec-fetch-site'] !== undefined) {
      throw raised.authenticationFailed('Requests of browsers are not served');
    }
    if (this.#passwordDigest === undefined) return;
    const credentials = parseCredentials(head) ?? { user: 'default', password: '' };
    const matches = timingSafeEqual(digestOf(credentials.password), this.#passwordDigest);
    if (credentials.user === 'default' && matches) return;
    const name = JSON.stringify(credentials.user).slice(1, -1);
    throw raised.authenticationFailed(
      `${name}: Authentication failed: password is incorrect, or there is no user with such name.`,
    );
  }
}

/**
 * Looking for the statement in the URL first saves an INSERT from having up to `max_query_size` of its data gathered
 * and made a string of: 4 MiB of each flush (decision 3 has the figures).
 */
async function readStatement(
  body: RequestBody,
  { query, queryBytesMax }: QueryRequest,
): Promise<SplitBody & { readonly statement: Statement }> {
  const after = body.after(query);
  const insert = parseInsertHead(after.text);
  if (insert !== undefined) return { ...after, statement: insert };
  const split = await body.split(query, queryBytesMax);
  return { ...split, statement: parseStatement(split.text) };
}

function digestOf(password: string): Buffer {
  return createHash('sha256').update(password).digest();
}

async function* joined(start: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  yield* rest;
}
