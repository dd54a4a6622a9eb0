import { getIntrospectionQuery } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  type ApiAnswer,
  answerOf,
  codesOf,
  dataOf,
  ingestKey,
  type RunningApi,
  serverKey,
  startApi,
} from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

afterEach(() => {
  api.intake.refusal = undefined;
  api.intake.fault = undefined;
});

const typename = JSON.stringify({ query: '{ __typename }' });

describe('the key', () => {
  it.each([
    ['as X-API-KEY', { 'X-API-KEY': serverKey }],
    ['as Authorization: Bearer', { Authorization: `Bearer ${serverKey}` }],
  ])('is taken %s', async (_, headers) => {
    expect(dataOf(await api.send(typename, headers))).toEqual({ __typename: 'Query' });
  });

  it.each([
    ['missing', {}],
    ['empty', { 'X-API-KEY': '' }],
    ['wrong', { 'X-API-KEY': `${serverKey}x` }],
  ])('%s is answered 401, with code and trace id', async (_, headers) => {
    const answer = await api.send(typename, headers);
    expect(answer.status).toBe(401);
    expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
    expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer');
    expectTraceId(answer);
  });

  it('without the scope is answered 403', async () => {
    const answer = await api.send(typename, { 'X-API-KEY': ingestKey });
    expect(answer.status).toBe(403);
    expect(codesOf(answer)).toEqual(['FORBIDDEN']);
  });
});

describe('the key in the query string', () => {
  it('is taken for introspection, by GET and by POST', async () => {
    const query = getIntrospectionQuery();
    const byGet = await askByGet({ apiKey: serverKey, query });
    const byPost = await postWithKeyInQuery({ query });
    expect(dataOf(byGet)).toHaveProperty('__schema');
    expect(dataOf(byPost)).toEqual(dataOf(byGet));
  });

  it.each([
    ['a field', '{ customers { totalCount } }'],
    ['a field beside introspection', '{ __typename customers { totalCount } }'],
    ['a field in a fragment', 'query { __typename ...F } fragment F on Query { customers { totalCount } }'],
    ['a field in an inline fragment', '{ ... on Query { customers { totalCount } } }'],
    ['a field in another operation', 'query A { __typename } query B { customers { totalCount } }'],
    ['a mutation', 'mutation { provisionCustomer(input: {}) { customer { refId } } }'],
    ['a mutation that asks for its name', 'mutation { __typename }'],
  ])('is not taken for %s', async (_, query) => {
    const answer = await postWithKeyInQuery({ query, operationName: query.includes('query A') ? 'A' : null });
    expect(answer.status).toBe(401);
    expect(codesOf(answer)).toEqual(['UNAUTHENTICATED']);
    expect(answer.data).toBeUndefined();
  });

  it('does not help a wrong header', async () => {
    const answer = await postWithKeyInQuery({ query: '{ __typename }' }, { 'X-API-KEY': 'wrong' });
    expect(answer.status).toBe(401);
  });

  it('must be right', async () => {
    expect((await askByGet({ apiKey: 'wrong', query: '{ __typename }' })).status).toBe(401);
  });
});

