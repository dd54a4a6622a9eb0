/** `npm run demo`: the sample access log into a running Tollgate, and its answers next to the file's own totals. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CustomerTotals,
  countTotals,
  type LogLine,
  lineToEvent,
  readAccessLog,
} from '../samples/access-log/access-log.ts';
import { type Config, readConfig } from '../src/config.ts';

const help = `npm run demo: sends the 10,000 lines of samples/access-log to a running \`npm start\` as raw events and as
calculated usage, then prints each top customer's usage as GraphQL answers it next to the totals counted
straight from the file. Exit code 1 if any customer's figures differ. Running it again changes nothing.
The 200 customers with the most requests are compared; with \`npm run demo -- --all\` all 1,753 are.`;

const comparedMax = process.argv.includes('--all') ? Number.POSITIVE_INFINITY : 200;

const features = [
  {
    refId: 'demo-requests',
    displayName: 'Requests (raw events, COUNT)',
    meter: { aggregation: { function: 'COUNT' }, filters: eventFilter() },
  },
  {
    refId: 'demo-bytes',
    displayName: 'Bytes sent (raw events, SUM)',
    meter: { aggregation: { function: 'SUM', field: 'bytes' }, filters: eventFilter() },
  },
  {
    refId: 'demo-paths',
    displayName: 'Distinct paths (raw events, UNIQUE)',
    meter: { aggregation: { function: 'UNIQUE', field: 'path' }, filters: eventFilter() },
  },
  { refId: 'demo-bytes-reported', displayName: 'Bytes sent (calculated usage)', meter: null },
] as const;

type FeatureRefId = (typeof features)[number]['refId'];
type Usage = Record<FeatureRefId, string>;

interface Tollgate {
  ingest(path: string, body: unknown): Promise<void>;
  graphql(query: string, variables: Record<string, unknown>): Promise<Record<string, unknown>>;
}

if (process.argv.includes('--help')) console.log(help);
else process.exitCode = await demo();

async function demo(): Promise<number> {
  const tollgate = await connect();
  const lines = readAccessLog();
  const totals = countTotals(lines);
  await provision(tollgate, [...totals.keys()]);
  await sendEvents(tollgate, lines);
  await reportUsage(tollgate, lines);
  const busiest = new Map([...totals].sort(([, a], [, b]) => b.requests - a.requests).slice(0, comparedMax));
  return report(totals.size, busiest, await askUsage(tollgate, busiest));
}

async function connect(): Promise<Tollgate> {
  const read = readConfig(process.env);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  const { config } = read;
  const key = await apiKey(config);
  const call = async (url: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: JSON.stringify(body),
    }).catch(() => {
      throw new Error(`nothing answers at ${url}: start Tollgate with \`npm start\` first`);
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer)}`);
    return answer;
  };
  return {
    ingest: async (path, body) => {
      await call(`http://${config.host}:${config.ingestPort}${path}`, body);
    },
    graphql: (query, variables) =>
      call(`http://${config.host}:${config.apiPort}/graphql`, { query, variables }),
  };
}

async function apiKey(config: Config): Promise<string> {
  if (config.serverApiKey !== undefined) return config.serverApiKey;
  const path = join(config.dataDir, 'server-api-key');
  const text = await readFile(path, 'utf8').catch(() => {
    throw new Error(`no key at ${path}: start Tollgate with \`npm start\` first, or set SERVER_API_KEY`);
  });
  return text.trim();
}

async function provision(tollgate: Tollgate, addresses: readonly string[]): Promise<void> {
  for (const { refId, displayName, meter } of features) {
    const input = { refId, displayName, featureType: 'NUMBER', meterType: 'INCREMENTAL', meter };
    const answer = await tollgate.graphql(
      'mutation ($input: CreateFeatureInput!) { createFeature(input: $input) { refId } }',
      { input },
    );
    if (!isDuplicate(answer)) expectNoErrors(answer);
  }
  const bar = progress('customers provisioned', addresses.length);
  await inParallel(addresses, 16, async (customerId) => {
    const answer = await tollgate.graphql(
      'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { refId } } }',
      { input: { customerId } },
    );
    expectNoErrors(answer);
    bar.add(1);
  });
  bar.end();
}

async function sendEvents(tollgate: Tollgate, lines: readonly LogLine[]): Promise<void> {
  const bar = progress('raw events sent', lines.length);
  for (const part of parts(lines, 1_000)) {
    await tollgate.ingest('/api/v1/events', { events: part.map(lineToEvent) });
    bar.add(part.length);
  }
  bar.end();
}

async function reportUsage(tollgate: Tollgate, lines: readonly LogLine[]): Promise<void> {
  const bar = progress('usage acknowledged', lines.length);
  for (const part of parts(lines, 1_000)) {
    const usages = part.map((line) => ({
      customerId: line.address,
      featureId: 'demo-bytes-reported',
      value: line.bytes,
      createdAt: line.timestamp,
      idempotencyKey: `access-log-${line.number}`,
    }));
    await tollgate.ingest('/api/v1/usage', { usages });
    bar.add(part.length);
  }
  bar.end();
}

/** Raw events are counted a moment after they are accepted: a figure that is still short is asked for again. */
async function askUsage(
  tollgate: Tollgate,
  totals: ReadonlyMap<string, CustomerTotals>,
): Promise<Map<string, Usage>> {
  const deadline = Date.now() + 60_000;
  const usage = new Map<string, Usage>();
  const bar = progress('customers compared', totals.size);
  await inParallel([...totals], 4, async ([customerId, total]) => {
    let figures = await customerUsage(tollgate, customerId);
    while (isShort(figures, total) && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      figures = await customerUsage(tollgate, customerId);
    }
    usage.set(customerId, figures);
    bar.add(1);
  });
  bar.end();
  return usage;
}

