/** What the worker stores and asks, in ClickHouse. User content travels as data or parameters, never as SQL text. */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type ClickHouseClient, ClickHouseError, type ClickHouseSettings } from '@clickhouse/client';
import { allTime, type UsageSpan, type UsageState, unusedState } from '../aggregate/calculated-usage.ts';
import type { LookupKey, StoredCopy } from '../aggregate/deduplicate.ts';
import {
  type CustomerFeature,
  type FlushStore,
  type IdentityRows,
  type MeasurementKey,
  type MeasurementRow,
  type StoredAcknowledgement,
  StoreRefusedDataError,
  type UsagePair,
} from '../aggregate/flush-store.ts';
import { identityOf, identityText } from '../metering/identity.ts';
import { type Quantity, quantityFromClickhouse, zeroQuantity } from '../quantity.ts';
import { ClickhouseUnavailableError, classifyClickhouseError, selectRows } from './clickhouse-client.ts';
import * as sql from './flush-sql.ts';
import { identityRows } from './identity-rows.ts';
import { RowBinaryWriter } from './row-binary.ts';

/** Keys of one question: it reads 2,000 granules at most. */
const keysPerQueryMax = 2_000;
/**
 * Bytes of one column of keys. Each column is a parameter, and a server takes 128 KiB of one (its setting
 * http_max_field_value_size, which a request cannot raise); escaping may double it.
 */
const keyColumnBytesMax = 60_000;

export class ClickhouseFlushStore implements FlushStore {
  readonly #client: ClickHouseClient;

  constructor(client: ClickHouseClient) {
    this.#client = client;
  }

  async insertEvents(flushId: number, token: string, chunks: readonly Buffer[]): Promise<void> {
    await this.#insert(sql.insertEvents('events', flushId, 0), `${token}-events`, chunks);
  }

  async insertConflicts(flushId: number, token: string, chunks: readonly Buffer[]): Promise<void> {
    await this.#insert(sql.insertEvents('event_conflicts', flushId, 2), `${token}-conflicts`, chunks);
  }

  async insertMeasurements(token: string, rows: readonly MeasurementRow[]): Promise<void> {
    await this.#insertMeasurements(`${token}-measurements`, rows);
  }

