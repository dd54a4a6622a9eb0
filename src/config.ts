/** The only reader of the environment. Every value has a bound; all bad ones are told at once. */
import { resolve } from 'node:path';

export interface Config {
  readonly host: string;
  readonly apiPort: number;
  readonly ingestPort: number;
  readonly dataDir: string;
  /** Undefined: the embedded default runs its own redis-server. */
  readonly redisUrl: string | undefined;
  /** Undefined: the embedded default runs its own ClickHouse. */
  readonly clickhouseUrl: string | undefined;
  /** Undefined: made once and kept under `dataDir`. */
  readonly serverApiKey: string | undefined;
  /** Undefined: nobody is told of life-cycle events. */
  readonly webhookUrl: string | undefined;
  /** Undefined: made once and kept under `dataDir`. */
  readonly webhookSecret: string | undefined;
  /** Undefined: billing information is checked and dropped. */
  readonly billingWebhookUrl: string | undefined;
  /** Undefined: made once and kept under `dataDir`. */
  readonly secretsKey: string | undefined;
  /** Who collects what subscriptions cost. */
  readonly paymentProvider: PaymentProviderName;
  readonly logLevel: LogLevel;
  /** How long `POST /api/v1/usage` waits for its acknowledgement. */
  readonly ackTimeoutMs: number;
  /** How long an identity alone decides what a duplicate is (contract, 5.1). */
  readonly dedupeWindowMs: number;
  readonly dedupeEntriesMax: number;
  /** Payload bytes that may wait in Redis before callers are told OVERLOADED. */
  readonly backlogBytesMax: number;
  readonly ingestProcesses: number;
  /** Threads that Node.js made; the embedded ClickHouse takes one for each running query. */
  readonly threadPoolSize: number;
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

const paymentProviderNames = ['none', 'test'] as const;
export type PaymentProviderName = (typeof paymentProviderNames)[number];

export interface Setting {
  readonly name: string;
  readonly fallback: string;
  readonly allowed: string;
  readonly meaning: string;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Parsed<T> = { readonly value: T } | undefined;

interface Reader<T> extends Setting {
  readonly parse: (text: string) => Parsed<T>;
}

const port = (name: string, fallback: string, meaning: string): Reader<number> => ({
  name,
  fallback,
  meaning,
  allowed: 'a whole number from 1 to 65535',
  parse: wholeNumber(1, 65_535),
});

/** Every setting, in the order of `.env.example`; an empty fallback means unset. */
const readers = {
  host: {
    name: 'HOST',
    fallback: '127.0.0.1',
    allowed: 'an address or host name of this machine',
    meaning: 'The address that both HTTP ports listen on.',
    parse: (text) => (/^[A-Za-z0-9_.:-]{1,253}$/.test(text) ? { value: text } : undefined),
  } satisfies Reader<string>,
  apiPort: port('API_PORT', '4000', 'GraphQL and the explorer.'),
  ingestPort: port('INGEST_PORT', '4100', 'HTTP ingest.'),
  dataDir: {
    name: 'DATA_DIR',
    fallback: './data',
    allowed: 'a folder that may be written',
    meaning: 'One installation: its key, its Redis and its ClickHouse.',
    parse: (text) => (text.includes('\0') ? undefined : { value: resolve(text) }),
  } satisfies Reader<string>,
  redisUrl: {
    name: 'REDIS_URL',
    fallback: '',
    allowed: 'a redis:// or rediss:// URL',
    meaning: 'A Redis that others operate. Unset: a redis-server child with AOF under DATA_DIR/redis.',
    parse: url(['redis:', 'rediss:']),
  } satisfies Reader<string>,
  clickhouseUrl: {
    name: 'CLICKHOUSE_URL',
    fallback: '',
    allowed: 'an http:// or https:// URL',
    meaning: 'A ClickHouse that others operate. Unset: the embedded one under DATA_DIR/clickhouse.',
    parse: url(['http:', 'https:']),
  } satisfies Reader<string>,
  serverApiKey: {
    name: 'SERVER_API_KEY',
    fallback: '',
    allowed: '16 to 200 characters without spaces',
    meaning: 'The key that applications send. Unset: made once, kept under DATA_DIR with mode 0600.',
    parse: secret(16),
  } satisfies Reader<string>,
  webhookUrl: {
    name: 'WEBHOOK_URL',
    fallback: '',
    allowed: 'an http:// or https:// URL',
    meaning: 'Where life-cycle events of customers and subscriptions are sent. Unset: nowhere.',
    parse: url(['http:', 'https:']),
  } satisfies Reader<string>,
  webhookSecret: {
    name: 'WEBHOOK_SECRET',
    fallback: '',
    allowed: '16 to 200 characters without spaces',
    meaning: 'Signs every webhook. Unset: made once, kept in DATA_DIR/webhook-secret with mode 0600.',
    parse: secret(16),
  } satisfies Reader<string>,
  billingWebhookUrl: {
    name: 'BILLING_WEBHOOK_URL',
    fallback: '',
    allowed: 'an http:// or https:// URL',
    meaning: "Where customers' billing information is passed on to. Unset: it is checked and dropped.",
    parse: url(['http:', 'https:']),
  } satisfies Reader<string>,
  secretsKey: {
    name: 'SECRETS_KEY',
    fallback: '',
    allowed: '32 to 200 characters without spaces',
    meaning:
      'Seals billing information on its way; the same for all roles. Unset: made once, kept under DATA_DIR with mode 0600.',
    parse: secret(32),
  } satisfies Reader<string>,
  paymentProvider: {
    name: 'PAYMENT_PROVIDER',
    fallback: 'none',
    allowed: paymentProviderNames.join(', '),
    meaning: 'Who collects what subscriptions cost: nobody, or a provider for tests that takes no money.',
    parse: (text) => {
      const value = paymentProviderNames.find((name) => name === text);
      return value === undefined ? undefined : { value };
    },
  } satisfies Reader<PaymentProviderName>,
  logLevel: {
    name: 'LOG_LEVEL',
    fallback: 'info',
    allowed: logLevels.join(', '),
    meaning: 'How much is logged to standard error, as JSON lines.',
    parse: (text) => {
      const value = logLevels.find((level) => level === text);
      return value === undefined ? undefined : { value };
    },
  } satisfies Reader<LogLevel>,
  ackTimeoutMs: {
    name: 'ACK_TIMEOUT_MS',
    fallback: '10000',
    allowed: 'milliseconds from 100 to 120000',
    meaning: 'How long reported usage waits to be processed before the answer is 504 ACK_PENDING.',
    parse: wholeNumber(100, 120_000),
  } satisfies Reader<number>,
  dedupeWindowMs: {
    name: 'DEDUPE_WINDOW',
    fallback: '24h',
    allowed: 'a time such as 30s, 15m, 24h or 7d, up to 30d',
    meaning: 'From receipt, how long the identity of an event alone decides that it is a duplicate.',
    parse: duration(1_000, 30 * 86_400_000),
  } satisfies Reader<number>,
  dedupeEntriesMax: {
    name: 'DEDUPE_ENTRIES_MAX',
    fallback: '20000000',
    allowed: 'a whole number from 1000 to 200000000',
    meaning: 'Identities held in memory, 32 to 64 bytes each; older ones are looked up in ClickHouse.',
    parse: wholeNumber(1_000, 200_000_000),
  } satisfies Reader<number>,
  backlogBytesMax: {
    name: 'BACKLOG_BYTES_MAX',
    fallback: '1073741824',
    allowed: 'bytes from 1048576 to 1099511627776',
    meaning: 'Compressed batches that may wait in Redis before callers are told 503 OVERLOADED.',
    parse: wholeNumber(1_048_576, 1_099_511_627_776),
  } satisfies Reader<number>,
  ingestProcesses: {
    name: 'INGEST_PROCESSES',
    fallback: '1',
    allowed: 'a whole number from 1 to 64',
    meaning: 'Ingest processes that `npm start` runs on the one ingest port (Linux).',
    parse: wholeNumber(1, 64),
  } satisfies Reader<number>,
  threadPoolSize: {
    name: 'UV_THREADPOOL_SIZE',
    fallback: '4',
    allowed: 'a whole number from 4 to 1024',
    meaning: "Node.js's own: its threads, of which the embedded ClickHouse takes one for each running query.",
    parse: wholeNumber(4, 1_024),
  } satisfies Reader<number>,
} as const;

export const settings: readonly Setting[] = Object.values(readers);

/** The configuration, or one line a bad value: the variable, the value (never a key's) and what is allowed. */
export function readConfig(
  environment: Environment,
): { readonly config: Config } | { readonly problems: string[] } {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, reader] of Object.entries(readers) as [string, Reader<unknown>][]) {
    const text = environment[reader.name] || reader.fallback;
    const parsed = text === '' ? { value: undefined } : reader.parse(text);
    if (parsed === undefined) problems.push(problemLine(reader, text));
    else values[key] = parsed.value;
  }
  if (values['apiPort'] !== undefined && values['apiPort'] === values['ingestPort']) {
    problems.push(
      `INGEST_PORT is ${JSON.stringify(String(values['ingestPort']))}, which API_PORT has too; allowed: another port`,
    );
  }
  return problems.length > 0 ? { problems } : { config: values as unknown as Config };
}

