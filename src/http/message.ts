/** What a handler is given and what it answers: plain data, without the server beneath. */
import type { ProblemCode } from '../metering/facts.ts';
import { problemKinds } from './problems.ts';

/** What is known of a request before its body. */
export interface RequestHead {
  /** In capitals. */
  readonly method: string;
  /** As sent, without the query. */
  readonly path: string;
  /** The decoded `:name` parts of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The value of a header by its lower-case name, '' when absent; several of one name are joined by ', '. */
  header(lowerCaseName: string): string;
  readonly headers: ReadonlyMap<string, string>;
  /** The peer's address; '' once the connection is gone. */
  readonly remote: string;
  readonly traceId: string;
  /** Aborted when the client is gone before it was answered. */
  readonly signal: AbortSignal;
}

export interface HttpRequest extends RequestHead {
  /** The whole body, decompressed; the handler may keep it. */
  readonly body: Buffer;
}

export interface PlainResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/**
 * An answer that is written as it comes. It ends with the iterable, with the connection or with the server's
 * stop; the iterator's `return` is then called, and a pending `next` should settle soon after (listen to the
 * request's signal, which the server's stop aborts too).
 */
export interface StreamResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly stream: AsyncIterable<string>;
}

export type HttpResponse = PlainResponse | StreamResponse;

export interface Route {
  /** In capitals. GET answers HEAD too. */
  readonly method: string;
  /** Exact segments, or `:name` for one that varies: `/api/v1/customers/:customerId/entitlements`. */
  readonly path: string;
  /** Answers in the handler's place before the body is read, so that a stranger's body costs nothing. */
  readonly guard?: (head: RequestHead) => PlainResponse | undefined;
  readonly handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;
  /** The form of what the server itself refuses at this path, whatever the method; the contract's when absent. */
  readonly formatProblem?: ProblemFormat;
}

export function jsonResponse(status: number, content: unknown): PlainResponse {
  return { status, body: JSON.stringify(content) };
}

export interface ProblemExtras {
  readonly details?: unknown;
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ProblemFormat = (
  code: ProblemCode,
  message: string,
  traceId: string,
  extras?: ProblemExtras,
) => PlainResponse;

/** The contract's error answer: `{"error":{"code","message","traceId","details"?}}`. */
export function problemResponse(
  code: ProblemCode,
  message: string,
  traceId: string,
  extras: ProblemExtras = {},
): PlainResponse {
  const { details, retryAfterSeconds, headers } = extras;
  const error = { code, message, traceId, ...(details === undefined ? {} : { details }) };
  return {
    status: problemKinds[code].status,
    headers: {
      ...headers,
      ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': String(Math.ceil(retryAfterSeconds)) }),
    },
    body: JSON.stringify({ error }),
  };
}
