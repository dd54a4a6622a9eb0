/**
 * Columns in ClickHouse's Native format, written while facts arrive and read without trust.
 * A String value is its byte length as a varint and its bytes; a fixed-size value is little-endian.
 */

/** Beyond this a column's memory is given back when the column is emptied. */
const keptBytesMax = 4 * 1_048_576;
/** A varint of four bytes holds 28 bits: more than any text or count in a batch. */
const varintBytesMax = 4;

/** Bytes that grow at the end; grows by doubling, so each byte is copied about once. */
export class ColumnWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Room for `size` bytes, which the caller fills in `target` from the offset returned. */
  reserve(size: number): number {
    const offset = this.#length;
    this.#ensure(size);
    this.#length += size;
    return offset;
  }

  /** Valid until the next write. */
  get target(): Buffer {
    return this.#bytes;
  }

  writeUInt32(value: number): void {
    const offset = this.reserve(4);
    this.#bytes.writeUInt32LE(value, offset);
  }

  /** A signed or unsigned 64-bit value that JavaScript holds exactly. */
  writeInt64(value: number): void {
    const offset = this.reserve(8);
    this.#bytes.writeUInt32LE(value >>> 0, offset);
    this.#bytes.writeInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
  }

  writeText(text: string): void {
    // One UTF-16 unit takes at most three bytes of UTF-8.
    this.#ensure(3 * text.length + varintBytesMax);
    const start = this.#length;
    if (3 * text.length < 128) {
      const written = writeShortText(this.#bytes, text, start + 1);
      this.#bytes[start] = written;
      this.#length = start + 1 + written;
      return;
    }
    const textStart = writeVarint(this.#bytes, start, Buffer.byteLength(text));
    this.#length = textStart + this.#bytes.write(text, textStart, 'utf8');
  }

  /** Bytes that are UTF-8, as a text. */
  writeBytes(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#ensure(size + varintBytesMax);
    const target = this.#bytes;
    let offset = writeVarint(target, this.#length, size);
    this.#length = offset + size;
    // A call into native code costs as much as a loop over some 40 bytes.
    if (size > 40) target.set(source.subarray(start, end), offset);
    else for (let from = start; from < end; from += 1) target[offset++] = source[from] as number;
  }

  /** All that the other column holds. */
  writeColumn(other: ColumnWriter): void {
    const offset = this.reserve(other.#length);
    other.#bytes.copy(this.#bytes, offset, 0, other.#length);
  }

  /** Copies the column's bytes to `target` and returns the offset after them. */
  copyTo(target: Buffer, offset: number): number {
    return offset + this.#bytes.copy(target, offset, 0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafeSlow(keptBytesMax);
  }

  #ensure(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Writes `value` as a varint and returns the offset after it. */
export function writeVarint(target: Buffer, offset: number, value: number): number {
  let rest = value;
  let next = offset;
  while (rest > 127) {
    target[next] = (rest & 127) | 128;
    rest >>>= 7;
    next += 1;
  }
  target[next] = rest;
  return next + 1;
}

/** Walks over bytes of unknown origin; whatever does not fit into them throws what `corrupt` makes. */
export class ColumnReader {
  readonly #bytes: Buffer;
  readonly #corrupt: (reason: string) => Error;
  #offset = 0;

  constructor(bytes: Buffer, corrupt: (reason: string) => Error) {
    this.#bytes = bytes;
    this.#corrupt = corrupt;
  }

  get offset(): number {
    return this.#offset;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  /** Passes over `size` bytes and returns where they begin. */
  skip(size: number): number {
    const start = this.#offset;
    if (size > this.left) throw this.#corrupt(`${size} bytes wanted at ${start}, ${this.left} left`);
    this.#offset += size;
    return start;
  }

  varint(): number {
    let value = 0;
    for (let index = 0; index < varintBytesMax; index += 1) {
      const byte = this.#bytes[this.skip(1)] as number;
      value |= (byte & 127) << (7 * index);
      if (byte < 128) return value;
    }
    throw this.#corrupt(`a varint of more than ${varintBytesMax} bytes ends at ${this.#offset}`);
  }

  /** Passes over exactly these bytes. */
  expect(expected: Buffer, what: string): void {
    const start = this.skip(expected.length);
    if (expected.compare(this.#bytes, start, this.#offset) !== 0) {
      throw this.#corrupt(`${what} expected at ${start}`);
    }
  }

  /** Passes over `count` texts, so that reading them later needs no more checks. */
  texts(count: number): TextColumn {
    const start = this.#offset;
    for (let index = 0; index < count; index += 1) this.skip(this.varint());
    return new TextColumn(this.#bytes, start, count);
  }
}

/** Texts whose bounds were checked; where each begins is worked out at the first use. */
export class TextColumn {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #count: number;
  /** For each text its first byte's offset and the offset after its last. */
  #bounds: Uint32Array | undefined;

  constructor(bytes: Buffer, start: number, count: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#count = count;
  }

  text(index: number): string {
    const bounds = this.#indexed();
    return this.#bytes.toString('utf8', at(bounds, 2 * index), at(bounds, 2 * index + 1));
  }

  /** Whether the text has exactly these bytes; makes no string. */
  is(index: number, expected: Uint8Array): boolean {
    const bounds = this.#indexed();
    const start = at(bounds, 2 * index);
    if (at(bounds, 2 * index + 1) - start !== expected.length) return false;
    for (let offset = 0; offset < expected.length; offset += 1) {
      if (this.#bytes[start + offset] !== expected[offset]) return false;
    }
    return true;
  }

  #indexed(): Uint32Array {
    this.#bounds ??= indexTexts(this.#bytes, this.#start, this.#count);
    return this.#bounds;
  }
}

/** Short texts are nearly always ASCII, and then a loop is quicker than a call into the runtime. */
function writeShortText(target: Buffer, text: string, offset: number): number {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 127) return target.write(text, offset, 'utf8');
    target[offset + index] = unit;
  }
  return text.length;
}

function indexTexts(bytes: Buffer, start: number, count: number): Uint32Array {
  const bounds = new Uint32Array(2 * count);
  let offset = start;
  for (let index = 0; index < count; index += 1) {
    let length = 0;
    let shift = 0;
    let byte: number;
    do {
      byte = bytes[offset] as number;
      length |= (byte & 127) << shift;
      shift += 7;
      offset += 1;
    } while (byte > 127);
    bounds[2 * index] = offset;
    offset += length;
    bounds[2 * index + 1] = offset;
  }
  return bounds;
}

function at(values: Uint32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`row ${index >> 1} is beyond the column`);
  return value;
}
