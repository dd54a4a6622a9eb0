import {
  RecordsOverloadedError,
  type RecordStore,
  type RecordWrite,
  type StoredRecord,
} from './record-store.ts';

/**
 * The records as they are, for a change that is decided on and told but does not take place: commits change
 * nothing, and this tells what the one that there may be would have written.
 */
export class RehearsedRecords implements RecordStore {
  readonly #records: RecordStore;
  #read: readonly (StoredRecord | undefined)[] = [];
  #writes: readonly RecordWrite[] | undefined;

  constructor(records: RecordStore) {
    this.#records = records;
  }

  /** The records that were read last, which is what the change was decided on: all as they were at one moment. */
  get decidedOn(): readonly StoredRecord[] {
    return this.#read.filter((record) => record !== undefined);
  }

  get writes(): readonly RecordWrite[] {
    return this.#writes ?? [];
  }

  life(): string {
    return this.#records.life();
  }

  async read(...asked: Parameters<RecordStore['read']>): ReturnType<RecordStore['read']> {
    this.#read = await this.#records.read(...asked);
    return this.#read;
  }

  byId(...asked: Parameters<RecordStore['byId']>): ReturnType<RecordStore['byId']> {
    return this.#records.byId(...asked);
  }

  all(...asked: Parameters<RecordStore['all']>): ReturnType<RecordStore['all']> {
    return this.#records.all(...asked);
  }

  revision(...asked: Parameters<RecordStore['revision']>): ReturnType<RecordStore['revision']> {
    return this.#records.revision(...asked);
  }

  marks(...asked: Parameters<RecordStore['marks']>): ReturnType<RecordStore['marks']> {
    return this.#records.marks(...asked);
  }

  page(...asked: Parameters<RecordStore['page']>): ReturnType<RecordStore['page']> {
    return this.#records.page(...asked);
  }

  members(...asked: Parameters<RecordStore['members']>): ReturnType<RecordStore['members']> {
    return this.#records.members(...asked);
  }

  async commit(writes: readonly RecordWrite[]): ReturnType<RecordStore['commit']> {
    // Whoever commits until the records are as they should be would never end here.
    if (this.#writes !== undefined)
      throw new RecordsOverloadedError('the records change meanwhile; ask again');
    this.#writes = writes;
    return 'committed';
  }
}
