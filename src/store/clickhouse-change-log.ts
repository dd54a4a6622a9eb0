/** The change log and the personal texts beside it, in ClickHouse. */
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type {
  ChangeLog,
  ChangeLogReader,
  LoggedRecord,
  OutboxBatch,
  PersonalText,
} from '../records/change-log.ts';
import { personalKind, type RecordKind } from '../records/record-kinds.ts';
import { classifyClickhouseError, selectRows } from './clickhouse-client.ts';
import { insertsUnderWay } from './clickhouse-inserts.ts';
import type { SqlStatement } from './sql-statement.ts';

/** Bodies of some kilobytes make pages of some megabytes. */
const recordsPerPage = 2_000;

export class ClickhouseChangeLog implements ChangeLog, ChangeLogReader {
  readonly #client: ClickHouseClient;

  constructor(client: ClickHouseClient) {
    this.#client = client;
  }

  async append({ token, entries }: OutboxBatch): Promise<void> {
    const rows = entries.flatMap(({ id, commit, audit, writes }) => {
      const [entry_ms, entry_seq] = id.split('-');
      const { actor, operation, traceId: trace_id } = audit;
      const at = new Date(audit.at).toISOString().replace('T', ' ').replace('Z', '');
      const about = { entry_ms, entry_seq, commit, at, actor, trace_id, operation };
      return writes.map((write) => ({ ...about, ...write }));
    });
    // Commits that stored a letter and changed no record.
    if (rows.length === 0) return;
    await this.#insert('change_log', rows, { insert_deduplication_token: token });
  }

  async keepPersonal(texts: readonly PersonalText[]): Promise<void> {
    if (texts.length === 0) return;
    await this.#insert('customer_personal', texts, {});
  }

  async erasePersonal(keys: readonly string[] | 'all'): Promise<boolean> {
    const found = await selectRows<{ key: string }>(this.#client, erasable(keys));
    if (found.length === 0) return false;
    try {
      await this.#client.command({
        query: `ALTER TABLE customer_personal DELETE WHERE content != '' AND key IN {keys:Array(String)}`,
        query_params: { keys: found.map(({ key }) => key) },
        // 1: the answer comes when it is done.
        clickhouse_settings: { mutations_sync: '1' },
      });
    } catch (error) {
      throw classifyClickhouseError(error);
    }
    return true;
  }

  async *newest(): AsyncIterable<readonly LoggedRecord[]> {
    let last: { readonly kind: string; readonly key: string } = { kind: '', key: '' };
    for (;;) {
      const params = { kind: last.kind, key: last.key, limit: recordsPerPage };
      const page = await selectRows<LoggedRow>(this.#client, { sql: newestSql, params });
      const end = page.at(-1);
      if (end === undefined) return;
      last = end;
      const personal = await this.#personalOf(page);
      const records = page.filter((row) => row.body !== '');
      yield records.map((row) => {
        const text = row.kind === personalKind ? personal.get(row.key) : undefined;
        // A text may be newer than the record, whose last change was lost: the next one must be newer than both.
        const version = Math.max(Number(row.version), Number(text?.at_version ?? 0));
        return { ...row, version, personal: text?.newest ?? '' };
      });
    }
  }

  async revisions(): Promise<ReadonlyMap<string, string>> {
    const rows = await selectRows<{ kind: string; revision: string }>(this.#client, {
      sql: revisionsSql,
      params: {},
    });
    return new Map(rows.map(({ kind, revision }) => [kind, revision]));
  }

  async isGrowing(): Promise<boolean> {
    return (await insertsUnderWay(this.#client, ['change_log', 'customer_personal'])) > 0;
  }

  async #personalOf(page: readonly LoggedRow[]): Promise<ReadonlyMap<string, PersonalRow>> {
    const keys = page.filter(({ kind }) => kind === personalKind).map(({ key }) => key);
    if (keys.length === 0) return new Map();
    const rows = await selectRows<PersonalRow>(this.#client, {
      sql: personalSql,
      params: { keys },
    });
    return new Map(rows.map((row) => [row.key, row]));
  }

  async #insert(table: string, values: readonly object[], settings: ClickHouseSettings): Promise<void> {
    try {
      await this.#client.insert({
        table,
        values,
        format: 'JSONEachRow',
        clickhouse_settings: { ...insertSettings, ...settings },
      });
    } catch (error) {
      throw classifyClickhouseError(error);
    }
  }
}

interface LoggedRow extends Omit<LoggedRecord, 'version' | 'personal'> {
  readonly kind: RecordKind;
  readonly version: string;
}

interface PersonalRow {
  readonly key: string;
  readonly newest: string;
  readonly at_version: string;
}

/** One thread and no parallel parsing: the same batch must make the same block, as its token is the block's. */
const insertSettings: ClickHouseSettings = {
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 1,
  max_threads: 1,
  max_insert_threads: '1',
  input_format_parallel_parsing: 0,
};

/** Keys that have something beside an empty newest text. */
function erasable(keys: readonly string[] | 'all'): SqlStatement {
  const among = keys === 'all' ? '' : 'WHERE key IN {keys:Array(String)}';
  return {
    sql: `SELECT key FROM customer_personal ${among}
      GROUP BY key HAVING argMax(content, version) = '' AND max(content != '')`,
    params: keys === 'all' ? {} : { keys },
  };
}

/** Read in the order of the table's key, so a page holds no more than its own records in memory. */
const newestSql = `SELECT kind, key,
    argMax(version, (entry_ms, entry_seq)) AS version,
    argMax(commit, (entry_ms, entry_seq)) AS commit,
    argMax(after, (entry_ms, entry_seq)) AS body,
    argMax(indexes, (entry_ms, entry_seq)) AS indexes
  FROM change_log
  WHERE (kind, key) > ({kind:String}, {key:String})
  GROUP BY kind, key
  ORDER BY kind, key
  LIMIT {limit:UInt32}
  SETTINGS optimize_aggregation_in_order = 1`;

const personalSql = `SELECT key, argMax(content, version) AS newest, max(version) AS at_version
  FROM customer_personal
  WHERE key IN {keys:Array(String)} GROUP BY key`;

const revisionsSql = `SELECT kind,
    concat(toString(max((entry_ms, entry_seq)).1), '-', toString(max((entry_ms, entry_seq)).2)) AS revision
  FROM change_log GROUP BY kind`;
