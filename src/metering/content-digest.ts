/** The seed of a key's digest: with 0 an empty text has the digest 0, which would add nothing to a sum. */
export const keySeed = 0x1747_b28c;

/**
 * 32 bits of a text's bytes, by MurmurHash3. An event's content digest is the sum over its dimensions of the text's
 * digest with the key's as its seed, whatever order they came in. It is stored, so it never changes.
 *
 * It only tells a conflict from a repetition, neither of which is counted: one collision in 4 billion costs a wrong
 * label. As a signed number, which JavaScript keeps without a box.
 */
export function textDigest(view: DataView, start: number, end: number, seed: number): number {
  let hash = seed;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash ^= mixedWord(view.getUint32(at, true));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0;
  }
  let rest = 0;
  for (let shift = 0; at < end; at += 1, shift += 8) rest |= view.getUint8(at) << shift;
  return finished(hash ^ mixedWord(rest) ^ (end - start));
}

function mixedWord(word: number): number {
  const mixed = Math.imul(word, 0xcc9e_2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b87_3593);
}

function finished(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
