/** An event by where its parts stand in the bytes that it came in, so that no object is made for it. */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { identityBytes } from './identity.ts';

/** Used over and over: what it says holds until the next event is looked at. */
export interface EventPlaces {
  body: Uint8Array;
  /** Start and end of each text, at the places of `textPlaces`; both 0 where there is none. */
  readonly texts: Int32Array;
  /** For each dimension start and end of its key and of its text. */
  readonly dimensions: Int32Array;
  dimensionCount: number;
  /** The dimensions in the order of their keys' bytes. */
  readonly order: Uint16Array;
  /** Epoch ms, as in an EventFact. */
  timestamp: number;
  receivedAt: number;
}

export const textPlaces = { customerId: 0, resourceId: 2, eventName: 4, idempotencyKey: 6 } as const;

/** Larger events are looked at by the complete decoder. */
export const placesMax = { dimensions: 64, eventBytes: 65_536 } as const;

export function makeEventPlaces(): EventPlaces {
  return {
    body: new Uint8Array(0),
    texts: new Int32Array(8),
    dimensions: new Int32Array(4 * placesMax.dimensions),
    dimensionCount: 0,
    order: new Uint16Array(placesMax.dimensions),
    timestamp: 0,
    receivedAt: 0,
  };
}

const kindText = Buffer.from('5:event');
const noText = Buffer.from('0:');

/** The digests of `identity.ts`, of bytes: each text as its length, a colon and itself. */
export class NetstringDigest {
  /** A length and its colon take six bytes at most. */
  readonly #bytes = Buffer.allocUnsafeSlow(placesMax.eventBytes + 6 * (2 * placesMax.dimensions + 8));
  #length = 0;

  writeEventIdentity({ body, texts }: EventPlaces, target: Buffer, offset: number): void {
    this.#length = kindText.copy(this.#bytes);
    for (let at = 0; at < texts.length; at += 2) this.#add(body, texts, at);
    this.#length += noText.copy(this.#bytes, this.#length);
    const digest = hash('sha256', this.#bytes.subarray(0, this.#length), 'binary');
    target.write(digest, offset, identityBytes, 'latin1');
  }

  contentDigest({ body, dimensions, dimensionCount, order }: EventPlaces): number {
    this.#length = 0;
    for (let index = 0; index < dimensionCount; index += 1) {
      const at = 4 * (order[index] as number);
      this.#add(body, dimensions, at);
      this.#add(body, dimensions, at + 2);
    }
    return crc32(this.#bytes.subarray(0, this.#length));
  }

  #add(body: Uint8Array, places: Int32Array, at: number): void {
    const [start, end] = [places[at] as number, places[at + 1] as number];
    const bytes = this.#bytes;
    let length = writeDecimal(bytes, this.#length, end - start);
    bytes[length++] = 0x3a;
    for (let from = start; from < end; from += 1) bytes[length++] = body[from] as number;
    this.#length = length;
  }
}

/** Below 100,000, as all lengths here. Returns the offset after it. */
function writeDecimal(target: Buffer, offset: number, value: number): number {
  let next = offset;
  for (let unit = value < 10 ? 1 : value < 100 ? 10 : value < 1_000 ? 100 : 10_000; unit >= 1; unit /= 10) {
    target[next++] = 0x30 + (Math.floor(value / unit) % 10);
  }
  return next;
}
