/**
 * Events made once, as bytes side by side, of which request bodies of any size are slices. So many that neither a
 * cache nor a compressor meets the same event soon again: 100,000 are some 35 MB.
 */
import { customerName, type EventShape, eventShapes } from './event-shapes.ts';
import { meteredFeatures } from './metered-features.ts';
import { seededRandom } from './seeded-random.ts';

export const poolEvents = 100_000;

/** Keys are UUIDs, or as those who make their own ids write them. */
const namedKeyShare = 0.25;

/** A day and a time to the second, which a send fills in; milliseconds are the event's own. */
export const secondLength = '2026-01-01T00:00:00'.length;

const repeatShare = 0.01;
/** How many events before it the one lies that a repeat repeats: in its body, in another one on its way, long ago. */
const repeatDistances: readonly (readonly [min: number, max: number])[] = [
  [1, 20],
  [50, 2_000],
  [5_000, 40_000],
];
export const repeatDistanceMax = 40_000;

export interface EventPool {
  readonly size: number;
  /** `{event},{event},…`, with keys and times to be filled in. */
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  /** Behind the closing brace. */
  readonly ends: Uint32Array;
  readonly keyPlaces: Uint32Array;
  /** 1: the key is a UUID. */
  readonly keyIsUuid: Uint8Array;
  /** 0: the event is late and keeps the time it has. */
  readonly secondPlaces: Uint32Array;
  /** 0: an event of its own; else it is the same as the one so many before it. */
  readonly repeats: Uint32Array;
  readonly facts: PoolFacts;
}

/** What the pool's events count, for the generator's own books. */
export interface PoolFacts {
  readonly customers: Uint16Array;
  readonly late: Uint8Array;
  /** By metered feature: what the event adds, or undefined. */
  readonly values: readonly (readonly (number | string | undefined)[])[];
}

export function makeEventPool(seed: number, now: number, size = poolEvents): EventPool {
  const random = seededRandom(seed);
  const shapes = eventShapes(random);
  const pool = emptyPool(size);
  const parts: Buffer[] = [];
  const events: EventShape[] = [];
  let at = 0;
  for (let index = 0; index < size; index += 1) {
    const distance = random() < repeatShare ? repeatDistance(index, random, pool.repeats) : 0;
    const original = index - distance;
    const event = distance === 0 ? shapes() : (events[original] as EventShape);
    events.push(event);
    const isUuid = distance === 0 ? random() >= namedKeyShare : pool.keyIsUuid[original] === 1;
    const bytes = distance === 0 ? encodeEvent(event, isUuid, random, now) : (parts[original * 2] as Buffer);
    pool.starts[index] = at;
    pool.ends[index] = at + bytes.length;
    pool.keyPlaces[index] = at + placeBehind(bytes, '"idempotencyKey":"');
    pool.keyIsUuid[index] = isUuid ? 1 : 0;
    const late = event.lateMs !== undefined;
    pool.secondPlaces[index] = late ? 0 : at + placeBehind(bytes, '"timestamp":"');
    pool.repeats[index] = distance;
    note(pool.facts, index, event);
    parts.push(bytes, comma);
    at += bytes.length + 1;
  }
  return { ...pool, bytes: Buffer.concat(parts) };
}

const comma = Buffer.from(',');

/** 0 where the pool does not reach back so far, and where what lies there is a repeat itself. */
function repeatDistance(index: number, random: () => number, repeats: Uint32Array): number {
  const kind = Math.floor(random() * repeatDistances.length);
  const [min, max] = repeatDistances[kind] as readonly [number, number];
  const distance = min + Math.floor(random() * (max - min + 1));
  return distance <= index && repeats[index - distance] === 0 ? distance : 0;
}

function encodeEvent(event: EventShape, isUuid: boolean, random: () => number, now: number): Buffer {
  const time = new Date(now - (event.lateMs ?? 0) - Math.floor(random() * 1_000));
  const { customer, name, resourceId, dimensions } = event;
  return Buffer.from(
    JSON.stringify({
      customerId: customerName(customer),
      eventName: name,
      idempotencyKey: drawKey(isUuid, random),
      resourceId,
      timestamp: time.toISOString(),
      dimensions,
    }),
  );
}

/** Its first and last digits are written over when it is sent. */
function drawKey(isUuid: boolean, random: () => number): string {
  const hex = Array.from({ length: 4 }, () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
  if (!isUuid) return `evt_${hex.slice(0, 24)}`;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

function placeBehind(bytes: Buffer, mark: string): number {
  return bytes.indexOf(mark) + mark.length;
}

function note(facts: PoolFacts, index: number, event: EventShape): void {
  facts.customers[index] = event.customer;
  facts.late[index] = event.lateMs === undefined ? 0 : 1;
  for (const [feature, { valueOf }] of meteredFeatures.entries()) {
    (facts.values[feature] as (number | string | undefined)[]).push(valueOf(event));
  }
}

function emptyPool(size: number): Omit<EventPool, 'bytes'> {
  return {
    size,
    starts: new Uint32Array(size),
    ends: new Uint32Array(size),
    keyPlaces: new Uint32Array(size),
    keyIsUuid: new Uint8Array(size),
    secondPlaces: new Uint32Array(size),
    repeats: new Uint32Array(size),
    facts: {
      customers: new Uint16Array(size),
      late: new Uint8Array(size),
      values: meteredFeatures.map(() => []),
    },
  };
}
