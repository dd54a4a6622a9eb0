/**
 * Request bodies with events that were never sent before, but for those that are repeats on purpose, at a small part
 * of what it costs to take them in: bytes are copied from a pool, and keys and times written over them.
 */
import { type EventPool, makeEventPool, repeatDistanceMax, secondLength } from './event-pool.ts';

export interface EventBody {
  readonly bytes: Buffer;
  /** Its place in the order of bodies, by which `EventBodies.accepted` knows it. */
  readonly index: number;
}

const before = Buffer.from('{"events":[');
const behind = Buffer.from(']}');
const namedKeyStart = 'evt_'.length;
const timeStart = '2026-01-01T'.length;
const lastOfDay = timeStart - 2;

/** Pools that were made, by seed; a process sends from one or two. */
const pools = new Map<string, EventPool>();

export function eventPool(seed: number, now: number, size?: number): EventPool {
  const key = `${seed} ${size}`;
  const pool = pools.get(key) ?? makeEventPool(seed, now, size);
  pools.set(key, pool);
  return pool;
}

/** The same seed makes the same events with the same keys; streams of a seed differ in their keys alone. */
export class EventBodies {
  readonly #pool: EventPool;
  readonly #events: number;
  readonly #bodiesInPool: number;
  readonly #keySeeds: readonly [number, number];
  /** When bodies were taken, as seconds; as far back as repeats reach. */
  readonly #secondsTaken: Float64Array;
  /** By body: 1 when it was accepted. Grows by doubling. */
  #accepted = new Uint8Array(1_024);
  #taken = 0;
  #second = 0;
  readonly #secondText = Buffer.alloc(secondLength);

  constructor(eventsPerBody: number, seed: number, now: number, stream = 0, poolSize?: number) {
    this.#pool = eventPool(seed, now, poolSize);
    this.#events = eventsPerBody;
    this.#bodiesInPool = Math.floor(this.#pool.size / eventsPerBody);
    this.#secondsTaken = new Float64Array(Math.ceil(repeatDistanceMax / eventsPerBody) + 2);
    const base = Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b);
    this.#keySeeds = [mix(base), mix(base + 1)];
  }

  get pool(): EventPool {
    return this.#pool;
  }

  /** @param now epoch ms; events happened within the second before it. */
  take(now = Date.now()): EventBody {
    const index = this.#taken;
    this.#taken += 1;
    const pool = this.#pool;
    const first = (index % this.#bodiesInPool) * this.#events;
    const from = pool.starts[first] as number;
    const to = pool.ends[first + this.#events - 1] as number;
    const bytes = Buffer.allocUnsafe(before.length + to - from + behind.length);
    before.copy(bytes);
    pool.bytes.copy(bytes, before.length, from, to);
    behind.copy(bytes, bytes.length - behind.length);
    const second = Math.floor(now / 1_000) - 1;
    this.#secondsTaken[index % this.#secondsTaken.length] = second;
    const shift = before.length - from;
    for (let event = 0; event < this.#events; event += 1)
      this.#fillIn(bytes, shift, first + event, index, event);
    return { bytes, index };
  }

  /** To be told of every body that was answered with 202; of others nothing is counted. */
  accepted(index: number): void {
    if (index >= this.#accepted.length) {
      const larger = new Uint8Array(Math.max(index + 1, this.#accepted.length * 2));
      larger.set(this.#accepted);
      this.#accepted = larger;
    }
    this.#accepted[index] = 1;
  }

  /** What was accepted so far must come to. */
  tally(): EventTally {
    const pool = this.#pool;
    const counted = new Uint32Array(pool.size);
    const onlyRepeats = new Set<number>();
    let accepted = 0;
    let stored = 0;
    for (let index = 0; index < this.#taken; index += 1) {
      if (this.#accepted[index] !== 1) continue;
      accepted += this.#events;
      const first = (index % this.#bodiesInPool) * this.#events;
      for (let event = 0; event < this.#events; event += 1) {
        const distance = pool.repeats[first + event] as number;
        if (distance > 0) {
          // It counts in place of one that was refused, and then once, however many repeats there are.
          const original = index * this.#events + event - distance;
          if (this.#accepted[Math.floor(original / this.#events)] === 1 || onlyRepeats.has(original))
            continue;
          onlyRepeats.add(original);
        }
        stored += 1;
        counted[first + event] = (counted[first + event] as number) + 1;
      }
    }
    return { accepted, stored, counted };
  }

  #fillIn(bytes: Buffer, shift: number, place: number, index: number, event: number): void {
    const pool = this.#pool;
    const distance = pool.repeats[place] as number;
    // A repeat lies in the same turn through the pool as its original.
    const number = index * this.#events + event - distance;
    const keyPlace = (pool.keyPlaces[place] as number) + shift;
    this.#writeKey(bytes, keyPlace, pool.keyIsUuid[place] === 1, number);
    const secondPlace = pool.secondPlaces[place] as number;
    if (secondPlace === 0) return;
    const body = distance === 0 ? index : Math.floor(number / this.#events);
    this.#writeSecond(
      bytes,
      secondPlace + shift,
      this.#secondsTaken[body % this.#secondsTaken.length] as number,
    );
  }

  /** 64 bits of it are new, the first 32 of them for certain; the rest is as random, and the pool's. */
  #writeKey(bytes: Buffer, at: number, isUuid: boolean, number: number): void {
    const [one, other] = this.#keySeeds;
    const from = isUuid ? at : at + namedKeyStart;
    writeHex(bytes, from, mix(number ^ one));
    writeHex(bytes, from + (isUuid ? 28 : 16), mix(number ^ other));
  }

  #writeSecond(bytes: Buffer, at: number, second: number): void {
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText.write(new Date(second * 1_000).toISOString(), 'latin1');
    }
    const text = this.#secondText;
    // A new day differs in its last digit.
    const from = bytes[at + lastOfDay] === text[lastOfDay] ? timeStart : 0;
    for (let place = from; place < secondLength; place += 1) bytes[at + place] = text[place] as number;
  }
}

export interface EventTally {
  /** Events in accepted bodies, repeats included. */
  readonly accepted: number;
  /** Those of them that count. */
  readonly stored: number;
  /** By event of the pool: how often it counts. */
  readonly counted: Uint32Array;
}

/** One to one on 32 bits, so that numbers below 2^32 never share a key; the constants are murmur3's. */
function mix(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

const highDigits = Buffer.alloc(256);
const lowDigits = Buffer.alloc(256);
for (let byte = 0; byte < 256; byte += 1) {
  const text = byte.toString(16).padStart(2, '0');
  highDigits[byte] = text.charCodeAt(0);
  lowDigits[byte] = text.charCodeAt(1);
}

function writeHex(bytes: Buffer, at: number, word: number): void {
  for (let shift = 24, place = at; shift >= 0; shift -= 8, place += 2) {
    const byte = (word >>> shift) & 255;
    bytes[place] = highDigits[byte] as number;
    bytes[place + 1] = lowDigits[byte] as number;
  }
}
