import { setTimeout as delay } from 'node:timers/promises';
import {
  type Audit,
  type RecordRef,
  RecordsFullError,
  RecordsOverloadedError,
  type RecordStore,
  type RecordWrite,
  type SealedLetter,
  type StoredRecord,
} from './record-store.ts';

/** What is to be written and answered, or why nothing is. No writes: the answer alone. */
export type Decision<Result, Problem = never> =
  | {
      readonly writes: readonly RecordWrite[];
      readonly result: Result;
      /** What goes with the change, or alone where no record changes. */
      readonly letters?: readonly SealedLetter[];
    }
  | Refused<Problem>;

export interface Changed<Result> {
  readonly result: Result;
}

/** None where there is no problem that it could tell. */
export type Refused<Problem> = [Problem] extends [never] ? never : { readonly problem: Problem };

/** In every round of competing writers one succeeds, so this many writers of one record all get through. */
const attemptsMax = 200;

/** Beyond this many losses in a row a writer waits a random while, so that the others finish. */
const eagerAttemptsMax = 10;
const pauseMsMax = 20;

/**
 * Reads the records, lets `decide` (which is pure) say what becomes of them, and commits; does so again when
 * somebody else changed one of them meanwhile, whether it is to be written or was only looked at: so nothing is
 * decided on a state that is gone, such as a subscription for a customer who is archived meanwhile. `decide` gets the records in the order of `refs`, all as they
 * were at one moment. Throws RecordsOverloadedError when it loses every time, RecordsFullError at a kind's bound.
 */
export async function changeRecords<Result, Problem = never>(
  store: RecordStore,
  refs: readonly RecordRef[],
  audit: Audit,
  decide: (records: readonly (StoredRecord | undefined)[]) => Decision<Result, Problem>,
): Promise<Changed<Result> | Refused<Problem>> {
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    // From before the read, so that it is never newer than what was read.
    const life = store.life();
    const records = await store.read(refs);
    const decision = decide(records);
    if ('problem' in decision) return decision;
    const { writes, result, letters = [] } = decision;
    if (writes.length === 0 && letters.length === 0) return { result };
    const written = new Set(writes.map(nameOf));
    const unchanged = refs.flatMap((ref, at) =>
      written.has(nameOf(ref)) ? [] : [{ ...ref, expectedVersion: records[at]?.version ?? 0 }],
    );
    const outcome = await store.commit(writes, audit, unchanged, letters, life);
    if (outcome === 'committed') return { result };
    if (outcome === 'full') throw new RecordsFullError('there are as many of these as there may be');
    if (attempt > eagerAttemptsMax) await delay(Math.random() * pauseMsMax);
  }
  throw new RecordsOverloadedError('too many changes of the same records at once; send this one again');
}

function nameOf({ kind, key }: RecordRef): string {
  return `${kind} ${key}`;
}
