/** Starting, stopping and dying: nothing is lost and nothing is left running. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, inject, it, onTestFinished } from 'vitest';
import { alive, commandLine, descendants, eventually, Installation } from './installation.ts';

const made: Installation[] = [];

async function installation(settings: Record<string, string> = {}): Promise<Installation> {
  const tollgate = await Installation.create(settings);
  made.push(tollgate);
  return tollgate;
}

afterEach(async () => {
  await Promise.all(made.splice(0).map((tollgate) => tollgate.remove()));
});

/** Runs the built program with one role and these settings, to its end. */
function run(
  role: string[],
  settings: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const script = fileURLToPath(new URL('../dist/main.js', import.meta.url));
  const child = spawn(process.execPath, [script, ...role], {
    env: { PATH: process.env['PATH'], ...settings },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('npm start', () => {
  it('prints the URLs, the key and three commands that work when pasted', async () => {
    const tollgate = await installation({ SERVER_API_KEY: '' });
    await tollgate.start();
    const key = await tollgate.generatedKey();
    expect(tollgate.output).toContain(tollgate.apiUrl);
    expect(tollgate.output).toContain(tollgate.ingestUrl);
    expect(tollgate.output).toContain(key);
    expect(statSync(join(tollgate.folder, 'data', 'server-api-key')).mode & 0o777).toBe(0o600);
    const commands = tollgate.output.match(/^ *curl [^\n]*(?:\\\n[^\n]*)*/gm) ?? [];
    expect(commands).toHaveLength(3);
    const answers: string[] = [];
    for (const command of commands) answers.push(await shell(command));
    expect(answers[0]).toContain('"accepted":1');
    expect(answers[1]).toContain('"currentUsage"');
    expect(answers[2]).toContain('"totalUsage"');
  });

  it('ends with 0 on Ctrl-C, leaves no process behind, and keeps what it acknowledged', async () => {
    const tollgate = await installation();
    await tollgate.start();
    await tollgate.createFeature('seats');
    await tollgate.provision('acme');
    const body = { usages: [{ customerId: 'acme', featureId: 'seats', value: 5 }] };
    expect((await tollgate.send('/api/v1/usage', body)).status).toBe(200);
    const events = { events: [{ customerId: 'acme', eventName: 'call', idempotencyKey: 'k' }] };
    expect((await tollgate.send('/api/v1/events', events)).status).toBe(202);
    const pids = descendants(tollgate.pid);
    expect(pids.length).toBeGreaterThanOrEqual(5);
    expect(await tollgate.stop()).toBe(0);
    expect(pids.filter(alive)).toEqual([]);
    await tollgate.start();
    expect(await tollgate.totalUsage('acme', 'seats')).toBe('5');
    await tollgate.settled();
    expect(await tollgate.metric('tollgate_events', 'state="stored"')).toBe(2);
  });

  it('leaves nothing running when the parent alone is killed with -9, and starts again at once', async () => {
    const tollgate = await installation();
    await tollgate.start();
    const pids = descendants(tollgate.pid);
    process.kill(tollgate.pid, 'SIGKILL');
    await tollgate.start();
    await eventually(() => pids.every((pid) => !alive(pid)), 'the old processes to end');
    await tollgate.createFeature('seats');
  });

  it('refuses a second start on the same folder in one line', async () => {
    const tollgate = await installation();
    await tollgate.start();
    const second = await run(['all'], {
      DATA_DIR: join(tollgate.folder, 'data'),
      API_PORT: '1',
      INGEST_PORT: '2',
    });
    expect(second.code).toBe(1);
    expect(second.output.trim().split('\n')).toHaveLength(1);
    expect(second.output).toMatch(/already runs/);
  });

  it('refuses a port that another program has in one line that names the setting', async () => {
    const tollgate = await installation();
    await tollgate.start();
    const other = await installation();
    const taken = new URL(tollgate.ingestUrl).port;
    const settings = { DATA_DIR: other.folder, API_PORT: new URL(other.apiUrl).port, INGEST_PORT: taken };
    const { code, output } = await run(['all'], settings);
    expect(code).toBe(1);
    const problem = output.trim().split('\n').at(-1);
    expect(problem).toBe(
      `INGEST_PORT: cannot listen on 127.0.0.1:${taken}: another program listens there already`,
    );
  });

  it('lets several processes of a role serve one port', async () => {
    const tollgate = await installation({ INGEST_PROCESSES: '2' });
    await tollgate.start();
    const ingest = descendants(tollgate.pid).filter((pid) => commandLine(pid).includes('main.js ingest'));
    expect(ingest).toHaveLength(2);
    const event = { customerId: 'acme', eventName: 'call', idempotencyKey: 'one' };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tollgate.send('/api/v1/events', event, { connection: 'close' })),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 202));
    await tollgate.settled();
    expect(await tollgate.metric('tollgate_events', 'state="stored"')).toBe(1);
  });

  it('keeps keys, e-mails and event content out of its logs', async () => {
    const tollgate = await installation({ LOG_LEVEL: 'trace' });
    await tollgate.start();
    await tollgate.provision('secret-customer');
    const query = 'mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { id } }';
    await tollgate.data(query, { input: { customerId: 'secret-customer', email: 'secret@example.com' } });
    const secret = { customerId: 'secret-customer', eventName: 'secret-name', idempotencyKey: 'secret-key' };
    await tollgate.send('/api/v1/events', { events: [{ ...secret, dimensions: { word: 'secret-word' } }] });
    await tollgate.send('/api/v1/events', '{"events": [{"secret-broken');
    await tollgate.settled();
    const printed = tollgate.output.replace(/^.*curl.*$/gm, '').replace(/^ *(key|API key).*$/gim, '');
    expect(printed).not.toMatch(/secret-|secret@/);
    const logs = tollgate.output.split('\n').filter((line) => line.startsWith('{'));
    expect(logs.length).toBeGreaterThan(0);
    expect(logs.filter((line) => line.includes(tollgate.apiKey))).toEqual([]);
  });
});

