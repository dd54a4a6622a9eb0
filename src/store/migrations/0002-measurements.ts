import type { Migration } from '../migrations.ts';

/**
 * Calculated usage as it was reported and acknowledged, for ever: the fold over it is the usage.
 *
 * Engine: MergeTree, for the reasons given at `events`. The order of the fold is (timestamp, flush, position),
 * all three stored, so it is the same however parts are merged.
 *
 * Key: (customer_id, feature_id, timestamp): one fold reads one customer's rows of one feature, in the order it
 * needs them. 100,000 measurements of one scope are 13 granules; a fold reads some 70 bytes a row, 7 MB.
 *
 * Partition: the month of the timestamp, as for `events`; a fold over all time opens every month, but in each
 * only the granules of its scope.
 *
 * Amounts are Decimal(76, 30): 32 bytes raw, 2–6 compressed for everyday numbers. `current_usage` is what the
 * acknowledgement said, so that a repeat can be answered with the original for ever.
 */
export const measurements: Migration = {
  id: 2,
  name: 'measurements',
  statements: [
    `CREATE TABLE IF NOT EXISTS measurements (
      flush UInt64,
      position UInt32,
      id UUID,
      content_digest UInt32,
      received_at DateTime64(3, 'UTC'),
      timestamp DateTime64(3, 'UTC'),
      feature_id LowCardinality(String),
      customer_id String,
      resource_id LowCardinality(String),
      idempotency_key String,
      update_behavior LowCardinality(String),
      value Decimal(76, 30),
      current_usage Decimal(76, 30),
      dimensions Map(String, String),
      INDEX flush_range flush TYPE minmax GRANULARITY 4,
      INDEX received_range received_at TYPE minmax GRANULARITY 4
    )
    ENGINE = MergeTree
    PARTITION BY toYYYYMM(timestamp)
    ORDER BY (customer_id, feature_id, timestamp)
    SETTINGS
      non_replicated_deduplication_window = 10000,
      enable_vertical_merge_algorithm = 1,
      vertical_merge_algorithm_min_rows_to_activate = 1,
      vertical_merge_algorithm_min_columns_to_activate = 1`,
  ],
};
