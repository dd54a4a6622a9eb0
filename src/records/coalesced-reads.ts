import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RecordRef, RecordStore, StoredRecord } from './record-store.ts';

type Records = readonly (StoredRecord | undefined)[];

interface Batch {
  readonly refs: RecordRef[];
  /** Where in `refs` a record stands. */
  readonly places: Map<string, number>;
  readonly records: Promise<Records>;
}

/**
 * Reads of single records that are asked for in one turn of the event loop share a round trip, and a record that
 * several ask for is fetched once: so a list of plans asks for the products of all of them together. Nothing is
 * kept beyond that, so no answer is older than its question. A batch is as large as what is asked for at once,
 * which the bounds on queries limit.
 */
export class CoalescedReads {
  readonly #store: Pick<RecordStore, 'read'>;
  #batch: Batch | undefined;

  constructor(store: Pick<RecordStore, 'read'>) {
    this.#store = store;
  }

  async read(ref: RecordRef): Promise<StoredRecord | undefined> {
    this.#batch ??= this.#begin();
    const { refs, places, records } = this.#batch;
    const name = `${ref.kind} ${ref.key}`;
    const place = places.get(name) ?? refs.push(ref) - 1;
    places.set(name, place);
    return (await records)[place];
  }

  #begin(): Batch {
    const refs: RecordRef[] = [];
    return { refs, places: new Map(), records: this.#fetch(refs) };
  }

  /** Those who ask in this turn are resumed by promises, all of which run before the next one. */
  async #fetch(refs: readonly RecordRef[]): Promise<Records> {
    await nextTurn();
    this.#batch = undefined;
    return this.#store.read(refs);
  }
}
