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
  #view: DataView;
  #length = 0;
  #kept = 0;

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Valid until the next write. */
  get target(): Buffer {
    return this.#bytes;
  }

  /** As `target`, for reading words at any offset. */
  get view(): DataView {
    return this.#view;
  }

  writeUInt32(value: number): void {
    this.#ensure(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** A signed or unsigned 64-bit value that JavaScript holds exactly. */
  writeInt64(value: number): void {
    this.#ensure(8);
    this.#view.setUint32(this.#length, value, true);
    this.#view.setInt32(this.#length + 4, Math.floor(value / 0x1_0000_0000), true);
    this.#length += 8;
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
    const offset = writeVarint(this.#bytes, this.#length, size);
    this.#length = offset + size;
    copyBytes(source, start, end, this.#bytes, offset);
  }

  /**
   * Writes a JSON string without escapes, whose opening quote stands before `start`, as a text, and returns the
   * offset after its closing quote. -1, and nothing is written, when it has an escape or a control character, is not
   * closed, or takes more than `plainTextBytesMax`. The source must be UTF-8.
   */
  writePlainJson(source: Uint8Array, start: number): number {
    this.#ensure(plainTextBytesMax + varintBytesMax);
    const target = this.#bytes;
    const textStart = this.#length + 1;
    const end = Math.min(source.length, start + plainTextBytesMax + 1);
    let to = textStart;
    let from = start;
    for (; from < end; from += 1) {
      const byte = source[from] as number;
      if (plainJsonBytes[byte] === 0) break;
      target[to] = byte;
      to += 1;
    }
    if (from === end || source[from] !== quote) return -1;
    const size = to - textStart;
    if (size < 128) target[textStart - 1] = size;
    else {
      const moved = writeVarint(lengthBytes, 0, size);
      target.copyWithin(textStart - 1 + moved, textStart, to);
      writeVarint(target, textStart - 1, size);
      to += moved - 1;
    }
    this.#length = to;
    return from + 1;
  }

  /** All that the other column holds. */
  writeColumn(other: ColumnWriter): void {
    const size = other.#length;
    this.#ensure(size);
    copyBytes(other.#bytes, 0, size, this.#bytes, this.#length);
    this.#length += size;
  }

  /** Copies the column's bytes to `target` and returns the offset after them. */
  copyTo(target: Buffer, offset: number): number {
    return offset + this.#bytes.copy(target, offset, 0, this.#length);
  }

  /** What is written so far stays, whatever `discard` forgets. */
  keep(): void {
    this.#kept = this.#length;
  }

  /** Forgets what was written since `keep`. */
  discard(): void {
    this.#length = this.#kept;
  }

  clear(): void {
    this.#length = 0;
    this.#kept = 0;
    if (this.#bytes.length > keptBytesMax) this.#replace(Buffer.allocUnsafeSlow(keptBytesMax));
  }

  #ensure(size: number): void {
    const needed = this.#length + size;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#replace(grown);
  }

  #replace(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Longer texts take the way through a string. */
export const plainTextBytesMax = 65_536;

const quote = 0x22;
const backslash = 0x5c;
/** 1 for each byte that stands for itself within a JSON string. */
const plainJsonBytes = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte !== quote && byte !== backslash ? 1 : 0,
);
const lengthBytes = Buffer.alloc(varintBytesMax);

/** A call into native code costs as much as a loop over some 40 bytes. */
function copyBytes(source: Uint8Array, start: number, end: number, target: Buffer, offset: number): void {
  if (end - start > 40) target.set(source.subarray(start, end), offset);
  else for (let from = start; from < end; from += 1) target[offset + from - start] = source[from] as number;
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
    const bounds = new Uint32Array(2 * count);
    const bytes = this.#bytes;
    let offset = this.#offset;
    for (let index = 0; index < count; index += 1) {
      const short = bytes[offset] as number;
      // Most texts are short; of the others, and of an offset beyond the bytes, the checks below speak.
      if (short < 128) offset += 1;
      this.#offset = offset;
      const size = short < 128 ? short : this.varint();
      offset = this.#offset;
      bounds[2 * index] = offset;
      if (size > bytes.length - offset) this.skip(size);
      offset += size;
      bounds[2 * index + 1] = offset;
    }
    this.#offset = offset;
    return new TextColumn(bytes, bounds);
  }
}

/** Texts whose bounds were checked. */
export class TextColumn {
  readonly #bytes: Buffer;
  /** For each text its first byte's offset and the offset after its last. */
  readonly #bounds: Uint32Array;

  constructor(bytes: Buffer, bounds: Uint32Array) {
    this.#bytes = bytes;
    this.#bounds = bounds;
  }

  start(index: number): number {
    return at(this.#bounds, 2 * index);
  }

  end(index: number): number {
    return at(this.#bounds, 2 * index + 1);
  }

  text(index: number): string {
    return this.#bytes.toString('utf8', this.start(index), this.end(index));
  }

  /** Whether the text has exactly these bytes; makes no string. */
  is(index: number, expected: Uint8Array): boolean {
    const start = this.start(index);
    if (this.end(index) - start !== expected.length) return false;
    for (let offset = 0; offset < expected.length; offset += 1) {
      if (this.#bytes[start + offset] !== expected[offset]) return false;
    }
    return true;
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

function at(values: Uint32Array, index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`row ${index >> 1} is beyond the column`);
  return value;
}
