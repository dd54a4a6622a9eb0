/** Strings of bytes that come again and again, as names of events and customers do: 0.03 µs for one that is kept. */
import { textDigest } from './content-digest.ts';

/** Longer texts are made anew each time. */
const keptBytesMax = 64;

/** One text a place, found by its digest; the next one with that place takes it. */
export class TextCache {
  readonly #mask: number;
  readonly #texts: (string | undefined)[];
  readonly #bytes: Uint8Array;

  /** @param places a power of two; each takes some 100 bytes. */
  constructor(places: number) {
    this.#mask = places - 1;
    this.#texts = Array.from({ length: places });
    // Each place: how many bytes, and these.
    this.#bytes = new Uint8Array(places * (keptBytesMax + 1));
  }

  /** The text of `bytes`, of which `view` is a view. */
  text(bytes: Buffer, view: DataView, start: number, end: number): string {
    const size = end - start;
    if (size > keptBytesMax) return bytes.toString('utf8', start, end);
    const place = textDigest(view, start, end, 0) & this.#mask;
    const kept = this.#texts[place];
    const at = place * (keptBytesMax + 1);
    if (kept !== undefined && this.#holds(at, bytes, start, size)) return kept;
    const text = bytes.toString('utf8', start, end);
    this.#texts[place] = text;
    this.#bytes[at] = size;
    for (let index = 0; index < size; index += 1)
      this.#bytes[at + 1 + index] = bytes[start + index] as number;
    return text;
  }

  #holds(at: number, bytes: Buffer, start: number, size: number): boolean {
    if (this.#bytes[at] !== size) return false;
    for (let index = 0; index < size; index += 1) {
      if (this.#bytes[at + 1 + index] !== bytes[start + index]) return false;
    }
    return true;
  }
}
