import type { Migration } from '../migrations.ts';

/**
 * `corrections`: what counts in the place of events and measurements that were reported wrongly, for ever. What was
 * reported stays where it is, so that its identity stays claimed; a query of usage leaves out the rows named here
 * (`corrected-rows-sql.ts`) and takes the newest amendment of each instead, which has all columns of the row that it
 * replaces. One row a correction: older ones of the same item are its history, and tell what counted before.
 *
 * Engine: ReplacingMergeTree. Nothing is ever replaced but a row by its equal, when a correction was stored again
 * after a crash: reading does not depend on it, since the newest of equal rows says the same.
 *
 * Key: (customer_id, kind, item, made_at, id). Usage is asked of one customer, and then wants all corrections of a
 * kind, the newest of each item; the log wants those of some items. For a customer without corrections the index
 * of the table's parts answers.
 *
 * Partition: none. Corrections are made by people or their repair scripts; a million are some 60 MB.
 */
export const corrections: Migration = {
  id: 6,
  name: 'corrections',
  statements: [
    `CREATE TABLE IF NOT EXISTS corrections (
      customer_id String,
      kind LowCardinality(String),
      item String,
      made_at DateTime64(3, 'UTC'),
      id UUID,
      action LowCardinality(String),
      reason String,
      actor LowCardinality(String),
      name LowCardinality(String),
      resource_id LowCardinality(String),
      idempotency_key String,
      source LowCardinality(String),
      reported_timestamp DateTime64(3, 'UTC'),
      measurement_id UUID,
      flush UInt64,
      position UInt32,
      received_at DateTime64(3, 'UTC'),
      timestamp DateTime64(3, 'UTC'),
      update_behavior LowCardinality(String),
      value Decimal(76, 30),
      dimensions Map(String, String)
    )
    ENGINE = ReplacingMergeTree
    ORDER BY (customer_id, kind, item, made_at, id)`,
  ],
};
