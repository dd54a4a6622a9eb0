/** A whole Tollgate as `npm start` runs it, in a folder and on ports of its own, for tests and load tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../src/embedded/installation.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Tests look into answers of every shape; what is not there fails their assertions.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any;
}

const mainScript = fileURLToPath(new URL('../dist/main.js', import.meta.url));

export class Installation {
  readonly folder: string;
  readonly ingestUrl: string;
  readonly apiUrl: string;
  readonly apiKey = 'server-test-key-0123456789';
  readonly #environment: Record<string, string>;
  #process: ChildProcess | undefined;
  #output = '';

  private constructor(folder: string, apiPort: number, ingestPort: number, settings: Record<string, string>) {
    this.folder = folder;
    this.apiUrl = `http://127.0.0.1:${apiPort}`;
    this.ingestUrl = `http://127.0.0.1:${ingestPort}`;
    this.#environment = {
      DATA_DIR: join(folder, 'data'),
      API_PORT: String(apiPort),
      INGEST_PORT: String(ingestPort),
      SERVER_API_KEY: this.apiKey,
      LOG_LEVEL: 'warn',
      ...settings,
    };
  }

  static async create(settings: Record<string, string> = {}): Promise<Installation> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-'));
    return new Installation(folder, await freePort(), await freePort(), settings);
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('the installation is not running');
    return pid;
  }

  /** Everything that it printed since it was made, logs included. */
  get output(): string {
    return this.#output;
  }

  /** Starts all roles and waits until the URLs are printed. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [mainScript, 'all'], {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    const from = this.#output.length;
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.#output += text;
          if (this.#output.includes(this.apiUrl, from)) resolve();
        });
      }
      child.once('exit', (code) =>
        reject(new Error(`ended with ${code} before it was ready:\n${this.#output}`)),
      );
    });
  }

  /** Ctrl-C: answers with the exit code once all has ended. */
  async stop(): Promise<number | null> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    return await exit;
  }

  /** kill -9 of every process of it, the parent first so that none can tidy up. */
  async killAll(): Promise<void> {
    const child = this.#process;
    const pids = [this.pid, ...descendants(this.pid)];
    const exit = new Promise((resolve) => child?.once('exit', resolve));
    for (const pid of pids) kill(pid);
    await exit;
    await eventually(() => pids.every((pid) => !alive(pid)), 'all processes to be gone');
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** POST to ingest; a string or bytes are sent as they are, anything else as JSON. */
  async send(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${this.ingestUrl}${path}`, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKey, 'content-type': 'application/json', ...headers },
      body: raw ? (body as string) : JSON.stringify(body),
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  async graphql(query: string, variables: Record<string, unknown> = {}): Promise<Answer['body']> {
    const response = await fetch(`${this.apiUrl}/graphql`, {
      method: 'POST',
      headers: { 'x-api-key': this.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    return await response.json();
  }

  /** As `graphql`, for calls that must succeed: its data. */
  async data(query: string, variables: Record<string, unknown> = {}): Promise<Answer['body']> {
    const answer = await this.graphql(query, variables);
    if (answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  }

  async createFeature(refId: string, meter: unknown = null): Promise<void> {
    const input = { refId, displayName: refId, featureType: 'NUMBER', meterType: 'INCREMENTAL', meter };
    await this.data('mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { id } }', {
      input,
    });
  }

  async provision(customerId: string): Promise<void> {
    const query =
      'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';
    await this.data(query, { input: { customerId } });
  }

  /** Usage over the years that tests use, as GraphQL answers it. */
  async totalUsage(customerId: string, featureId: string): Promise<string> {
    const input = {
      customerId,
      featureId,
      startDate: '2000-01-01T00:00:00Z',
      endDate: '2050-01-01T00:00:00Z',
    };
    const query = 'query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) { totalUsage } }';
    const data = await this.data(query, { input: { ...input, interval: 'MONTH' } });
    return data.usageHistoryV2.totalUsage;
  }

  /** One value of /metrics, labels as text inside the braces; undefined when it is not there. */
  async metric(name: string, labels = ''): Promise<number | undefined> {
    const text = await (await fetch(`${this.ingestUrl}/metrics`)).text();
    const line = text
      .split('\n')
      .find(
        (candidate) =>
          candidate.startsWith(name) &&
          /[{ ]/.test(candidate[name.length] ?? '') &&
          candidate.includes(labels),
      );
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
  }

  /** Waits until both ports say that Redis and ClickHouse can be used. */
  async ready(): Promise<void> {
    for (const url of [this.ingestUrl, this.apiUrl]) {
      await eventually(async () => (await fetch(`${url}/readyz`)).ok, `${url} to be ready`);
    }
  }

  /** Waits until nothing accepted is still on its way. */
  async settled(): Promise<void> {
    await eventually(
      async () => (await this.metric('tollgate_events', 'state="in_flight"')) === 0,
      'all accepted to be processed',
    );
  }

  async generatedKey(): Promise<string> {
    return (await readFile(join(this.folder, 'data', 'server-api-key'), 'utf8')).trim();
  }
}

/** Asks until it holds; tests wait on conditions, never on time alone. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await attempt(holds)) return;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** What cannot be asked yet does not hold yet. */
async function attempt(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  try {
    return await holds();
  } catch {
    return false;
  }
}

/** The command line of a process, '' once it has ended. */
export function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** All processes below this one, by the kernel's own list. */
export function descendants(pid: number): number[] {
  const children = readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
    } catch {
      return false;
    }
  });
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie answers to signals until its parent has noted its end.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
