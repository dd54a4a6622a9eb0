/**
 * GraphQL over server-sent events: subscriptions, and other operations that a client likes to have answered so.
 * graphql-sse's protocol in its mode of one connection for each operation; the same keys, bounds and errors as
 * everywhere.
 */
import { execute, type ExecutionResult, type GraphQLError, OperationTypeNode, subscribe } from 'graphql';
import {
  createHandler,
  type ExecutionPatchResult,
  type Handler,
  type OperationArgs,
  type Request,
  type RequestParams,
  type Response,
} from 'graphql-sse';
import type { HttpRequest, HttpResponse, RequestHead, PlainResponse, Route } from '../../http/message.ts';
import { presentedKey } from '../../http/api-key.ts';
import { parseJsonBytes } from '../../json.ts';
import type { ApiContext } from '../context.ts';
import { answerError } from './answer-errors.ts';
import { contextOf, faultOf, formatProblem, type GraphqlEndpointOptions, keyMessages } from './endpoint.ts';
import { OperationReader } from './operation-reader.ts';

const eventStream = 'text/event-stream';

/** Streams at once of a process; each holds its connection and asks for its state a few times a second. */
const streamsMax = 2_000;

type StreamRequest = Request<HttpRequest, ApiContext>;

export class StreamEndpoint {
  readonly #options: GraphqlEndpointOptions;
  readonly #operations: OperationReader;
  readonly #handler: Handler<HttpRequest, ApiContext>;
  #streams = 0;

  constructor(options: GraphqlEndpointOptions) {
    this.#options = options;
    this.#operations = new OperationReader(options.schema, options.fieldCosts);
    this.#handler = createHandler<HttpRequest, ApiContext, ApiContext>({
      // One connection for each operation: nothing is kept between requests.
      authenticate: () => null,
      execute,
      subscribe,
      // The reader has done so, and remembers it.
      validate: () => [],
      onSubscribe: (request, params) => this.#prepare(request, params),
      onNext: (_, request, result) => this.#disclose(request.raw, result),
    });
  }

  routes(path: string): readonly Route[] {
    const guard = (head: RequestHead): PlainResponse | undefined => this.#guard(head);
    const handle = (request: HttpRequest): Promise<HttpResponse> => this.#answer(request);
    return [
      { method: 'GET', path, guard, handle, formatProblem },
      { method: 'POST', path, guard, handle, formatProblem },
    ];
  }

  #guard(head: RequestHead): PlainResponse | undefined {
    const verdict = this.#options.keys.check(presentedKey(head), 'api');
    if (verdict === 'granted') return undefined;
    const code = verdict === 'forbidden' ? 'FORBIDDEN' : 'UNAUTHENTICATED';
    return formatProblem(code, keyMessages[code], head.traceId);
  }

  async #answer(request: HttpRequest): Promise<HttpResponse> {
    const { traceId } = request;
    if (!acceptsEvents(request)) {
      return {
        ...formatProblem('UNSUPPORTED_MEDIA_TYPE', `answers come as ${eventStream}`, traceId),
        status: 406,
      };
    }
    const parsed = request.method === 'POST' ? parseJsonBytes(request.body) : undefined;
    if (parsed?.ok === false) {
      return formatProblem('MALFORMED_JSON', `the body is not JSON: ${parsed.message}`, traceId);
    }
    if (this.#streams >= streamsMax) {
      const message = `this process has ${streamsMax} streams already`;
      return formatProblem('OVERLOADED', message, traceId, { retryAfterSeconds: 1 });
    }
    const [body, { status, headers = {} }] = await this.#handler({
      method: request.method,
      url: `http://server${request.path}?${request.query.toString()}`,
      headers: { get: (name) => (name === 'accept' ? eventStream : request.headers.get(name)) },
      body: (parsed?.value as Record<string, unknown> | undefined) ?? null,
      raw: request,
      context: contextOf(request, this.#options.services),
    });
    if (typeof body === 'object' && body !== null) {
      return {
        status,
        headers: { 'Content-Type': eventStream, 'Cache-Control': 'no-cache' },
        stream: this.#counted(body),
      };
    }
    if (headers['x-told'] !== undefined) return { status, body: body ?? '' };
    return formatProblem('VALIDATION_ERROR', requestMessage(body), traceId);
  }

  /** Not a generator of our own: its end would wait for the update that it waits for. */
  #counted(stream: AsyncGenerator<string, void, undefined>): AsyncIterable<string> {
    this.#streams += 1;
    const iterator: AsyncIterator<string, void> = {
      next: () => stream.next(),
      // The server calls it once, however the stream ends.
      return: () => {
        this.#streams -= 1;
        return stream.return();
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  #prepare(
    { raw, context, method }: StreamRequest,
    params: RequestParams,
  ): OperationArgs<ApiContext> | Response {
    const read = this.#operations.read(params);
    const errors = 'errors' in read ? read.errors : read.problems();
    if ('errors' in read || errors.length > 0) {
      const told = errors.map((error) => answerError(error, raw.traceId).answer);
      return [JSON.stringify({ errors: told }), { status: 400, statusText: '', headers: { 'x-told': '' } }];
    }
    if (read.kind === OperationTypeNode.MUTATION && method === 'GET') {
      const { status, body } = formatProblem('METHOD_NOT_ALLOWED', 'mutations are sent by POST', raw.traceId);
      return [String(body), { status, statusText: '', headers: { 'x-told': '' } }];
    }
    return { ...read.args, contextValue: context };
  }

  #disclose(
    { traceId }: HttpRequest,
    result: ExecutionResult | ExecutionPatchResult,
  ): ExecutionResult | ExecutionPatchResult {
    if (result.errors === undefined) return result;
    const errors = result.errors.map((error) => answerError(error, traceId));
    for (const { fault, answer } of errors) {
      if (fault === undefined) continue;
      const line = { traceId, path: answer.path?.join('.'), fault: faultOf(fault) };
      this.#options.log.error(line, 'a resolver failed');
    }
    return { ...result, errors: errors.map(({ answer }) => answer) };
  }
}

/** What the library says of a request without a query, without its words around it. */
function requestMessage(body: string | null): string {
  const fallback = 'a GraphQL request has a query';
  if (body === null || !body.startsWith('{')) return body ?? fallback;
  const { errors } = JSON.parse(body) as { readonly errors?: readonly GraphQLError[] };
  return errors?.[0]?.message ?? fallback;
}

function acceptsEvents(request: HttpRequest): boolean {
  const accept = request.header('accept');
  return accept === '' || accept.includes(eventStream) || accept.includes('*/*');
}
