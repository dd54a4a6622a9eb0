/** Writes answers and errors the way ClickHouse's HTTP interface does. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createGzip, type Gzip } from 'node:zlib';
import type { Answer } from './clickhouse-engine.ts';
import { type ClickhouseException, exceptionText, httpStatus } from './clickhouse-exception.ts';
import type { QueryRequest } from './clickhouse-request.ts';

const exceptionMarker = '__exception__';
const sendTimeoutMs = 30_000;
const tagHeader = 'X-ClickHouse-Exception-Tag';

/** Sends an answer as fast as the client takes it. Throws what the query throws, also after the first byte was sent. */
export async function answerQuery(
  response: ServerResponse,
  request: QueryRequest,
  format: string,
  answer: Answer,
): Promise<void> {
  try {
    response.statusCode = 200;
    response.setHeader('Content-Type', contentTypes.get(format) ?? 'text/plain; charset=UTF-8');
    response.setHeader('X-ClickHouse-Format', format);
    response.setHeader('X-ClickHouse-Summary', JSON.stringify(summaryOf(answer)));
    response.setHeader(tagHeader, randomBytes(8).toString('hex'));
    if (request.compressAnswer) response.setHeader('Content-Encoding', 'gzip');
    const target = request.compressAnswer ? gzipInto(response) : response;
    for await (const chunk of answer.chunks) {
      if (response.destroyed) return;
      if (!target.write(chunk)) await drained(target, response);
    }
    target.end();
  } finally {
    // A header that cannot be sent throws before the first chunk was read.
    await answer.chunks.return();
  }
}

/**
 * An error before the first byte has its status. One after it ends the body with the text between the markers that
 * the headers announced, and tears the connection, so that no client takes the rest for the whole.
 */
export function answerException(
  response: ServerResponse,
  exception: ClickhouseException,
  engineVersion: string,
): void {
  const text = exceptionText(exception, engineVersion);
  if (response.destroyed) return;
  if (!response.headersSent) {
    response.removeHeader('Content-Encoding');
    response.writeHead(httpStatus(exception), {
      'Content-Type': 'text/plain; charset=UTF-8',
      'X-ClickHouse-Exception-Code': String(exception.code),
    });
    response.end(text);
    return;
  }
  const tag = String(response.getHeader(tagHeader));
  const block = `\r\n${exceptionMarker}\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n${exceptionMarker}\r\n`;
  if (response.getHeader('Content-Encoding') === undefined) response.write(block, () => response.destroy());
  else response.destroy();
}

/** A client that does not read would hold a slot for ever: it gets as long as a server's http_send_timeout. */
async function drained(target: ServerResponse | Gzip, response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const settled = new AbortController();
  const timer = setTimeout(() => response.destroy(), sendTimeoutMs);
  const { signal } = settled;
  try {
    await Promise.race([once(target, 'drain', { signal }), once(response, 'close', { signal })]);
  } finally {
    clearTimeout(timer);
    settled.abort();
  }
}

function gzipInto(response: ServerResponse): Gzip {
  const gzip = createGzip({ level: 1 });
  response.once('close', () => gzip.destroy());
  gzip.pipe(response);
  return gzip;
}

function summaryOf(answer: Answer): Record<string, string> {
  return {
    read_rows: String(answer.rowsRead),
    read_bytes: String(answer.bytesRead),
    written_rows: String(answer.rowsWritten),
    written_bytes: String(answer.bytesWritten),
    total_rows_to_read: '0',
    result_rows: String(answer.rowsWritten),
    result_bytes: String(answer.bytesWritten),
    elapsed_ns: String(Math.round(answer.elapsedSeconds * 1e9)),
  };
}

const json = 'application/json; charset=UTF-8';
const tabSeparated = 'text/tab-separated-values; charset=UTF-8';
const contentTypes = new Map([
  ...['JSON', 'JSONStrings', 'JSONCompact', 'JSONCompactStrings', 'JSONColumns'].map(
    (name) => [name, json] as const,
  ),
  ...['JSONEachRow', 'JSONLines', 'NDJSON'].map(
    (name) => [name, 'application/x-ndjson; charset=UTF-8'] as const,
  ),
  ...['TSV', 'TabSeparated', 'TSVRaw', 'TabSeparatedRaw'].map((name) => [name, tabSeparated] as const),
  ['CSV', 'text/csv; charset=UTF-8; header=absent'],
  ['CSVWithNames', 'text/csv; charset=UTF-8; header=present'],
  ...[
    'Native',
    'RowBinary',
    'RowBinaryWithNames',
    'RowBinaryWithNamesAndTypes',
    'Parquet',
    'ArrowStream',
  ].map((name) => [name, 'application/octet-stream'] as const),
]);
