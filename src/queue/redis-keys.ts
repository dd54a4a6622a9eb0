/**
 * Every Redis key of the queue, in one place. The namespace is in braces (`{tollgate}`), so that on a Redis
 * Cluster all of them live in one slot and one script may touch them together.
 */
export interface QueueKeys {
  readonly namespace: string;
  /** Hash: batch id → entry line (see `batch-entry.ts`) of every batch accepted and not yet booked. */
  readonly pending: string;
  /** Hash: batch id → entry line, time and reason of every dead letter. */
  readonly dead: string;
  /** Hash of counters: accepted and where it ended, and the bytes that the backlog's bound counts. */
  readonly books: string;
  /** Hash of counters: events that matched a feature but had no usable field. */
  readonly notCounted: string;
  /** Hash: `begun`, `counted` (by the live counters) and `done`, the newest flush ids. */
  readonly flush: string;
  /** Hash: the flush in hand; absent when there is none. */
  readonly manifest: string;
  readonly lease: string;
  readonly epoch: string;
  /** A batch's content is at this prefix and its id; an empty value says that the batch was here lately. */
  readonly payloadPrefix: string;
  readonly deadPayloadPrefix: string;
  /** A pub/sub channel is this prefix and the address of one process. */
  readonly replyPrefix: string;
  /** Live counters: see `counter-scripts.ts`. */
  readonly counterSubjects: string;
  readonly counterCustomers: string;
  /** Hash: how many counters were compared with ClickHouse (`checked`), and how many differed (`drifted`). */
  readonly counterAudit: string;
  /** A customer's counters are at this prefix and its id. */
  readonly counterPrefix: string;
  /** Sorted set: customer → mark of the latest touch, see `touched-customers.ts`; and the newest mark. */
  readonly touchedCustomers: string;
  readonly touchMarks: string;
  /** Hash: task → how often one of its items failed, see `redis-failed-items.ts`. */
  readonly failedItems: string;
  /** Reservations: see `reservation-scripts.ts`. */
  readonly reservations: string;
  readonly reservationsActive: string;
  readonly reservationsEnded: string;
  readonly reservedPrefix: string;
}

/** BullMQ's name of the one queue; its own keys are `<namespace>:batches:…`. */
export const batchQueueName = 'batches';

export function queueKeys(namespace = '{tollgate}'): QueueKeys {
  return {
    namespace,
    pending: `${namespace}:pending`,
    dead: `${namespace}:dead`,
    books: `${namespace}:books`,
    notCounted: `${namespace}:not-counted`,
    flush: `${namespace}:flush`,
    manifest: `${namespace}:manifest`,
    lease: `${namespace}:lease`,
    epoch: `${namespace}:epoch`,
    payloadPrefix: `${namespace}:payload:`,
    deadPayloadPrefix: `${namespace}:dead-payload:`,
    replyPrefix: `${namespace}:reply:`,
    counterSubjects: `${namespace}:usage-subjects`,
    counterCustomers: `${namespace}:usage-customers`,
    counterAudit: `${namespace}:usage-audit`,
    counterPrefix: `${namespace}:usage:`,
    touchedCustomers: `${namespace}:touched-customers`,
    touchMarks: `${namespace}:touch-marks`,
    failedItems: `${namespace}:failed-items`,
    reservations: `${namespace}:reservations`,
    reservationsActive: `${namespace}:reservations-active`,
    reservationsEnded: `${namespace}:reservations-ended`,
    reservedPrefix: `${namespace}:reserved:`,
  };
}
