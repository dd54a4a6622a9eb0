/**
 * One request and its answer on a uWebSockets.js connection. uWebSockets.js forbids touching a request after its
 * callback and a response after its end or abort: so everything is copied at once, and the response is let go
 * of the moment it ends.
 */
import { STATUS_CODES } from 'node:http';
import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from 'uWebSockets.js';
import type { ByteBudget } from '../byte-budget.ts';
import {
  type HttpRequest,
  type HttpResponse,
  type PlainResponse,
  type ProblemFormat,
  problemResponse,
  type StreamResponse,
} from './message.ts';
import { traceIdOf } from './trace-id.ts';

export type Collected = 'complete' | 'tooLarge' | 'overBudget' | 'aborted';

/** A comment, by the rules of server-sent events: it shows that the connection lives, and finds dead peers. */
const heartbeat = ':\n\n';
const heartbeatMs = 15_000;
/** A reader that takes nothing for so long is cut off. */
const stallMsMax = 30_000;

const emptyBody = Buffer.alloc(0);

/** Answers that never have a body, nor a Content-Length, which would be taken for that of a body. */
const bodiless: ReadonlySet<number> = new Set([204, 304]);

export class UwsExchange implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly traceId: string;
  readonly startedAt = performance.now();
  params: Readonly<Record<string, string>> = {};
  body: Buffer = emptyBody;
  formatProblem: ProblemFormat = problemResponse;
  readonly #rawQuery: string;
  readonly #budget: ByteBudget;
  readonly #closing: () => boolean;
  #query: URLSearchParams | undefined;
  #remote: string | undefined;
  #controller: AbortController | undefined;
  /** Undefined once the response has ended or was aborted. */
  #response: UwsResponse | undefined;
  #aborted = false;
  #bytesTaken = 0;
  #streamEnded = false;
  #onAborted: () => void = ignore;
  #onWritable: () => void = ignore;
  #endStream: () => void = ignore;

  /** `closing`: whether the connection is to be closed after the answer. */
  constructor(response: UwsResponse, request: UwsRequest, budget: ByteBudget, closing: () => boolean) {
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.#rawQuery = request.getQuery() ?? '';
    this.headers = copyHeaders(request);
    this.traceId = traceIdOf((name) => this.header(name));
    this.#budget = budget;
    this.#closing = closing;
    this.#response = response;
    response.onAborted(() => this.#abort());
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#rawQuery);
    return this.#query;
  }

  get remote(): string {
    const address = this.#response?.getRemoteAddressAsText();
    this.#remote ??= address === undefined ? '' : Buffer.from(address).toString();
    return this.#remote;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  header(lowerCaseName: string): string {
    return this.headers.get(lowerCaseName) ?? '';
  }

  /** Reads the body into `body`. To be called before anything is awaited. */
  collect(bytesMax: number): Promise<Collected> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      let over = false;
      this.#onAborted = () => resolve('aborted');
      this.#response?.onData((chunk, isLast) => {
        if (over) return;
        bytes += chunk.byteLength;
        over = bytes > bytesMax || !this.take(chunk.byteLength);
        if (over) return resolve(bytes > bytesMax ? 'tooLarge' : 'overBudget');
        // The chunk's memory is taken back when this callback returns.
        if (chunk.byteLength > 0) chunks.push(Buffer.from(Buffer.from(chunk)));
        if (!isLast) return;
        this.body = chunks.length === 1 ? (chunks[0] ?? emptyBody) : Buffer.concat(chunks, bytes);
        resolve('complete');
      });
    });
  }

  /** Takes bytes of the process's budget, held until `release`; false when there are not so many. */
  take(bytes: number): boolean {
    if (!this.#budget.tryTake(bytes)) return false;
    this.#bytesTaken += bytes;
    return true;
  }

  release(): void {
    this.#budget.give(this.#bytesTaken);
    this.#bytesTaken = 0;
  }

  /**
   * Writes the answer; nothing happens when the client is gone. An answer that comes before the whole body was
   * read is written at once: the client can read it while it still sends, since uWebSockets.js goes on to read
   * and drop the body, and closes the connection after some 10 seconds if it does not end.
   */
  async answer(response: HttpResponse): Promise<void> {
    if ('stream' in response) return this.#answerStream(response);
    const uws = this.#response;
    if (uws === undefined) return;
    this.#response = undefined;
    const closeConnection = this.#closing();
    uws.cork(() => {
      this.#writeHead(uws, response);
      if (this.method === 'HEAD') uws.endWithoutBody(Buffer.byteLength(response.body), closeConnection);
      else if (bodiless.has(response.status)) endBodiless(uws, closeConnection);
      else uws.end(response.body, closeConnection);
    });
  }

  /** Ends a streaming answer in good order; other answers are left alone. */
  endStream(): void {
    this.#endStream();
  }

  async #answerStream(response: StreamResponse): Promise<void> {
    const iterator = response.stream[Symbol.asyncIterator]();
    this.#onAborted = this.#endStream = (): void => {
      if (this.#streamEnded) return;
      this.#streamEnded = true;
      this.#controller?.abort();
      void Promise.resolve(iterator.return?.()).catch(ignore);
    };
    if (this.#response === undefined || this.#closing()) this.#endStream();
    const stopHeartbeat = this.#startStream(response);
    try {
      while (!this.#streamEnded) {
        const next = await iterator.next();
        if (next.done === true || !(await this.#write(next.value))) break;
      }
      this.#finishStream();
    } catch (error) {
      // Cut off, not ended: the client must not take what it has for the whole.
      this.#response?.close();
      throw error;
    } finally {
      stopHeartbeat();
      this.#endStream();
    }
  }

  #startStream(response: StreamResponse): () => void {
    const uws = this.#response;
    if (uws === undefined) return ignore;
    uws.onWritable(() => {
      this.#onWritable();
      return true;
    });
    const isEvents = (response.headers?.['Content-Type'] ?? '').startsWith('text/event-stream');
    uws.cork(() => {
      this.#writeHead(uws, response);
      // The head goes out with the first write only, and a client waits for it before it believes in the stream.
      if (isEvents) uws.write(heartbeat);
    });
    if (!isEvents) return ignore;
    const timer = setInterval(
      () => this.#response?.cork(() => this.#response?.write(heartbeat)),
      heartbeatMs,
    );
    return () => clearInterval(timer);
  }

  /** Resolves when the connection can take more; false when it is gone or stalled. */
  #write(chunk: string): Promise<boolean> {
    const uws = this.#response;
    if (uws === undefined) return Promise.resolve(false);
    if (chunk === '') return Promise.resolve(true);
    let taken = false;
    uws.cork(() => {
      taken = uws.write(chunk);
    });
    if (taken) return Promise.resolve(true);
    return new Promise((resolve) => {
      const stalled = setTimeout(() => this.#response?.close(), stallMsMax);
      const settle = (writable: boolean): void => {
        clearTimeout(stalled);
        this.#onWritable = ignore;
        this.#onAborted = this.#endStream;
        resolve(writable);
      };
      this.#onWritable = () => settle(true);
      this.#onAborted = () => {
        this.#endStream();
        settle(false);
      };
    });
  }

  #finishStream(): void {
    const uws = this.#response;
    this.#response = undefined;
    uws?.cork(() => uws.end(undefined, this.#closing()));
  }

  #writeHead(uws: UwsResponse, response: PlainResponse | StreamResponse): void {
    uws.writeStatus(`${response.status} ${STATUS_CODES[response.status] ?? 'Unknown'}`);
    uws.writeHeader('X-Trace-Id', this.traceId);
    const headers = response.headers ?? {};
    if (headers['Content-Type'] === undefined && !bodiless.has(response.status)) {
      uws.writeHeader('Content-Type', 'application/json; charset=utf-8');
    }
    for (const [name, value] of Object.entries(headers)) uws.writeHeader(name, value);
  }

  #abort(): void {
    this.#aborted = true;
    this.#response = undefined;
    this.#controller?.abort();
    this.#onAborted();
  }
}

/** An `undefined` for the length would be written as one of 2^63; closing asks for a number. */
function endBodiless(uws: UwsResponse, closeConnection: boolean): void {
  if (closeConnection) uws.endWithoutBody(0, true);
  else uws.endWithoutBody();
}

function copyHeaders(request: UwsRequest): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  request.forEach((name, value) => {
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  });
  return headers;
}

function ignore(): void {
  // Nobody waits.
}
