/**
 * Corrections that were made and that usage does not heed yet, as records: kind `correction`, key the item's id. Once
 * they are stored in ClickHouse the record goes; the change log keeps that it was there, and who made it.
 */
import type { RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { CorrectedItem } from './correction.ts';

/** The index of all of them, the longest waiting first. */
export const pendingIndex = 'pending';

export function correctionRef(itemId: string): RecordRef {
  return { kind: 'correction', key: itemId };
}

export function pendingOf(record: StoredRecord | undefined): CorrectedItem | undefined {
  return record?.body as CorrectedItem | undefined;
}

export function pendingWrite(pending: CorrectedItem, expectedVersion: number): RecordWrite {
  const [oldest] = pending.corrections;
  const indexes = [{ name: pendingIndex, score: oldest?.at ?? 0 }];
  return { ...correctionRef(pending.item.id), expectedVersion, body: pending, indexes };
}

export function appliedWrite(itemId: string, expectedVersion: number): RecordWrite {
  return { ...correctionRef(itemId), expectedVersion, body: null };
}
