/**
 * A hash of lists of texts under a secret key: HalfSipHash-1-3 (Aumasson and Bernstein), of which the whole state of
 * 128 bits is the result. 70 ns for five texts of 60 bytes together, where SHA-256 takes 900.
 */
export const keyedHashWords = 4;

export class KeyedHash {
  readonly #key: Uint32Array;
  #v0 = 0;
  #v1 = 0;
  #v2 = 0;
  #v3 = 0;

  /** @param key `keyedHashWords` random words. */
  constructor(key: Uint32Array) {
    this.#key = key;
  }

  /** The number tells kinds of lists apart. */
  begin(kind: number): void {
    const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = this.#key;
    this.#v0 = k0 ^ kind;
    this.#v1 = k1;
    this.#v2 = k2 ^ 0x6c79_6765;
    this.#v3 = k3 ^ 0x7465_6462;
  }

  /** The next text: its length and its bytes, so that no two different lists are the same words. */
  add(view: DataView, start: number, end: number): void {
    let [v0, v1, v2, v3] = [this.#v0, this.#v1, this.#v2, this.#v3];
    let word = end - start;
    let at = start;
    for (;;) {
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
      if (at >= end) break;
      word = at + 4 <= end ? view.getUint32(at, true) : lastWord(view, at, end);
      at += 4;
    }
    this.#v0 = v0;
    this.#v1 = v1;
    this.#v2 = v2;
    this.#v3 = v3;
  }

  /** Ends the list. */
  writeTo(target: Uint32Array, offset: number): void {
    this.#v2 ^= 0xee;
    // A text without bytes is one round of nothing but itself.
    for (let round = 0; round < 3; round += 1) this.add(noBytes, 0, 0);
    target[offset] = this.#v0;
    target[offset + 1] = this.#v1;
    target[offset + 2] = this.#v2;
    target[offset + 3] = this.#v3;
  }
}

const noBytes = new DataView(new ArrayBuffer(0));

/** The one to three bytes before the end. */
function lastWord(view: DataView, start: number, end: number): number {
  let word = 0;
  for (let at = start, shift = 0; at < end; at += 1, shift += 8) word |= view.getUint8(at) << shift;
  return word;
}
