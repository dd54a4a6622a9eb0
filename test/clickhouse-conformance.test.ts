/**
 * What Tollgate relies on in a ClickHouse, through plain @clickhouse/client: against the embedded one, or against any
 * server when CONFORMANCE_CLICKHOUSE_URL names one (with its user and password).
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { jsonEachRow, native, rowBinary } from './clickhouse-encoding.ts';

const url = process.env['CONFORMANCE_CLICKHOUSE_URL'] ?? inject('clickhouseUrl');
const database = `conformance_${randomUUID().replaceAll('-', '')}`;
const log = { level: ClickHouseLogLevel.OFF };
const admin = createClient({ url, log });
const client = createClient({
  url,
  database,
  log,
  max_open_connections: 50,
  use_multipart_params_auto: true,
});

beforeAll(async () => {
  await admin.command({ query: `CREATE DATABASE ${database}` });
});
afterAll(async () => {
  await admin.command({ query: `DROP DATABASE ${database}` });
  await Promise.all([admin.close(), client.close()]);
});

type Rows = Record<string, unknown>[];

async function select(query: string, more: object = {}, from: ClickHouseClient = client): Promise<Rows> {
  return (await from.query({ query, format: 'JSONEachRow', ...more })).json<Record<string, unknown>>();
}

async function createTable(columns: string): Promise<string> {
  const table = `t_${randomUUID().replaceAll('-', '')}`;
  const settings = 'non_replicated_deduplication_window = 100';
  await client.command({
    query: `CREATE TABLE ${table} (${columns}) ENGINE = MergeTree ORDER BY n SETTINGS ${settings}`,
  });
  return table;
}

/** A request as it is on the wire, for what the client does not show. */
function post(fields: Record<string, string>, body: string | Buffer = '', headers = {}): Promise<Response> {
  const target = new URL(url);
  const { username, password } = target;
  target.username = target.password = '';
  target.search = new URLSearchParams({ database, ...fields }).toString();
  const credentials = { authorization: `Basic ${btoa(`${username || 'default'}:${password}`)}` };
  return fetch(target, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: { ...credentials, ...headers },
  });
}

/** Whether a query gets its own parameter and its own setting. */
async function keepsItsOwn(n: number): Promise<boolean> {
  const more = { query_params: { n }, clickhouse_settings: { max_block_size: String(1_000 + n) } };
  const query =
    "SELECT {n:UInt32} AS n, getSetting('max_block_size') AS size, sum(number) AS sum FROM numbers(50000)";
  const [row] = await select(query, more);
  return row?.['n'] === n && Number(row['size']) === 1_000 + n;
}

function nativeRows(...list: number[]): Buffer {
  return native(list.map((n) => ({ n, s: Buffer.from('x') })));
}

function insertOnce(query: string, token: string, body: Buffer): Promise<Response> {
  return post({ query, insert_deduplication_token: token, async_insert: '0' }, body);
}

