/** What was told of a customer's limits, as records: kind `usage-threshold`, one for each feature and resource. */
import type { RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { ToldUsages } from './usage-threshold.ts';

/** Whose usage of what. */
export interface WatchedUsage {
  /** Customer and feature by refId. */
  readonly customerId: string;
  readonly featureId: string;
  /** Null: of all resources and none together. */
  readonly resourceId: string | null;
}

export interface ThresholdRecord extends WatchedUsage {
  readonly told: ToldUsages;
}

export function thresholdRef({ customerId, featureId, resourceId }: WatchedUsage): RecordRef {
  return { kind: 'usage-threshold', key: JSON.stringify([customerId, featureId, resourceId]) };
}

export function toldOf(record: StoredRecord | undefined): ToldUsages {
  return (record?.body as ThresholdRecord | undefined)?.told ?? [];
}

export function thresholdWrite(
  { customerId, featureId, resourceId }: WatchedUsage,
  told: ToldUsages,
  expectedVersion: number,
): RecordWrite {
  const body: ThresholdRecord = { customerId, featureId, resourceId, told };
  return { ...thresholdRef(body), expectedVersion, body };
}
