/** The embedded ClickHouse as a process: what it survives, whom it lets in, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from './installation.ts';

let folder: string;
let children: ChildProcess[];
let clients: ClickHouseClient[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tollgate-clickhouse-'));
  children = [];
  clients = [];
});
afterEach(async () => {
  await Promise.all([
    ...children.map((child) => ended(child, 'SIGKILL')),
    ...clients.map((each) => each.close()),
  ]);
  await rm(folder, { recursive: true, force: true });
});

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly client: ClickHouseClient;
}

async function start(password = ''): Promise<Server> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const login = password === '' ? url : url.replace('//', `//default:${encodeURIComponent(password)}@`);
  const child = run(login);
  const client = createClient({ url: login, log: { level: ClickHouseLogLevel.OFF } });
  clients.push(client);
  while (!(await client.ping()).success) {
    if (child.exitCode !== null) throw new Error(`the process ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { child, url, client };
}

function run(url: string): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts', 'clickhouse'], {
    env: { ...process.env, CLICKHOUSE_URL: url, DATA_DIR: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  children.push(child);
  return child;
}

async function ended(
  child: ChildProcess,
  signal: NodeJS.Signals,
): Promise<{ code: number | null; signal: string | null }> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return { code: child.exitCode, signal: child.signalCode };
}

async function count({ client }: Server): Promise<{ rows: number; sum: number }> {
  const answer = await client.query({
    query: 'SELECT count() AS rows, sum(n) AS sum FROM t',
    format: 'JSONEachRow',
  });
  const [row] = await answer.json<{ rows: number; sum: number }>();
  if (row === undefined) throw new Error('count() gave no row');
  return row;
}

const createTable = { query: 'CREATE TABLE t (n UInt32, s String) ENGINE = MergeTree ORDER BY n' };

// Each test starts processes, which takes seconds each where cores are few.
const timeout = 180_000;

describe('the process', { timeout }, () => {
  it('keeps every insert that it acknowledged through kill -9 in the middle of others', async () => {
    let acknowledged = 0;
    let sent = 0;
    for (let round = 0; round < 3; round++) {
      const server = await start();
      if (round === 0) await server.client.command(createTable);
      const before = acknowledged;
      const write = async (): Promise<void> => {
        for (;;) {
          sent += 100;
          const values = Array.from({ length: 100 }, () => ({ n: 1, s: 'x\n\n;' }));
          await server.client.insert({ table: 't', values, format: 'JSONEachRow' });
          acknowledged += 100;
          if (acknowledged >= before + 1_000) server.child.kill('SIGKILL');
        }
      };
      const writers = await Promise.allSettled([write(), write()]);
      expect(writers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      await ended(server.child, 'SIGKILL');
    }
    const { rows, sum } = await count(await start());
    expect(rows).toBe(sum);
    expect(rows).toBeGreaterThanOrEqual(acknowledged);
    expect(rows).toBeLessThanOrEqual(sent);
    // An insert of one block is there whole or not at all.
    expect(rows % 100).toBe(0);
  });

  it('finishes what runs when it is told to stop, and ends cleanly', async () => {
    const server = await start();
    await server.client.command(createTable);
    const query = 'INSERT INTO t SELECT 1 + sleepEachRow(0.1), toString(number) FROM numbers(8)';
    const insert = server.client.command({ query });
    const list = "SELECT 1 FROM system.processes WHERE query LIKE 'INSERT%'";
    const isRunning = async () => (await (await server.client.query({ query: list })).json()).rows === 1;
    while (!(await isRunning())) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await ended(server.child, 'SIGTERM')).toEqual({ code: 0, signal: null });
    await insert;
    expect(await count(await start())).toEqual({ rows: 8, sum: 8 });
  });

  it('leaves a folder that is in use alone, says so, and takes it over once it is free', async () => {
    const first = await start();
    await first.client.command(createTable);
    const late = run(`http://127.0.0.1:${await freePort()}`);
    let told = '';
    late.stderr?.on('data', (chunk: Buffer) => (told += chunk.toString()));
    const [code] = await once(late, 'exit');
    expect(code).toBe(1);
    expect(told).toContain('cannot be opened: another process uses them');
    expect(await count(first)).toEqual({ rows: 0, sum: 0 });

    const second = start();
    await ended(first.child, 'SIGTERM');
    expect(await count(await second)).toEqual({ rows: 0, sum: 0 });
  });

  it('leaves nothing of a body behind, neither after an insert nor after a client that went away', async () => {
    const server = await start();
    await server.client.command(createTable);
    const leaving = new AbortController();
    const body = new ReadableStream({
      pull: (stream) => {
        stream.enqueue(Buffer.from('{"n":1}\n'.repeat(50_000)));
        if (!leaving.signal.aborted) leaving.abort();
      },
    });
    const query = new URLSearchParams({ query: 'INSERT INTO t FORMAT JSONEachRow' });
    const request = { method: 'POST', body, duplex: 'half', signal: leaving.signal };
    await expect(fetch(`${server.url}/?${query.toString()}`, request as RequestInit)).rejects.toThrow(
      'aborted',
    );
    await server.client.insert({ table: 't', values: [{ n: 2 }], format: 'JSONEachRow' });
    const spool = join(folder, 'clickhouse', 'spool');
    while ((await readdir(spool)).length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await count(server)).toEqual({ rows: 1, sum: 2 });
  });
});

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

describe('the door', { timeout }, () => {
  it('lets in who knows the password, by header or by URL', async () => {
    const password = "p:ä'/#?";
    const { client, url } = await start(password);
    expect(await (await client.query({ query: 'SELECT 1', format: 'CSV' })).text()).toBe('1\n');
    const keys = { 'X-ClickHouse-User': 'default', 'X-ClickHouse-Key': 'wrong' };
    for (const headers of [{}, keys, basic('default:'), basic(`other:${password}`), basic('default')]) {
      const refused = await fetch(url, { method: 'POST', body: 'SELECT 1', headers });
      expect(refused.status).toBe(403);
      expect(refused.headers.get('x-clickhouse-exception-code')).toBe('516');
      // Its body was not read: a client that kept the socket would send the next request into a closed one.
      expect(refused.headers.get('connection')).toBe('close');
      expect(await refused.text()).toMatch(/Authentication failed[^]*\(AUTHENTICATION_FAILED\)/);
    }
    expect(await (await fetch(`${url}/ping`)).text()).toBe('Ok.\n');
    const stranger = createClient({ url, password: 'wrong', log: { level: ClickHouseLogLevel.OFF } });
    clients.push(stranger);
    await expect(stranger.query({ query: 'SELECT 1' })).rejects.toMatchObject({ code: '516' });
  });

  it('serves no page of a browser, no other path and no file', async () => {
    const { url, client } = await start();
    const page = await fetch(url, {
      method: 'POST',
      body: 'SELECT 1',
      headers: { origin: 'http://example.com' },
    });
    expect(page.status).toBe(403);
    expect((await fetch(`${url}/play`)).status).toBe(404);
    await expect(client.command({ query: "SELECT 1 INTO OUTFILE 'x'" })).rejects.toMatchObject({
      code: '48',
    });
    await expect(client.command({ query: "INSERT INTO t FROM INFILE 'x' FORMAT CSV" })).rejects.toMatchObject(
      { code: '48' },
    );
  });
});
