/** Makes the records of an empty Redis again from the change log, byte for byte as they were. */
import type { Redis } from 'ioredis';
import type { ChangeLogReader, LoggedRecord } from './change-log.ts';
import { recordKeys } from './record-keys.ts';
import { recordKinds, type RecordKind } from './record-kinds.ts';
import { beginRestoreScript, endRestoreScript, restoreScript } from './record-scripts.ts';

/** This Redis has records, and a restore adds to none. */
export class RecordsPresentError extends Error {
  readonly code = 'RECORDS_PRESENT';
  readonly retryable = false;
}

/** Records written by one script; Redis answers nobody else meanwhile, for some milliseconds. */
const recordsPerStep = 200;

/**
 * Until it is done commits are refused as OVERLOADED, also when it is interrupted: then it has to be run again,
 * and begins from the start. Answers how many records there are.
 */
export async function restoreRecords(
  redis: Redis,
  namespace: string,
  changeLog: ChangeLogReader,
): Promise<number> {
  const keys = recordKeys(namespace);
  const { restoring, outbox, revisions, prefix } = keys;
  const kinds = (Object.keys(recordKinds) as RecordKind[]).map((kind) => keys.of(kind).records);
  const present = [restoring, outbox, revisions, ...kinds];
  const begun = await redis.eval(beginRestoreScript, present.length, ...present);
  if (begun !== 'begun') {
    throw new RecordsPresentError('this Redis has records already; restore only fills an empty one');
  }
  let count = 0;
  for await (const page of changeLog.newest()) {
    for (let from = 0; from < page.length; from += recordsPerStep) {
      const step = page.slice(from, from + recordsPerStep);
      await redis.eval(restoreScript, 1, restoring, prefix, ...step.flatMap(restoreArguments));
      count += step.length;
    }
  }
  const byKind = await changeLog.revisions();
  const newest = [...byKind.values()].toSorted(compareIds).at(-1) ?? '';
  const entries = [...byKind].flat();
  await redis.eval(endRestoreScript, 3, restoring, outbox, revisions, newest, ...entries);
  return count;
}

/** In the order that the restore script reads; the lines are as the commit script makes them. */
function restoreArguments(record: LoggedRecord): readonly string[] {
  const { kind, key, version, commit, indexes, body, personal } = record;
  const { id } = JSON.parse(body) as { readonly id?: unknown };
  const idText = typeof id === 'string' ? id : '';
  const line = [version, commit, idText, indexes, body].join('\n');
  const personalIndexes = personal === '' ? '[]' : personal.slice(0, personal.indexOf('\n'));
  return [kind, key, line, idText, indexes, personal, personalIndexes];
}

/** Of two ids `milliseconds-sequence`, the one that is later. */
function compareIds(a: string, b: string): number {
  const [aMs, aSeq] = a.split('-').map(Number);
  const [bMs, bSeq] = b.split('-').map(Number);
  return (aMs ?? 0) - (bMs ?? 0) || (aSeq ?? 0) - (bSeq ?? 0);
}
