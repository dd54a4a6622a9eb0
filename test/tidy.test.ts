/** Holds the house in shape: who may import whom, what files are called, how large they get. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources = files('src')
  .filter((path) => path.endsWith('.ts'))
  .map(read);
const production = sources.filter(({ path }) => !path.endsWith('.test.ts') && !path.endsWith('.fixture.ts'));

/** What each folder may import besides itself and the modules that lie directly in src. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  metering: [],
  http: ['metering'],
  records: [],
  catalog: ['metering', 'records'],
  customers: ['catalog', 'records'],
  payments: [],
  subscriptions: ['catalog', 'customers', 'payments', 'records'],
  entitlements: ['catalog', 'customers', 'records', 'subscriptions', 'usage'],
  thresholds: ['customers', 'entitlements', 'queue', 'records', 'usage'],
  webhooks: ['catalog', 'customers', 'records', 'subscriptions', 'thresholds'],
  queue: ['metering'],
  usage: ['catalog', 'entitlements', 'metering', 'queue', 'store'],
  corrections: ['metering', 'records', 'store', 'usage'],
  // The flush store's port belongs to the worker that it serves, the change log's to the records.
  store: ['aggregate', 'catalog', 'metering', 'records'],
  ingest: ['entitlements', 'http', 'metering'],
  aggregate: ['catalog', 'customers', 'entitlements', 'metering', 'queue', 'usage'],
  api: [
    'catalog',
    'corrections',
    'customers',
    'entitlements',
    'http',
    'metering',
    'payments',
    'queue',
    'records',
    'subscriptions',
    'usage',
    'webhooks',
  ],
  embedded: [],
  // The composition root.
  app: [
    'aggregate',
    'api',
    'catalog',
    'corrections',
    'customers',
    'embedded',
    'entitlements',
    'http',
    'ingest',
    'payments',
    'queue',
    'records',
    'store',
    'subscriptions',
    'thresholds',
    'usage',
    'webhooks',
  ],
  '.': [
    'app',
    'aggregate',
    'api',
    'catalog',
    'customers',
    'embedded',
    'http',
    'ingest',
    'metering',
    'queue',
    'records',
    'store',
    'subscriptions',
    'usage',
    'webhooks',
  ],
};

/** Modules directly in src that any folder may use: they know nothing of the folders. */
const ground = new Set([
  'background-loop.ts',
  'backoff.ts',
  'byte-budget.ts',
  'calendar.ts',
  'clock.ts',
  'failure-log.ts',
  'item-retries.ts',
  'json.ts',
  'money.ts',
  'quantity.ts',
  'telemetry.ts',
  'config.ts',
  'books-metrics.ts',
]);

/** Each vendor's client is imported by adapters that carry its name, and by nobody else. */
const adapterNames: Readonly<Record<string, RegExp>> = {
  ioredis: /(^|\/)(redis|bullmq)-[a-z-]+\.ts$/,
  bullmq: /(^|\/)bullmq-[a-z-]+\.ts$/,
  '@clickhouse/client': /(^|\/)(clickhouse-[a-z-]+|migrations)\.ts$/,
  'uWebSockets.js': /^src\/http\/uws-[a-z-]+\.ts$/,
  'graphql-http': /^src\/api\//,
  'graphql-sse': /^src\/api\//,
  pino: /^src\/telemetry\.ts$/,
};

/** Decides, and does nothing else: no vendor, no clock, no log, no waiting on anything outside. */
const pureModules = production.filter(
  ({ path }) =>
    (/^src\/(metering|catalog|subscriptions|entitlements)\//.test(path) &&
      !/\/(record|bullmq|live)-/.test(path)) ||
    /^src\/webhooks\/lifecycle-(event|events|payload)\.ts$/.test(path) ||
    /^src\/thresholds\/(usage-threshold|threshold-record)\.ts$/.test(path) ||
    /^src\/(quantity|money|json)\.ts$/.test(path) ||
    path.endsWith('-sql.ts'),
);

describe('imports', () => {
  it.each(production.map((source) => [source.path, source] as const))(
    '%s goes down only',
    (_path, source) => {
      const folder = folderOf(source.path);
      const allowed = mayImport[folder];
      expect(allowed, `test/tidy.test.ts does not know the folder ${folder}`).toBeDefined();
      const upward = source.imports
        .filter((path) => path.startsWith('src/'))
        .filter((path) => {
          const target = folderOf(path);
          if (target === folder) return false;
          return target === '.' ? !ground.has(basename(path)) : !allowed?.includes(target);
        });
      expect(upward).toEqual([]);
    },
  );

  it.each(Object.entries(adapterNames))('only adapters import %s', (vendor, adapter) => {
    const importers = production.filter(({ imports }) =>
      imports.some((name) => name === vendor || name.startsWith(`${vendor}/`)),
    );
    expect(importers.map(({ path }) => path).filter((path) => !adapter.test(path))).toEqual([]);
    expect(importers.length).toBeGreaterThan(0);
  });

  it('only the embedded engine loads chdb, which other roles must run without', () => {
    const loaders = production.filter(({ text }) => /['"]@?chdb\b/.test(withoutComments(text)));
    expect(loaders.map(({ path }) => path)).toEqual(['src/embedded/clickhouse-engine.ts']);
  });

  it('pure modules touch nothing but their arguments', () => {
    const impure =
      /\b(process\.|Date\.now\(|new Date\(\)|setTimeout\(|setInterval\(|console\.|async function|await )/;
    expect(pureModules.length).toBeGreaterThan(5);
    const offenders = pureModules.filter(({ text }) => impure.test(withoutComments(text)));
    expect(offenders.map(({ path }) => path)).toEqual([]);
  });

  it('only the configuration reads the environment', () => {
    const readers = production.filter(({ text }) => /process\.env/.test(withoutComments(text)));
    // A child inherits the whole environment; main hands it to the configuration.
    expect(readers.map(({ path }) => path).toSorted()).toEqual(['src/embedded/child-role.ts', 'src/main.ts']);
  });
});

describe('files', () => {
  it('have names that say what they hold', () => {
    const vague = /^(utils?|helpers?|common|misc|shared|manager|types|index)\.ts$/;
    expect(sources.map(({ path }) => path).filter((path) => vague.test(basename(path)))).toEqual([]);
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|fixture))?\.ts$/;
    expect(sources.map(({ path }) => path).filter((path) => !kebab.test(basename(path)))).toEqual([]);
  });

  it('stay small enough to be read', () => {
    const long = [...sources, ...files('test').map(read)].filter(({ text }) => text.split('\n').length > 500);
    expect(long.map(({ path }) => path)).toEqual([]);
  });

  it('have a test beside them or across, and leave nothing for later', () => {
    const marker = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX'].join(''));
    expect(sources.filter(({ text }) => marker.test(text)).map(({ path }) => path)).toEqual([]);
    const focused = /\b(it|describe|test)\.(only|skip|todo)\(/;
    expect(sources.filter(({ text }) => focused.test(text)).map(({ path }) => path)).toEqual([]);
  });
});

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => normalize(join(entry.parentPath, entry.name)));
}

function read(path: string): Source {
  const text = readFileSync(path, 'utf8');
  const names = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name = '']) => name);
  const imports = names.map((name) => (name.startsWith('.') ? normalize(join(dirname(path), name)) : name));
  return { path, text, imports };
}

function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.length === 2 ? '.' : (parts[1] ?? '.');
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}
