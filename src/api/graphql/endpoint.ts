/**
 * GraphQL over HTTP: graphql-http decides what the specification decides (methods, media types, status codes);
 * here are the key, the documents' bounds, exact numbers in variables, and errors with a code and a trace id.
 */
import { GraphQLError, type GraphQLSchema, type ExecutionResult, OperationTypeNode } from 'graphql';
import {
  createHandler,
  type Handler,
  type OperationArgs,
  parseRequestParams,
  type Request,
  type RequestParams,
  type Response,
} from 'graphql-http';
import type { Logger } from '../../telemetry.ts';
import { Counter, type Registry } from 'prom-client';
import { type ApiKeys, keyId, presentedKey } from '../../http/api-key.ts';
import {
  type HttpRequest,
  type PlainResponse,
  type ProblemFormat,
  problemResponse,
  type RequestHead,
  type Route,
} from '../../http/message.ts';
import { problemKinds } from '../../http/problems.ts';
import { parseJson, parseJsonBytes } from '../../json.ts';
import type { ProblemCode } from '../../metering/facts.ts';
import type { Audit } from '../../records/record-store.ts';
import type { ApiContext, ApiServices, FieldCost } from '../context.ts';
import { answerError, problemError } from './answer-errors.ts';
import { OperationReader } from './operation-reader.ts';

export interface GraphqlEndpointOptions {
  readonly schema: GraphQLSchema;
  readonly fieldCosts: ReadonlyMap<string, FieldCost>;
  readonly services: ApiServices;
  readonly keys: ApiKeys;
  readonly log: Pick<Logger, 'error'>;
  readonly registry: Registry;
}

/** One request's own state, handed through graphql-http. */
interface Call {
  readonly traceId: string;
  readonly context: ApiContext;
  /** The key came by the query string, which is for introspection only. */
  readonly keyInQuery: boolean;
  operation: string;
  /** The first error's code, or `OK`. */
  code: string;
  /** Nothing was executed: the request itself was at fault. */
  refused: boolean;
}

type GraphqlRequest = Request<HttpRequest, Call>;

export class GraphqlEndpoint {
  readonly #options: GraphqlEndpointOptions;
  readonly #operations: OperationReader;
  readonly #answered: Counter<'operation' | 'code'>;
  readonly #handler: Handler<HttpRequest, Call>;

  constructor(options: GraphqlEndpointOptions) {
    this.#options = options;
    this.#operations = new OperationReader(options.schema, options.fieldCosts);
    this.#answered = new Counter({
      name: 'tollgate_graphql_operations_total',
      help: 'GraphQL requests answered, by kind of operation and code of the first error.',
      labelNames: ['operation', 'code'],
      registers: [options.registry],
    });
    this.#handler = createHandler<HttpRequest, Call, ApiContext>({
      parseRequestParams: readParams,
      onSubscribe: (request, params) => this.#prepare(request, params),
      onOperation: (request, _, result) => this.#conclude(request.context, result),
      formatError: (error) => (error instanceof CallProblem ? error.answer : error),
    });
  }

  routes(path: string): readonly Route[] {
    const guard = (head: RequestHead): PlainResponse | undefined => this.#guard(head);
    const handle = (request: HttpRequest): Promise<PlainResponse> => this.#answer(request);
    return [
      { method: 'GET', path, guard, handle, formatProblem },
      { method: 'POST', path, guard, handle, formatProblem },
    ];
  }

  #guard(head: RequestHead): PlainResponse | undefined {
    const verdict = this.#options.keys.check(presentedKey(head, { queryAllowed: true }), 'api');
    if (verdict === 'granted') return undefined;
    const code = verdict === 'forbidden' ? 'FORBIDDEN' : 'UNAUTHENTICATED';
    this.#answered.inc({ operation: 'none', code });
    return plainOf(refusal(code, keyMessages[code], head.traceId));
  }

  async #answer(request: HttpRequest): Promise<PlainResponse> {
    const call: Call = {
      traceId: request.traceId,
      context: contextOf(request, this.#options.services),
      keyInQuery: presentedKey(request) === '',
      operation: 'none',
      code: 'OK',
      refused: false,
    };
    const response = await this.#handler({
      method: request.method === 'HEAD' ? 'GET' : request.method,
      url: `${request.path}?${request.query.toString()}`,
      headers: { get: (name) => request.headers.get(name) ?? null },
      body: null,
      raw: request,
      context: call,
    });
    this.#answered.inc({ operation: call.operation, code: call.code });
    return plainOf(completed(response, call));
  }

  /** What is to be executed, or the errors that refuse it. */
  #prepare(
    { context: call, method }: GraphqlRequest,
    params: RequestParams,
  ): OperationArgs<ApiContext> | readonly GraphQLError[] | Response {
    const read = this.#operations.read(params);
    if ('errors' in read) return refuse(call, read.errors);
    const { kind, introspectionOnly } = read;
    if (call.keyInQuery && !introspectionOnly) {
      call.code = 'UNAUTHENTICATED';
      return refusal('UNAUTHENTICATED', keyMessages.QUERY_KEY, call.traceId);
    }
    call.operation = kind;
    if (kind === OperationTypeNode.SUBSCRIPTION) {
      return refuse(call, [new GraphQLError('subscriptions are answered by /graphql/stream')]);
    }
    if (kind === OperationTypeNode.MUTATION && method === 'GET') {
      call.code = 'METHOD_NOT_ALLOWED';
      return refusal('METHOD_NOT_ALLOWED', 'mutations are sent by POST', call.traceId, { Allow: 'POST' });
    }
    const errors = read.problems();
    return errors.length > 0 ? refuse(call, errors) : { ...read.args, contextValue: call.context };
  }

  #conclude(call: Call, result: ExecutionResult): ExecutionResult {
    if (result.errors === undefined) return result;
    const errors = result.errors.map((error) => answerError(error, call.traceId));
    for (const { fault, answer } of errors) {
      if (fault === undefined) continue;
      const { traceId } = call;
      this.#options.log.error(
        { traceId, path: answer.path?.join('.'), fault: faultOf(fault) },
        'a resolver failed',
      );
    }
    call.code = errors[0]?.code ?? 'OK';
    call.refused = !('data' in result);
    return { ...result, errors: errors.map(({ answer }) => answer) };
  }
}

