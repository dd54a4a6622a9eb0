/** ClickHouse's RowBinary, as far as inserts of rows need it. Fields are written in the order of the columns. */
import { type Quantity, quantityFractionDigits, quantityToText } from '../quantity.ts';

/** Grows by doubling; `bytes()` is the rows so far, in the buffer that further writes go on in. */
export class RowBinaryWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(initialBytes = 4_096) {
    this.#buffer = Buffer.allocUnsafe(initialBytes);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  uint32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  /** A whole number up to 2^53, as UInt64, or of either sign as Int64 and DateTime64(3). */
  int64(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeBigInt64LE(BigInt(value), at);
  }

  string(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.#varint(bytes);
    const at = this.#reserve(bytes);
    this.#buffer.write(text, at);
  }

  /** As ClickHouse keeps a UUID: two little-endian halves. */
  uuid(text: string): void {
    const bytes = Buffer.from(text.replaceAll('-', ''), 'hex');
    const at = this.#reserve(16);
    for (let index = 0; index < 8; index += 1) {
      this.#buffer[at + index] = bytes.readUInt8(7 - index);
      this.#buffer[at + 8 + index] = bytes.readUInt8(15 - index);
    }
  }

  /** Decimal(76, 30): the amount times 10^30 as a 256-bit integer. */
  quantity(value: Quantity): void {
    const [whole = '', fraction = ''] = quantityToText(value).split('.');
    let scaled = BigInt(whole + fraction.padEnd(quantityFractionDigits, '0'));
    const at = this.#reserve(32);
    for (let word = 0; word < 4; word += 1) {
      this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, scaled), at + word * 8);
      scaled >>= 64n;
    }
  }

  /** A value of a Nullable column; `write` is called when there is one. */
  nullable<T>(value: T | null, write: (value: T) => void): void {
    this.#byte(value === null ? 1 : 0);
    if (value !== null) write(value);
  }

  stringMap(entries: readonly (readonly [key: string, text: string])[]): void {
    this.#varint(entries.length);
    for (const [key, text] of entries) {
      this.string(key);
      this.string(text);
    }
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.#byte(rest);
  }

  #byte(value: number): void {
    // Before the buffer is named: reserving may put another in its place.
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    return at;
  }
}
