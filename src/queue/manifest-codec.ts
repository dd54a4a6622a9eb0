/**
 * A manifest as Redis keeps it, and the flushes that one insert stores together. Scripts read the first two lines of
 * a manifest, the batches' ids and the token; what nearly all rows have in common is compressed.
 */
import { compressSync, uncompressSync } from 'lz4-napi';
import type { Bundle, Manifest } from './ledger.ts';

/** What follows the token: the lengths are of the parts behind the line, in the order of `partsOf`. */
interface ManifestHead {
  readonly flushId: number;
  readonly decidedAt: number;
  readonly lengths: readonly number[];
}

/** `<batch id>,<batch id>…`, the token and `ManifestHead` as JSON, a line each; then the compressed parts. */
export function encodeManifest(manifest: Manifest): Buffer {
  const { flushId, token, batchIds, decidedAt } = manifest;
  const parts = [manifest.decisions, manifest.terms, manifest.reservations].map((part) =>
    part.length === 0 ? part : compressSync(part),
  );
  const lengths = parts.map(({ length }) => length);
  const head: ManifestHead = { flushId, decidedAt, lengths };
  const text = `${batchIds.join(',')}\n${token}\n${JSON.stringify(head)}\n`;
  return Buffer.concat([Buffer.from(text), ...parts]);
}

export function decodeManifest(encoded: Buffer): Manifest {
  const [batchIds = '', token = '', line = ''] = encoded
    .toString('latin1', 0, endOfLine(encoded, 3))
    .split('\n');
  const { flushId, decidedAt, lengths } = JSON.parse(line) as ManifestHead;
  let from = endOfLine(encoded, 3) + 1;
  const [decisions = none, terms = none, reservations = none] = lengths.map((length) => {
    from += length;
    return length === 0 ? none : uncompressSync(encoded.subarray(from - length, from));
  });
  const ids = batchIds === '' ? [] : batchIds.split(',');
  return { flushId, token, batchIds: ids, decisions, terms, reservations, decidedAt };
}

export function encodeBundle({ token, firstFlush, lastFlush }: Bundle): string {
  return `${firstFlush} ${lastFlush} ${token}`;
}

export function decodeBundle(text: string): Bundle {
  const [firstFlush, lastFlush, token = ''] = text.split(' ');
  return { token, firstFlush: Number(firstFlush), lastFlush: Number(lastFlush) };
}

const none = Buffer.alloc(0);

function endOfLine(bytes: Buffer, line: number): number {
  let at = -1;
  for (let found = 0; found < line; found += 1) {
    at = bytes.indexOf(0x0a, at + 1);
    if (at < 0) throw new Error('a manifest in Redis is not of the form that this version writes');
  }
  return at;
}