  async repeatEvents(flushId: number, token: string, chunks: readonly Buffer[], rows: number): Promise<void> {
    const query = sql.insertEvents('events', flushId, 0, 'missing');
    await repeatInsert(
      `${token}-events`,
      (each) => this.#insert(query, each, chunks),
      async () => (await this.#number(sql.eventsOfFlush, { flush: flushId })) >= rows,
    );
  }

  async repeatMeasurements(flushId: number, token: string, rows: readonly MeasurementRow[]): Promise<void> {
    const missing = async (): Promise<MeasurementRow[]> => {
      const statement = { sql: sql.positionsOfFlush, params: { flush: flushId } };
      const stored = await selectRows<{ position: number }>(this.#client, statement);
      const positions = new Set(stored.map(({ position }) => position));
      return rows.filter(({ position }) => !positions.has(position));
    };
    await repeatInsert(
      `${token}-measurements`,
      async (each) => this.#insertMeasurements(each, await missing()),
      async () => (await missing()).length === 0,
    );
  }

  async takesEvents(chunks: readonly Buffer[]): Promise<boolean> {
    try {
      // Every value is read, and no row has this verdict.
      await this.#insert(sql.insertEvents('events', 0, 255), `probe-${randomUUID()}`, chunks);
      return true;
    } catch (error) {
      if (error instanceof StoreRefusedDataError) return false;
      throw error;
    }
  }

  readonly lookupStored = async (
    keys: readonly LookupKey[],
    windowMs: number,
  ): Promise<readonly StoredCopy[]> => {
    const copies: StoredCopy[] = [];
    for (const kind of ['event', 'measurement'] as const) {
      const ofKind = keys.filter((key) => key.kind === kind);
      for (const page of pages(ofKind, lookupTexts)) {
        copies.push(...(await this.#copies(kind, sql.copiesByTimestamp(kind), page, {})));
      }
      for (const page of pages(
        ofKind.filter((key) => key.scope === 'window'),
        lookupTexts,
      )) {
        const earliest = page.reduce((min, key) => Math.min(min, key.receivedAt), Number.POSITIVE_INFINITY);
        const parameters = { receivedFrom: earliest - windowMs };
        copies.push(...(await this.#copies(kind, sql.copiesByReceipt(kind), page, parameters)));
      }
    }
    return copies;
  };

  async acknowledgements(
    keys: readonly MeasurementKey[],
  ): Promise<readonly (StoredAcknowledgement | undefined)[]> {
    const found = new Map<string, StoredAcknowledgement>();
    for (const page of pages(keys, (key) => [...pairTexts(key), key.idempotencyKey])) {
      const params = {
        ...pairColumns(page),
        timestamps: page.map((key) => key.timestamp),
        keys: page.map((key) => key.idempotencyKey),
      };
      for (const row of await selectRows<AcknowledgementRow>(this.#client, {
        sql: sql.acknowledgements,
        params,
      })) {
        found.set(measurementKey({ ...row, timestamp: Number(row.at) }), {
          id: row.measurementId,
          value: quantityFromClickhouse(row.amount),
          timestamp: Number(row.at),
          currentUsage: quantityFromClickhouse(row.usage),
          usageLimit: row.limit === null ? null : quantityFromClickhouse(row.limit),
          usagePeriod: rowToPeriod(row),
        });
      }
    }
    return keys.map((key) => found.get(measurementKey(key)));
  }

  async usageStates(
    asks: readonly (UsagePair & UsageSpan)[],
    beforeFlush: number,
  ): Promise<readonly UsageState[]> {
    const rows = await this.#folds<StateRow, UsagePair & UsageSpan>(
      sql.usageStates,
      asks,
      pairTexts,
      pairColumns,
      beforeFlush,
    );
    return rows.map((row) => (row === undefined ? unusedState : rowToState(row)));
  }

  async usageTotals(
    asks: readonly (CustomerFeature & UsageSpan)[],
    beforeFlush: number,
  ): Promise<readonly Quantity[]> {
    const rows = await this.#folds(sql.usageTotals, asks, featureTexts, featureColumns, beforeFlush);
    return rows.map(rowToTotal);
  }

  async deltasAfter(
    asks: readonly (UsagePair & UsageSpan & { readonly timestamp: number })[],
    beforeFlush: number,
  ): Promise<readonly Quantity[]> {
    const after = asks.map((ask) => ({ ...ask, start: ask.timestamp + 1 }));
    const rows = await this.#folds(sql.deltasAfter, after, pairTexts, pairColumns, beforeFlush);
    return rows.map(rowToTotal);
  }

  async *identitiesSince(since: number): AsyncIterable<IdentityRows> {
    try {
      const { stream } = await this.#client.exec({
        query: `${sql.identitiesSince} FORMAT RowBinary`,
        query_params: { since },
      });
      yield* identityRows(stream);
    } catch (error) {
      throw classifyClickhouseError(error);
    }
  }

  async countSince(since: number): Promise<number> {
    return this.#number(sql.countSince, { since });
  }

  async sinceWithin(since: number, rowsMax: number): Promise<number> {
    const statement = { sql: sql.identitiesByMinute, params: { since } };
    const minutes = await selectRows<{ minute: string; number: string }>(this.#client, statement);
    let rows = 0;
    for (const { minute, number } of minutes) {
      rows += Number(number);
      if (rows > rowsMax) return Math.max(since, (Number(minute) + 1) * 60_000);
    }
    return since;
  }

  async newestFlush(): Promise<number> {
    return this.#number(sql.newestFlush, {});
  }

  async countOfFlush(flushId: number): Promise<number> {
    return this.#number(sql.countOfFlush, { flush: flushId });
  }

  async #insertMeasurements(token: string, rows: readonly MeasurementRow[]): Promise<void> {
    if (rows.length === 0) return;
    const writer = new RowBinaryWriter();
    for (const row of rows) writeMeasurement(writer, row);
    await this.#insert(sql.insertMeasurements, token, [writer.bytes()]);
  }

  async #insert(query: string, token: string, chunks: readonly Buffer[]): Promise<void> {
    try {
      const { stream } = await this.#client.exec({
        query,
        values: Readable.from(chunks, { objectMode: false }),
        clickhouse_settings: { ...insertSettings, insert_deduplication_token: token },
      });
      // The answer is empty; reading it to its end frees the socket and meets an error that came late.
      for await (const chunk of stream) void chunk;
    } catch (error) {
      if (error instanceof ClickHouseError && dataErrorCodes.has(error.code)) {
        // The server's own text may quote the content of events (I10), so only its code and name go on.
        throw new StoreRefusedDataError(
          `ClickHouse cannot take the content: ${error.code} ${error.type ?? ''}`,
        );
      }
      throw classifyClickhouseError(error);
    }
  }

  /** One row an ask, in their order; undefined where nothing is stored. */
  async #folds<Row extends FoldRow, Ask extends UsageSpan>(
    query: string,
    asks: readonly Ask[],
    textsOf: (ask: Ask) => readonly string[],
    columnsOf: (page: readonly Ask[]) => Record<string, readonly string[]>,
    beforeFlush: number,
  ): Promise<readonly (Row | undefined)[]> {
    const rows: (Row | undefined)[] = [];
    for (const page of pages(asks, textsOf)) {
      const params = {
        ...columnsOf(page),
        starts: page.map(({ start }) => start),
        ends: page.map(({ end }) => end),
        earliest: page.reduce((earliest, { start }) => Math.min(earliest, start), allTime.end),
        latest: page.reduce((latest, { end }) => Math.max(latest, end - 1), allTime.start),
        beforeFlush,
      };
      const found = await selectRows<Row>(this.#client, { sql: query, params });
      const byAsk = new Map(found.map((row) => [row.ask, row]));
      rows.push(...page.map((_, index) => byAsk.get(index + 1)));
    }
    return rows;
  }

  async #copies(
    kind: LookupKey['kind'],
    query: string,
    page: readonly LookupKey[],
    more: Readonly<Record<string, number>>,
  ): Promise<StoredCopy[]> {
    const params = {
      customers: page.map((key) => key.customerId),
      names: page.map((key) => key.name),
      timestamps: page.map((key) => key.timestamp),
      keys: page.map((key) => key.idempotencyKey),
      ...more,
    };
    const rows = await selectRows<CopyRow>(this.#client, { sql: query, params });
    return rows.map((row) => ({
      identity: identityText(identityOf(kind, [row.customer, row.resource, row.called, row.key, row.origin])),
      contentDigest: row.digest,
      timestamp: Number(row.at),
      receivedAt: Number(row.received),
    }));
  }

  async #number(query: string, params: Readonly<Record<string, number>>): Promise<number> {
    const rows = await selectRows<{ number: string }>(this.#client, { sql: query, params });
    return Number(rows[0]?.number ?? 0);
  }
}

