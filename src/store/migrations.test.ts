import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createClickhouseClient, runStatement, selectRows } from './clickhouse-client.ts';
import { migrateClickhouse, type Migration, migrations } from './migrations.ts';
import { events } from './migrations/0001-events.ts';
import { cheaperMerges } from './migrations/0007-cheaper-merges.ts';

const target = { url: inject('clickhouseUrl'), database: `test \`${randomUUID()}` };
const client = createClickhouseClient(target);
const rows = (sql: string) => selectRows(client, { sql, params: {} });
let ran: readonly (readonly string[])[] = [];

beforeAll(async () => {
  // As when several processes of a role start together on an empty server.
  ran = await Promise.all([migrateClickhouse(target), migrateClickhouse(target), migrateClickhouse(target)]);
});
afterAll(async () => {
  await runStatement(client, `DROP DATABASE \`${target.database.replace('`', '\\`')}\``);
  await client.close();
});

describe('migrateClickhouse', () => {
  it('makes the tables once, whoever comes first', async () => {
    expect(ran.flat()).toEqual(expect.arrayContaining(migrations.map((migration) => migration.name)));
    expect(
      await rows('SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name'),
    ).toEqual([
      { name: 'change_log' },
      { name: 'corrections' },
      { name: 'customer_personal' },
      { name: 'event_conflicts' },
      { name: 'events' },
      { name: 'measurements' },
      { name: 'schema_migrations' },
    ]);
    expect(await rows('SELECT DISTINCT id, name FROM schema_migrations ORDER BY id')).toEqual(
      migrations.map(({ id, name }) => ({ id, name })),
    );
  });

  it('runs nothing a second time, and keeps what is stored', async () => {
    await runStatement(client, insertEvent('a'));
    expect(await migrateClickhouse(target)).toEqual([]);
    expect(await rows('SELECT customer_id FROM events')).toEqual([{ customer_id: 'a' }]);
  });

  it('goes on where a process was killed', async () => {
    await runStatement(client, 'TRUNCATE TABLE schema_migrations');
    expect(await migrateClickhouse(target)).toEqual(migrations.map((migration) => migration.name));
    expect(await rows('SELECT customer_id FROM events')).toEqual([{ customer_id: 'a' }]);
  });

  it('keeps what was stored before codecs and settings changed, merged or not', async () => {
    const instants = ['1900-01-01 00:00:00.001', '1969-12-31 23:59:59.999', '2299-12-31 23:59:59.999'];
    const steps = [...events.statements, ...cheaperMerges.statements, ...settingStatements(cheaperMerges)];
    for (const [step, sql] of steps.entries()) {
      await runStatement(client, sql.replace(/\bevents\b/, 'former'));
      for (const instant of instants) {
        await runStatement(client, insertEvent('d', '', instant, step).replace('events', 'former'));
      }
    }
    const stored = () =>
      rows('SELECT flush, toString(timestamp) AS at, dimensions FROM former ORDER BY timestamp, flush');
    const expected = instants.flatMap((at) =>
      steps.map((_, step) => ({ flush: String(step), at, dimensions: { a: 'b' } })),
    );
    expect(await stored()).toEqual(expected);
    await runStatement(client, 'OPTIMIZE TABLE former FINAL');
    expect(await stored()).toEqual(expected);
    await runStatement(client, 'DROP TABLE former');
  });

  it('sets what makes tables cheaper, and passes over what a server does not know', async () => {
    const [table] = await rows(
      "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'events'",
    );
    expect(JSON.stringify(table)).toContain("merge_selector_base = '10'");
    const unknown = { table: 'events', name: 'no_such_setting', value: '1' };
    const step = { id: migrations.length + 1, name: 'unknown', statements: [], settings: [unknown] };
    expect(await migrateClickhouse(target, [...migrations, step])).toEqual(['unknown']);
    await runStatement(client, `DELETE FROM schema_migrations WHERE id = ${step.id}`);
  });

  it('numbers its steps from 1 without a gap', () => {
    expect(migrations.map((migration) => migration.id)).toEqual(migrations.map((_, index) => index + 1));
  });
});

describe('the tables', () => {
  it('drop an insert that comes again with its token', async () => {
    const insert = insertEvent('b', "SETTINGS insert_deduplication_token = 'token-1'");
    await runStatement(client, insert);
    await runStatement(client, insert);
    expect(await rows("SELECT count() AS n FROM events WHERE customer_id = 'b'")).toEqual([{ n: '1' }]);
  });

  it('keep instants to the millisecond over the whole range that is taken', async () => {
    const instants = ['1900-01-01 00:00:00.001', '1969-12-31 23:59:59.999', '2299-12-31 23:59:59.999'];
    for (const instant of instants) await runStatement(client, insertEvent('c', '', instant));
    const stored = await rows(
      "SELECT toUnixTimestamp64Milli(timestamp) AS ms FROM events WHERE customer_id = 'c' ORDER BY timestamp",
    );
    expect(stored).toEqual(
      instants.map((instant) => ({ ms: String(Date.parse(`${instant.replace(' ', 'T')}Z`)) })),
    );
  });

  it('forget conflicts 90 days after their receipt, and events never', async () => {
    const old = `SELECT 1, 2, now64(3) - INTERVAL 91 DAY, now64(3), 'n', 'old', '', 'k', '', map()`;
    for (const table of ['events', 'event_conflicts']) {
      await runStatement(client, `INSERT INTO ${table} ${old}`);
      await runStatement(client, `OPTIMIZE TABLE ${table} FINAL`);
    }
    expect(await rows("SELECT count() AS n FROM event_conflicts WHERE customer_id = 'old'")).toEqual([
      { n: '0' },
    ]);
    expect(await rows("SELECT count() AS n FROM events WHERE customer_id = 'old'")).toEqual([{ n: '1' }]);
  });
});

function settingStatements({ settings = [] }: Migration): string[] {
  return settings.map(({ name, value }) => `ALTER TABLE events MODIFY SETTING ${name} = '${value}'`);
}

function insertEvent(
  customerId: string,
  settings = '',
  timestamp = '2024-01-01 00:00:00.000',
  flush = 1,
): string {
  const columns = `${flush}, 2, now64(3), '${timestamp}', 'request', '${customerId}', '', 'key', '', map('a', 'b')`;
  return `INSERT INTO events ${settings} SELECT ${columns}`;
}
