/** A flush that is decided: its manifest beside the batches it speaks of. */
import type { MeasurementFact } from '../metering/facts.ts';
import type { Manifest } from '../queue/ledger.ts';
import type { ReadBatch } from './read-batch.ts';
import { decodeTerms, noTerms, type UsageTerms } from './usage-terms.ts';

export interface DecidedBatch {
  readonly batch: ReadBatch;
  /** One byte a row. */
  readonly decided: Uint8Array;
  /** Position of the batch's first row among all rows of the flush. */
  readonly from: number;
}

export interface FlushPlan {
  readonly manifest: Manifest;
  readonly batches: readonly DecidedBatch[];
}

/** Batches in the order of the manifest. Throws when it speaks of other rows than these. */
export function planOf(manifest: Manifest, batches: readonly ReadBatch[]): FlushPlan {
  let from = 0;
  const decided = batches.map((batch) => {
    const { count } = batch.delivery;
    const part = { batch, from, decided: manifest.decisions.subarray(from, from + count) };
    from += count;
    return part;
  });
  if (from !== manifest.decisions.length) {
    throw new Error(`flush ${manifest.flushId} decided ${manifest.decisions.length} rows, and has ${from}`);
  }
  return { manifest, batches: decided };
}

export interface DecidedMeasurement {
  readonly fact: MeasurementFact;
  readonly decision: number;
  readonly position: number;
  readonly terms: UsageTerms;
}

/** All measurements of the flush in order. */
export function measurementsOf(plan: FlushPlan): DecidedMeasurement[] {
  const terms = decodeTerms(plan.manifest.terms);
  let place = 0;
  return plan.batches.flatMap(({ batch, decided, from }) => {
    const facts = batch.kind === 'usage' ? batch.facts : [];
    return facts.map((fact, row) => {
      const of = terms[place] ?? noTerms;
      place += 1;
      return { fact, decision: decided[row] ?? 0, position: from + row, terms: of };
    });
  });
}
