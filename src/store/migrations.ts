/** Brings a ClickHouse database to the tables that this version works with. */
import type { ClickHouseClient } from '@clickhouse/client';
import {
  type ClickhouseTarget,
  clickhouseDatabase,
  createClickhouseClient,
  runStatement,
  selectRows,
} from './clickhouse-client.ts';
import { events } from './migrations/0001-events.ts';
import { measurements } from './migrations/0002-measurements.ts';
import { eventConflicts } from './migrations/0003-event-conflicts.ts';
import { changeLog } from './migrations/0004-change-log.ts';
import { acknowledgedLimits } from './migrations/0005-acknowledged-limits.ts';
import { corrections } from './migrations/0006-corrections.ts';
import { cheaperMerges } from './migrations/0007-cheaper-merges.ts';

/**
 * One step. Its statements must be idempotent (`IF NOT EXISTS` and the like): two processes that start together
 * may both run it, and one that is killed half-way leaves it to be run again from the beginning.
 */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly statements: readonly string[];
  /** Set after the statements, on servers that know them: they make tables cheaper, and nothing depends on them. */
  readonly settings?: readonly TableSetting[];
}

export interface TableSetting {
  readonly table: string;
  readonly name: string;
  readonly value: string;
}

/** In the order they run; an entry never changes once it was released. */
export const migrations: readonly Migration[] = [
  events,
  measurements,
  eventConflicts,
  changeLog,
  acknowledgedLimits,
  corrections,
  cheaperMerges,
];

/** Creates the database and runs what is missing. Answers the names of the steps that this call ran. */
export async function migrateClickhouse(
  target: ClickhouseTarget,
  steps: readonly Migration[] = migrations,
): Promise<readonly string[]> {
  await createDatabase(target);
  const client = createClickhouseClient({ ...target, openConnectionsMax: 1 });
  try {
    await runStatement(client, createJournal);
    const done = await completed(client);
    const ran: string[] = [];
    for (const migration of steps) {
      if (done.has(migration.id)) continue;
      await run(client, migration);
      ran.push(migration.name);
    }
    return ran;
  } finally {
    await client.close();
  }
}

async function createDatabase(target: ClickhouseTarget): Promise<void> {
  // A client that names a database which does not exist is refused, so this one works in the server's own.
  const client = createClickhouseClient({ ...target, database: 'default', openConnectionsMax: 1 });
  try {
    await runStatement(
      client,
      `CREATE DATABASE IF NOT EXISTS ${quotedIdentifier(clickhouseDatabase(target))}`,
    );
  } finally {
    await client.close();
  }
}

/** The operator names the database; quoting keeps any name a name. */
function quotedIdentifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

/**
 * A dozen rows, read whole at each start. Two processes may both record a step, and merging then keeps one of
 * the equal rows, hence ReplacingMergeTree by id, and no partition.
 */
const createJournal = `CREATE TABLE IF NOT EXISTS schema_migrations (
  id UInt32,
  name String,
  applied_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY id`;

async function completed(client: ClickHouseClient): Promise<ReadonlySet<number>> {
  const statement = { sql: 'SELECT DISTINCT id FROM schema_migrations', params: {} };
  const rows = await selectRows<{ id: number }>(client, statement);
  return new Set(rows.map((row) => row.id));
}

async function run(client: ClickHouseClient, migration: Migration): Promise<void> {
  for (const statement of migration.statements) await runStatement(client, statement);
  for (const { table, name, value } of migration.settings ?? []) {
    if (await knowsSetting(client, name)) {
      await runStatement(client, `ALTER TABLE ${table} MODIFY SETTING ${name} = '${value}'`);
    }
  }
  // Recorded last: a process that dies before this line runs the step again, which changes nothing.
  await runStatement(
    client,
    `INSERT INTO schema_migrations SELECT ${migration.id}, '${migration.name}', now64(3, 'UTC')`,
  );
}

async function knowsSetting(client: ClickHouseClient, name: string): Promise<boolean> {
  const statement = {
    sql: 'SELECT name FROM system.merge_tree_settings WHERE name = {name:String}',
    params: { name },
  };
  return (await selectRows(client, statement)).length > 0;
}
