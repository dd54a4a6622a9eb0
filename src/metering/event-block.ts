/**
 * Events as they travel from the edge to ClickHouse: one block in ClickHouse's Native format, written once when
 * the events arrive and sent on as it is. The worker reads from it what it needs and appends one column.
 *
 * Layout: varint column count, varint row count, then each column as name, type and values. The byte that holds
 * the column count is the block's first.
 */
import { keySeed, textDigest } from './content-digest.ts';
import { type EventFact, factLimits } from './facts.ts';
import { beginIdentity, identityWords } from './identity.ts';
import { ColumnReader, ColumnWriter, type TextColumn, writeVarint } from './native-column.ts';
import { TextCache } from './text-cache.ts';

/** The columns in order, with the types that `input(...)` has to name when a block is inserted. */
export const eventBlockColumns = [
  ['content_digest', 'UInt32'],
  ['received_at', "DateTime64(3, 'UTC')"],
  ['timestamp', "DateTime64(3, 'UTC')"],
  ['event_name', 'String'],
  ['customer_id', 'String'],
  ['resource_id', 'String'],
  ['idempotency_key', 'String'],
  ['source', 'String'],
  ['dimensions', 'Map(String, String)'],
] as const;

/** The column that `withVerdicts` appends. */
export const verdictColumn = ['verdict', 'UInt8'] as const;

export type EventTextColumn = 'event_name' | 'customer_id' | 'resource_id' | 'idempotency_key' | 'source';

const headers = eventBlockColumns.map(([name, type]) => columnHeader(name, type));
const headerBytes = headers.reduce((sum, header) => sum + header.length, 0);
const verdictHeader = columnHeader(...verdictColumn);
const countsBytesMax = 5;
/** Of an event that is written part by part. */
const plainDimensionsMax = 64;
/** What a row takes at least: the fixed columns, five empty texts and a map's end. */
const rowBytesMin = 4 + 8 + 8 + 5 + 8;

/**
 * Writes events straight into columns, and the block is assembled once. Facts are appended whole. Who reads bytes
 * writes an event part by part, each once, and ends it with `add` or `discard`; so no object is made for an event.
 */
