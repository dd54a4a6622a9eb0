/**
 * The worker's side of the queue: who may work, what the flush in hand consists of, and the books.
 * One shard has one owner at a time. Every write carries the owner's epoch and fails with `FencedError` once
 * another owner has raised it, so a worker that was stopped and wakes up can do no harm.
 */
import type { BatchKind, BatchReply } from '../metering/batch.ts';
import type { CounterLedger } from './counter-ledger.ts';
import type { ReservationLedger } from './reservation-ledger.ts';

export interface Delivery {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly count: number;
  readonly payload: Buffer;
  readonly replyTo: string;
  readonly sealedAt: number;
}

/** What a flush will do, written before it does it: enough to do exactly the same again. */
export interface Manifest {
  readonly flushId: number;
  /** Random; the ClickHouse inserts' deduplication token derives from it and from nothing else. */
  readonly token: string;
  readonly batchIds: readonly string[];
  /** One byte an event or measurement, over all batches in order; see aggregate/decide.ts. */
  readonly decisions: Buffer;
  /** What measurements are acknowledged by; see aggregate/usage-terms.ts. Empty without any. */
  readonly terms: Buffer;
  /** What becomes of reservations; see aggregate/reservation-orders.ts. Empty when nothing does. */
  readonly reservations: Buffer;
  readonly decidedAt: number;
}

/** Where an event or measurement that was accepted can end; the counts of section I5. */
export interface Tally {
  /** Orders to reserve and to release that were carried out are among them. */
  readonly stored: number;
  readonly duplicate: number;
  readonly conflict: number;
  /** Measurements that were refused when processed (unknown customer, limit …). */
  readonly refused: number;
  readonly deadLettered: number;
}

/** accepted = stored + duplicate + conflict + refused + deadLettered + inFlight, at every moment. */
export interface Books extends Tally {
  readonly accepted: number;
  readonly inFlight: number;
  readonly inFlightBatches: number;
  readonly inFlightBytes: number;
}

export interface DeadLetter {
  readonly batchId: string;
  readonly kind: BatchKind;
  readonly count: number;
  readonly reason: string;
  readonly failedAt: number;
}

export interface Ledger {
  /** Waits until this process owns the shard (at most a lease after a crash), then raises the epoch. */
  acquire(signal: AbortSignal): Promise<void>;
  /**
   * After `acquire`, returns at once where Redis knew an owner before this one. Where it knew none, it is new or was
   * emptied, and an owner that it has forgotten may be at work: then waits until that one can begin nothing more.
   */
  outliveForgotten(signal: AbortSignal): Promise<'known' | 'outlived'>;
  release(): Promise<void>;
  /** Aborted when ownership is lost; the worker must stop at once. */
  readonly lost: AbortSignal;

  /**
   * The manifest of a flush that was begun and not finished, with its payloads. One whose batches are gone from Redis
   * can never be finished and is given up; those of its batches that are there are decided anew.
   */
  unfinished(): Promise<{ manifest: Manifest; deliveries: readonly Delivery[] } | undefined>;
  /** The newest flush id that Redis knows of, finished or not; 0 when it knows none. */
  lastFlushId(): Promise<number>;
  /**
   * Throws `BatchesGoneError` when batches were withdrawn since they were delivered; nothing has begun then, and
   * the flush is decided anew without them.
   */
  begin(manifest: Manifest): Promise<void>;
  /**
   * Returns when this process was the owner within the last lease, and asks when it does not know; throws
   * `FencedError` otherwise. For writes that no epoch can guard: one that stood still for an hour and wakes up
   * would send them again when nobody remembers the first time.
   */
  confirm(): Promise<void>;
  /** Live counters: between storing a flush and telling of it. */
  readonly counters: CounterLedger;
  readonly reservations: ReservationLedger;
  /** One atomic step: books the tally, forgets batches, payloads and manifest. */
  finish(flushId: number, tally: Tally, notCounted: Readonly<Record<string, number>>): Promise<void>;
  /**
   * One atomic step: the batches leave the flight, keep their content, and are listed as dead letters. A flush in
   * hand that names one of them is given up with it: its other batches stay pending and are decided anew, so the
   * caller makes sure that nothing of it was stored.
   */
  bury(batchIds: readonly string[], reason: string): Promise<void>;

  /** Delivers queued batches until stopped; a batch is redelivered until its handler resolves. */
  consume(handler: (delivery: Delivery) => Promise<void>): Promise<Consumer>;
  reply(replyTo: string, reply: BatchReply): Promise<void>;
}

/** Stop takes no more; batches in hand are finished or handed back. */
export interface Consumer {
  stop(): Promise<void>;
}

export class FencedError extends Error {
  readonly code = 'FENCED';
  readonly retryable = false;
}

/** Producers took batches back before a flush had them: their callers were told that nothing was taken. */
export class BatchesGoneError extends Error {
  readonly code = 'BATCHES_GONE';
  readonly retryable = false;
  readonly batchIds: readonly string[];

  constructor(batchIds: readonly string[]) {
    super(`${batchIds.length} batches of the flush are not pending any more`);
    this.batchIds = batchIds;
  }
}

/** Operators' view of the queue; any role may hold it. */
export interface QueueDesk {
  books(): Promise<Books>;
  /** Events that matched a feature's filters but carry no usable field, by feature and cause. */
  notCounted(): Promise<Readonly<Record<string, number>>>;
  deadLetters(limit: number): Promise<readonly DeadLetter[]>;
  /** The content of a dead letter, as it was queued. */
  deadLetter(batchId: string): Promise<Delivery | undefined>;
  /** Queues a dead letter again; false when there is none. */
  replay(batchId: string): Promise<boolean>;
}