function problemLine(reader: Setting, text: string): string {
  const shown = secretNames.has(reader.name)
    ? `set to ${text.length} characters`
    : JSON.stringify(hidePassword(text));
  return `${reader.name} is ${shown}; allowed: ${reader.allowed}`;
}

const secretNames: ReadonlySet<string> = new Set(['SERVER_API_KEY', 'WEBHOOK_SECRET', 'SECRETS_KEY']);

function hidePassword(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//…@');
}

function wholeNumber(min: number, max: number): (text: string) => Parsed<number> {
  return (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? { value } : undefined;
  };
}

function secret(lengthMin: number): (text: string) => Parsed<string> {
  return (text) =>
    /^[\x21-\x7e]{16,200}$/.test(text) && text.length >= lengthMin ? { value: text } : undefined;
}

function duration(minMs: number, maxMs: number): (text: string) => Parsed<number> {
  const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
  return (text) => {
    const match = /^([0-9]{1,9})([smhd])$/.exec(text);
    if (match === null) return undefined;
    const value = Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
    return value >= minMs && value <= maxMs ? { value } : undefined;
  };
}

function url(protocols: readonly string[]): (text: string) => Parsed<string> {
  return (text) => {
    if (!URL.canParse(text)) return undefined;
    const parsed = new URL(text);
    return protocols.includes(parsed.protocol) && parsed.hostname !== '' ? { value: text } : undefined;
  };
}
