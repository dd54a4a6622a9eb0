/** The one way to a ClickHouse, embedded or real: how the client is set up, and what its failures mean. */
import { type ClickHouseClient, ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import type { SqlStatement } from './sql-statement.ts';

export interface ClickhouseTarget {
  /** `http(s)://[user:password@]host:port[/database]`; query parameters of the client are taken as well. */
  readonly url: string;
  /** Wins over the URL's database; `tollgate` when neither names one. */
  readonly database?: string;
  /** How long one request may take before it counts as unavailable. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Sockets of this client, at most. Default 10. */
  readonly openConnectionsMax?: number;
}

export const defaultClickhouseDatabase = 'tollgate';

/**
 * Where ClickHouse could not be reached, or could not serve for now: the same request may succeed later.
 * An insert that failed so may have been stored all the same; only a repeat with its token is safe.
 */
export class ClickhouseUnavailableError extends Error {
  readonly code = 'CLICKHOUSE_UNAVAILABLE';
  readonly retryable = true;
}

/** ClickHouse understood the request and refused it: the same request will be refused again. */
export class ClickhouseRejectedError extends Error {
  readonly code = 'CLICKHOUSE_REJECTED';
  readonly retryable = false;
}

/**
 * A client for one database. Amounts and 64-bit integers come as texts, so no digit is lost in JSON; instants
 * are asked for as epoch milliseconds by each query. Bodies are not compressed: the network is loopback or a
 * data centre's, and an insert's bytes were compressed in the queue already.
 */
export function createClickhouseClient(target: ClickhouseTarget): ClickHouseClient {
  const { url, database } = splitDatabase(target);
  return createClient({
    url,
    database,
    request_timeout: target.requestTimeoutMs ?? 30_000,
    max_open_connections: target.openConnectionsMax ?? 10,
    // Errors are thrown, classified and logged by whoever asked; the client's own lines would hold parameters.
    log: { level: ClickHouseLogLevel.OFF },
    compression: { request: false, response: false },
    // Below the 3 s after which older servers close an idle socket, so that a request never meets a closed one.
    keep_alive: { enabled: true, idle_socket_ttl: 2_000, eagerly_destroy_stale_sockets: true },
    // A filter with a thousand values or a year of hours does not fit into a URL.
    use_multipart_params_auto: true,
    clickhouse_settings: {
      // The largest meter is some 200 kB of SQL and 45,000 terms, which a grouped history has in it four times.
      max_query_size: '4194304',
      max_ast_elements: '1000000',
      max_expanded_ast_elements: '2000000',
      output_format_json_quote_decimals: 1,
      output_format_json_quote_64bit_integers: 1,
    },
  });
}

/** The database that a client for this target works in. */
export function clickhouseDatabase(target: ClickhouseTarget): string {
  return splitDatabase(target).database;
}

/**
 * What a failure of the client means. The server's own text is left out on purpose: it may quote the content of
 * events (I10); its code and name tell what kind of refusal it was.
 */
export function classifyClickhouseError(
  error: unknown,
): ClickhouseUnavailableError | ClickhouseRejectedError {
  if (error instanceof ClickhouseUnavailableError || error instanceof ClickhouseRejectedError) return error;
  if (error instanceof ClickHouseError) {
    const name = `${error.code} ${error.type ?? 'UNKNOWN'}`;
    return passingServerCodes.has(error.code)
      ? new ClickhouseUnavailableError(`ClickHouse cannot serve for now: ${name}`)
      : new ClickhouseRejectedError(`ClickHouse refused the request: ${name}`);
  }
  // Everything else comes from the socket: refused, reset, timed out, cut off in mid-answer.
  return new ClickhouseUnavailableError(`ClickHouse did not answer: ${socketCause(error)}`);
}

/**
 * The rows of a query whose answer is small. The server holds the answer back until it is complete, so that a
 * query which fails half-way is an error and never a shorter list.
 */
export async function selectRows<Row>(client: ClickHouseClient, statement: SqlStatement): Promise<Row[]> {
  try {
    const result = await client.query({
      query: statement.sql,
      query_params: { ...statement.params },
      format: 'JSONEachRow',
      clickhouse_settings: { wait_end_of_query: 1 },
    });
    return await result.json<Row>();
  } catch (error) {
    throw classifyClickhouseError(error);
  }
}

/** Runs a statement that answers nothing, such as a table's creation. */
export async function runStatement(client: ClickHouseClient, sql: string): Promise<void> {
  try {
    await client.command({ query: sql });
  } catch (error) {
    throw classifyClickhouseError(error);
  }
}

function splitDatabase(target: ClickhouseTarget): { url: URL; database: string } {
  const url = new URL(target.url);
  const fromUrl = decodeURIComponent(url.pathname.replace(/^\/+|\/+$/g, ''));
  url.pathname = '';
  return { url, database: target.database ?? (fromUrl === '' ? defaultClickhouseDatabase : fromUrl) };
}

/**
 * Server codes of states that pass: load, memory, space, replicas, Keeper, shutdown, a query that was killed.
 * Source: src/Common/ErrorCodes.cpp of ClickHouse.
 */
const passingServerCodes: ReadonlySet<string> = new Set([
  '159', // TIMEOUT_EXCEEDED
  '160', // TOO_SLOW
  '164', // READONLY, while a server starts or a disk fails
  '202', // TOO_MANY_SIMULTANEOUS_QUERIES
  '203', // NO_FREE_CONNECTION
  '209', // SOCKET_TIMEOUT
  '210', // NETWORK_ERROR
  '225', // NO_ZOOKEEPER
  '236', // ABORTED
  '241', // MEMORY_LIMIT_EXCEEDED
  '242', // TABLE_IS_READ_ONLY
  '243', // NOT_ENOUGH_SPACE
  '252', // TOO_MANY_PARTS
  '279', // ALL_CONNECTION_TRIES_FAILED
  '285', // TOO_FEW_LIVE_REPLICAS
  '286', // UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
  '289', // REPLICA_IS_NOT_IN_QUORUM
  '319', // UNKNOWN_STATUS_OF_INSERT
  '394', // QUERY_WAS_CANCELLED
  '439', // CANNOT_SCHEDULE_TASK
  '473', // DEADLOCK_AVOIDED
  '499', // S3_ERROR
  '735', // QUERY_WAS_CANCELLED_BY_CLIENT
  '745', // SERVER_OVERLOADED
  '999', // KEEPER_EXCEPTION
]);

function socketCause(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown cause';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  // The client's own timeout has no code, only its text.
  return code ?? (error.message.startsWith('Timeout') ? 'TIMEOUT' : error.name);
}
