import type { BoundedKind } from './record-kinds.ts';
import type { RecordStore, StoredRecord } from './record-store.ts';

/**
 * All records of a bounded kind, decoded into whatever form their readers want. Each process keeps what it made
 * of one revision, so a read costs one small question while nothing changes, is never older than its answer, and
 * moves the records (10,000 features are some 10 MB) only after a change.
 */
export class KindSnapshot<Content> {
  readonly #store: RecordStore;
  readonly #kind: BoundedKind;
  readonly #decode: (records: readonly StoredRecord[]) => Content;
  #latest: Snapshot<Content> | undefined;
  #reading: Promise<Snapshot<Content>> | undefined;

  constructor(store: RecordStore, kind: BoundedKind, decode: (records: readonly StoredRecord[]) => Content) {
    this.#store = store;
    this.#kind = kind;
    this.#decode = decode;
  }

  async current(): Promise<Content> {
    const revision = await this.#store.revision(this.#kind);
    if (revision === this.#latest?.revision) return this.#latest.content;
    // However many ask at once after a change, it is read once. A read that was under way before may have missed
    // the change; one that begins from here on has not.
    const earlier = await this.#reading;
    if (earlier?.revision === revision) return earlier.content;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return (await this.#reading).content;
  }

  async #read(): Promise<Snapshot<Content>> {
    const { revision, records } = await this.#store.all(this.#kind);
    this.#latest = { revision, content: this.#decode(records) };
    return this.#latest;
  }
}

interface Snapshot<Content> {
  readonly revision: string;
  readonly content: Content;
}
