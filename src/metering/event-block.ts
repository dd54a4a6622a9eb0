/**
 * Events as they travel from the edge to ClickHouse: one block in ClickHouse's Native format, written once when
 * the events arrive and sent on as it is. The worker reads from it what it needs and appends one column.
 *
 * Layout: varint column count, varint row count, then each column as name, type and values. The byte that holds
 * the column count is the block's first.
 */
import { type EventFact, factLimits } from './facts.ts';
import { contentDigest, identityBytes, writeEventIdentity } from './identity.ts';
import { type EventPlaces, NetstringDigest, textPlaces } from './event-places.ts';
import { ColumnReader, ColumnWriter, type TextColumn, writeVarint } from './native-column.ts';

/** The columns in order, with the types that `input(...)` has to name when a block is inserted. */
export const eventBlockColumns = [
  ['identity', `FixedString(${identityBytes})`],
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
/** What a row takes at least: the fixed columns, five empty texts and a map's end. */
const rowBytesMin = identityBytes + 4 + 8 + 8 + 5 + 8;

/** Writes facts straight into columns: no object is made for an event, and the block is assembled once. */
export class EventBlockBuilder {
  readonly #identity = new ColumnWriter(16_384);
  readonly #digest = new ColumnWriter(4_096);
  readonly #receivedAt = new ColumnWriter(8_192);
  readonly #timestamp = new ColumnWriter(8_192);
  readonly #eventName = new ColumnWriter(16_384);
  readonly #customerId = new ColumnWriter(16_384);
  readonly #resourceId = new ColumnWriter(4_096);
  readonly #idempotencyKey = new ColumnWriter(32_768);
  readonly #source = new ColumnWriter(4_096);
  readonly #mapEnds = new ColumnWriter(8_192);
  readonly #mapKeys = new ColumnWriter(32_768);
  readonly #mapTexts = new ColumnWriter(32_768);
  /** In the block's order; the last three are the map. */
  readonly #netstrings = new NetstringDigest();
  readonly #columns = [
    this.#identity,
    this.#digest,
    this.#receivedAt,
    this.#timestamp,
    this.#eventName,
    this.#customerId,
    this.#resourceId,
    this.#idempotencyKey,
    this.#source,
    this.#mapEnds,
    this.#mapKeys,
    this.#mapTexts,
  ];
  #count = 0;
  #entries = 0;

  get count(): number {
    return this.#count;
  }

  /** What `finish` would return now, within a few bytes; the caller seals by it, for the builder has no bound. */
  get byteSize(): number {
    return this.#columns.reduce((sum, column) => sum + column.length, headerBytes + countsBytesMax);
  }

  append(fact: EventFact): void {
    const offset = this.#identity.reserve(identityBytes);
    writeEventIdentity(fact, this.#identity.target, offset);
    this.#digest.writeUInt32(contentDigest(fact.dimensions));
    this.#receivedAt.writeInt64(fact.receivedAt);
    this.#timestamp.writeInt64(fact.timestamp);
    this.#eventName.writeText(fact.eventName);
    this.#customerId.writeText(fact.customerId);
    this.#resourceId.writeText(fact.resourceId);
    this.#idempotencyKey.writeText(fact.idempotencyKey);
    this.#source.writeText(fact.source);
    for (const [key, text] of fact.dimensions) {
      this.#mapKeys.writeText(key);
      this.#mapTexts.writeText(text);
    }
    this.#entries += fact.dimensions.length;
    this.#mapEnds.writeInt64(this.#entries);
    this.#count += 1;
  }

  /** As `append`, of an event that was only looked at: its bytes go from the body into the columns. */
  appendPlaces(event: EventPlaces): void {
    const { body, texts, dimensions, dimensionCount } = event;
    const offset = this.#identity.reserve(identityBytes);
    this.#netstrings.writeEventIdentity(event, this.#identity.target, offset);
    this.#digest.writeUInt32(this.#netstrings.contentDigest(event));
    this.#receivedAt.writeInt64(event.receivedAt);
    this.#timestamp.writeInt64(event.timestamp);
    this.#writePlace(this.#eventName, body, texts, textPlaces.eventName);
    this.#writePlace(this.#customerId, body, texts, textPlaces.customerId);
    this.#writePlace(this.#resourceId, body, texts, textPlaces.resourceId);
    this.#writePlace(this.#idempotencyKey, body, texts, textPlaces.idempotencyKey);
    this.#source.writeText('');
    for (let at = 0; at < 4 * dimensionCount; at += 4) {
      this.#writePlace(this.#mapKeys, body, dimensions, at);
      this.#writePlace(this.#mapTexts, body, dimensions, at + 2);
    }
    this.#entries += dimensionCount;
    this.#mapEnds.writeInt64(this.#entries);
    this.#count += 1;
  }

  /** Every event of another builder, which keeps them. */
  appendAll(other: EventBlockBuilder): void {
    const mapEnds = this.#columns.indexOf(this.#mapEnds);
    other.#columns.forEach((column, index) => {
      if (index !== mapEnds || this.#entries === 0) this.#columns[index]?.writeColumn(column);
      else for (const end of other.#ends()) this.#mapEnds.writeInt64(this.#entries + end);
    });
    this.#entries += other.#entries;
    this.#count += other.#count;
  }

  clear(): void {
    for (const column of this.#columns) column.clear();
    this.#count = 0;
    this.#entries = 0;
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

  /** Entries up to each event's end. A body holds fewer of them than 32 bits. */
  *#ends(): Generator<number> {
    const { target, length } = this.#mapEnds;
    for (let at = 0; at < length; at += 8) yield target.readUInt32LE(at);
  }

  #writePlace(column: ColumnWriter, body: Uint8Array, places: Int32Array, at: number): void {
    column.writeBytes(body, places[at] as number, places[at + 1] as number);
  }
}

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
  /** Four words a row, as the payload has them: for comparing and hashing, not for arithmetic. */
  readonly identityWords: Uint32Array;
  readonly #payload: Buffer;
  readonly #digests: Uint32Array;
  readonly #receivedAt: Float64Array;
  readonly #timestamps: Float64Array;
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
    this.count = count;
    next();
    this.identityWords = readWords(payload, reader, 4 * count);
    next();
    this.#digests = readWords(payload, reader, count);
    next();
    this.#receivedAt = readInstants(payload, reader, count);
    next();
    this.#timestamps = readInstants(payload, reader, count);
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

  contentDigest(row: number): number {
    return this.#digests[row] as number;
  }

  /** Epoch ms, as all instants here. */
  receivedAt(row: number): number {
    return this.#receivedAt[row] as number;
  }

  timestamp(row: number): number {
    return this.#timestamps[row] as number;
  }

  text(column: EventTextColumn, row: number): string {
    return this.#texts[column].text(row);
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
