/**
 * The live state of the control plane as records: products, features, packages, customers, subscriptions. A
 * commit writes any number of them in one step or none, and says in the same step what it changed to the
 * outbox, from which the change log is written.
 */
import type { BoundedKind, RecordKind } from './record-kinds.ts';

export interface RecordRef {
  readonly kind: RecordKind;
  /** The caller's name of it, its refId; never changes. */
  readonly key: string;
}

export interface StoredRecord extends RecordRef {
  /** 1 when it was created, one more with each change. */
  readonly version: number;
  /** JSON. A property `id` that is a text also finds the record by `byId`. */
  readonly body: unknown;
}

export interface RecordWrite extends RecordRef {
  /** 0: there must be none. */
  readonly expectedVersion: number;
  /** Null deletes. */
  readonly body: unknown;
  /** Every index that the record is in from now on; it leaves all others. */
  readonly indexes?: readonly RecordIndex[];
}

/** A record that is not written but was decided on. */
export interface RecordExpectation extends RecordRef {
  /** 0: there must be none. */
  readonly expectedVersion: number;
}

/**
 * What an integration is to learn about a customer and nobody else may keep. It is stored in the same step as a
 * commit, sealed, beside the records: the change log never sees more of it than its id. Each customer has at most
 * one, and a newer one takes its place, since each says all that there is to say.
 */
export interface SealedLetter {
  /** The customer's refId. */
  readonly customerId: string;
  /** A UUID. */
  readonly id: string;
  /** Tells nothing without the key. Empty: whatever waits for the customer is to be erased. */
  readonly text: string;
}

/** A list of records of one kind, ordered by score and then by key, bytewise. It exists while it has members. */
export interface RecordIndex {
  readonly name: string;
  readonly score: number;
  /** True where the name derives from a personal field: it is kept and erased with those. */
  readonly personal?: true;
}

/** Who changes what, for the change log. */
export interface Audit {
  /** The API key's short id, never the key itself; `system` for what time does. */
  readonly actor: string;
  readonly traceId: string;
  readonly operation: string;
  /** Epoch ms. */
  readonly at: number;
}

export interface RecordStore {
  /**
   * Which life of the records was read last: they get another one when they are lost and made again from the change
   * log. Empty before anything was read.
   */
  life(): string;
  /** All as they were at one moment, in the order asked; one round trip. */
  read(refs: readonly RecordRef[]): Promise<readonly (StoredRecord | undefined)[]>;
  byId(kind: RecordKind, id: string): Promise<StoredRecord | undefined>;
  /** In no order. */
  all(kind: BoundedKind): Promise<KindContent>;
  /** Changes with every commit that touches the kind, and never returns to a text that it had. */
  revision(kind: RecordKind): Promise<string>;
  /**
   * A text for each kind, then for each record, that changes with every write of it and never returns to one that it
   * had; empty where there is none. As they all were at one moment; one round trip.
   */
  marks(kinds: readonly RecordKind[], refs: readonly RecordRef[]): Promise<readonly string[]>;
  page(query: RecordPageQuery): Promise<RecordPage>;
  /** Which of the keys are in the index; one round trip however many. */
  members(kind: RecordKind, index: string, keys: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Each record at most once. `conflict` when one of them, or one of those that are to be `unchanged`, has
   * another version than was expected, or when the records are not in the `life` any more that the versions were
   * read in, `full` when a kind would pass its bound; nothing is changed then.
   */
  commit(
    writes: readonly RecordWrite[],
    audit: Audit,
    unchanged?: readonly RecordExpectation[],
    letters?: readonly SealedLetter[],
    life?: string,
  ): Promise<CommitOutcome>;
}

export type CommitOutcome = 'committed' | 'conflict' | 'full';

export interface KindContent {
  readonly revision: string;
  readonly records: readonly StoredRecord[];
}

/** A place in an index. Stays valid for ever, also when its record has left. */
export interface RecordPlace {
  readonly score: number;
  readonly key: string;
}

export interface RecordPageQuery {
  readonly kind: RecordKind;
  /** Records that are in all of these; at least one. Their scores are those of the first. */
  readonly indexes: readonly [string, ...string[]];
  /** Inclusive, and exclusive; null sets no bound. */
  readonly scoreFrom: number | null;
  readonly scoreBefore: number | null;
  readonly order: 'ascending' | 'descending';
  /** Records strictly after and strictly before these places, in the query's order. */
  readonly after: RecordPlace | null;
  readonly before: RecordPlace | null;
  /** From which end of what is left the page is taken; the page itself is always in the query's order. */
  readonly end: 'first' | 'last';
  /** 1–1,000. */
  readonly limit: number;
}

export interface RecordPage {
  readonly records: readonly StoredRecord[];
  /** Records that meet the query but for its places, on whatever page. */
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/** Nothing of the change was stored: too many writers of one record, or an outbox that cannot be emptied. */
export class RecordsOverloadedError extends Error {
  readonly code = 'OVERLOADED';
  readonly retryable = true;
}

/** The records are not there: lost from Redis, and not yet made again. Nothing is answered or stored meanwhile. */
export class RecordsClosedError extends RecordsOverloadedError {
  constructor() {
    super(
      'catalog, customers and subscriptions are not in Redis; a worker makes them again from the change log, which ' +
        'takes some seconds; send this again in a moment',
    );
  }
}

/** Redis did not answer. Whether a commit took place is unknown; its versions tell. */
export class RecordsUnavailableError extends Error {
  readonly code = 'RECORDS_UNAVAILABLE';
  readonly retryable = true;
}

/** A kind has as many records as it may have. */
export class RecordsFullError extends Error {
  readonly code = 'VALIDATION_ERROR';
  readonly retryable = false;
}