/**
 * A token is not enough after a crash of ClickHouse itself. It notes the token of a block before it makes the block
 * visible (26.7: the deduplication log, then the rename of the part), so one that is killed in between refuses ever
 * after a block that it does not have. Blocks that are still missing when a repeat was answered are therefore sent
 * again under the next token. The token goes first all the same: it keeps out what an attempt that nobody waits
 * for any more is just writing. Only missing rows are sent, should a block be visible before its token is noted.
 */
async function repeatInsert(
  token: string,
  insertMissing: (token: string) => Promise<void>,
  isComplete: () => Promise<boolean>,
): Promise<void> {
  await insertMissing(token);
  for (let generation = 1; generation <= generationsMax; generation += 1) {
    if (await isComplete()) return;
    // Between noting and showing a block lie microseconds, when nobody dies there.
    await delay(settleMs);
    if (await isComplete()) return;
    await insertMissing(`${token}-${generation}`);
  }
  throw new ClickhouseUnavailableError('ClickHouse took a flush again and again and does not have all of it');
}

const settleMs = 250;
/** Each takes a kill in the same microseconds; a repeat of the whole begins at the first one again. */
const generationsMax = 20;

/**
 * One insert is one block a partition, however small its values are packed, and written before the answer. So its
 * token covers all of it. A back-fill may touch hundreds of months; one thread keeps the order of the bytes.
 * The minmax indexes are left to the merges: in the small parts of a flush they pass over nothing, and took half of
 * the 23 ms of processor that an insert of 2,000 rows cost.
 */
export const insertSettings: ClickHouseSettings = {
  async_insert: 0,
  wait_end_of_query: 1,
  insert_deduplicate: 1,
  max_threads: 1,
  max_insert_threads: '1',
  min_insert_block_size_rows: '10000000',
  min_insert_block_size_bytes: '8589934592',
  max_partitions_per_insert_block: '0',
  materialize_skip_indexes_on_insert: 0,
};

/**
 * Server codes that blame the content of an insert. Source: src/Common/ErrorCodes.cpp of ClickHouse. All others,
 * a missing table among them, are for the operator to mend, and the flush waits for that.
 */
const dataErrorCodes: ReadonlySet<string> = new Set([
  '6', // CANNOT_PARSE_TEXT
  '9', // SIZES_OF_COLUMNS_DOESNT_MATCH
  '10', // NOT_FOUND_COLUMN_IN_BLOCK
  '26', // CANNOT_PARSE_QUOTED_STRING
  '27', // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  '32', // ATTEMPT_TO_READ_AFTER_EOF
  '33', // CANNOT_READ_ALL_DATA
  '50', // UNKNOWN_TYPE
  '53', // TYPE_MISMATCH
  '69', // ARGUMENT_OUT_OF_BOUND
  '70', // CANNOT_CONVERT_TYPE
  '117', // INCORRECT_DATA
  '128', // TOO_LARGE_ARRAY_SIZE
  '131', // TOO_LARGE_STRING_SIZE
  '190', // SIZES_OF_ARRAYS_DONT_MATCH
  '407', // DECIMAL_OVERFLOW
]);

