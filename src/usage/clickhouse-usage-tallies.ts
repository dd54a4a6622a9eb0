import type { ClickHouseClient } from '@clickhouse/client';
import { selectRows } from '../store/clickhouse-client.ts';
import type { UsageTallies } from './live-counters.ts';
import type { UsageBounds, UsageScope } from './usage.ts';
import { currentUsageSql, type UsageRow } from './usage-sql.ts';

/** The very query of `ClickhouseUsageReader.currentUsage`, answered as an aggregate that further parts can join. */
export class ClickhouseUsageTallies implements UsageTallies {
  readonly #client: ClickHouseClient;

  constructor(client: ClickHouseClient) {
    this.#client = client;
  }

  async tally(scope: UsageScope, bounds: UsageBounds): Promise<UsageRow> {
    const [row] = await selectRows<UsageRow>(this.#client, currentUsageSql(scope, bounds));
    return row ?? { amount: '0', counted: '0' };
  }
}
