import type { Migration } from '../migrations.ts';

/**
 * Raw events, every one that counts and for ever: all usage of meters is computed from here.
 *
 * Engine: MergeTree. Identities are checked before the insert, and an insert that is repeated is dropped by its
 * token, so merging needs to drop nothing: ReplacingMergeTree halved the sustained insert rate, and reading
 * with FINAL costs 1.5–2 times a plain read. The token is remembered for the last 10,000 parts of the table;
 * a flush is one insert and the next one starts only when it is done, so one would do.
 *
 * Key: (customer_id, event_name, timestamp). Usage is always asked of one customer, nearly always of one event
 * name and often of a span of time, and so is the look for a late duplicate. A customer's month of 10,000
 * events is two granules of 8,192 rows out of 1,220 in a table of 10 million. The primary index then weighs
 * some 50 bytes a granule, 60 kB, and stays in memory.
 *
 * Partition: the month of the timestamp. Late events go into their own month; a month is what gets archived or
 * dropped, and history over a span opens only its months. Ten years are 120 partitions; a flush that touches
 * hundreds (a back-fill) writes one small part for each, which is why the insert lifts the limit on them.
 *
 * Columns: identity is not stored, because it can be computed from the row; 16 random bytes an event would not
 * compress and be a third of the table. What is stored compresses to 26–43 bytes an event. `flush` and
 * `received_at` rise with insertion, so a minmax index over four granules finds the newest flush and the
 * dedupe window (24 h) without reading the rest: 4 to 16 bytes per 32,768 rows.
 * Dimensions are an ordinary Map: a low-cardinality map cost 3.7–3.8 µs a row to insert and merge against
 * 2.2–2.6 µs; vertical merges from the first row on keep a merge from holding whole maps in memory.
 */
export const events: Migration = {
  id: 1,
  name: 'events',
  statements: [
    `CREATE TABLE IF NOT EXISTS events (
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
      INDEX flush_range flush TYPE minmax GRANULARITY 4,
      INDEX received_range received_at TYPE minmax GRANULARITY 4
    )
    ENGINE = MergeTree
    PARTITION BY toYYYYMM(timestamp)
    ORDER BY (customer_id, event_name, timestamp)
    SETTINGS
      non_replicated_deduplication_window = 10000,
      enable_vertical_merge_algorithm = 1,
      vertical_merge_algorithm_min_rows_to_activate = 1,
      vertical_merge_algorithm_min_columns_to_activate = 1`,
  ],
};