describe('every error carries a code and the trace id', () => {
  it.each([
    ['no JSON', '{', 400, 'MALFORMED_JSON'],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'MALFORMED_JSON'],
    ['an empty body', '', 400, 'MALFORMED_JSON'],
    ['JSON that is no object', '[]', 400, 'VALIDATION_ERROR'],
    ['no query', '{}', 400, 'VALIDATION_ERROR'],
    ['a syntax error', JSON.stringify({ query: '{' }), 200, 'VALIDATION_ERROR'],
    ['an unknown field', JSON.stringify({ query: '{ nothing }' }), 200, 'VALIDATION_ERROR'],
    ['an unknown operation', operationsNamed('C'), 200, 'VALIDATION_ERROR'],
    ['several operations and no name', operationsNamed(null), 200, 'VALIDATION_ERROR'],
    ['a subscription', JSON.stringify({ query: 'subscription { nothing }' }), 200, 'VALIDATION_ERROR'],
    ['a wrong variable', withVariable({ first: 'x' }), 200, 'VALIDATION_ERROR'],
    ['a value beyond its bound', withVariable({ first: 0 }), 200, 'VALIDATION_ERROR'],
  ])('%s', async (_, body, status, code) => {
    const answer = await api.send(body);
    expect(answer.status).toBe(status);
    expect(codesOf(answer)).toEqual([code]);
    expectTraceId(answer);
  });

  it('also where the media type or the method is at fault', async () => {
    const post = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${api.url}/graphql`, {
        method: 'POST',
        headers: { 'X-API-KEY': serverKey, ...headers },
        body: typename,
      });
    const type = await answerOf(await post({ 'Content-Type': 'text/plain' }));
    expect([type.status, codesOf(type)]).toEqual([415, ['UNSUPPORTED_MEDIA_TYPE']]);
    const accept = await answerOf(await post({ 'Content-Type': 'application/json', Accept: 'text/html' }));
    expect([accept.status, codesOf(accept)]).toEqual([406, ['UNSUPPORTED_MEDIA_TYPE']]);
    const mutation = await askByGet({ query: 'mutation { __typename }' }, { 'X-API-KEY': serverKey });
    expect([mutation.status, codesOf(mutation)]).toEqual([405, ['METHOD_NOT_ALLOWED']]);
    for (const answer of [type, accept, mutation]) expectTraceId(answer);
  });

  it.each([
    ['a body that is too large', { body: 'x'.repeat(16 * 1_048_576 + 1) }, 413, 'PAYLOAD_TOO_LARGE'],
    [
      'an encoding that is not taken',
      { headers: { 'Content-Encoding': 'br' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    ['a broken encoding', { headers: { 'Content-Encoding': 'gzip' } }, 400, 'VALIDATION_ERROR'],
    ['another method', { method: 'PUT' }, 405, 'METHOD_NOT_ALLOWED'],
  ])('also where the server refuses %s', async (_, { headers, ...request }: RefusedRequest, status, code) => {
    const answer = await answerOf(
      await fetch(`${api.url}/graphql`, {
        method: 'POST',
        body: typename,
        ...request,
        headers: { 'X-API-KEY': serverKey, 'Content-Type': 'application/json', ...headers },
      }),
    );
    expect([answer.status, codesOf(answer)]).toEqual([status, [code]]);
    expectTraceId(answer);
  });

  it("keeps the caller's trace id", async () => {
    const answer = await api.send('{', { 'X-API-KEY': serverKey, 'X-Trace-Id': 'my-trace-id-1' });
    expect(answer.errors[0]?.extensions['traceId']).toBe('my-trace-id-1');
  });
});

describe('a fault inside', () => {
  const report = `mutation {
    reportEvent(events: { events: [{ customerId: "a", eventName: "b", idempotencyKey: "c" }] })
  }`;

  it('is masked, and logged with the trace id and without what was said', async () => {
    api.intake.fault = new Error('secret of someone@example.com');
    const answer = await api.ask(report);
    expect(codesOf(answer)).toEqual(['INTERNAL']);
    expect(JSON.stringify(answer)).not.toContain('secret');
    const log = JSON.stringify(api.logged);
    expect(log).toContain(answer.errors[0]?.extensions['traceId']);
    expect(log).not.toContain('secret');
  });

  it('that passes is told as such', async () => {
    api.intake.fault = Object.assign(new Error('secret'), { code: 'QUEUE_UNAVAILABLE', retryable: true });
    const answer = await api.ask(report);
    expect(codesOf(answer)).toEqual(['QUEUE_UNAVAILABLE']);
    expect(answer.errors[0]?.extensions['retryAfterSeconds']).toBe(1);
    expect(JSON.stringify(answer)).not.toContain('secret');
  });
});

describe('a store that does not answer', () => {
  it('is told as one, and that repeating is safe, but not which', async () => {
    const away = await startApi('redis://127.0.0.1:1');
    try {
      for (const query of [
        '{ customers { totalCount } }',
        '{ features { totalCount } }',
        'mutation { updateOneCustomer(input: { customerId: "a", name: "b" }) { id } }',
      ]) {
        const answer = await away.ask(query);
        expect(codesOf(answer)).toEqual(['INTERNAL']);
        expect(answer.errors[0]?.message).toMatch(/store does not answer.*safe/);
        expect(answer.errors[0]?.extensions['retryAfterSeconds']).toBe(1);
        expect(JSON.stringify(answer.errors)).not.toMatch(/redis|127\.0\.0\.1/i);
      }
    } finally {
      await away.stop();
    }
  });

  it('is told so of ClickHouse too', async () => {
    api.usage.fault = Object.assign(new Error('secret'), { code: 'CLICKHOUSE_UNAVAILABLE', retryable: true });
    const answer = await api.ask('{ measurements { edges { cursor } } }');
    api.usage.fault = undefined;
    expect(codesOf(answer)).toEqual(['INTERNAL']);
    expect(answer.errors[0]?.message).toMatch(/store does not answer.*safe/);
    expect(JSON.stringify(answer.errors)).not.toMatch(/secret|clickhouse/i);
  });
});

describe('what one call may ask', () => {
  it('is introspection at any time', async () => {
    expect(dataOf(await api.ask(getIntrospectionQuery({ inputValueDeprecation: true })))).toHaveProperty(
      '__schema',
    );
  });

  it.each([
    [
      'many pages at once',
      aliased(30, 'customers(paging: { first: 1000 }) { edges { node { refId name } } }'),
    ],
    ['introspection many times at once', aliased(30, '__schema { types { name } }')],
    ['more tokens than a document may have', `{ ${'__typename '.repeat(5_000)} }`],
    ['the same field thousands of times', `{ ${'__typename '.repeat(3_900)} }`],
    ['a document longer than allowed', `{ __typename } # ${'x'.repeat(300_000)}`],
  ])('is not %s', async (_, query) => {
    const answer = await api.ask(query);
    expect(codesOf(answer)).toEqual(['QUERY_TOO_COMPLEX']);
    expect(answer.data).toBeUndefined();
  });

  it('is not many pages by way of a default', async () => {
    const query = `query ($paging: CursorPaging = { first: 1000 }) {
      ${fields(30, 'customers(paging: $paging) { edges { node { refId name } } }')}
    }`;
    expect(codesOf(await api.ask(query))).toEqual(['QUERY_TOO_COMPLEX']);
  });

  it('is one page of the largest size with every field', async () => {
    const query = `{ customers(paging: { first: 1000 }) { totalCount pageInfo { endCursor } edges { cursor node {
      id refId customerId name email additionalMetaData createdAt updatedAt } } } }`;
    expect(dataOf(await api.ask(query))).toMatchObject({ customers: { totalCount: expect.any(Number) } });
  });
});

