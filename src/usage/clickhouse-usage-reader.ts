import assert from 'node:assert/strict';
import type { ClickHouseClient } from '@clickhouse/client';
import type { FeatureCatalog } from '../catalog/feature.ts';
import type { Quantity } from '../quantity.ts';
import { selectRows } from '../store/clickhouse-client.ts';
import { groupedIntervalsMax, intervalStarts, intervalsMax } from './intervals.ts';
import { type FeatureFilter, type ReportedRow, reportedSql, rowToReportedItem } from './reported-sql.ts';
import type {
  ReportedItem,
  ReportedQuery,
  UsageBounds,
  UsageHistory,
  UsageHistoryQuery,
  UsageReader,
  UsageScope,
} from './usage.ts';
import { rowsToHistory, usageOf } from './usage-rows.ts';
import {
  aggregationOf,
  currentUsageSql,
  type HistoryRow,
  type UsageRow,
  usageHistorySql,
} from './usage-sql.ts';

/**
 * Usage straight from what is stored: always right for late events, for meters and customers made later, and
 * after any restart. One query a call. Fails with the errors of `clickhouse-client.ts`.
 */
export class ClickhouseUsageReader implements UsageReader {
  readonly #client: ClickHouseClient;
  readonly #catalog: Pick<FeatureCatalog, 'feature'>;

  /** The catalog tells what `reported` means by a feature: its meter's events, or its measurements. */
  constructor(client: ClickHouseClient, catalog: Pick<FeatureCatalog, 'feature'>) {
    this.#client = client;
    this.#catalog = catalog;
  }

  async currentUsage(scope: UsageScope, bounds: UsageBounds = {}): Promise<Quantity> {
    const [row] = await selectRows<UsageRow>(this.#client, currentUsageSql(scope, bounds));
    return usageOf(aggregationOf(scope), row);
  }

  /** The query must be one that `spanProblem` finds nothing wrong with. */
  async history(query: UsageHistoryQuery): Promise<UsageHistory> {
    const starts = intervalStarts(query, query.groupBy === null ? intervalsMax : groupedIntervalsMax);
    assert(starts !== undefined, 'the span has too many intervals');
    const rows = await selectRows<HistoryRow>(this.#client, usageHistorySql(query, starts));
    return rowsToHistory(query, starts, rows);
  }

  async reported(query: ReportedQuery): Promise<readonly ReportedItem[]> {
    const statement = reportedSql(query, await this.#featureFilter(query.featureId));
    const rows = await selectRows<ReportedRow>(this.#client, statement);
    const items = rows.map(rowToReportedItem);
    return query.end === 'first' ? items : items.reverse();
  }

  async #featureFilter(featureId: string | null): Promise<FeatureFilter> {
    if (featureId === null) return null;
    const feature = await this.#catalog.feature(featureId);
    const meter = feature?.meter ?? null;
    return meter === null ? { refId: feature?.refId ?? featureId } : { meter };
  }
}
