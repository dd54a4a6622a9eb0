/**
 * The HTTP server of every role, on uWebSockets.js: sockets and bytes in, handlers' answers out. It knows nothing
 * of metering. What is bounded: one body (before and after decompression), the bytes of all unanswered bodies,
 * the requests in hand, the time that stopping takes. A client that sends slower than uWebSockets.js allows
 * (some 16 kB/s over 10 s, or no complete head in 10 s) loses its connection.
 */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type {
  HttpRequest as UwsRequest,
  HttpResponse as UwsResponse,
  us_listen_socket,
} from 'uWebSockets.js';
import uws from 'uWebSockets.js';
import { ByteBudget } from '../byte-budget.ts';
import type { ProblemCode } from '../metering/facts.ts';
import type { Logger } from '../telemetry.ts';
import { gunzipBody, parseContentEncoding } from './content-encoding.ts';
import {
  type HttpResponse,
  type PlainResponse,
  type ProblemFormat,
  problemResponse,
  type Route,
} from './message.ts';
import { type Match, Router } from './router.ts';
import { type Collected, UwsExchange } from './uws-exchange.ts';

export interface HttpServerOptions {
  readonly routes: readonly Route[];
  readonly log: Pick<Logger, 'error'>;
  /** One body, before and after decompression. 16 MiB. */
  readonly bodyBytesMax?: number;
  /** All unanswered bodies of this process; past it a call is refused with 429. 256 MiB. */
  readonly bodyBytesInHandMax?: number;
  /** Past it a call is refused with 503. 20,000. */
  readonly requestsInHandMax?: number;
  /** How long `stop` waits for requests in hand, ms. 15,000, which is longer than an acknowledgement may take. */
  readonly drainMs?: number;
  readonly onAnswered?: (answered: Answered) => void;
}

export interface Answered {
  readonly method: string;
  /** The route's pattern, or `unknown`: never what the client wrote, so that labels stay few. */
  readonly route: string;
  readonly status: number | 'aborted';
  readonly durationMs: number;
}

export interface HttpServer {
  /**
   * Resolves with the port (of use when 0 was asked for). `shared`: other processes may listen on it too and the
   * kernel shares connections out among them (Linux). Rejects with `ListenError`.
   */
  listen(host: string, port: number, options: { readonly shared: boolean }): Promise<number>;
  /** Takes no more connections, answers what is in hand or on its way, then closes all connections. Safe twice. */
  stop(): Promise<void>;
  load(): { readonly requests: number; readonly bodyBytes: number };
}

export class ListenError extends Error {
  readonly code: string;
  readonly retryable = false;

  constructor(host: string, port: number, code: string) {
    const why = code === 'EADDRINUSE' ? 'another program listens there already' : code;
    super(`cannot listen on ${host}:${port}: ${why}`);
    this.code = code;
  }
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  return new UwsServer(options);
}

/** What the typings leave out and every release since 20.10 has. */
interface FullApp {
  listen(
    host: string,
    port: number,
    options: number,
    listening: (socket: us_listen_socket | false) => void,
  ): unknown;
  close(): unknown;
}

/** uSockets' LIBUS_LISTEN_EXCLUSIVE_PORT: without SO_REUSEPORT, so that a port in use is an error. */
const listenExclusive = 1;
const listenShared = 0;

/** A request that was under way reaches us within this, from near by. */
const quietMs = 100;

