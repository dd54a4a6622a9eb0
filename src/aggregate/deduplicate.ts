/**
 * Decides which reports of a flush count (I2). The table of identities answers for nearly all; only a report
 * whose earlier copy may lie beyond the table's memory is looked up in what is stored.
 *
 *     const claims = await openClaims([...eventBlocks.map(eventClaims), measurementClaims(facts)], table, lookup);
 *     const verdictsOfABlock = claims.settle(rowsOfTheBlock);           // events: judge and claim each in order
 *     if (claims.verdict(rows, row) === verdicts.counts) claims.claim(rows, row);  // measurements: one by one
 *
 * A claim enters the table at once, before anything is written. So a flush that has claimed must be carried
 * through with exactly these verdicts; where that is impossible (ownership lost), the table is rebuilt before
 * it is used again. `openClaims` itself claims nothing and may be repeated after its lookup failed.
 */
import type { EventBlock } from '../metering/event-block.ts';
import type { MeasurementFact } from '../metering/facts.ts';
import {
  identityText,
  identityWords,
  measurementContentDigest,
  measurementIdentity,
  type Verdict,
  verdictBeside,
  verdicts,
} from '../metering/identity.ts';
import type { IdentityTable } from './identity-table.ts';

/** A copy that was counted, as the store or the table knows it. */
export interface CountedCopy {
  readonly timestamp: number;
  readonly receivedAt: number;
  readonly contentDigest: number;
}

export interface StoredCopy extends CountedCopy {
  /** As `identityText` gives it. */
  readonly identity: string;
}

/** Where a copy of a report would be stored. */
export interface StoredPlace {
  readonly kind: 'event' | 'measurement';
  readonly customerId: string;
  /** The event's name, or the measurement's feature. */
  readonly name: string;
  readonly resourceId: string;
  readonly idempotencyKey: string;
  readonly source: string;
}

export interface LookupKey extends StoredPlace {
  readonly identity: string;
  readonly timestamp: number;
  readonly receivedAt: number;
  /**
   * `timestamp`: only a copy with this very timestamp matters, which the tables' sorting key serves.
   * `window`: also any copy received within the window of `receivedAt`, whatever its timestamp; only asked
   * while the table of identities does not reach back a whole window.
   */
  readonly scope: 'timestamp' | 'window';
}

/**
 * Finds counted copies of the keys' identities (at most `lookupKeysMax` keys a call). It must return every copy
 * that a key's scope names; more copies of the same identities do no harm. It rejects when it cannot answer.
 */
export type LookupStored = (keys: readonly LookupKey[], windowMs: number) => Promise<readonly StoredCopy[]>;
export const lookupKeysMax = 10_000;

/** Reports of one batch as columns, so that judging a report makes no object. */
export interface ClaimRows {
  readonly count: number;
  /** `identityWords` a row. */
  readonly identities: Uint32Array;
  /** Epoch ms, as are the receipts. */
  readonly timestamps: Float64Array;
  readonly receipts: Float64Array;
  readonly digests: Uint32Array;
  /** 0 for a measurement without idempotency key: it always counts, and leaves no trace here. */
  readonly hasIdentity: Uint8Array;
  place(row: number): StoredPlace;
}

export function eventClaims(block: EventBlock): ClaimRows {
  return {
    count: block.count,
    identities: block.identities(),
    timestamps: block.timestamps,
    receipts: block.receipts,
    digests: block.contentDigests,
    hasIdentity: new Uint8Array(block.count).fill(1),
    place: (row) => ({
      kind: 'event',
      customerId: block.text('customer_id', row),
      name: block.text('event_name', row),
      resourceId: block.text('resource_id', row),
      idempotencyKey: block.text('idempotency_key', row),
      source: block.text('source', row),
    }),
  };
}

export function measurementClaims(facts: readonly MeasurementFact[]): ClaimRows {
  const identities = new Uint32Array(facts.length * identityWords);
  facts.forEach((fact, row) => {
    if (fact.idempotencyKey !== '') identities.set(measurementIdentity(fact), row * identityWords);
  });
  return {
    count: facts.length,
    identities,
    timestamps: Float64Array.from(facts, ({ timestamp }) => timestamp),
    receipts: Float64Array.from(facts, ({ receivedAt }) => receivedAt),
    digests: Uint32Array.from(facts, measurementContentDigest),
    hasIdentity: Uint8Array.from(facts, ({ idempotencyKey }) => (idempotencyKey === '' ? 0 : 1)),
    place: (row) => {
      const { customerId, featureId, resourceId, idempotencyKey } = facts[row] as MeasurementFact;
      return { kind: 'measurement', customerId, name: featureId, resourceId, idempotencyKey, source: '' };
    },
  };
}

/**
 * Gathers what is known of a flush's reports before it began. The table first forgets what no report from the
 * earliest receipt of this flush on can meet; it forgets nothing more until the next flush.
 */
