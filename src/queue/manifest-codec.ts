/** A manifest as Redis keeps it: a hash of texts, and the decisions compressed, since nearly all are the same. */
import { compressSync, uncompressSync } from 'lz4-napi';
import type { Manifest } from './ledger.ts';

/** In the order that the script `begin` takes them. */
export function encodeManifest(manifest: Manifest): readonly (string | number | Buffer)[] {
  const { flushId, token, batchIds, decidedAt } = manifest;
  const [decisions, terms, reservations] = [manifest.decisions, manifest.terms, manifest.reservations].map(
    (part) => compressSync(part),
  ) as [Buffer, Buffer, Buffer];
  return [flushId, token, batchIds.join(','), decisions, decidedAt, terms, reservations];
}

/** Undefined for the empty hash that Redis answers when there is none. */
export function decodeManifest(fields: Readonly<Record<string, Buffer>>): Manifest | undefined {
  const { flushId, token, batchIds, decisions, terms, reservations, decidedAt } = fields as Partial<
    Record<string, Buffer>
  >;
  if (flushId === undefined || token === undefined || batchIds === undefined) return undefined;
  if (decisions === undefined || decidedAt === undefined) return undefined;
  return {
    flushId: Number(flushId.toString()),
    token: token.toString(),
    batchIds: batchIds.toString().split(','),
    decisions: uncompressSync(decisions),
    // Earlier versions of the program wrote none of these.
    terms: terms === undefined ? Buffer.alloc(0) : uncompressSync(terms),
    reservations: reservations === undefined ? Buffer.alloc(0) : uncompressSync(reservations),
    decidedAt: Number(decidedAt.toString()),
  };
}