class UwsServer implements HttpServer {
  readonly #app = uws.App();
  readonly #router: Router;
  readonly #options: HttpServerOptions;
  readonly #bodyBytesMax: number;
  readonly #requestsInHandMax: number;
  readonly #budget: ByteBudget;
  readonly #inHand = new Set<UwsExchange>();
  #socket: us_listen_socket | undefined;
  #stopping: Promise<void> | undefined;
  #onIdle: () => void = () => undefined;
  /** Requests ever taken in hand. */
  #served = 0;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#bodyBytesMax = options.bodyBytesMax ?? 16 * 1_048_576;
    this.#requestsInHandMax = options.requestsInHandMax ?? 20_000;
    this.#budget = new ByteBudget(options.bodyBytesInHandMax ?? 256 * 1_048_576);
    this.#app.any('/*', (response, request) => void this.#serve(response, request));
  }

  async listen(host: string, port: number, { shared }: { readonly shared: boolean }): Promise<number> {
    const app = this.#app as unknown as FullApp;
    const socket = await new Promise<us_listen_socket | false>((resolve) => {
      app.listen(host, port, shared ? listenShared : listenExclusive, resolve);
    });
    if (socket === false) throw new ListenError(host, port, await whyNotListening(host, port));
    this.#socket = socket;
    return uws.us_socket_local_port(socket);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#drainAndClose();
    return this.#stopping;
  }

  load(): { readonly requests: number; readonly bodyBytes: number } {
    return { requests: this.#inHand.size, bodyBytes: this.#budget.taken };
  }

  async #drainAndClose(): Promise<void> {
    if (this.#socket !== undefined) uws.us_listen_socket_close(this.#socket);
    for (const exchange of this.#inHand) exchange.endStream();
    const timer = new AbortController();
    const late = delay(this.#options.drainMs ?? 15_000, undefined, { signal: timer.signal });
    await Promise.race([this.#quiet(), late.catch(() => undefined)]);
    timer.abort();
    (this.#app as unknown as FullApp).close();
  }

  /**
   * Resolves when nothing was in hand for `quietMs`. A client that had just been answered may have sent its next
   * request before it could know of the stop; by then that has come and is answered, and its connection with it.
   */
  async #quiet(): Promise<void> {
    for (let served = -1; this.#inHand.size > 0 || served !== this.#served; ) {
      if (this.#inHand.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
      served = this.#served;
      await delay(quietMs);
    }
  }

  /** Never rejects. Runs up to the registration of the body's reader before anything is awaited. */
  async #serve(response: UwsResponse, request: UwsRequest): Promise<void> {
    const exchange = new UwsExchange(response, request, this.#budget, () => this.#stopping !== undefined);
    const match = this.#router.match(exchange.method, exchange.path);
    const route = match.kind === 'found' ? match.route.path : 'unknown';
    exchange.formatProblem = formatOf(match);
    this.#inHand.add(exchange);
    this.#served += 1;
    let answer: HttpResponse | undefined;
    try {
      if (match.kind === 'found') exchange.params = match.params;
      answer =
        match.kind === 'found'
          ? (this.#refuse(exchange, match.route) ?? (await this.#handle(exchange, match.route)))
          : answerUnrouted(exchange, match);
      await exchange.answer(answer);
    } catch (error) {
      this.#options.log.error(
        { traceId: exchange.traceId, route, fault: faultOf(error) },
        'a request failed',
      );
      answer = problem(exchange, 'INTERNAL', 'a fault of the server; its log has this traceId');
      await exchange.answer(answer);
    }
    exchange.release();
    this.#inHand.delete(exchange);
    if (this.#inHand.size === 0) this.#onIdle();
    const status = exchange.aborted ? 'aborted' : answer.status;
    const durationMs = performance.now() - exchange.startedAt;
    this.#options.onAnswered?.({ method: exchange.method, route, status, durationMs });
  }

  /** What is refused by its head alone. */
  #refuse(exchange: UwsExchange, route: Route): PlainResponse | undefined {
    if (this.#inHand.size > this.#requestsInHandMax) {
      return problem(exchange, 'OVERLOADED', 'too many requests are in hand', 1);
    }
    const refusal = route.guard?.(exchange);
    if (refusal !== undefined) return refusal;
    if (parseContentEncoding(exchange.header('content-encoding')) === undefined) {
      return problem(exchange, 'UNSUPPORTED_MEDIA_TYPE', 'Content-Encoding may be gzip or identity');
    }
    const length = exchange.header('content-length');
    if (length.includes(',')) {
      return problem(exchange, 'VALIDATION_ERROR', 'the header Content-Length is there more than once');
    }
    return Number(length) > this.#bodyBytesMax ? this.#tooLarge(exchange) : undefined;
  }

  async #handle(exchange: UwsExchange, route: Route): Promise<HttpResponse> {
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') {
      const refusal = this.#refuseBody(exchange, await exchange.collect(this.#bodyBytesMax));
      if (refusal !== undefined) return refusal;
      if (parseContentEncoding(exchange.header('content-encoding')) === 'gzip') {
        const undone = await this.#decompress(exchange);
        if (undone !== undefined) return undone;
      }
    }
    return route.handle(exchange);
  }

  #refuseBody(exchange: UwsExchange, collected: Collected): PlainResponse | undefined {
    if (collected === 'complete') return undefined;
    if (collected === 'tooLarge') return this.#tooLarge(exchange);
    if (collected === 'overBudget') return this.#overBudget(exchange);
    // Goes nowhere, since the client is gone.
    return { status: 499, body: '' };
  }

  async #decompress(exchange: UwsExchange): Promise<PlainResponse | undefined> {
    const decoded = await gunzipBody(exchange.body, this.#bodyBytesMax);
    if ('problem' in decoded) return problem(exchange, decoded.problem.code, decoded.problem.message);
    if (!exchange.take(decoded.body.length)) return this.#overBudget(exchange);
    exchange.body = decoded.body;
    return undefined;
  }

  #tooLarge(exchange: UwsExchange): PlainResponse {
    return problem(exchange, 'PAYLOAD_TOO_LARGE', `the body is larger than ${this.#bodyBytesMax} bytes`);
  }

  #overBudget(exchange: UwsExchange): PlainResponse {
    return problem(exchange, 'RATE_LIMITED', 'this process holds as many unanswered bodies as it may', 1);
  }
}

function problem(
  exchange: UwsExchange,
  code: ProblemCode,
  message: string,
  retryAfterSeconds?: number,
): PlainResponse {
  const extras = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return exchange.formatProblem(code, message, exchange.traceId, extras);
}

function formatOf(match: Match): ProblemFormat {
  if (match.kind === 'unknown') return problemResponse;
  const { formatProblem } = match.kind === 'found' ? match.route : match;
  return formatProblem ?? problemResponse;
}

function answerUnrouted(
  exchange: UwsExchange,
  match: Exclude<Match, { readonly kind: 'found' }>,
): PlainResponse {
  if (match.kind === 'unknown') return problem(exchange, 'NOT_FOUND', 'there is nothing at this path');
  const headers = { Allow: match.allow };
  if (exchange.method === 'OPTIONS') return { status: 204, headers, body: '' };
  return exchange.formatProblem('METHOD_NOT_ALLOWED', `allowed here: ${match.allow}`, exchange.traceId, {
    headers,
  });
}

/** Where it happened, but not the message: an exception's text may quote what the client sent (I10). */
function faultOf(error: unknown): { name: string; code: unknown; frames: readonly string[] } {
  if (!(error instanceof Error)) return { name: typeof error, code: undefined, frames: [] };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { name: error.name, code: 'code' in error ? error.code : undefined, frames };
}

/** uWebSockets.js only says that it failed; the same attempt through Node.js says why. */
function whyNotListening(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
    probe.listen(port, host, () => probe.close(() => resolve('UNKNOWN')));
  });
}
