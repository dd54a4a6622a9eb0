import { randomUUID } from 'node:crypto';

const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;
const wellFormed = /^[A-Za-z0-9_-]{8,64}$/;

/**
 * The id that an answer, its logs and its errors share. The caller's own is kept, so that its traces and ours
 * meet: the trace id of a W3C `traceparent`, else an `X-Trace-Id` of 8 to 64 letters, digits, `-` and `_`
 * (nothing else, since it goes into headers and logs). Otherwise 128 random bits in hex, as W3C traces use.
 */
export function traceIdOf(header: (lowerCaseName: string) => string): string {
  const traced = traceparent.exec(header('traceparent'))?.[1];
  if (traced !== undefined && traced !== '0'.repeat(32)) return traced;
  const given = header('x-trace-id');
  return wellFormed.test(given) ? given : randomUUID().replaceAll('-', '');
}
