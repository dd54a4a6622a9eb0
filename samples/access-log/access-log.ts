/** The sample log as events, and its totals counted straight from the lines, without any of Tollgate's code. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export interface LogLine {
  readonly number: number;
  readonly address: string;
  readonly timestamp: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
}

/** In Tollgate's own form; the line's number makes its idempotency key, so sending it again changes nothing. */
export interface LogEvent {
  readonly customerId: string;
  readonly eventName: 'http_request';
  readonly idempotencyKey: string;
  readonly timestamp: string;
  readonly dimensions: {
    readonly path: string;
    readonly status: number;
    readonly bytes: number;
    readonly method: string;
  };
}

export interface CustomerTotals {
  requests: number;
  bytes: number;
  paths: number;
}

export function readAccessLog(): LogLine[] {
  const text = gunzipSync(readFileSync(new URL('access.log.gz', import.meta.url))).toString('utf8');
  return text.trimEnd().split('\n').map(parseLine);
}

export function lineToEvent(line: LogLine): LogEvent {
  return {
    customerId: line.address,
    eventName: 'http_request',
    idempotencyKey: `access-log-${line.number}`,
    timestamp: line.timestamp,
    dimensions: { path: line.path, status: line.status, bytes: line.bytes, method: line.method },
  };
}

/** By customer: lines, bytes sent and distinct paths. */
export function countTotals(lines: readonly LogLine[]): Map<string, CustomerTotals> {
  const totals = new Map<string, CustomerTotals>();
  const paths = new Set<string>();
  for (const line of lines) {
    const total = totals.get(line.address) ?? { requests: 0, bytes: 0, paths: 0 };
    totals.set(line.address, total);
    total.requests += 1;
    total.bytes += line.bytes;
    const pair = JSON.stringify([line.address, line.path]);
    if (!paths.has(pair)) total.paths += 1;
    paths.add(pair);
  }
  return totals;
}

const linePattern = /^(\S+) \S+ \S+ \[(\d+)\/(\w+)\/(\d+):([\d:]+) \+0000\] "(\S+) (\S+) \S+" (\d+) (\d+|-) /;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function parseLine(text: string, index: number): LogLine {
  const match = linePattern.exec(text);
  if (match === null) throw new Error(`line ${index + 1} of the access log is not in the combined format`);
  const [, address = '', day, month = '', year, time, method = '', path = '', status, bytes] = match;
  const monthNumber = String(months.indexOf(month) + 1).padStart(2, '0');
  return {
    number: index + 1,
    address,
    method,
    path,
    timestamp: `${year}-${monthNumber}-${day}T${time}Z`,
    status: Number(status),
    // The log writes `-` where no body was sent.
    bytes: bytes === '-' ? 0 : Number(bytes),
  };
}
