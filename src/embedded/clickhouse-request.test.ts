import { describe, expect, it } from 'vitest';
import { parseCredentials, parseQueryRequest, preparationSql } from './clickhouse-request.ts';

const request = (target: string, method = 'POST', headers = {}) =>
  parseQueryRequest({ method, target, headers }, []);

describe('parseQueryRequest', () => {
  it('tells settings and parameters from the fields of the interface', () => {
    const query = request(
      '/?query=SELECT+1&query_id=q&database=d&default_format=JSON&param_a=1&max_threads=2&session_id=s&wait_end_of_query=1',
    );
    expect(query).toMatchObject({ query: 'SELECT 1', queryId: 'q', database: 'd', defaultFormat: 'JSON' });
    expect(query).toMatchObject({ waitEndOfQuery: true, readonly: false, queryBytesMax: 262_144 });
    expect([...query.settings]).toEqual([['max_threads', '2']]);
    expect([...query.parameters]).toEqual([['a', '1']]);
  });

  it('takes the fields of a form like those of the URL', () => {
    const head = { method: 'POST', target: '/?max_query_size=1000', headers: {} };
    const query = parseQueryRequest(head, [
      ['query', 'SELECT {a:String}'],
      ['param_a', 'x'],
    ]);
    expect(query).toMatchObject({ query: 'SELECT {a:String}', queryBytesMax: 1_000 });
    expect(query.parameters.get('a')).toBe('x');
  });

  it('refuses names that are none', () => {
    expect(() => request('/?a%3D1%2Cb=2')).toThrow(/Unknown setting/);
    expect(() => request('/?param_a%20=2')).toThrow(/Unknown setting/);
  });

  it('compresses only for those who ask for it and can read it', () => {
    expect(request('/?enable_http_compression=1').compressAnswer).toBe(false);
    const headers = { 'accept-encoding': 'deflate, gzip' };
    expect(request('/?enable_http_compression=1', 'POST', headers).compressAnswer).toBe(true);
    expect(request('/', 'POST', headers).compressAnswer).toBe(false);
  });
});

describe('preparationSql', () => {
  it('spells every value as a literal that cannot be left, and is read-only for GET', () => {
    const query = request("/?database=a`b&param_x=a'b%5C&max_threads=1", 'GET');
    expect(preparationSql(query, new Map([['own', '1']]))).toBe(
      "SET implicit_select = 0, allow_introspection_functions = 0, max_threads = '1', own = '1', " +
        "param_x = 'a\\x27b\\x5c'; USE `a\\x60b`; SET readonly = 2",
    );
  });
});

describe('parseCredentials', () => {
  it.each([
    [
      '/',
      { authorization: `Basic ${Buffer.from('u:p:w').toString('base64')}` },
      { user: 'u', password: 'p:w' },
    ],
    ['/', { 'x-clickhouse-user': 'u', 'x-clickhouse-key': 'k' }, { user: 'u', password: 'k' }],
    ['/?user=u&password=p', {}, { user: 'u', password: 'p' }],
    ['/?password=p', {}, { user: 'default', password: 'p' }],
    ['/', {}, undefined],
  ])('reads %s %j', (target, headers, credentials) => {
    expect(parseCredentials({ method: 'POST', target, headers })).toEqual(credentials);
  });
});
