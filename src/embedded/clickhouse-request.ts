/** What a request of ClickHouse's HTTP interface asks for, read from its URL, headers and form; pure. */
import { raised } from './clickhouse-exception.ts';
import { quoted, quotedIdentifier } from './clickhouse-statement.ts';

export interface QueryRequest {
  /** From the URL or the form; the body follows it after a line break. */
  readonly query: string;
  readonly queryId: string | undefined;
  readonly database: string | undefined;
  /** Used when the statement has no FORMAT clause. */
  readonly defaultFormat: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  /** The server's max_query_size: SQL text beyond it is refused, data are not counted. */
  readonly queryBytesMax: number;
  /** The whole answer is made before its first byte is sent, so that every error has its status. */
  readonly waitEndOfQuery: boolean;
  readonly compressAnswer: boolean;
  /** GET may not change anything. */
  readonly readonly: boolean;
}

export interface RequestHead {
  readonly method: string;
  /** Path and query string. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

const queryBytesDefaultMax = 262_144;
/** The statement is held in memory, whatever max_query_size says. */
const queryBytesMost = 16 * 1024 ** 2;

/** `form` holds the fields of a multipart body, which count like those of the URL. Throws ClickhouseException. */
export function parseQueryRequest(
  head: RequestHead,
  form: Iterable<readonly [string, string]>,
): QueryRequest {
  const fields = new Map([...new URL(head.target, 'http://server').searchParams, ...form]);
  const settings = new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) parameters.set(nameOf(name.slice('param_'.length)), value);
    else if (!interfaceFields.has(name)) settings.set(nameOf(name), value);
  }
  return {
    query: fields.get('query') ?? '',
    queryId: fields.get('query_id'),
    database: fields.get('database') ?? text(head.headers['x-clickhouse-database']),
    defaultFormat:
      fields.get('default_format') ?? text(head.headers['x-clickhouse-format']) ?? 'TabSeparated',
    settings,
    parameters,
    queryBytesMax: Math.min(positive(settings.get('max_query_size')) ?? queryBytesDefaultMax, queryBytesMost),
    waitEndOfQuery: isOn(fields.get('wait_end_of_query')) || isOn(settings.get('http_wait_end_of_query')),
    compressAnswer:
      isOn(settings.get('enable_http_compression')) && acceptsGzip(text(head.headers['accept-encoding'])),
    readonly: head.method !== 'POST',
  };
}

/** Whose name and password a request carries: Basic authorization, or the X-ClickHouse headers, or the URL. */
export function parseCredentials(head: RequestHead): { user: string; password: string } | undefined {
  const basic = /^Basic\s+(\S+)$/i.exec(text(head.headers['authorization']) ?? '')?.[1];
  if (basic !== undefined) {
    const [user = '', ...password] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return { user, password: password.join(':') };
  }
  const fields = new URL(head.target, 'http://server').searchParams;
  const user = text(head.headers['x-clickhouse-user']) ?? fields.get('user') ?? undefined;
  const password = text(head.headers['x-clickhouse-key']) ?? fields.get('password') ?? undefined;
  if (user === undefined && password === undefined) return undefined;
  return { user: user ?? 'default', password: password ?? '' };
}

/**
 * What a fresh connection is told before its statement, in this order: the caller's settings and parameters, the
 * database, and read-only last, since nothing can be set after it. Values are literals that cannot be left.
 */
export function preparationSql(request: QueryRequest, ownSettings: ReadonlyMap<string, string>): string {
  const assignments = [
    ...serverDefaults,
    ...Array.from([...request.settings, ...ownSettings], ([name, value]) => `${name} = ${quoted(value)}`),
    ...Array.from(request.parameters, ([name, value]) => `param_${name} = ${quoted(value)}`),
  ];
  const statements = [`SET ${assignments.join(', ')}`];
  if (request.database !== undefined) statements.push(`USE ${quotedIdentifier(request.database)}`);
  if (request.readonly && !request.settings.has('readonly')) statements.push('SET readonly = 2');
  return statements.join('; ');
}

/** The setting that marks a running query, so that it can be found and stopped; it has no effect of its own. */
export const tagSetting = 'query_cache_tag';

/** Where the embedded engine starts with other values than a server. */
const serverDefaults = ['implicit_select = 0', 'allow_introspection_functions = 0'];

/** Fields that speak to the HTTP interface and are no settings of a query. */
const interfaceFields = new Set(
  `query query_id database default_format user password quota_key role stacktrace session_id session_timeout
  session_check wait_end_of_query buffer_size compress decompress close_session client_protocol_version`.split(
    /\s+/,
  ),
);

function nameOf(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name))
    throw raised.unknownSetting(`Unknown setting ${JSON.stringify(name)}`);
  return name;
}

function text(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}

function isOn(value: string | undefined): boolean {
  return value === '1' || value === 'true';
}

function positive(value: string | undefined): number | undefined {
  const number = Number(value);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

function acceptsGzip(accepted: string | undefined): boolean {
  return /\bgzip\b/.test(accepted ?? '');
}
