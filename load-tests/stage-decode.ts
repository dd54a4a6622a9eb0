/**
 * What one core takes in: JSON.parse with a guard, which is the least that a service in JavaScript does with a body,
 * and beside it our own way from the same bytes to validated columns.
 */
import { decodeEventsBody } from '../src/ingest/decode-events.ts';
import { EventBatch } from '../src/ingest/event-batch.ts';
import { intakeLimits } from '../src/ingest/intake.ts';
import { scanEventsBody } from '../src/ingest/scan-events.ts';
import type { StageFigures } from './figures.ts';

/**
 * Both in turns, a tenth of a second each, and of all turns the median: what else the machine does falls on both.
 * `seconds` in all.
 */
export function measureDecoding(
  bodies: readonly Buffer[],
  seconds: number,
): { readonly parse: StageFigures; readonly scan: StageFigures } {
  const parse: Turn[] = [];
  const scan: Turn[] = [];
  const scanBody = scanner();
  const deadline = performance.now() + seconds * 1_000;
  do {
    parse.push(turn(bodies, guardedEvents));
    scan.push(turn(bodies, scanBody));
  } while (performance.now() < deadline);
  return { parse: median(parse), scan: median(scan) };
}

/** The events of a body that pass the guard. */
export function guardedEvents(body: Buffer): number {
  const parsed: unknown = JSON.parse(body.toString('utf8'));
  if (!isObject(parsed) || !Array.isArray(parsed['events'])) return 0;
  let count = 0;
  for (const event of parsed['events']) if (isEvent(event)) count += 1;
  return count;
}

/** The events of a body that are in columns afterwards, as calls join the open batch at the edge. */
export function scanner(): (body: Buffer) => number {
  const batch = new EventBatch();
  const headers = {};
  return (body) => {
    const now = Date.now();
    const decoded =
      scanEventsBody(body, 'application/json', headers, now) ??
      decodeEventsBody(body, 'application/json', headers, now);
    if ('refusal' in decoded) return 0;
    const { events } = decoded;
    const count = 'count' in events ? events.count : events.length;
    batch.append(events);
    if (batch.count >= intakeLimits.batchEventsMax) batch.finish();
    return count;
  };
}

const turnMs = 100;

interface Turn extends StageFigures {
  readonly eventsPerSecond: number;
}

function turn(bodies: readonly Buffer[], take: (body: Buffer) => number): Turn {
  const cpu = process.cpuUsage();
  const started = performance.now();
  let events = 0;
  let elapsedMs = 0;
  for (let index = 0; elapsedMs < turnMs; index += 1) {
    const body = bodies[index % bodies.length];
    if (body === undefined) throw new Error('there are no bodies');
    events += take(body);
    elapsedMs = performance.now() - started;
  }
  const { user, system } = process.cpuUsage(cpu);
  return {
    eventsPerSecond: (events * 1_000) / elapsedMs,
    cpuMicrosPerEvent: (user + system) / events,
    cores: 1,
  };
}

function median(turns: Turn[]): StageFigures {
  const middle = turns.sort((a, b) => a.eventsPerSecond - b.eventsPerSecond)[turns.length >> 1];
  if (middle === undefined) throw new Error('there were no turns');
  return middle;
}

/** Types and lengths only: no instants, no units, no digests, all of which our own way has to look at. */
function isEvent(event: unknown): boolean {
  if (!isObject(event)) return false;
  const { customerId, eventName, idempotencyKey, resourceId, timestamp, dimensions } = event as Partial<
    Record<string, unknown>
  >;
  return (
    isId(customerId) &&
    isId(eventName) &&
    isId(idempotencyKey) &&
    (resourceId === undefined || isId(resourceId)) &&
    (timestamp === undefined || typeof timestamp === 'string' || typeof timestamp === 'number') &&
    (dimensions === undefined || areDimensions(dimensions))
  );
}

function areDimensions(dimensions: unknown): boolean {
  if (!isObject(dimensions)) return false;
  for (const key in dimensions) {
    const type = typeof dimensions[key];
    if (key === '' || (type !== 'string' && type !== 'number' && type !== 'boolean')) return false;
  }
  return true;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 255;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
