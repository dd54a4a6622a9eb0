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
  timestamp(row: number): number;
  receivedAt(row: number): number;
  contentDigest(row: number): number;
  /** False for a measurement without idempotency key: it always counts, and leaves no trace here. */
  hasIdentity(row: number): boolean;
  place(row: number): StoredPlace;
}

export function eventClaims(block: EventBlock): ClaimRows {
  return {
    count: block.count,
    identities: block.identities(),
    timestamp: (row) => block.timestamp(row),
    receivedAt: (row) => block.receivedAt(row),
    contentDigest: (row) => block.contentDigest(row),
    hasIdentity: () => true,
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
  const digests = Uint32Array.from(facts, measurementContentDigest);
  const fact = (row: number): MeasurementFact => facts[row] as MeasurementFact;
  return {
    count: facts.length,
    identities,
    timestamp: (row) => fact(row).timestamp,
    receivedAt: (row) => fact(row).receivedAt,
    contentDigest: (row) => digests[row] as number,
    hasIdentity: (row) => fact(row).idempotencyKey !== '',
    place: (row) => {
      const { customerId, featureId, resourceId, idempotencyKey } = fact(row);
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
    for (let row = 0; row < rows.count; row += 1) {
      const verdict = this.verdict(rows, row);
      settled[row] = verdict;
      if (verdict === verdicts.counts) this.claim(rows, row);
    }
    return settled;
  }

  /** How the row stands to all that was counted before, earlier rows of this flush included. */
  verdict(rows: ClaimRows, row: number): Verdict {
    if (!rows.hasIdentity(row)) return verdicts.counts;
    const remembered = findRow(this.#table, rows, row);
    if (remembered === verdicts.duplicate || this.#stored.size === 0) return remembered;
    let verdict = remembered;
    for (const copy of this.#stored.get(identityKey(rows, row)) ?? []) {
      const beside = this.#beside(rows, row, copy);
      if (beside === verdicts.duplicate) return beside;
      if (beside === verdicts.conflict) verdict = beside;
    }
    return verdict;
  }

  /** Takes the row's identity; only for a row whose verdict is `counts`. */
  claim(rows: ClaimRows, row: number): void {
    if (!rows.hasIdentity(row)) return;
    this.#table.add(
      rows.identities,
      row * identityWords,
      rows.timestamp(row),
      rows.receivedAt(row),
      rows.contentDigest(row),
    );
  }

  /** The counted copy that the row repeats; undefined unless its verdict is `duplicate`. */
  original(rows: ClaimRows, row: number): CountedCopy | undefined {
    if (!rows.hasIdentity(row)) return undefined;
    const copies = [
      ...this.#table.copies(rows.identities, row * identityWords),
      ...(this.#stored.get(identityKey(rows, row)) ?? []),
    ];
    return copies.find((copy) => this.#beside(rows, row, copy) === verdicts.duplicate);
  }

  #beside(rows: ClaimRows, row: number, copy: CountedCopy): Verdict {
    return verdictBeside(
      rows.timestamp(row),
      rows.receivedAt(row),
      rows.contentDigest(row),
      copy.timestamp,
      copy.receivedAt,
      copy.contentDigest,
      this.#table.windowMs,
    );
  }
}

function earliestReceipt(lists: readonly ClaimRows[]): number | undefined {
  let earliest: number | undefined;
  for (const rows of lists) {
    for (let row = 0; row < rows.count; row += 1) {
      const receivedAt = rows.receivedAt(row);
      if (earliest === undefined || receivedAt < earliest) earliest = receivedAt;
    }
  }
  return earliest;
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
  if (!rows.hasIdentity(row)) return undefined;
  const timestamp = rows.timestamp(row);
  const receivedAt = rows.receivedAt(row);
  const scope = table.lookupScope(timestamp, receivedAt);
  // A duplicate stays one whatever else is stored; a conflict may turn out to be a duplicate of a stored copy.
  if (scope === undefined || findRow(table, rows, row) === verdicts.duplicate) return undefined;
  return { ...rows.place(row), identity: identityKey(rows, row), timestamp, receivedAt, scope };
}

function findRow(table: IdentityTable, rows: ClaimRows, row: number): Verdict {
  return table.find(
    rows.identities,
    row * identityWords,
    rows.timestamp(row),
    rows.receivedAt(row),
    rows.contentDigest(row),
  );
}

function identityKey(rows: ClaimRows, row: number): string {
  return identityText(rows.identities, row * identityWords);
}
