/** Every Redis key of the records, in one place. The namespace's braces keep them in one slot of a cluster. */
import type { RecordKind } from './record-kinds.ts';

export interface RecordKeys {
  /** What the keys of one kind begin with, before the kind. */
  readonly prefix: string;
  /** Stream: the commits that the change log does not hold yet. */
  readonly outbox: string;
  /** Hash: the commits that are on their way to the change log, see `redis-outbox.ts`. */
  readonly outboxBatch: string;
  /**
   * Hash: kind → the outbox id of the newest commit that touched it; and '' → the records' life, a random text that
   * is there from the moment that the records are known to be whole. Without it they are closed.
   */
  readonly revisions: string;
  /** Hash: customer → the sealed letter that waits to be delivered, `id LF text`. */
  readonly letters: string;
  /** Names who restores the records, while somebody does. */
  readonly restoring: string;
  of(kind: RecordKind): KindKeys;
}

export interface KindKeys {
  readonly records: string;
  readonly personal: string;
  readonly ids: string;
  /** Exists only inside a script. */
  readonly intersection: string;
  readonly index: (name: string) => string;
}

export function recordKeys(namespace: string): RecordKeys {
  const prefix = `${namespace}:records:`;
  return {
    prefix,
    outbox: `${namespace}:outbox`,
    outboxBatch: `${namespace}:outbox-batch`,
    revisions: `${namespace}:record-revisions`,
    letters: `${namespace}:letters`,
    restoring: `${namespace}:records-restoring`,
    of: (kind) => ({
      records: `${prefix}${kind}`,
      personal: `${prefix}${kind}:personal`,
      ids: `${prefix}${kind}:ids`,
      intersection: `${prefix}${kind}:intersection`,
      index: (name) => `${prefix}${kind}:by:${name}`,
    }),
  };
}