describe('roles alone', () => {
  it('tell every bad setting in one line each', async () => {
    const { code, output } = await run(['ingest'], {
      API_PORT: 'http',
      LOG_LEVEL: 'loud',
      SERVER_API_KEY: 'short',
    });
    expect(code).toBe(1);
    const lines = output.trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.join('\n')).toMatch(/API_PORT is "http"; allowed: a whole number from 1 to 65535/);
    expect(output).not.toContain('short');
  });

  it('end when they are asked to although they wait for Redis to start', async () => {
    const script = fileURLToPath(new URL('../dist/main.js', import.meta.url));
    const child = spawn(process.execPath, [script, 'aggregate'], {
      env: {
        PATH: process.env['PATH'],
        // Nobody listens there.
        REDIS_URL: 'redis://127.0.0.1:1',
        CLICKHOUSE_URL: inject('clickhouseUrl'),
        LOG_LEVEL: 'warn',
      },
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stderr.once('data', resolve));
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('need REDIS_URL and CLICKHOUSE_URL, and say so', async () => {
    const { code, output } = await run(['aggregate'], {});
    expect(code).toBe(1);
    expect(output).toMatch(/REDIS_URL/);
    expect(output).toMatch(/CLICKHOUSE_URL/);
  });

  it('answer --help, and name the roles for a word that is none', async () => {
    expect(await run(['--help'], {})).toMatchObject({
      code: 0,
      output: expect.stringMatching(/ingest.*aggregate/s),
    });
    const unknown = await run(['everything'], {});
    expect(unknown.code).toBe(2);
    expect(unknown.output).toMatch(/all.*ingest.*aggregate.*api.*clickhouse/s);
  });
});

describe('the data folder', () => {
  it('is readable by its owner only', async () => {
    const tollgate = await installation();
    await tollgate.start();
    const data = join(tollgate.folder, 'data');
    expect(statSync(data).mode & 0o077).toBe(0);
    const secrets = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /password|key$/.test(name),
    );
    expect(secrets.length).toBeGreaterThan(0);
    for (const name of secrets) expect(statSync(join(data, name)).mode & 0o077, name).toBe(0);
    expect(readFileSync(join(data, 'redis', 'redis.conf'), 'utf8')).toContain('appendfsync always');
  });
});

function shell(command: string): Promise<string> {
  const child = spawn('/bin/sh', ['-c', command]);
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => child.once('close', () => resolve(output)));
}
