import type { Migration } from '../migrations.ts';

/**
 * `change_log`: every change of a record, for ever: who, what, before and after, when. All records can be made
 * again from it. One row per record that a commit wrote; names and e-mails are never in it.
 *
 * Engine: MergeTree, which is only ever appended to. The outbox' batches have tokens, so an insert that is
 * repeated adds nothing (see `events`).
 *
 * Key: (kind, key, entry_ms, entry_seq). It is asked for the history of one record, and for the newest row of
 * every record in the order of (kind, key), which then needs no sorting. (entry_ms, entry_seq) is the commit's
 * id in the outbox, which rises with every commit.
 *
 * Partition: none. A change is made by a person or a date, so a million customers with a subscription each, ten
 * changes a year, are 20 million rows; bodies repeat and compress to a tenth.
 *
 * `customer_personal`: names and e-mails, as they are now, so that they can be erased and yet be restored.
 *
 * Engine: ReplacingMergeTree by the record's version: the newest wins, and an insert may be repeated. Erasing
 * rewrites the parts with the customer in it, at some 100 bytes a customer. ClickHouse keeps what it has rewritten
 * for eight minutes and more, in case the machine loses power; here new parts are synced to the disk instead, and
 * the files of old ones are gone within some ten seconds.
 */
export const changeLog: Migration = {
  id: 4,
  name: 'change-log',
  statements: [
    `CREATE TABLE IF NOT EXISTS change_log (
      entry_ms UInt64,
      entry_seq UInt64,
      commit UUID,
      at DateTime64(3, 'UTC'),
      actor LowCardinality(String),
      trace_id String,
      operation LowCardinality(String),
      kind LowCardinality(String),
      key String,
      version UInt64,
      before String,
      after String,
      indexes String
    )
    ENGINE = MergeTree
    ORDER BY (kind, key, entry_ms, entry_seq)
    SETTINGS non_replicated_deduplication_window = 10000`,
    `CREATE TABLE IF NOT EXISTS customer_personal (
      key String,
      version UInt64,
      content String
    )
    ENGINE = ReplacingMergeTree(version)
    ORDER BY key
    SETTINGS
      fsync_after_insert = 1,
      min_rows_to_fsync_after_merge = 1,
      old_parts_lifetime = 1,
      cleanup_delay_period = 1,
      cleanup_delay_period_random_add = 0,
      max_cleanup_delay_period = 10`,
  ],
};