describe('a GET', () => {
  it('takes queries with variables', async () => {
    const query = 'query ($first: Int) { customers(paging: { first: $first }) { totalCount } }';
    const parameters = { query, variables: JSON.stringify({ first: 1 }) };
    const answer = await askByGet(parameters, { 'X-API-KEY': serverKey });
    expect(dataOf(answer)).toMatchObject({ customers: {} });
  });
});

describe('the other paths of the port', () => {
  it.each(['/healthz', '/readyz', '/metrics'])('%s is answered without a key', async (path) => {
    expect((await fetch(api.url + path)).status).toBe(200);
  });

  it('counts operations by kind and code', async () => {
    await api.send('{');
    await api.ask('{ __typename }');
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toMatch(/tollgate_graphql_operations_total\{operation="query",code="OK"\} [1-9]/);
    expect(metrics).toMatch(
      /tollgate_graphql_operations_total\{operation="none",code="MALFORMED_JSON"\} [1-9]/,
    );
  });
});

interface RefusedRequest {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function askByGet(
  parameters: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiAnswer> {
  return fetch(`${api.url}/graphql?${new URLSearchParams(parameters).toString()}`, { headers }).then(
    answerOf,
  );
}

function postWithKeyInQuery(
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiAnswer> {
  return fetch(`${api.url}/graphql?apiKey=${serverKey}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }).then(answerOf);
}

function expectTraceId(answer: ApiAnswer): void {
  expect(answer.headers.get('X-Trace-Id')).toMatch(/^[\w-]{8,}$/);
  for (const { extensions } of answer.errors) {
    expect(extensions['traceId']).toBe(answer.headers.get('X-Trace-Id'));
  }
}

function operationsNamed(operationName: string | null): string {
  return JSON.stringify({ query: 'query A { __typename } query B { __typename }', operationName });
}

function withVariable(variables: unknown): string {
  const query = 'query ($first: Int) { customers(paging: { first: $first }) { totalCount } }';
  return JSON.stringify({ query, variables });
}

function aliased(count: number, field: string): string {
  return `{ ${fields(count, field)} }`;
}

function fields(count: number, field: string): string {
  return Array.from({ length: count }, (_, index) => `f${index}: ${field}`).join(' ');
}
