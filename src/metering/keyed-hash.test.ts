import { describe, expect, it } from 'vitest';
import { KeyedHash } from './keyed-hash.ts';

describe('a keyed hash', () => {
  it('is another one under another key, and the same under the same', () => {
    const key = Uint32Array.of(1, 2, 3, 4);
    expect(hashOf(key, ['acme', 'k1'])).toEqual(hashOf(key.slice(), ['acme', 'k1']));
    for (let word = 0; word < 4; word += 1) {
      const other = key.with(word, 0x8000_0000);
      expect(hashOf(other, ['acme', 'k1'])).not.toEqual(hashOf(key, ['acme', 'k1']));
    }
  });

  it('tells kinds, lengths and every bit apart, and does not look beyond a text', () => {
    const key = Uint32Array.of(5, 6, 7, 8);
    const text = 'a text of eighteen';
    const hashes = new Set([hashOf(key, [text]).join(), hashOf(key, [text], 1).join()]);
    for (let length = 0; length < text.length; length += 1)
      hashes.add(hashOf(key, [text.slice(0, length)]).join());
    for (let bit = 0; bit < 8 * text.length; bit += 1) {
      const bytes = Buffer.from(text);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      hashes.add(hashOf(key, [bytes.toString('latin1')]).join());
    }
    expect(hashes.size).toBe(2 + 9 * text.length);
    expect(hashOf(key, [text], 0, 'x')).toEqual(hashOf(key, [text], 0, 'y'));
  });
});

/** Each text stands among bytes that are none of its own. */
function hashOf(key: Uint32Array, texts: readonly string[], kind = 0, around = ' '): Uint32Array {
  const hash = new KeyedHash(key);
  hash.begin(kind);
  for (const text of texts) {
    const bytes = Uint8Array.from(Buffer.from(`${around}${text}${around}`, 'latin1'));
    hash.add(new DataView(bytes.buffer), 1, 1 + text.length);
  }
  const words = new Uint32Array(4);
  hash.writeTo(words, 0);
  return words;
}
