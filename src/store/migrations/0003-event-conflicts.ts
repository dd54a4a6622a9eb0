import type { Migration } from '../migrations.ts';

/**
 * Events that were not counted, because their identity came within the dedupe window with other content. They
 * are kept so that whoever sent them can see what happened, and for nothing else.
 *
 * Engine: MergeTree, columns and deduplication as for `events`, since a flush writes both the same way.
 *
 * Key: (customer_id, event_name, timestamp), as the log asks for both tables in the same words.
 *
 * Partition: the month of receipt, not of the timestamp: rows leave 90 days after receipt, and then whole
 * parts leave at once and nothing is rewritten. That makes at most four or five partitions. At 1 % of 100 million
 * events a month and 40 bytes each the table holds 120 MB.
 */
export const eventConflicts: Migration = {
  id: 3,
  name: 'event-conflicts',
  statements: [
    `CREATE TABLE IF NOT EXISTS event_conflicts (
      flush UInt64,
      content_digest UInt32,
      received_at DateTime64(3, 'UTC'),
      timestamp DateTime64(3, 'UTC'),
      event_name LowCardinality(String),
      customer_id String,
      resource_id LowCardinality(String),
      idempotency_key String,
      source LowCardinality(String),
      dimensions Map(String, String),
      INDEX flush_range flush TYPE minmax GRANULARITY 4
    )
    ENGINE = MergeTree
    PARTITION BY toYYYYMM(received_at)
    ORDER BY (customer_id, event_name, timestamp)
    TTL toDateTime(received_at) + INTERVAL 90 DAY
    SETTINGS
      ttl_only_drop_parts = 1,
      non_replicated_deduplication_window = 10000,
      enable_vertical_merge_algorithm = 1,
      vertical_merge_algorithm_min_rows_to_activate = 1,
      vertical_merge_algorithm_min_columns_to_activate = 1`,
  ],
};
