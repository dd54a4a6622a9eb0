/** What the naive designs are made of: the same events in the same Redis and the same ClickHouse. */
export interface NaiveEvent {
  readonly customerId: string;
  readonly eventName: string;
  readonly idempotencyKey: string;
  readonly timestamp: string;
  readonly dimensions: Readonly<Record<string, string | number | boolean>>;
}

/**
 * `jobPerEvent`: the jobs of a request are added together, and rows are inserted by the thousand.
 * `fullyNaive`: one after the other, a row at a time.
 */
export type NaiveDesign = 'jobPerEvent' | 'fullyNaive';

export const naiveQueue = 'naive';
export const naiveTable = 'naive_events';
