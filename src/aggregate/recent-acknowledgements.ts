/**
 * What was acknowledged lately, so that its repeat is answered without asking the store, which may not have it yet.
 * Whoever repeats a measurement does so mostly within seconds.
 */
import type { MeasurementFact } from '../metering/facts.ts';
import type { MeasurementRow } from './flush-store.ts';

type Identified = Pick<MeasurementFact, 'customerId' | 'featureId' | 'resourceId' | 'idempotencyKey'>;

/** Some 25 MB. */
const rowsMaxDefault = 20_000;

export class RecentAcknowledgements {
  readonly #rowsMax: number;
  /** The earliest first. Of an identity that counted twice, as it may after the window, the later one. */
  readonly #rows = new Map<string, MeasurementRow>();

  constructor(rowsMax = rowsMaxDefault) {
    this.#rowsMax = rowsMax;
  }

  find(fact: Identified): MeasurementRow | undefined {
    return this.#rows.get(identityKey(fact));
  }

  keep(rows: readonly MeasurementRow[]): void {
    for (const row of rows) {
      if (row.idempotencyKey === '') continue;
      const key = identityKey(row);
      this.#rows.delete(key);
      this.#rows.set(key, row);
    }
    for (const key of this.#rows.keys()) {
      if (this.#rows.size <= this.#rowsMax) return;
      this.#rows.delete(key);
    }
  }

  clear(): void {
    this.#rows.clear();
  }
}

export function identityKey({ customerId, featureId, resourceId, idempotencyKey }: Identified): string {
  return JSON.stringify([customerId, featureId, resourceId, idempotencyKey]);
}