async function isRunning(mark: string): Promise<boolean> {
  const query =
    "SELECT 1 FROM system.processes WHERE query LIKE concat('%', {mark:String}, '%') AND query NOT LIKE '%system.processes%'";
  return (await select(query, { query_params: { mark } })).length > 0;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Reads the list of queries by an insert, which has a slot of its own when reads have taken all of theirs. */
async function isRunningByInsert(table: string, mark: string): Promise<boolean> {
  const query = `INSERT INTO ${table} SELECT 100 FROM system.processes WHERE query LIKE '%${mark}%' AND query NOT LIKE 'INSERT%'`;
  const { summary } = await client.command({ query });
  return Number(summary?.written_rows) > 0;
}

describe('queries', () => {
  it('answers a ping, and says who it is', async () => {
    expect(await client.ping()).toEqual({ success: true });
    expect(await (await fetch(new URL('/ping', url))).text()).toBe('Ok.\n');
    const response = await post({ query_id: 'abc', default_format: 'CSV' }, 'SELECT 1');
    expect(response.headers.get('x-clickhouse-query-id')).toBe('abc');
    expect(response.headers.get('x-clickhouse-format')).toBe('CSV');
    expect(response.headers.get('x-clickhouse-server-display-name')).toBeTruthy();
    expect(await response.text()).toBe('1\n');
  });

  it('takes the query from the URL, the body, or one after the other', async () => {
    expect(await (await post({ query: 'SELECT 1' })).text()).toBe('1\n');
    expect(await (await post({}, 'SELECT 1')).text()).toBe('1\n');
    expect(await (await post({ query: 'SELECT 1 +' }, '2 FORMAT CSV')).text()).toBe('3\n');
  });

  it('binds any text as a parameter, from the URL and from a form', async () => {
    const texts = fc.string({ unit: 'grapheme', maxLength: 30 });
    const property = fc.asyncProperty(texts, fc.boolean(), async (text, use_multipart_params) => {
      const more = { query_params: { text, list: [text, 'x'] }, use_multipart_params };
      const rows = await select('SELECT {text:String} AS text, {list:Array(String)} AS list', more);
      expect(rows).toEqual([{ text, list: [text, 'x'] }]);
    });
    const hostile = [
      "'",
      "\\'",
      "'; DROP TABLE t; --",
      '\\',
      '\\\\',
      '\n\t\r\b\f\0',
      '{x:String}',
      '"`$$',
      '\u{1F600}',
    ];
    await fc.assert(property, {
      numRuns: 25,
      examples: hostile.flatMap((text) =>
        [[text, true] as const, [text, false] as const].map((pair) => [...pair] as [string, boolean]),
      ),
    });
  });

  it('binds numbers, nothing, maps and names, and reports one that is missing', async () => {
    const query_params = { u: '18446744073709551615', none: null, map: new Map([["a'", 'b']]), table: 'one' };
    const query = `SELECT toString({u:UInt64}) AS u, {none:Nullable(String)} AS none, {map:Map(String, String)} AS map
      FROM system.{table:Identifier}`;
    expect(await select(query, { query_params })).toEqual([
      { u: '18446744073709551615', none: null, map: { "a'": 'b' } },
    ]);
    await expect(select('SELECT {missing:String}')).rejects.toMatchObject({
      code: '456',
      type: 'UNKNOWN_QUERY_PARAMETER',
    });
  });

  it('takes long URLs and parameters of a megabyte', async () => {
    const text = 'a'.repeat(100_000);
    expect(
      await select('SELECT length({text:String}) AS n', {
        query_params: { text },
        use_multipart_params_auto: false,
      }),
    ).toEqual([{ n: 100_000 }]);
    const longer = "'aaaaaaaaa".repeat(100_000);
    expect(await select('SELECT length({longer:String}) AS n', { query_params: { longer } })).toEqual([
      { n: 1_000_000 },
    ]);
  });

  it('keeps parameters and settings of queries that run side by side apart', async () => {
    const kept = await Promise.all(Array.from({ length: 200 }, (_, n) => keepsItsOwn(n)));
    expect(kept.every(Boolean)).toBe(true);
  });

  it('forgets the settings of a query, also of one that fails', async () => {
    const setting = async (name: string) =>
      (await select(`SELECT toString(getSetting('${name}')) AS value`))[0]?.['value'];
    const before = await setting('max_rows_to_read');
    const clickhouse_settings = {
      max_rows_to_read: '7',
      output_format_json_quote_64bit_integers: 1,
    } as const;
    expect(await select('SELECT number FROM numbers(1)', { clickhouse_settings })).toEqual([{ number: '0' }]);
    await expect(select('SELECT count() FROM numbers(100)', { clickhouse_settings })).rejects.toMatchObject({
      code: '158',
    });
    await select('SELECT 1 SETTINGS max_rows_to_read = 9');
    expect(await setting('max_rows_to_read')).toBe(before);
    expect(await (await post({}, 'SELECT toUInt64(1) FORMAT JSONEachRow')).text()).not.toContain('"1"');
  });

  it('gives decimals exactly when they are asked for as text', async () => {
    const d = '1234567890123456789012345678901234567890.123456789012345678901234567891';
    const query = `SELECT toDecimal256('${d}', 30) AS d`;
    const clickhouse_settings = { output_format_json_quote_decimals: 1 } as const;
    for (const format of ['JSON', 'JSONEachRow', 'JSONCompactEachRow'] as const) {
      const answer = await client.query({ query, format, clickhouse_settings });
      expect(await answer.text()).toContain(`"${d}"`);
    }
  });

  it('answers in the format that is named last, with what frames it once', async () => {
    const query = 'SELECT number AS n FROM numbers(150000)';
    const json = await (await client.query({ query, format: 'JSON' })).json<{ n: number }>();
    expect(json).toMatchObject({ rows: 150_000, meta: [{ name: 'n' }] });
    const lines = (await (await client.query({ query, format: 'CSVWithNames' })).text()).split('\n');
    expect(lines.filter((line) => line === '"n"')).toHaveLength(1);
    expect(await (await post({ default_format: 'JSON' }, 'SELECT 1 FORMAT TSV')).text()).toBe('1\n');
    expect(await (await post({}, 'SELECT 1 WHERE 0 FORMAT JSONEachRow')).text()).toBe('');
  });
});

describe('errors', () => {
  it.each([
    ['broken syntax', 'SELECT FROM WHERE', 400, '62', 'SYNTAX_ERROR'],
    ['no query', '', 400, '62', 'SYNTAX_ERROR'],
    ['two statements', 'SELECT 1; SELECT 2', 400, '62', 'SYNTAX_ERROR'],
    ['a query over max_query_size', `SELECT '${'x'.repeat(300_000)}'`, 400, '62', 'SYNTAX_ERROR'],
    ['a table that is not there', 'SELECT * FROM no_such_table', 404, '60', 'UNKNOWN_TABLE'],
    ['a column that is not there', 'SELECT no_such_column', 404, '47', 'UNKNOWN_IDENTIFIER'],
    ['a format that is not there', 'SELECT 1 FORMAT NoSuchFormat', 404, '73', 'UNKNOWN_FORMAT'],
    ['a value that is none', "SELECT toUInt8('x')", 400, '6', 'CANNOT_PARSE_TEXT'],
    ['an exception', 'SELECT throwIf(1)', 500, '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
  ])('answers %s as a server does', async (_, query, status, code, type) => {
    const response = await post({}, query);
    expect(response.status).toBe(status);
    expect(response.headers.get('x-clickhouse-exception-code')).toBe(code);
    expect(await response.text()).toMatch(
      new RegExp(`^Code: ${code}\\. DB::Exception: [^]*\\(${type}\\) \\(version [^]*\\)`),
    );
  });

  it('reaches the client as an error with its code and type', async () => {
    await expect(select('SELECT 1', { clickhouse_settings: { no_such_setting: 1 } })).rejects.toMatchObject({
      code: '115',
      type: 'UNKNOWN_SETTING',
    });
    const elsewhere = createClient({ url, database: 'no_such_database', log });
    await expect(select('SELECT 1', {}, elsewhere)).rejects.toMatchObject({
      code: '81',
      type: 'UNKNOWN_DATABASE',
    });
    await elsewhere.close();
    const format = 'JSONEachRow';
    await expect(client.insert({ table: 'nowhere', values: [{ a: 1 }], format })).rejects.toMatchObject({
      code: '60',
    });
  });

  it('reaches a client that has already read a part of the answer', async () => {
    const query = 'SELECT throwIf(number = 300000) AS n FROM numbers(400000) SETTINGS max_threads = 1';
    let rows = 0;
    const read = async () => {
      const answer = await client.query({ query, format: 'JSONEachRow' });
      for await (const part of answer.stream()) rows += part.length;
    };
    await expect(read()).rejects.toMatchObject({ code: '395' });
    expect(rows).toBeGreaterThan(0);
  });

  it('lets GET read only', async () => {
    const table = await createTable('n UInt8');
    const target = new URL(url);
    const authorization = `Basic ${btoa(`${target.username || 'default'}:${target.password}`)}`;
    target.username = target.password = '';
    const get = async (query: string) => {
      target.search = new URLSearchParams({ database, query }).toString();
      return (await fetch(target, { headers: { authorization } })).text();
    };
    expect(await get('SELECT 1')).toBe('1\n');
    expect(await get(`INSERT INTO ${table} SELECT 1`)).toContain('(READONLY)');
    expect(await select(`SELECT * FROM ${table}`)).toEqual([]);
  });
});

describe('inserts', () => {
  const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
  const hostile = [
    '\n\n',
    '\n\n; DROP TABLE t;\n',
    "'); SELECT 1; --",
    '\\N',
    '\0',
    '`"\'\\',
    'FORMAT CSV\n',
  ].map((text) => Buffer.from(text));

  it.each([
    ['JSONEachRow', jsonEachRow],
    ['RowBinary', rowBinary],
    ['Native', native],
  ] as const)('stores any bytes as they are in %s', async (format, encode) => {
    const table = await createTable('n UInt32, s String');
    let runs = 0;
    const property = fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 5 }), async (values) => {
      const n = runs++;
      const body = encode(values.map((s) => ({ n, s })));
      const inserted = await post({ query: `INSERT INTO ${table} (n, s) FORMAT ${format}` }, body);
      expect(await inserted.text()).toBe('');
      expect(inserted.status).toBe(200);
      const rows = await select(`SELECT lower(hex(s)) AS s FROM ${table} WHERE n = ${n} ORDER BY s`);
      const sorted = values.toSorted((one, other) => Buffer.compare(one, other));
      expect(rows).toEqual(sorted.map((value) => ({ s: value.toString('hex') })));
    });
    await fc.assert(property, {
      numRuns: 15,
      examples: [[hostile], ...hostile.map((value) => [[value]] as [Buffer[]])],
    });
  });

  it('reads the data after the statement in the body, from its first byte to its last', async () => {
    const table = await createTable('n UInt32, s String');
    expect((await post({}, `INSERT INTO ${table} FORMAT CSV\n1,"a\n\n;b"\n2,"c"\n`)).status).toBe(200);
    expect((await post({}, `INSERT INTO ${table} (n, s)\nFORMAT CSV 3,"a\n\n;b"\n4,"c"\n`)).status).toBe(200);
    expect((await post({}, `INSERT INTO ${table} VALUES (5, 'it''s; \\n')`)).status).toBe(200);
    // Begun in the URL, and gone on with in the body.
    expect((await post({ query: `INSERT INTO ${table}` }, '(n, s) FORMAT CSV\n6,"d\n"\n')).status).toBe(200);
    expect(await select(`SELECT s, count() AS rows FROM ${table} GROUP BY s ORDER BY s`)).toEqual([
      { s: 'a\n\n;b', rows: 2 },
      { s: 'c', rows: 2 },
      { s: 'd\n', rows: 1 },
      { s: "it's; \n", rows: 1 },
    ]);
  });

  it('takes a stream of many megabytes and tells how many rows it wrote', async () => {
    const table = await createTable('n UInt32, s String');
    const values = Readable.from(
      (function* () {
        for (let n = 0; n < 60_000; n++) yield { n, s: `${n} ${'x'.repeat(100)}\n\n;` };
      })(),
    );
    const { summary } = await client.insert({ table, values, format: 'JSONEachRow' });
    expect(summary?.written_rows).toBe('60000');
    expect(await select(`SELECT count() AS rows, sum(n) AS sum FROM ${table}`)).toEqual([
      { rows: 60_000, sum: 1_799_970_000 },
    ]);
  });

  it('inserts nothing of an empty body', async () => {
    const table = await createTable('n UInt32');
    for (const format of ['JSONEachRow', 'RowBinary', 'Native']) {
      expect((await post({ query: `INSERT INTO ${table} FORMAT ${format}` })).status).toBe(200);
    }
    expect(await select(`SELECT * FROM ${table}`)).toEqual([]);
  });

  it('selects from its own data by input()', async () => {
    const table = await createTable('n UInt32, s String, extra UInt8');
    const body = native([1, 2, 3].map((n) => ({ n, s: Buffer.from(`${n}\n\n;`) })));
    const query = `INSERT INTO ${table} (n, s, extra) SELECT n, concat(s, {suffix:String}), 7 FROM input('n UInt32, s String') WHERE n != 2 FORMAT Native`;
    const { stream } = await client.exec({
      query,
      values: Readable.from([body]),
      query_params: { suffix: "'" },
    });
    stream.resume();
    await new Promise((resolve) => stream.once('close', resolve));
    expect(await select(`SELECT * FROM ${table} ORDER BY n`)).toEqual([
      { n: 1, s: "1\n\n;'", extra: 7 },
      { n: 3, s: "3\n\n;'", extra: 7 },
    ]);
  });

  it('adds nothing when a token comes again, with the same or with other data', async () => {
    const table = await createTable('n UInt32, s String');
    const plain = `INSERT INTO ${table} FORMAT Native`;
    const selecting = `INSERT INTO ${table} SELECT n, s FROM input('n UInt32, s String') FORMAT Native`;
    for (const body of [nativeRows(1, 2), nativeRows(1, 2), nativeRows(3)])
      expect((await insertOnce(plain, 'a', body)).status).toBe(200);
    for (const body of [nativeRows(4), nativeRows(4), nativeRows(5)])
      expect((await insertOnce(selecting, 'b', body)).status).toBe(200);
    await insertOnce(plain, 'c', nativeRows(1, 2));
    expect(await select(`SELECT groupArray(n) AS n FROM (SELECT n FROM ${table} ORDER BY n)`)).toEqual([
      { n: [1, 1, 2, 2, 4] },
    ]);
  });

  it('unpacks gzip, packs answers, and refuses what is none', async () => {
    const table = await createTable('n UInt32, s String');
    const packed = createClient({ url, database, log, compression: { request: true, response: true } });
    await packed.insert({ table, values: [{ n: 1, s: '\n\n' }], format: 'JSONEachRow' });
    expect(await select(`SELECT s, repeat('x', 10000) AS long FROM ${table}`, {}, packed)).toEqual([
      { s: '\n\n', long: 'x'.repeat(10_000) },
    ]);
    await packed.close();
    const query = `INSERT INTO ${table} FORMAT JSONEachRow`;
    const broken = Buffer.concat([gzipSync('{"n":2}\n').subarray(0, 12), Buffer.from('broken')]);
    expect((await post({ query }, broken, { 'content-encoding': 'gzip' })).ok).toBe(false);
    expect(await select(`SELECT count() AS rows FROM ${table}`)).toEqual([{ rows: 1 }]);
  });

  it('stores nothing of data that cannot be read, and says where', async () => {
    const table = await createTable('n UInt32, s String');
    const response = await post({ query: `INSERT INTO ${table} FORMAT JSONEachRow` }, '{"n":1}\n{"n":"x"}\n');
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/at row 2[^]*\(CANNOT_PARSE_/);
    expect(await select(`SELECT count() AS rows FROM ${table}`)).toEqual([{ rows: 0 }]);
  });
});

describe('running queries', () => {
  it('streams: the first rows come while the last do not even exist', async () => {
    const answer = await client.query({ query: 'SELECT number FROM system.numbers', format: 'JSONEachRow' });
    for await (const rows of answer.stream()) {
      expect(rows[0]?.json()).toEqual({ number: 0 });
      break;
    }
  });

  it('serves short queries and inserts while long ones run, and stops those whose client has gone', async () => {
    const table = await createTable('n UInt32');
    const mark = randomUUID();
    const leaving = new AbortController();
    const long = Array.from({ length: 6 }, (_, n) =>
      select(`SELECT '${mark}', sum(cityHash64(number, ${n})) FROM numbers(1000000000000)`, {
        abort_signal: leaving.signal,
      }).catch((error: unknown) => error),
    );
    await until(() => isRunningByInsert(table, mark));
    await client.insert({ table, values: [{ n: 1 }], format: 'JSONEachRow' });
    leaving.abort();
    for (const error of await Promise.all(long)) expect(error).toBeInstanceOf(Error);
    await until(async () => !(await isRunning(mark)));
    expect(await select(`SELECT n FROM ${table} WHERE n = 1`)).toEqual([{ n: 1 }]);
  });
});
