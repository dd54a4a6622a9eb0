import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inject } from 'vitest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ClickhouseRejectedError,
  ClickhouseUnavailableError,
  classifyClickhouseError,
  clickhouseDatabase,
  createClickhouseClient,
  runStatement,
  selectRows,
} from './clickhouse-client.ts';
import { createTestDatabase, type TestDatabase } from './clickhouse-database.fixture.ts';
import { SqlParameters } from './sql-statement.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('createClickhouseClient', () => {
  it('takes the database from the target, else from the URL, else tollgate', () => {
    expect(clickhouseDatabase({ url: 'http://host:8123/metering', database: 'other' })).toBe('other');
    expect(clickhouseDatabase({ url: 'http://host:8123/my%20metering/' })).toBe('my metering');
    expect(clickhouseDatabase({ url: 'http://host:8123' })).toBe('tollgate');
  });

  it('sends credentials, which are no part of the path', async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"n":1}\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = createClickhouseClient({ url: `http://user:p%40ss@127.0.0.1:${port}/metering` });
    await selectRows(client, { sql: 'SELECT 1', params: {} });
    expect(seen).toEqual([`Basic ${Buffer.from('user:p@ss').toString('base64')}`]);
    await client.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('loses no digit of amounts and 64-bit integers', async () => {
    const params = new SqlParameters();
    const amount = params.amount('999999999999999999999999999999.999999999999999999999999999999');
    const sql = `SELECT ${amount} AS amount, toUInt64('18446744073709551615') AS big`;
    expect(await selectRows(database.client, params.statement(sql))).toEqual([
      {
        amount: '999999999999999999999999999999.999999999999999999999999999999',
        big: '18446744073709551615',
      },
    ]);
  });

  it('carries any text and any instant as a parameter, unchanged', async () => {
    const texts = [
      '',
      '\\N',
      'NULL',
      "it's",
      '\t\r\n\n',
      '\\',
      '`"',
      '{p1:String}',
      '日本😀',
      '\u0001\u2028',
      "',''],[",
    ];
    const instants = [-2_208_988_800_000, -1, 0, 1, 1_700_000_000_123, 10_413_791_999_999];
    const params = new SqlParameters();
    const each = texts.map((text, index) => `${params.text(text)} AS t${index}`);
    const milliseconds = instants.map((instant) => `toUnixTimestamp64Milli(${params.instant(instant)})`);
    const sql = `SELECT ${each.join(', ')}, ${params.texts(texts)} AS list, [${milliseconds.join(', ')}] AS instants`;
    const [row] = await selectRows<Record<string, unknown>>(database.client, params.statement(sql));
    expect(row).toEqual({
      ...Object.fromEntries(texts.map((text, index) => [`t${index}`, text])),
      list: texts,
      instants: instants.map(String),
    });
  });

  it('carries parameters that are too long for a URL', async () => {
    const params = new SqlParameters();
    const texts = Array.from({ length: 10_000 }, (_, index) => `text ${index}`);
    const sql = `SELECT length(${params.texts(texts)}) AS n, arraySum(${params.counts([0, 4_294_967_296])}) AS sum`;
    expect(await selectRows(database.client, params.statement(sql))).toEqual([
      { n: '10000', sum: '4294967296' },
    ]);
  });
});

describe('an error', () => {
  const secret = 'content-of-an-event';

  it('of the statement is final, and quotes nothing of it', async () => {
    const params = new SqlParameters();
    const sql = `SELECT toUInt8(${params.text(secret)})`;
    const failed: unknown = await selectRows(database.client, params.statement(sql)).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(ClickhouseRejectedError);
    expect(failed).toMatchObject({ code: 'CLICKHOUSE_REJECTED', retryable: false });
    expect(JSON.stringify([String(failed), failed, Object.entries(failed ?? {})])).not.toContain(secret);
  });

  it('of an unknown table is final', async () => {
    await expect(runStatement(database.client, 'DROP TABLE missing')).rejects.toBeInstanceOf(
      ClickhouseRejectedError,
    );
  });

  it('half-way through a query is an error, never a shorter list', async () => {
    const sql = 'SELECT throwIf(number = 300000) FROM numbers(400000) SETTINGS max_block_size = 1000';
    await expect(selectRows(database.client, { sql, params: {} })).rejects.toBeInstanceOf(
      ClickhouseRejectedError,
    );
  });

  it('of the connection is retryable', async () => {
    const client = createClickhouseClient({ url: 'http://127.0.0.1:1' });
    const failed: unknown = await selectRows(client, { sql: 'SELECT 1', params: {} }).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(ClickhouseUnavailableError);
    expect(failed).toMatchObject({
      code: 'CLICKHOUSE_UNAVAILABLE',
      retryable: true,
      message: 'ClickHouse did not answer: ECONNREFUSED',
    });
    await client.close();
  });

  it('of time is retryable, whether the client’s or the server’s', async () => {
    const client = createClickhouseClient({
      url: inject('clickhouseUrl'),
      database: 'default',
      requestTimeoutMs: 50,
    });
    const slow = { sql: 'SELECT sleep(1)', params: {} };
    await expect(selectRows(client, slow)).rejects.toThrow('ClickHouse did not answer: TIMEOUT');
    await client.close();
    const limited = {
      sql: 'SELECT sleepEachRow(0.2) FROM numbers(10) SETTINGS max_execution_time = 0.3, max_block_size = 1',
      params: {},
    };
    await expect(selectRows(database.client, limited)).rejects.toThrow('159 TIMEOUT_EXCEEDED');
  });

  it('keeps its kind when it is classified again', () => {
    const error = new ClickhouseUnavailableError('away');
    expect(classifyClickhouseError(error)).toBe(error);
    expect(classifyClickhouseError('odd')).toBeInstanceOf(ClickhouseUnavailableError);
  });
});
