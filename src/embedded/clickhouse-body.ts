/** The body of a request: unpacked, as a form, or as a statement with its data. */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { raised } from './clickhouse-exception.ts';
import type { RequestHead } from './clickhouse-request.ts';

export interface RequestBody {
  /** The fields of a multipart form, which then is all of the body. */
  readonly form: Iterable<readonly [string, string]>;
  /** `query` and a line break as the text, and all of the body as the rest: nothing is read yet. */
  after(query: string): SplitBody;
  /** Reads the statement: `query` and a line break if it is not empty, then the body up to `bytesMax` and a little more. */
  split(query: string, bytesMax: number): Promise<SplitBody>;
}

export interface SplitBody {
  readonly text: Buffer;
  /** What follows `text`; it has to be read in one go or left. */
  readonly rest: AsyncIterable<Buffer>;
  /** The length of `rest` if it was told. */
  readonly restBytes: number | undefined;
}

/** Forms carry parameters, which are held in memory. */
const formBytesMax = 16 * 1024 ** 2;

export async function readBody(request: IncomingMessage, head: RequestHead): Promise<RequestBody> {
  const chunks = unpacked(request, head);
  const contentType = request.headers['content-type'] ?? '';
  if (contentType.startsWith('multipart/form-data')) {
    const form = await readForm(chunks, contentType);
    const after = (query: string): SplitBody => ({ text: Buffer.from(query), rest: none(), restBytes: 0 });
    return { form, after, split: (query) => Promise.resolve(after(query)) };
  }
  const bytesTold = request.headers['content-encoding'] === undefined ? told(request) : undefined;
  return {
    form: [],
    after: (query) => ({ text: prefixOf(query), rest: remaining(chunks), restBytes: bytesTold }),
    split: (query, bytesMax) => split(chunks, query, bytesMax, bytesTold),
  };
}

async function* none(): AsyncGenerator<Buffer> {}

function told(request: IncomingMessage): number | undefined {
  const length = request.headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

function unpacked(request: IncomingMessage, head: RequestHead): AsyncIterator<Buffer> {
  const encoding = head.headers['content-encoding'];
  if (encoding === undefined || encoding === '' || encoding === 'identity') return chunksOf(request);
  if (encoding !== 'gzip') throw raised.notImplemented(`Unknown compression method: ${String(encoding)}`);
  const gunzip = createGunzip();
  // Its reader sees the error; without a listener it would end the process when the body is left unread.
  gunzip.on('error', () => {});
  request.once('error', (error) => gunzip.destroy(error));
  request.once('aborted', () => gunzip.destroy(raised.aborted('The client went away')));
  return chunksOf(request.pipe(gunzip));
}

async function* chunksOf(stream: Readable): AsyncGenerator<Buffer> {
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw raised.incorrectData(`Cannot unpack the request's body: ${error.message}`);
    }
    throw error;
  }
}

async function readForm(chunks: AsyncIterator<Buffer>, contentType: string): Promise<[string, string][]> {
  const { text } = await collect(chunks, formBytesMax);
  if (text.length > formBytesMax) throw raised.tooLarge(`A form exceeds ${formBytesMax} bytes`);
  try {
    const form = await new Response(text, { headers: { 'content-type': contentType } }).formData();
    return Array.from(form.entries()).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
  } catch {
    throw raised.incorrectData('Cannot read the multipart form');
  }
}

async function split(
  chunks: AsyncIterator<Buffer>,
  query: string,
  bytesMax: number,
  bytesTold: number | undefined,
): Promise<SplitBody> {
  const { text, bytes, ended } = await collect(chunks, bytesMax, prefixOf(query));
  if (ended) return { text, rest: none(), restBytes: 0 };
  return {
    text,
    rest: remaining(chunks),
    restBytes: bytesTold === undefined ? undefined : bytesTold - bytes,
  };
}

function prefixOf(query: string): Buffer {
  return Buffer.from(query === '' ? '' : `${query}\n`);
}

/** Reads until more than `bytesMax` are there or nothing is left. */
async function collect(
  chunks: AsyncIterator<Buffer>,
  bytesMax: number,
  prefix: Buffer = Buffer.alloc(0),
): Promise<{ text: Buffer; bytes: number; ended: boolean }> {
  const collected: Buffer[] = [prefix];
  let bytes = 0;
  let ended = false;
  while (!ended && prefix.length + bytes <= bytesMax) {
    const next = await chunks.next();
    ended = next.done === true;
    if (next.done === true) break;
    collected.push(next.value);
    bytes += next.value.length;
  }
  return { text: Buffer.concat(collected), bytes, ended };
}

async function* remaining(chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (;;) {
    const { value, done } = await chunks.next();
    if (done === true) return;
    yield value;
  }
}
