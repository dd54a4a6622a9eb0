import type { Migration } from '../migrations.ts';

/**
 * What an acknowledgement said beside `current_usage`: the limit and the usage period, as the entitlement stood
 * when the measurement was processed. Subscriptions change, so a repeat could not be answered with the original
 * from them. Null: no limit, usage that never starts from zero again, or measurements from before this step.
 *
 * Columns that are added cost nothing until rows are written; equal ones compress to nearly nothing.
 */
export const acknowledgedLimits: Migration = {
  id: 5,
  name: 'acknowledged-limits',
  statements: [
    `ALTER TABLE measurements
      ADD COLUMN IF NOT EXISTS usage_limit Nullable(Decimal(76, 30)),
      ADD COLUMN IF NOT EXISTS period_start Nullable(DateTime64(3, 'UTC')),
      ADD COLUMN IF NOT EXISTS period_end Nullable(DateTime64(3, 'UTC'))`,
  ],
};