async function customerUsage(tollgate: Tollgate, customerId: string): Promise<Usage> {
  const fields = features.map(
    ({ refId }, index) => `f${index}: usageHistoryV2(input: {customerId: $customerId, featureId: "${refId}",
      startDate: "2015-05-01T00:00:00Z", endDate: "2015-06-01T00:00:00Z", interval: MONTH}) { totalUsage }`,
  );
  const answer = await tollgate.graphql(`query ($customerId: String!) { ${fields.join('\n')} }`, {
    customerId,
  });
  expectNoErrors(answer);
  const data = answer['data'] as Record<string, { totalUsage: string }>;
  const pairs = features.map(({ refId }, index) => [refId, data[`f${index}`]?.totalUsage ?? '']);
  return Object.fromEntries(pairs) as Usage;
}

/** A figure that is too large will not become right by waiting. */
function isShort(usage: Usage, total: CustomerTotals): boolean {
  return !agrees(usage, total) && Number(usage['demo-requests']) <= total.requests;
}

function agrees(usage: Usage | undefined, total: CustomerTotals): boolean {
  return (
    usage !== undefined &&
    usage['demo-requests'] === String(total.requests) &&
    usage['demo-bytes'] === String(total.bytes) &&
    usage['demo-paths'] === String(total.paths) &&
    usage['demo-bytes-reported'] === String(total.bytes)
  );
}

function report(
  customers: number,
  totals: ReadonlyMap<string, CustomerTotals>,
  usage: ReadonlyMap<string, Usage>,
): number {
  const top = [...totals].slice(0, 15);
  const rows = top.map(([customerId, total]) => {
    const figures = usage.get(customerId);
    return {
      customer: customerId,
      requests: figures?.['demo-requests'],
      'in file': total.requests,
      bytes: figures?.['demo-bytes'],
      'reported bytes': figures?.['demo-bytes-reported'],
      'in file ': total.bytes,
      paths: figures?.['demo-paths'],
      'in file  ': total.paths,
      same: agrees(figures, total) ? 'yes' : 'NO',
    };
  });
  console.log(textTable(rows));
  const different = [...totals].filter(([customerId, total]) => !agrees(usage.get(customerId), total));
  console.log(
    `\n${totals.size} of ${customers} customers compared in 4 features: ${totals.size - different.length} agree, ${different.length} differ.`,
  );
  for (const [customerId] of different.slice(0, 10)) console.log(`  differs: ${customerId}`);
  return different.length === 0 ? 0 : 1;
}

function textTable(rows: readonly Record<string, string | number | undefined>[]): string {
  const heads = Object.keys(rows[0] ?? {});
  const table = [heads, ...rows.map((row) => heads.map((head) => String(row[head] ?? '—')))];
  const widths = heads.map((_, column) =>
    Math.max(...table.map((cells) => (cells[column] ?? '').trim().length)),
  );
  const lines = table.map((cells) =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.trim().padStart(widths[column] ?? 0),
      )
      .join('  '),
  );
  return lines.join('\n');
}

function eventFilter() {
  return [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'http_request' }] }];
}

function isDuplicate(answer: Record<string, unknown>): boolean {
  const errors = answer['errors'] as { extensions?: { code?: string } }[] | undefined;
  return errors?.[0]?.extensions?.code === 'DUPLICATE_ENTITY';
}

function expectNoErrors(answer: Record<string, unknown>): void {
  if (answer['errors'] !== undefined) throw new Error(`GraphQL answered ${JSON.stringify(answer['errors'])}`);
}

function* parts<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  const lane = async (): Promise<void> => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** One line that redraws itself on a terminal; a single line at the end elsewhere. */
function progress(label: string, total: number): { add(count: number): void; end(): void } {
  let done = 0;
  const draw = (): string => {
    const filled = Math.round((done / total) * 30);
    return `${'█'.repeat(filled)}${'░'.repeat(30 - filled)} ${done}/${total} ${label}`;
  };
  return {
    add: (count) => {
      done += count;
      if (process.stdout.isTTY) process.stdout.write(`\r${draw()}`);
    },
    end: () => {
      process.stdout.write(process.stdout.isTTY ? `\r${draw()}\n` : `${draw()}\n`);
    },
  };
}
