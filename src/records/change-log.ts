/** From the outbox, where a commit says what it changed, to the change log, from which all records can be restored. */
import type { RecordKind } from './record-kinds.ts';
import type { Audit } from './record-store.ts';

/** What one commit did. */
export interface ChangeEntry {
  /** Its id in the outbox, `milliseconds-sequence`; rises with every commit. */
  readonly id: string;
  /** A UUID. */
  readonly commit: string;
  readonly audit: Audit;
  readonly writes: readonly ChangeWrite[];
  /** The sealed letters that were stored with it; not what they say. */
  readonly letters: readonly LetterPointer[];
}

export interface LetterPointer {
  /** The customer's refId. */
  readonly customerId: string;
  readonly id: string;
}

export interface ChangeWrite {
  readonly kind: RecordKind;
  readonly key: string;
  /** What the write made of it. */
  readonly version: number;
  /** The JSON text without personal fields; empty where there was, or is, no record. */
  readonly before: string;
  readonly after: string;
  /** JSON, without those that derive from personal fields. */
  readonly indexes: string;
}

/** A customer's name and e-mail as one text that only the record store reads; empty where there are none. */
export interface PersonalText {
  readonly key: string;
  readonly version: number;
  readonly content: string;
}

/** The oldest commits that the change log may not hold yet. */
export interface OutboxBatch {
  /** The same for the same entries, however often they are taken, and never for others. */
  readonly token: string;
  readonly entries: readonly ChangeEntry[];
}

export interface Outbox {
  /** The same batch until it is `done`, whoever takes it; undefined when nothing waits. */
  take(): Promise<OutboxBatch | undefined>;
  /** As they are now, which may be newer than the batch. */
  personal(keys: readonly string[]): Promise<readonly PersonalText[]>;
  /** Removes the batch; nothing happens when somebody else has done so already. */
  done(token: string): Promise<void>;
  /** Commits that wait. */
  size(): Promise<number>;
  /** Personal texts were erased: what was written on the way to today's state is to be forgotten too. */
  forget(): Promise<void>;
}

/** Told of every batch once the change log holds it, and again when a crash came before it was done. */
export interface CommitListener {
  told(batch: OutboxBatch): Promise<void>;
}

export interface ChangeLog {
  /** A batch that is appended again adds nothing. */
  append(batch: OutboxBatch): Promise<void>;
  /** The newest version of each wins. */
  keepPersonal(texts: readonly PersonalText[]): Promise<void>;
  /** Erases what is kept beside an empty newest text, of these keys or of all. Whether there was anything. */
  erasePersonal(keys: readonly string[] | 'all'): Promise<boolean>;
}

/** The newest state of a record, as the change log tells it. */
export interface LoggedRecord {
  readonly kind: RecordKind;
  readonly key: string;
  readonly version: number;
  readonly commit: string;
  readonly body: string;
  readonly indexes: string;
  /** See PersonalText. */
  readonly personal: string;
}

export interface ChangeLogReader {
  /** Every record that exists, in pages of at most some thousand. */
  newest(): AsyncIterable<readonly LoggedRecord[]>;
  /** Kind → id of the newest commit that touched it. */
  revisions(): Promise<ReadonlyMap<string, string>>;
  /** Whether somebody's commits are being appended, so that more will be there in a moment. */
  isGrowing(): Promise<boolean>;
}
