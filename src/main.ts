/** The process: arguments, signals, exit code. */
import { fileURLToPath } from 'node:url';
import { type RoleName, roleNames, startRole } from './app.ts';
import type { RunningRole } from './app/running-role.ts';
import { type Config, readConfig } from './config.ts';
import { type Logger, makeLogger } from './telemetry.ts';

const help = `node dist/main.js ROLE

Roles
  all          every role, with a redis-server and an embedded ClickHouse unless their URLs are set
  ingest       takes events and usage over HTTP on INGEST_PORT
  aggregate    deduplicates, aggregates and stores what is queued
  api          GraphQL and the explorer on API_PORT
  clickhouse   the embedded ClickHouse at the address of CLICKHOUSE_URL (default http://127.0.0.1:8123)

Products, features, packages, customers and subscriptions, after the loss of Redis; aggregate does the same by itself
  restore                        makes them again in an empty Redis from the change log in ClickHouse; without
                                 REDIS_URL and CLICKHOUSE_URL in those under DATA_DIR, while \`npm start\` is stopped

Batches that could not be stored, with their content
  dead-letters list              lists them
  dead-letters show BATCH_ID     prints one as JSON
  dead-letters replay BATCH_ID   queues one again

Webhooks that could not be delivered
  webhooks list                  lists them
  webhooks replay MESSAGE_ID     sends one again

ingest, aggregate, api, dead-letters and webhooks need REDIS_URL and CLICKHOUSE_URL. Every setting: .env.example
`;

/** Beyond the longest wait for an acknowledgement: time to drain the rest and to say goodbye to the engines. */
const stopMsSpare = 15_000;

await main(process.argv.slice(2));

async function main([word, ...words]: readonly string[]): Promise<void> {
  if (word === '--help' || words.includes('--help')) {
    process.stdout.write(help);
    return;
  }
  const read = readConfig(process.env);
  if ('problems' in read) end(1, read.problems.join('\n'));
  else if (word === 'dead-letters') await guarded(() => deadLetters(read.config, words));
  else if (word === 'webhooks') await guarded(() => webhooks(read.config, words));
  else if (word === 'restore') await guarded(() => restore(read.config));
  else if (word === 'all') await runToTheEnd(read.config, 'all');
  else if (roleNames.some((name) => name === word)) await runToTheEnd(read.config, word as RoleName);
  else
    end(
      2,
      `${word ?? 'no word'} is no role; allowed: all, ${roleNames.join(', ')}, dead-letters, webhooks, restore (see --help)`,
    );
}

async function runToTheEnd(config: Config, name: RoleName | 'all'): Promise<void> {
  const log = makeLogger(name, config.logLevel);
  const stopAsked = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
  // A child of `all` ends with its parent, however the parent ended; dying so loses nothing (I1).
  process.once('disconnect', () => process.exit(1));
  await guarded(async () => {
    const starting = name === 'all' ? startAll(config, log) : startRole(name, config, log);
    // A worker that stands by, or whose Redis is away, starts for as long as that lasts. It holds nothing that its
    // end would lose, and the children of `all` end with it.
    const role = await Promise.race([starting, stopAsked.then(() => undefined)]);
    if (role === undefined) return;
    process.send?.('ready');
    const waitedFor: Promise<unknown>[] = [stopAsked];
    if (role.failed !== undefined) waitedFor.push(role.failed);
    await Promise.race(waitedFor);
    // `all` bounds the time of each of its children itself.
    if (name !== 'all') endWithin(config.ackTimeoutMs + stopMsSpare);
    await role.stop();
  });
  process.exit(process.exitCode ?? 0);
}

/** An engine that is silent must not keep a role for ever; dying with work in hand loses nothing (I1). */
function endWithin(milliseconds: number): void {
  const give = (): void => {
    process.stderr.write('not all could be closed in time; what was in hand is finished by the next start\n');
    process.exit(1);
  };
  setTimeout(give, milliseconds).unref();
}

async function startAll(config: Config, log: Logger): Promise<RunningRole> {
  const { startDefault } = await import('./embedded/default-start.ts');
  return startDefault({ config, log, print, entry: fileURLToPath(import.meta.url) });
}

async function deadLetters(config: Config, words: readonly string[]): Promise<void> {
  const { deadLetterCommand } = await import('./dead-letter-command.ts');
  await deadLetterCommand(config, words, print);
}

async function webhooks(config: Config, words: readonly string[]): Promise<void> {
  const { webhookCommand } = await import('./webhook-command.ts');
  await webhookCommand(config, words, print);
}

async function restore(config: Config): Promise<void> {
  const { restoreCommand } = await import('./restore-command.ts');
  const log = makeLogger('restore', config.logLevel);
  await restoreCommand({ config, log, print, entry: fileURLToPath(import.meta.url) });
}

/** What stops a start or a command is told in one line: these errors are written for their readers. */
async function guarded(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    end(1, error instanceof Error ? error.message : String(error));
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

function end(code: number, message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
