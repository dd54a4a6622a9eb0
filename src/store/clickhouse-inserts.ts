/** Inserts that ClickHouse is carrying out, whoever sent them and whether or not he still lives. */
import type { ClickHouseClient } from '@clickhouse/client';
import { selectRows } from './clickhouse-client.ts';

/** Into these tables of the client's database, which take no pattern. One small question. */
export async function insertsUnderWay(client: ClickHouseClient, tables: readonly string[]): Promise<number> {
  const [found] = await selectRows<{ number: string }>(client, {
    sql: underWaySql,
    params: { insert: `^INSERT INTO (${tables.join('|')})\\b` },
  });
  return Number(found?.number ?? 0);
}

const underWaySql = `SELECT count() AS number FROM system.processes
  WHERE current_database = currentDatabase() AND match(query, {insert:String})`;