export function contextOf(request: HttpRequest, services: ApiServices): ApiContext {
  const { traceId, body } = request;
  const audit = (operation: string): Audit => ({
    actor: keyId(presentedKey(request)),
    traceId,
    operation,
    at: services.clock.now(),
  });
  return { services, bodyBytes: body.length, audit };
}

/** What the server refuses before GraphQL sees it, in the form that GraphQL's clients read. */
export const formatProblem: ProblemFormat = (code, message, traceId, extras = {}) => {
  const { retryAfterSeconds } = extras;
  const known = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  const error = new GraphQLError(message, { extensions: { ...known, code, traceId } });
  return {
    ...problemResponse(code, message, traceId, extras),
    body: JSON.stringify({ errors: [error] }),
  };
};

export const keyMessages = {
  UNAUTHENTICATED: 'the API key is missing or wrong: send it as X-API-KEY, or as Authorization: Bearer',
  FORBIDDEN: 'this API key may not use GraphQL',
  QUERY_KEY: 'a key in the query string is taken for introspection only: send it as X-API-KEY',
} as const;

/** A request that is no GraphQL request; graphql-http answers it with 400. */
class CallProblem extends Error {
  readonly answer: GraphQLError;

  constructor(answer: GraphQLError) {
    super(answer.message);
    this.answer = answer;
  }
}

async function readParams(request: GraphqlRequest): Promise<RequestParams | Response> {
  const { raw, context: call } = request;
  const fail = (code: ProblemCode, message: string): CallProblem => {
    call.code = code;
    return new CallProblem(problemError(code, message, call.traceId));
  };
  let malformed: string | undefined;
  const body = (): Record<string, unknown> | null => {
    const parsed = parseJsonBytes(raw.body);
    if (!parsed.ok) malformed = parsed.message;
    return parsed.ok ? (parsed.value as Record<string, unknown> | null) : null;
  };
  try {
    const params = await parseRequestParams({ ...request, body });
    return 'query' in params ? withExactVariables(params, raw) : params;
  } catch (error) {
    if (malformed !== undefined) throw fail('MALFORMED_JSON', `the body is not JSON: ${malformed}`);
    throw fail('VALIDATION_ERROR', error instanceof Error ? error.message : 'not a GraphQL request');
  }
}

/** graphql-http reads a GET's variables by JSON.parse, which rounds long numbers. */
function withExactVariables(params: RequestParams, { method, query }: HttpRequest): RequestParams {
  const text = method === 'POST' ? null : query.get('variables');
  const parsed = text === null || text === '' ? undefined : parseJson(text);
  if (parsed?.ok !== true) return params;
  return { ...params, variables: parsed.value as NonNullable<RequestParams['variables']> };
}

function refuse(call: Call, errors: readonly GraphQLError[]): readonly GraphQLError[] {
  const told = errors.map((error) => answerError(error, call.traceId));
  call.code = told[0]?.code ?? 'OK';
  call.refused = true;
  return told.map(({ answer }) => answer);
}

function refusal(
  code: ProblemCode,
  message: string,
  traceId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = JSON.stringify({ errors: [problemError(code, message, traceId)] });
  const { status } = problemKinds[code];
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  return [body, { status, statusText: '', headers: { 'content-type': jsonType, ...headers, ...challenge } }];
}

const jsonType = 'application/json; charset=utf-8';

/** graphql-http answers some refusals without a body, and a request that was not executed with 200. */
function completed([body, init]: Response, call: Call): Response {
  if (body === null) {
    const code = init.status === 405 ? 'METHOD_NOT_ALLOWED' : 'UNSUPPORTED_MEDIA_TYPE';
    call.code = code;
    const message =
      init.status === 406
        ? 'answers come as application/graphql-response+json or application/json'
        : 'GraphQL is asked by GET, or by POST with the Content-Type application/json in UTF-8';
    const [text, { headers }] = refusal(code, message, call.traceId, init.headers);
    return [text, { ...init, ...(headers === undefined ? {} : { headers }) }];
  }
  const isGraphqlType = init.headers?.['content-type']?.startsWith('application/graphql-response+json');
  return call.refused && isGraphqlType === true && init.status === 200
    ? [body, { ...init, status: 400 }]
    : [body, init];
}

function plainOf([body, { status, headers = {} }]: Response): PlainResponse {
  const { 'content-type': type = jsonType, ...others } = headers;
  return { status, headers: { 'Content-Type': type, ...others }, body: body ?? '' };
}

/** Where it happened, but not the message: an exception's text may quote what the client sent (I10). */
export function faultOf(fault: unknown): { name: string; code: unknown; frames: readonly string[] } {
  if (!(fault instanceof Error)) return { name: typeof fault, code: undefined, frames: [] };
  const frames = (fault.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { name: fault.name, code: 'code' in fault ? fault.code : undefined, frames };
}
