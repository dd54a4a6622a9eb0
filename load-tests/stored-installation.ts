/** Tollgate's front door over histories of several sizes: one Redis, one ClickHouse, an API for each database. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChildRole } from '../src/embedded/child-role.ts';
import { freePort } from '../src/embedded/installation.ts';
import { startRedisServer } from '../src/embedded/redis-server.ts';

const apiKey = 'server-load-tests-0123456789';
const entry = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** As `npm start` gives it. */
const clickhouseThreads = '12';

/**
 * The APIs share their catalog and customers, since they share a Redis. The worker, which opens these records, has an
 * empty database of its own: what is stored is asked for, and nothing else happens.
 */
export class StoredInstallation {
  readonly #folder: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #parts: { stop(): Promise<unknown> }[] = [];

  private constructor(folder: string, environment: Readonly<Record<string, string>>) {
    this.#folder = folder;
    this.#environment = environment;
  }

  static async start(): Promise<StoredInstallation> {
    const folder = await mkdtemp(join(tmpdir(), 'tollgate-stored-'));
    const redis = await startRedisServer(folder);
    const installation = new StoredInstallation(folder, {
      DATA_DIR: folder,
      REDIS_URL: redis.url,
      CLICKHOUSE_URL: `http://127.0.0.1:${await freePort()}`,
      SERVER_API_KEY: apiKey,
      UV_THREADPOOL_SIZE: clickhouseThreads,
      LOG_LEVEL: 'warn',
    });
    installation.#parts.push(redis);
    await installation.#startRole('clickhouse', {});
    await installation.#startRole('aggregate', { CLICKHOUSE_URL: installation.databaseUrl('of_the_worker') });
    return installation;
  }

  /** What a client of the database of this name is given. */
  databaseUrl(database: string): string {
    return `${this.#environment['CLICKHOUSE_URL']}/${database}`;
  }

  /** GraphQL over the database, which the API makes. Answers what is asked: data, or it throws. */
  async startApi(database: string): Promise<AskApi> {
    const port = await freePort();
    const url = this.databaseUrl(database);
    await this.#startRole('api', { API_PORT: String(port), CLICKHOUSE_URL: url });
    return (query, input) => ask(`http://127.0.0.1:${port}/graphql`, query, input);
  }

  async remove(): Promise<void> {
    for (const part of this.#parts.splice(0).reverse()) await part.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #startRole(role: string, more: Readonly<Record<string, string>>): Promise<void> {
    const environment = { ...this.#environment, ...more };
    const onCrash = (name: string, cause: string): void => {
      throw new Error(`${name} ended: ${cause}`);
    };
    this.#parts.push(await startChildRole({ role, entry, environment, onCrash }));
  }
}

/** A query with one variable, `$input`; answers its only field. */
export type AskApi = <Answer>(query: string, input: unknown) => Promise<Answer>;

async function ask<Answer>(url: string, query: string, input: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input } }),
  });
  const { data, errors } = (await response.json()) as { data?: Record<string, Answer>; errors?: unknown };
  const [answer] = Object.values(data ?? {});
  if (errors !== undefined || answer === undefined) throw new Error(`GraphQL: ${JSON.stringify(errors)}`);
  return answer;
}
