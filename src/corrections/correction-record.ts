/**
 * Corrections that were made and that usage does not heed yet, as records: kind `correction`, key the item's id. Once
 * they are stored in ClickHouse the record goes; the change log keeps that it was there, and who made it.
 *
 * Beside it a correction writes one of 256 records of kind `correction-turn`, which stay. So whoever has seen neither
 * it nor the correction in ClickHouse, because it was made, applied and gone in between, sees that there was one.
 */
import { createHash } from 'node:crypto';
import type { RecordRef, RecordWrite, StoredRecord } from '../records/record-store.ts';
import type { CorrectedItem } from './correction.ts';

/** The index of all of them, the longest waiting first. */
export const pendingIndex = 'pending';

export function correctionRef(itemId: string): RecordRef {
  return { kind: 'correction', key: itemId };
}

/** The one of which every correction of the item is a new version. */
export function turnRef(itemId: string): RecordRef {
  const [place = 0] = createHash('sha256').update(itemId).digest();
  return { kind: 'correction-turn', key: String(place) };
}

export function pendingOf(record: StoredRecord | undefined): CorrectedItem | undefined {
  return record?.body as CorrectedItem | undefined;
}

export function pendingWrite(pending: CorrectedItem, expectedVersion: number): RecordWrite {
  const [oldest] = pending.corrections;
  const indexes = [{ name: pendingIndex, score: oldest?.at ?? 0 }];
  return { ...correctionRef(pending.item.id), expectedVersion, body: pending, indexes };
}

/** Goes with every `pendingWrite`. */
export function turnWrite(itemId: string, expectedVersion: number): RecordWrite {
  return { ...turnRef(itemId), expectedVersion, body: {} };
}

export function appliedWrite(itemId: string, expectedVersion: number): RecordWrite {
  return { ...correctionRef(itemId), expectedVersion, body: null };
}
