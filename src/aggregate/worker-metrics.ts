/** The worker's figures on /metrics. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { IdentityTable } from './identity-table.ts';

/** Where a flush spends its time. */
export type FlushStep =
  | 'decide'
  | 'begin'
  | 'events'
  | 'measurements'
  | 'count'
  | 'reply'
  | 'finish'
  | 'rebuild';

export class WorkerMetrics {
  readonly #seconds: Histogram<'step'>;
  readonly #rows: Histogram;
  readonly #lag: Histogram;
  readonly #retries: Counter<'step'>;
  readonly #fenced: Counter;
  readonly #deadLetters: Counter<'kind'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
    this.#seconds = new Histogram({
      name: 'tollgate_flush_step_seconds',
      help: 'Time that one step of a flush took.',
      labelNames: ['step'] as const,
      buckets,
      registers,
    });
    this.#rows = new Histogram({
      name: 'tollgate_flush_rows',
      help: 'Events and measurements of one flush.',
      registers,
      buckets: [1, 10, 100, 1_000, 10_000, 50_000, 100_000, 200_000],
    });
    this.#lag = new Histogram({
      name: 'tollgate_flush_lag_seconds',
      help: 'From sealing a batch to having it stored.',
      registers,
      buckets: [...buckets, 30, 60, 300, 900, 3_600],
    });
    this.#retries = new Counter({
      name: 'tollgate_flush_retries_total',
      help: 'Attempts of a flush that failed and were made again.',
      labelNames: ['step'] as const,
      registers,
    });
    this.#fenced = new Counter({
      name: 'tollgate_worker_fenced_total',
      help: 'Times that another worker took the shard over.',
      registers,
    });
    this.#deadLetters = new Counter({
      name: 'tollgate_worker_dead_letters_total',
      help: 'Batches that this worker set aside.',
      labelNames: ['kind'] as const,
      registers,
    });
  }

  /** How full the memory of identities is, read when it is scraped. */
  watchTable(table: IdentityTable, registry: Registry): void {
    const gauges = {
      tollgate_identity_table_entries: ['Identities held in memory.', () => table.size],
      tollgate_identity_table_bytes: ['Memory of the table of identities.', () => table.bytes],
      tollgate_identity_table_complete_since_seconds: [
        'Unix time from which on every identity is in memory; older ones are looked up.',
        () => table.completeSince / 1_000,
      ],
    } as const;
    for (const [name, [help, read]] of Object.entries(gauges)) {
      const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read()) });
    }
  }

  async time<T>(step: FlushStep, run: () => Promise<T>): Promise<T> {
    const end = this.#seconds.startTimer({ step });
    try {
      return await run();
    } finally {
      end();
    }
  }

  flushed(rows: number, lagsMs: readonly number[]): void {
    this.#rows.observe(rows);
    for (const lagMs of lagsMs) this.#lag.observe(Math.max(0, lagMs) / 1_000);
  }

  retried(step: string): void {
    this.#retries.inc({ step });
  }

  fenced(): void {
    this.#fenced.inc();
  }

  deadLettered(kind: string): void {
    this.#deadLetters.inc({ kind });
  }
}
