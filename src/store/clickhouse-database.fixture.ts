/** A migrated ClickHouse database of one test file, on the engine that the test run started. */
import { randomUUID } from 'node:crypto';
import type { ClickHouseClient } from '@clickhouse/client';
import { inject } from 'vitest';
import { type ClickhouseTarget, createClickhouseClient } from './clickhouse-client.ts';
import { migrateClickhouse } from './migrations.ts';

export interface TestDatabase {
  readonly target: ClickhouseTarget;
  readonly client: ClickHouseClient;
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const database = `test_${randomUUID().replaceAll('-', '')}`;
  const target = { url: inject('clickhouseUrl'), database };
  await migrateClickhouse(target);
  const client = createClickhouseClient(target);
  return {
    target,
    client,
    drop: async () => {
      await client.command({ query: `DROP DATABASE ${database}` });
      await client.close();
    },
  };
}

/** An instant as JSONEachRow takes it for DateTime64(3, 'UTC'). */
export function instantText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', '');
}