export class EventBlockBuilder {
  readonly eventName = new ColumnWriter(16_384);
  readonly customerId = new ColumnWriter(16_384);
  readonly resourceId = new ColumnWriter(4_096);
  readonly idempotencyKey = new ColumnWriter(32_768);
  readonly #source = new ColumnWriter(4_096);
  readonly #digest = new ColumnWriter(4_096);
  readonly #receivedAt = new ColumnWriter(8_192);
  readonly #timestamp = new ColumnWriter(8_192);
  readonly #mapEnds = new ColumnWriter(8_192);
  readonly #mapKeys = new ColumnWriter(32_768);
  readonly #mapTexts = new ColumnWriter(32_768);
  /** In the block's order; the last three are the map. */
  readonly #columns = [
    this.#digest,
    this.#receivedAt,
    this.#timestamp,
    this.eventName,
    this.customerId,
    this.resourceId,
    this.idempotencyKey,
    this.#source,
    this.#mapEnds,
    this.#mapKeys,
    this.#mapTexts,
  ];
  /** Of the event that is being written: its keys' digests, how many there are, and the content's digest so far. */
  readonly #keyDigests = new Int32Array(plainDimensionsMax);
  #dimensions = 0;
  #contentDigest = 0;
  #count = 0;
  #entries = 0;

  get count(): number {
    return this.#count;
  }

  /** What `finish` would return now, within a few bytes; the caller seals by it, for the builder has no bound. */
  get byteSize(): number {
    let size = headerBytes + countsBytesMax;
    for (const column of this.#columns) size += column.length;
    return size;
  }

  append(fact: EventFact): void {
    this.eventName.writeText(fact.eventName);
    this.customerId.writeText(fact.customerId);
    this.resourceId.writeText(fact.resourceId);
    this.idempotencyKey.writeText(fact.idempotencyKey);
    for (const [key, text] of fact.dimensions) {
      const keyStart = this.#mapKeys.length;
      const textStart = this.#mapTexts.length;
      this.#mapKeys.writeText(key);
      this.#mapTexts.writeText(text);
      this.#digestEntry(lastTextDigest(this.#mapKeys, keyStart, keySeed), textStart);
    }
    this.#dimensions = fact.dimensions.length;
    this.#source.writeText(fact.source);
    this.#end(fact.timestamp, fact.receivedAt);
  }

  /**
   * Writes a dimension's key, a JSON string whose opening quote stands before `start`, and returns the offset after
   * its closing quote. -1 when it is no plain JSON (see `writePlainJson`), empty, as long as no key may be, written
   * twice in this event or one too many: then the event is to be discarded.
   */
  dimensionKey(body: Uint8Array, start: number): number {
    const column = this.#mapKeys;
    const keyStart = column.length;
    const end = column.writePlainJson(body, start);
    const size = end - start - 1;
    if (size < 1 || size > factLimits.idLengthMax || this.#dimensions === plainDimensionsMax) return -1;
    const digest = lastTextDigest(column, keyStart, keySeed);
    for (let index = 0; index < this.#dimensions; index += 1) {
      if (this.#keyDigests[index] === digest) return -1;
    }
    this.#keyDigests[this.#dimensions] = digest;
    this.#dimensions += 1;
    return end;
  }

  /** Writes the text of the dimension whose key was written last, as `dimensionKey` does. */
  dimensionJson(body: Uint8Array, start: number): number {
    const textStart = this.#mapTexts.length;
    const end = this.#mapTexts.writePlainJson(body, start);
    if (end !== -1) this.#digestEntry(this.#keyDigests[this.#dimensions - 1] as number, textStart);
    return end;
  }

  /** As `dimensionJson`, of bytes that are the text itself. */
  dimensionBytes(body: Uint8Array, start: number, end: number): void {
    const textStart = this.#mapTexts.length;
    this.#mapTexts.writeBytes(body, start, end);
    this.#digestEntry(this.#keyDigests[this.#dimensions - 1] as number, textStart);
  }

  /** The event whose four ids and dimensions were written is whole. */
  add(timestamp: number, receivedAt: number): void {
    this.#source.writeText('');
    this.#end(timestamp, receivedAt);
  }

  /** Forgets what was written of the event that is no event. */
  discard(): void {
    this.eventName.discard();
    this.customerId.discard();
    this.resourceId.discard();
    this.idempotencyKey.discard();
    this.#mapKeys.discard();
    this.#mapTexts.discard();
    this.#dimensions = 0;
    this.#contentDigest = 0;
  }

  #digestEntry(keyDigest: number, textStart: number): void {
    this.#contentDigest = (this.#contentDigest + lastTextDigest(this.#mapTexts, textStart, keyDigest)) | 0;
  }

  #end(timestamp: number, receivedAt: number): void {
    this.#digest.writeUInt32(this.#contentDigest);
    this.#receivedAt.writeInt64(receivedAt);
    this.#timestamp.writeInt64(timestamp);
    this.#entries += this.#dimensions;
    this.#mapEnds.writeInt64(this.#entries);
    this.#dimensions = 0;
    this.#contentDigest = 0;
    this.#count += 1;
    this.#keep();
  }

  /** Only these are written before an event is whole. */
  #keep(): void {
    this.eventName.keep();
    this.customerId.keep();
    this.resourceId.keep();
    this.idempotencyKey.keep();
    this.#mapKeys.keep();
    this.#mapTexts.keep();
  }

  /** Every event of another builder, which keeps them. */
  appendAll(other: EventBlockBuilder): void {
    for (let index = 0; index < this.#columns.length; index += 1) {
      const column = this.#columns[index] as ColumnWriter;
      const more = other.#columns[index] as ColumnWriter;
      if (column !== this.#mapEnds) column.writeColumn(more);
      // A body holds fewer entries than 32 bits.
      else
        for (let at = 0; at < more.length; at += 8)
          column.writeInt64(this.#entries + more.view.getUint32(at, true));
    }
    this.#entries += other.#entries;
    this.#count += other.#count;
    this.#keep();
  }

  clear(): void {
    for (const column of this.#columns) column.clear();
    this.#count = 0;
    this.#entries = 0;
    this.discard();
  }

  /** The block of all events appended since the last time, at least one; the builder is then empty. */
  finish(): Buffer {
    if (this.#count === 0) throw new RangeError('a block holds at least one event');
    const block = Buffer.allocUnsafeSlow(this.byteSize);
    let offset = writeVarint(block, 0, eventBlockColumns.length);
    offset = writeVarint(block, offset, this.#count);
    this.#columns.forEach((column, index) => {
      offset += headers[index]?.copy(block, offset) ?? 0;
      offset = column.copyTo(block, offset);
    });
    this.clear();
    return block.subarray(0, offset);
  }
}

/** Of the columns whose texts come again and again. */
const caches: Readonly<Partial<Record<EventTextColumn, TextCache>>> = {
  event_name: new TextCache(1_024),
  customer_id: new TextCache(16_384),
};

/** The payload is no event block; it can only be set aside. The message holds offsets, never content. */
export class CorruptBlockError extends Error {
  readonly code = 'CORRUPT_BLOCK';
  readonly retryable = false;
}

/**
 * Reads a payload in place. The constructor checks the whole structure, once (0.1 µs an event), so that neither
 * the methods here nor ClickHouse can be led beyond a column. Rows count from 0.
 */
export class EventBlock {
  readonly count: number;
  /** A value a row; instants in epoch ms. */
  readonly contentDigests: Uint32Array;
  readonly receipts: Float64Array;
  readonly timestamps: Float64Array;
  readonly #payload: Buffer;
  readonly #view: DataView;
  readonly #texts: Readonly<Record<EventTextColumn, TextColumn>>;
  readonly #mapEnds: Uint32Array;
  readonly #mapKeys: TextColumn;
  readonly #mapTexts: TextColumn;

  constructor(payload: Buffer) {
    const reader = new ColumnReader(payload, corrupt);
    if (reader.varint() !== eventBlockColumns.length) throw corrupt('another number of columns');
    const count = reader.varint();
    if (count === 0 || count * rowBytesMin > reader.left)
      throw corrupt(`${count} rows in ${reader.left} bytes`);
    let column = 0;
    const next = (): void => {
      const header = headers[column] as Buffer;
      reader.expect(header, `column ${column}`);
      column += 1;
    };
    const nextTexts = (): TextColumn => {
      next();
      return reader.texts(count);
    };

    this.#payload = payload;
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    this.count = count;
    next();
    this.contentDigests = readWords(payload, reader, count);
    next();
    this.receipts = readInstants(payload, reader, count);
    next();
    this.timestamps = readInstants(payload, reader, count);
    // An object literal is evaluated in the order written, which is the block's.
    this.#texts = {
      event_name: nextTexts(),
      customer_id: nextTexts(),
      resource_id: nextTexts(),
      idempotency_key: nextTexts(),
      source: nextTexts(),
    };
    next();
    this.#mapEnds = readMapEnds(payload, reader, count);
    const entries = this.#mapEnds[count - 1] as number;
    this.#mapKeys = reader.texts(entries);
    this.#mapTexts = reader.texts(entries);
    if (reader.left !== 0) throw corrupt(`${reader.left} bytes after the last column`);
  }

  /** Of every row, `identityWords` each. Computed anew at each call, 0.1 µs a row. */
  identities(): Uint32Array {
    const identities = new Uint32Array(identityWords * this.count);
    const { event_name: name, customer_id: customer, resource_id: resource } = this.#texts;
    const { idempotency_key: key, source } = this.#texts;
    const view = this.#view;
    for (let row = 0; row < this.count; row += 1) {
      const hash = beginIdentity('event');
      hash.add(view, customer.start(row), customer.end(row));
      hash.add(view, resource.start(row), resource.end(row));
      hash.add(view, name.start(row), name.end(row));
      hash.add(view, key.start(row), key.end(row));
      hash.add(view, source.start(row), source.end(row));
      hash.writeTo(identities, identityWords * row);
    }
    return identities;
  }

  /** Epoch ms, as all instants here. */
  receivedAt(row: number): number {
    return this.receipts[row] as number;
  }

  timestamp(row: number): number {
    return this.timestamps[row] as number;
  }

  text(column: EventTextColumn, row: number): string {
    const cache = caches[column];
    const texts = this.#texts[column];
    if (cache === undefined) return texts.text(row);
    return cache.text(this.#payload, this.#view, texts.start(row), texts.end(row));
  }

  /** Whether the text has exactly these UTF-8 bytes; makes no string, so meters can pass over most events. */
  textIs(column: EventTextColumn, row: number, utf8: Uint8Array): boolean {
    return this.#texts[column].is(row, utf8);
  }

  dimensions(row: number): [key: string, text: string][] {
    const entries: [string, string][] = [];
    for (let entry = this.#mapStart(row); entry < this.#mapEnd(row); entry += 1) {
      entries.push([this.#mapKeys.text(entry), this.#mapTexts.text(entry)]);
    }
    return entries;
  }

  /** One dimension's text by its key's UTF-8 bytes, or undefined; makes no string but the answer. */
  dimension(row: number, key: Uint8Array): string | undefined {
    for (let entry = this.#mapStart(row); entry < this.#mapEnd(row); entry += 1) {
      if (this.#mapKeys.is(entry, key)) return this.#mapTexts.text(entry);
    }
    return undefined;
  }

  fact(row: number): EventFact {
    return {
      customerId: this.text('customer_id', row),
      resourceId: this.text('resource_id', row),
      eventName: this.text('event_name', row),
      idempotencyKey: this.text('idempotency_key', row),
      source: this.text('source', row),
      timestamp: this.timestamp(row),
      receivedAt: this.receivedAt(row),
      dimensions: this.dimensions(row),
    };
  }

  /**
   * The block with the column `verdict`, one byte an event, as chunks to send one after another. They share the
   * payload's and the verdicts' memory: nothing is copied.
   */
  withVerdicts(verdicts: Uint8Array): Buffer[] {
    if (verdicts.length !== this.count) {
      throw new RangeError(`${verdicts.length} verdicts for ${this.count} events`);
    }
    return [
      Buffer.of(eventBlockColumns.length + 1),
      this.#payload.subarray(1),
      verdictHeader,
      Buffer.from(verdicts.buffer, verdicts.byteOffset, verdicts.length),
    ];
  }

  #mapStart(row: number): number {
    return row === 0 ? 0 : (this.#mapEnds[row - 1] as number);
  }

  #mapEnd(row: number): number {
    return this.#mapEnds[row] as number;
  }
}

function corrupt(reason: string): CorruptBlockError {
  return new CorruptBlockError(`not an event block: ${reason}`);
}

/** Of the text that was written at `start`, up to the column's end. */
function lastTextDigest(column: ColumnWriter, start: number, seed: number): number {
  const { view, length } = column;
  let textStart = start;
  while (view.getUint8(textStart) > 127) textStart += 1;
  return textDigest(view, textStart + 1, length, seed);
}

function columnHeader(name: string, type: string): Buffer {
  const writer = new ColumnWriter(64);
  writer.writeText(name);
  writer.writeText(type);
  return Buffer.from(writer.target.subarray(0, writer.length));
}

/** A copy, since typed arrays need an alignment that a column in the middle of a payload does not have. */
function readWords(payload: Buffer, reader: ColumnReader, count: number): Uint32Array {
  const words = new Uint32Array(count);
  const start = reader.skip(words.byteLength);
  payload.copy(new Uint8Array(words.buffer), 0, start, reader.offset);
  return words;
}

function readInstants(payload: Buffer, reader: ColumnReader, count: number): Float64Array {
  const words = readWords(payload, reader, 2 * count);
  const instants = new Float64Array(count);
  for (let row = 0; row < count; row += 1) {
    const instant = ((words[2 * row + 1] as number) | 0) * 0x1_0000_0000 + (words[2 * row] as number);
    if (instant < factLimits.instantMin || instant > factLimits.instantMax) {
      throw corrupt(`the instant of row ${row} is out of range`);
    }
    instants[row] = instant;
  }
  return instants;
}

/** For each row the number of map entries up to its end. */
function readMapEnds(payload: Buffer, reader: ColumnReader, count: number): Uint32Array {
  const words = readWords(payload, reader, 2 * count);
  const ends = new Uint32Array(count);
  let previous = 0;
  for (let row = 0; row < count; row += 1) {
    const end = words[2 * row] as number;
    // An entry takes at least two bytes, so a count beyond what is left is refused before any walk.
    if (words[2 * row + 1] !== 0 || end < previous || 2 * end > reader.left) {
      throw corrupt(`the map of row ${row} ends at entry ${end}`);
    }
    ends[row] = end;
    previous = end;
  }
  return ends;
}
