import type { Clock } from '../clock.ts';
import type { ItemRetries } from '../item-retries.ts';
import type { RecordKind } from '../records/record-kinds.ts';
import type { RecordPlace, RecordStore, StoredRecord } from '../records/record-store.ts';
import type { DueStep } from './subscription-register.ts';

export interface DueItemsOptions {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly kind: RecordKind;
  /** Of those for which time has something to do, by when. */
  readonly index: string;
  /** When the record is due, as the index has it. */
  readonly dueAt: (record: StoredRecord) => number | null;
  /** By the record's key; doing it again changes nothing. */
  readonly carryOut: (key: string) => Promise<void>;
  readonly retries: ItemRetries;
}

/**
 * Carries out what is due, that which has waited longest first. One for which that fails stays in the index, is put
 * off, and the walk goes on behind it: so it holds up nobody, however many there are of them.
 */
export class RecordDueItems {
  readonly #options: DueItemsOptions;

  constructor(options: DueItemsOptions) {
    this.#options = options;
  }

  /** Looks at so many, all at once, from the place on; null for the beginning. Rejects when a store is away. */
  async step(itemsMax: number, after: RecordPlace | null): Promise<DueStep> {
    const { records, clock, kind, index, dueAt, carryOut, retries } = this.#options;
    const page = await records.page({
      kind,
      indexes: [index],
      scoreFrom: null,
      scoreBefore: clock.now() + 1,
      order: 'ascending',
      after,
      before: null,
      end: 'first',
      limit: itemsMax,
    });
    // None is left in the midst of it when another one meets a store that is away.
    const ends = await Promise.allSettled(
      page.records.map(({ key }) => retries.attempt(key, () => carryOut(key))),
    );
    const outage = ends.find((end) => end.status === 'rejected');
    if (outage !== undefined) throw outage.reason;
    const done = ends.filter((end) => end.status === 'fulfilled' && end.value).length;
    const last = page.records.at(-1);
    const score = last && dueAt(last);
    if (!page.hasNextPage || last === undefined || typeof score !== 'number') return { done, next: null };
    // Right behind the last one's place: itself it may be due again, and stand elsewhere.
    return { done, next: { score, key: `${last.key}\0` } };
  }
}