export async function openClaims(
  lists: readonly ClaimRows[],
  table: IdentityTable,
  lookup: LookupStored,
): Promise<Claims> {
  const earliest = earliestReceipt(lists);
  if (earliest !== undefined) table.expire(earliest);
  const stored = new Map<string, StoredCopy[]>();
  for (const keys of lookupPages(lists, table)) {
    for (const copy of await lookup(keys, table.windowMs)) {
      const copies = stored.get(copy.identity);
      if (copies === undefined) stored.set(copy.identity, [copy]);
      else copies.push(copy);
    }
  }
  return new Claims(table, stored);
}

export class Claims {
  readonly #table: IdentityTable;
  readonly #stored: ReadonlyMap<string, readonly StoredCopy[]>;

  constructor(table: IdentityTable, stored: ReadonlyMap<string, readonly StoredCopy[]>) {
    this.#table = table;
    this.#stored = stored;
  }

  /** Judges and claims every row in order; one byte a row. */
  settle(rows: ClaimRows): Uint8Array<ArrayBuffer> {
    const settled = new Uint8Array(rows.count);
    for (let row = 0; row < rows.count; row += 1) settled[row] = this.#judge(rows, row, true);
    return settled;
  }

  /** How the row stands to all that was counted before, earlier rows of this flush included. */
  verdict(rows: ClaimRows, row: number): Verdict {
    return this.#judge(rows, row, false);
  }

  /** Takes the row's identity; only for a row whose verdict is `counts`. */
  claim(rows: ClaimRows, row: number): void {
    if (rows.hasIdentity[row] === 0) return;
    this.#table.add(
      rows.identities,
      row * identityWords,
      rows.timestamps[row] as number,
      rows.receipts[row] as number,
      rows.digests[row] as number,
    );
  }

  /** The counted copy that the row repeats; undefined unless its verdict is `duplicate`. */
  original(rows: ClaimRows, row: number): CountedCopy | undefined {
    if (rows.hasIdentity[row] === 0) return undefined;
    const copies = [
      ...this.#table.copies(rows.identities, row * identityWords),
      ...(this.#stored.get(identityKey(rows, row)) ?? []),
    ];
    return copies.find((copy) => this.#beside(rows, row, copy) === verdicts.duplicate);
  }

  #judge(rows: ClaimRows, row: number, claims: boolean): Verdict {
    if (rows.hasIdentity[row] === 0) return verdicts.counts;
    if (this.#stored.size === 0) return askTable(this.#table, rows, row, claims);
    let verdict = askTable(this.#table, rows, row, false);
    if (verdict === verdicts.duplicate) return verdict;
    for (const copy of this.#stored.get(identityKey(rows, row)) ?? []) {
      const beside = this.#beside(rows, row, copy);
      if (beside === verdicts.duplicate) return beside;
      if (beside === verdicts.conflict) verdict = beside;
    }
    if (claims && verdict === verdicts.counts) this.claim(rows, row);
    return verdict;
  }

  #beside(rows: ClaimRows, row: number, copy: CountedCopy): Verdict {
    return verdictBeside(
      rows.timestamps[row] as number,
      rows.receipts[row] as number,
      rows.digests[row] as number,
      copy.timestamp,
      copy.receivedAt,
      copy.contentDigest,
      this.#table.windowMs,
    );
  }
}

function earliestReceipt(lists: readonly ClaimRows[]): number | undefined {
  let earliest = Number.POSITIVE_INFINITY;
  for (const { receipts } of lists) for (const receipt of receipts) earliest = Math.min(earliest, receipt);
  return Number.isFinite(earliest) ? earliest : undefined;
}

/** Made page by page, so that no more than one page of keys is held as objects. */
function* lookupPages(lists: readonly ClaimRows[], table: IdentityTable): Generator<LookupKey[]> {
  let page: LookupKey[] = [];
  for (const rows of lists) {
    for (let row = 0; row < rows.count; row += 1) {
      const key = lookupKey(rows, row, table);
      if (key !== undefined) page.push(key);
      if (page.length === lookupKeysMax) {
        yield page;
        page = [];
      }
    }
  }
  if (page.length > 0) yield page;
}

function lookupKey(rows: ClaimRows, row: number, table: IdentityTable): LookupKey | undefined {
  const timestamp = rows.timestamps[row] as number;
  const receivedAt = rows.receipts[row] as number;
  const scope = table.lookupScope(timestamp, receivedAt);
  if (scope === undefined || rows.hasIdentity[row] === 0) return undefined;
  // A duplicate stays one whatever else is stored; a conflict may turn out to be a duplicate of a stored copy.
  if (askTable(table, rows, row, false) === verdicts.duplicate) return undefined;
  return { ...rows.place(row), identity: identityKey(rows, row), timestamp, receivedAt, scope };
}

function askTable(table: IdentityTable, rows: ClaimRows, row: number, claims: boolean): Verdict {
  return table.judge(
    rows.identities,
    row * identityWords,
    rows.timestamps[row] as number,
    rows.receipts[row] as number,
    rows.digests[row] as number,
    claims,
  );
}

function identityKey(rows: ClaimRows, row: number): string {
  return identityText(rows.identities, row * identityWords);
}