function writeMeasurement(writer: RowBinaryWriter, row: MeasurementRow): void {
  writer.int64(row.flush);
  writer.uint32(row.position);
  writer.uuid(row.id);
  writer.uint32(row.contentDigest);
  writer.int64(row.receivedAt);
  writer.int64(row.timestamp);
  writer.string(row.featureId);
  writer.string(row.customerId);
  writer.string(row.resourceId);
  writer.string(row.idempotencyKey);
  writer.string(row.updateBehavior);
  writer.quantity(row.value);
  writer.quantity(row.currentUsage);
  writer.nullable(row.usageLimit, (limit) => writer.quantity(limit));
  writer.nullable(row.usagePeriod, ({ start }) => writer.int64(start));
  writer.nullable(row.usagePeriod, ({ end }) => writer.int64(end));
  writer.stringMap(row.dimensions);
}

interface CopyRow {
  readonly customer: string;
  readonly resource: string;
  readonly called: string;
  readonly key: string;
  readonly origin: string;
  readonly digest: number;
  readonly at: string;
  readonly received: string;
}

interface PairRow {
  readonly customerId: string;
  readonly featureId: string;
  readonly resourceId: string;
}

interface AcknowledgementRow extends PairRow {
  readonly idempotencyKey: string;
  readonly measurementId: string;
  readonly amount: string;
  readonly at: string;
  readonly usage: string;
  readonly limit: string | null;
  readonly since: string | null;
  readonly until: string | null;
}

/** What was found for one ask; `ask` is its place in the question, from 1. */
interface FoldRow {
  readonly ask: number;
  readonly total: string;
}

interface StateRow extends FoldRow {
  readonly newestAt: string;
  readonly setCount: string;
  readonly setAt: string;
}

function rowToPeriod({ since, until }: AcknowledgementRow): UsageSpan | null {
  return since === null || until === null ? null : { start: Number(since), end: Number(until) };
}

function rowToState(row: StateRow): UsageState {
  return {
    setAt: row.setCount === '0' ? undefined : Number(row.setAt),
    total: quantityFromClickhouse(row.total),
    newestAt: Number(row.newestAt),
  };
}

function rowToTotal(row: FoldRow | undefined): Quantity {
  return row === undefined ? zeroQuantity : quantityFromClickhouse(row.total);
}

function featureColumns(asks: readonly CustomerFeature[]): Record<string, readonly string[]> {
  return { customers: asks.map((ask) => ask.customerId), features: asks.map((ask) => ask.featureId) };
}

function pairColumns(pairs: readonly UsagePair[]): Record<string, readonly string[]> {
  return { ...featureColumns(pairs), resources: pairs.map((pair) => pair.resourceId) };
}

function pairKey(pair: UsagePair, ...more: readonly string[]): string {
  return JSON.stringify([pair.customerId, pair.featureId, pair.resourceId, ...more]);
}

function measurementKey(key: MeasurementKey): string {
  return pairKey(key, key.idempotencyKey, String(key.timestamp));
}

const featureTexts = (ask: CustomerFeature): readonly string[] => [ask.customerId, ask.featureId];
const pairTexts = (pair: UsagePair): readonly string[] => [pair.customerId, pair.featureId, pair.resourceId];
const lookupTexts = (key: LookupKey): readonly string[] => [key.customerId, key.name, key.idempotencyKey];

/** `textsOf` names an item's texts by column. */
function* pages<T>(items: readonly T[], textsOf: (item: T) => readonly string[]): Generator<readonly T[]> {
  let page: T[] = [];
  let columnBytes: number[] = [];
  for (const item of items) {
    // With quotes and comma.
    const bytes = textsOf(item).map((text) => Buffer.byteLength(text) + 3);
    const isFull = bytes.some((more, column) => (columnBytes[column] ?? 0) + more > keyColumnBytesMax);
    if (page.length > 0 && (isFull || page.length === keysPerQueryMax)) {
      yield page;
      page = [];
      columnBytes = [];
    }
    page.push(item);
    columnBytes = bytes.map((more, column) => (columnBytes[column] ?? 0) + more);
  }
  if (page.length > 0) yield page;
}
