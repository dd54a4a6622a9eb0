import { expect, it } from 'vitest';
import { ApiKeys, presentedKey } from './api-key.ts';
import type { RequestHead } from './message.ts';

const keys = new ApiKeys([
  { key: 'server-0123456789', scopes: ['ingest', 'api'] },
  { key: 'reader-0123456789', scopes: ['api'] },
]);

function head(headers: Record<string, string>, query = ''): RequestHead {
  return {
    method: 'GET',
    path: '/',
    params: {},
    query: new URLSearchParams(query),
    headers: new Map(Object.entries(headers)),
    remote: '',
    traceId: 'trace-0001',
    header: (name) => headers[name] ?? '',
    signal: new AbortController().signal,
  };
}

it('grants, forbids or does not know', () => {
  expect(keys.check('server-0123456789', 'ingest')).toBe('granted');
  expect(keys.check('reader-0123456789', 'ingest')).toBe('forbidden');
  expect(keys.check('reader-0123456789', 'api')).toBe('granted');
  for (const wrong of ['', 'server-012345678', 'server-01234567890', 'SERVER-0123456789', 'ключ']) {
    expect(keys.check(wrong, 'api')).toBe('unauthenticated');
  }
  expect(new ApiKeys([]).check('', 'api')).toBe('unauthenticated');
});

it('answers with the code, how to authenticate, and not the key', () => {
  expect(keys.guard(head({ 'x-api-key': 'server-0123456789' }), 'ingest')).toBeUndefined();
  const unknown = keys.guard(head({ 'x-api-key': 'wrong-key-00000' }), 'ingest');
  expect(unknown).toMatchObject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } });
  expect(unknown?.body).toContain('"UNAUTHENTICATED"');
  expect(unknown?.body).not.toContain('wrong-key');
  expect(keys.guard(head({ authorization: 'Bearer reader-0123456789' }), 'ingest')).toMatchObject({
    status: 403,
  });
});

it('finds the key where it may be', () => {
  expect(presentedKey(head({ 'x-api-key': 'a', authorization: 'Bearer b' }))).toBe('a');
  expect(presentedKey(head({ authorization: 'bearer  b ' }))).toBe('b');
  expect(presentedKey(head({ authorization: 'Basic b' }))).toBe('');
  expect(presentedKey(head({}, 'apiKey=c'))).toBe('');
  expect(presentedKey(head({}, 'apiKey=c'), { queryAllowed: true })).toBe('c');
});
