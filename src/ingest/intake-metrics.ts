/** What Prometheus is told of the way in: what was accepted, what was not and why, how full the batches are. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BatchKind } from '../metering/batch.ts';
import type { ProblemCode } from '../metering/facts.ts';
import type { SealCause } from './group-commit.ts';

const secondsBuckets = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 5];
const sizeBuckets = [1, 2, 5, 10, 50, 100, 500, 1_000, 2_500, 5_000, 10_000];

export class IntakeMetrics {
  readonly #accepted: Counter<'kind'>;
  readonly #rejected: Counter<'kind' | 'code'>;
  readonly #refused: Counter<'kind' | 'code'>;
  readonly #batches: Counter<'kind' | 'cause'>;
  readonly #batchSize: Histogram<'kind'>;
  readonly #enqueueSeconds: Histogram<'kind'>;

  constructor(registry: Registry, bytesInHand: () => number) {
    const registers = [registry];
    this.#accepted = new Counter({
      name: 'tollgate_intake_accepted_total',
      help: 'Events that are durable in the queue, and measurements that were processed and acknowledged.',
      labelNames: ['kind'],
      registers,
    });
    this.#rejected = new Counter({
      name: 'tollgate_intake_rejected_total',
      help: 'Events and measurements not taken for a fault of their own, by problem code.',
      labelNames: ['kind', 'code'],
      registers,
    });
    this.#refused = new Counter({
      name: 'tollgate_intake_refused_total',
      help: 'Sound events and measurements whose whole call was refused or is unacknowledged, by problem code.',
      labelNames: ['kind', 'code'],
      registers,
    });
    this.#batches = new Counter({
      name: 'tollgate_intake_batches_total',
      help: 'Sealed batches, by what sealed them.',
      labelNames: ['kind', 'cause'],
      registers,
    });
    this.#batchSize = new Histogram({
      name: 'tollgate_intake_batch_size',
      help: 'Events or measurements in a sealed batch.',
      labelNames: ['kind'],
      buckets: sizeBuckets,
      registers,
    });
    this.#enqueueSeconds = new Histogram({
      name: 'tollgate_intake_enqueue_seconds',
      help: 'Time until the queue said that a batch is durable, or that it is not.',
      labelNames: ['kind'],
      buckets: secondsBuckets,
      registers,
    });
    this.#watchBytes(registry, bytesInHand);
  }

  accepted(kind: BatchKind, count: number): void {
    this.#accepted.inc({ kind }, count);
  }

  rejected(kind: BatchKind, codes: Iterable<ProblemCode>): void {
    for (const code of codes) this.#rejected.inc({ kind, code });
  }

  refused(kind: BatchKind, code: ProblemCode, count: number): void {
    this.#refused.inc({ kind, code }, count);
  }

  sealed(kind: BatchKind, cause: SealCause, count: number): void {
    this.#batches.inc({ kind, cause });
    this.#batchSize.observe({ kind }, count);
  }

  enqueued(kind: BatchKind, seconds: number): void {
    this.#enqueueSeconds.observe({ kind }, seconds);
  }

  #watchBytes(registry: Registry, bytesInHand: () => number): void {
    const gauge: Gauge = new Gauge({
      name: 'tollgate_intake_bytes',
      help: 'Bytes of calls that joined a batch and are not answered.',
      registers: [registry],
      collect: () => gauge.set(bytesInHand()),
    });
  }
}
