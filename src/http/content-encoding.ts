/** Bodies as sent → bodies as meant. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ProblemCode } from '../metering/facts.ts';

export type DecodedBody =
  | { readonly body: Buffer }
  | { readonly problem: { readonly code: ProblemCode; readonly message: string } };

export type ContentEncoding = 'identity' | 'gzip';

const inflate = promisify(gunzip);

/** Undefined for an encoding that is not taken. */
export function parseContentEncoding(header: string): ContentEncoding | undefined {
  const name = header.trim().toLowerCase();
  if (name === '' || name === 'identity') return 'identity';
  return name === 'gzip' || name === 'x-gzip' ? 'gzip' : undefined;
}

/**
 * Inflating stops at `bytesMax`, so a small body that would grow without end costs no more than that.
 * It runs in libuv's threads, four at a time: the event loop does not wait, and not more than four grow at once.
 */
export async function gunzipBody(body: Buffer, bytesMax: number): Promise<DecodedBody> {
  try {
    return { body: await inflate(body, { maxOutputLength: bytesMax }) };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      const message = `the body is larger than ${bytesMax} bytes after decompression`;
      return { problem: { code: 'PAYLOAD_TOO_LARGE', message } };
    }
    return {
      problem: { code: 'VALIDATION_ERROR', message: 'the body is not valid gzip, as Content-Encoding says' },
    };
  }
}
