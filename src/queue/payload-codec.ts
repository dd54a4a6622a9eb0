/** Batch contents are kept compressed in Redis: its log is what a batch costs there, and lz4 makes it a third. */
import { compress, compressSync, uncompress, uncompressSync } from 'lz4-napi';

export function encodePayload(content: Buffer): Promise<Buffer> {
  return content.length < offThreadBytesMin ? Promise.resolve(compressSync(content)) : compress(content);
}

export function decodePayload(payload: Buffer, contentBytes: number): Promise<Buffer> {
  return contentBytes < offThreadBytesMin ? Promise.resolve(uncompressSync(payload)) : uncompress(payload);
}

/** Below this the hop to another thread costs more than the compression (some 2 µs a KiB). */
const offThreadBytesMin = 64 * 1024;
