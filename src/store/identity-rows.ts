/** The answer to `identitiesSince`, whose texts become identities here, some 0.3 µs each. */
import { type IdentityRows, identityRowWords } from '../aggregate/flush-store.ts';
import { beginIdentity, identityWords } from '../metering/identity.ts';

/** Customer, resource, event's name or feature, idempotency key and source. */
const textsPerRow = 5;
/** Content digest, timestamp and receipt. */
const fixedBytes = 4 + 8 + 8;

/** Reads RowBinary as it comes, cut anywhere. */
export async function* identityRows(stream: AsyncIterable<Buffer>): AsyncGenerator<IdentityRows> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const reader = new RowReader(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
    const rows = reader.wholeRows();
    rest = reader.rest();
    if (rows.count > 0) yield rows;
  }
  if (rest.length > 0) throw new Error('ClickHouse ended its answer in the middle of a row');
}

class RowReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #bounds = new Uint32Array(2 * textsPerRow);
  /** Where the rows that were read end. */
  #end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  wholeRows(): IdentityRows {
    let words = new Uint32Array(256 * identityRowWords);
    let count = 0;
    for (let end = this.#endOfRow(); end !== undefined; end = this.#endOfRow()) {
      if ((count + 1) * identityRowWords > words.length) words = grown(words);
      this.#write(words, count * identityRowWords, end);
      this.#end = end;
      count += 1;
    }
    return { count, words };
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.#end);
  }

  /** Undefined when the row is not whole; else its texts' places are in `#bounds`. */
  #endOfRow(): number | undefined {
    const bytes = this.#bytes;
    let at = this.#end + 1;
    for (let text = 0; text < textsPerRow; text += 1) {
      let size = 0;
      for (let shift = 0; ; shift += 7) {
        const byte = bytes[at];
        if (byte === undefined) return undefined;
        at += 1;
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      this.#bounds[2 * text] = at;
      at += size;
      this.#bounds[2 * text + 1] = at;
    }
    return at + fixedBytes <= bytes.length ? at + fixedBytes : undefined;
  }

  #write(words: Uint32Array, place: number, end: number): void {
    const identity = beginIdentity(this.#bytes[this.#end] === 1 ? 'event' : 'measurement');
    for (let text = 0; text < 2 * textsPerRow; text += 2) {
      identity.add(this.#view, this.#bounds[text] as number, this.#bounds[text + 1] as number);
    }
    identity.writeTo(words, place);
    for (let at = end - fixedBytes, word = place + identityWords; at < end; at += 4, word += 1) {
      words[word] = this.#view.getUint32(at, true);
    }
  }
}

function grown(words: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * words.length);
  larger.set(words);
  return larger;
}
