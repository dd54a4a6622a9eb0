/**
 * The memory of identities: every counted copy with max(receivedAt, timestamp) >= `completeSince` is in it.
 *
 * Slots of 8 words lie in segments, each filled in order and dropped as a whole, so expiry costs nothing per
 * slot. An index in parts (open addressing, 8 bytes an entry: hash and slot) leads to them. Dropping a segment
 * leaves its index entries behind; they are harmless, since a slot is believed only for the full identity it
 * holds, and go when their part is made anew. Parts grow at different fill levels, so that no two of them grow
 * at the same moment: the longest pause is one part's, about a millisecond.
 *
 * Costs about 55 bytes a copy.
 */
import { randomBytes } from 'node:crypto';
import { factLimits } from '../metering/facts.ts';
import { type Verdict, verdictBeside, verdicts } from '../metering/identity.ts';
import { type IdentityRows, identityRowWords } from './flush-store.ts';

const dayMs = 24 * 3_600_000;
/** identity 4, content digest 1, timestamp and receivedAt as 44 bits each in 3. */
const slotWords = 8;
const segmentSlotsMax = 4_096;
const partEntriesTarget = 8_192;
const partsMax = 4_096;
/** 2^32, the place value of an instant's upper word. */
const upper = 0x1_0000_0000;

export interface IdentityTableOptions {
  /** How long after its receipt an identity alone decides, ms. */
  readonly windowMs: number;
  /** Copies kept after `expire`; between two calls the table may exceed it by what is added. */
  readonly entriesMax: number;
}

export interface RememberedCopy {
  readonly timestamp: number;
  readonly receivedAt: number;
  readonly contentDigest: number;
}

/** Copies of neighbouring instants, so that they expire together. */
interface Segment {
  readonly id: number;
  readonly bucket: number;
  readonly words: Uint32Array;
  /** `#drops` when it was opened: its id may have been another segment's before. */
  readonly openedAt: number;
  used: number;
  /** The newest max(receivedAt, timestamp) in it. */
  newest: number;
}

interface Part {
  /** Pairs of (hash, slot reference + 1); a reference of 0 ends a probe. */
  entries: Uint32Array;
  used: number;
  /** `#drops` when this part was last made: while equal, no entry of it can be stale. */
  dropsSeen: number;
}

export class IdentityTable {
  readonly windowMs: number;
  readonly entriesMax: number;
  readonly #slotBits: number;
  readonly #bucketMs: number;
  readonly #partBits: number;
  /** Random, so that nobody can choose keys that meet in one place of the index. */
  readonly #hashFactors: readonly [number, number];
  #parts: Part[] = [];
  #segments: (Segment | undefined)[] = [];
  #freeIds: number[] = [];
  #open = new Map<number, Segment>();
  /** The one of `#open` that was used last: nearly always the next one too. */
  #latest: Segment | undefined;
  #drops = 0;
  #size = 0;
  #completeSince = Number.POSITIVE_INFINITY;

  /** Knows nothing yet, and says so: until `clear(since)` and a load, every report has to be looked up. */
  constructor(options: IdentityTableOptions) {
    this.windowMs = options.windowMs;
    this.entriesMax = options.entriesMax;
    this.#slotBits = Math.floor(Math.log2(clamp(options.entriesMax / 64, 1, segmentSlotsMax)));
    this.#bucketMs = Math.ceil(Math.max(options.windowMs, dayMs) / 16);
    this.#partBits = Math.ceil(Math.log2(clamp(options.entriesMax / partEntriesTarget, 1, partsMax)));
    const seed = randomBytes(8);
    this.#hashFactors = [seed.readInt32LE(0) | 1, seed.readInt32LE(4) | 1];
    this.clear(Number.POSITIVE_INFINITY);
  }

  /** Forgets all; the caller then adds every counted copy with max(receivedAt, timestamp) >= `completeSince`. */
  clear(completeSince: number): void {
    this.#parts = Array.from({ length: 2 ** this.#partBits }, () => emptyPart(8, 0));
    this.#segments = [];
    this.#freeIds = [];
    this.#open = new Map();
    this.#latest = undefined;
    this.#drops = 0;
    this.#size = 0;
    this.#completeSince = completeSince;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    let bytes = 0;
    for (const segment of this.#segments) bytes += segment?.words.byteLength ?? 0;
    for (const part of this.#parts) bytes += part.entries.byteLength;
    return bytes;
  }

  /** Every counted copy with max(receivedAt, timestamp) at or after this instant is in the table. */
  get completeSince(): number {
    return this.#completeSince;
  }

  /**
   * Which copies of an identity could be missing here and yet decide about a report: undefined when none could.
   * A copy with the same timestamp t has max(receivedAt, t) >= t; one within the window was received at or
   * after receivedAt - windowMs.
   */
  lookupScope(timestamp: number, receivedAt: number): 'timestamp' | 'window' | undefined {
    if (receivedAt - this.windowMs < this.#completeSince) return 'window';
    return timestamp < this.#completeSince ? 'timestamp' : undefined;
  }

  /**
   * How a report stands to the copies of its identity, the words of `words` from `at`. Where it counts and `claims`,
   * it is remembered. Instants must lie in the range that a fact may have.
   */
  judge(
    words: Uint32Array,
    at: number,
    timestamp: number,
    receivedAt: number,
    digest: number,
    claims: boolean,
  ): Verdict {
    const hash = this.#hash(words, at);
    const { entries } = this.#partOf(hash);
    const last = entries.length - 2;
    let verdict: Verdict = verdicts.counts;
    for (let entry = firstEntry(hash, this.#partBits, last); ; entry = (entry + 2) & last) {
      const reference = entries[entry + 1] as number;
      if (reference === 0) break;
      if (entries[entry] !== hash) continue;
      const segment = this.#segmentOf(reference);
      if (segment === undefined) continue;
      const slot = this.#slotOf(reference);
      const slots = segment.words;
      if (!sameIdentity(slots, slot, words, at)) continue;
      const beside = verdictBeside(
        timestamp,
        receivedAt,
        digest,
        slotTimestamp(slots, slot),
        slotReceivedAt(slots, slot),
        slots[slot + 4] as number,
        this.windowMs,
      );
      if (beside === verdicts.duplicate) return beside;
      if (beside === verdicts.conflict) verdict = beside;
    }
    if (claims && verdict === verdicts.counts) this.#remember(hash, words, at, timestamp, receivedAt, digest);
    return verdict;
  }

  /** All copies of an identity that are remembered, in no certain order. */
  copies(words: Uint32Array, at: number): RememberedCopy[] {
    const found: RememberedCopy[] = [];
    const hash = this.#hash(words, at);
    const { entries } = this.#partOf(hash);
    const last = entries.length - 2;
    for (let entry = firstEntry(hash, this.#partBits, last); ; entry = (entry + 2) & last) {
      const reference = entries[entry + 1] as number;
      if (reference === 0) return found;
      const segment = entries[entry] === hash ? this.#segmentOf(reference) : undefined;
      const slot = this.#slotOf(reference);
      if (segment === undefined || !sameIdentity(segment.words, slot, words, at)) continue;
      found.push({
        timestamp: slotTimestamp(segment.words, slot),
        receivedAt: slotReceivedAt(segment.words, slot),
        contentDigest: segment.words[slot + 4] as number,
      });
    }
  }

  /** Remembers a counted copy. Instants must lie in the range that a fact may have. */
  add(words: Uint32Array, at: number, timestamp: number, receivedAt: number, digest: number): void {
    this.#remember(this.#hash(words, at), words, at, timestamp, receivedAt, digest);
  }

  #remember(
    hash: number,
    words: Uint32Array,
    at: number,
    timestamp: number,
    receivedAt: number,
    digest: number,
  ): void {
    const newest = Math.max(timestamp, receivedAt);
    const segment = this.#segmentFor(newest);
    const position = segment.used;
    const slot = position * slotWords;
    for (let word = 0; word < 4; word += 1) segment.words[slot + word] = words[at + word] as number;
    segment.words[slot + 4] = digest;
    writeInstants(segment.words, slot, timestamp, receivedAt);
    segment.used += 1;
    segment.newest = Math.max(segment.newest, newest);
    this.#size += 1;
    this.#index(hash, segment.id * 2 ** this.#slotBits + position + 1);
  }

  /**
   * Remembers counted copies as the store hands them out. The bound holds meanwhile, and copies older than it
   * leaves room for are passed over.
   */
  load({ words, count }: IdentityRows): void {
    for (let row = 0; row < count; row += 1) {
      const at = row * identityRowWords;
      const timestamp = instantAt(words, at + 5);
      const receivedAt = instantAt(words, at + 7);
      if (Math.max(timestamp, receivedAt) < this.#completeSince) continue;
      this.add(words, at, timestamp, receivedAt, words[at + 4] as number);
    }
    if (this.#size > this.entriesMax) this.expire(Number.NEGATIVE_INFINITY);
  }

  /**
   * Drops what no report received at or after `earliestReceipt` needs, then the oldest until `entriesMax`
   * holds; `completeSince` rises accordingly. Nothing is dropped at any other time, so what `lookupScope`
   * said stays true until the next call.
   */
  expire(earliestReceipt: number): void {
    const live = this.#segments.filter((segment) => segment !== undefined);
    live.sort((a, b) => a.newest - b.newest);
    for (const segment of live) {
      const needed = segment.newest + this.windowMs >= earliestReceipt;
      if (needed && this.#size <= this.entriesMax) return;
      this.#drop(segment);
    }
  }

  #drop(segment: Segment): void {
    this.#segments[segment.id] = undefined;
    this.#freeIds.push(segment.id);
    if (this.#open.get(segment.bucket) === segment) this.#open.delete(segment.bucket);
    if (this.#latest === segment) this.#latest = undefined;
    this.#size -= segment.used;
    this.#drops += 1;
    this.#completeSince = Math.max(this.#completeSince, segment.newest + 1);
  }

  /** The segment that is being filled for this instant. */
  #segmentFor(instant: number): Segment {
    const bucket = Math.floor(instant / this.#bucketMs);
    const slotsMax = 1 << this.#slotBits;
    const latest = this.#latest;
    if (latest?.bucket === bucket && latest.used < slotsMax) return latest;
    const open = this.#open.get(bucket);
    if (open !== undefined && open.used < slotsMax) {
      this.#latest = open;
      return open;
    }
    const id = this.#freeIds.pop() ?? this.#segments.length;
    const words = new Uint32Array(slotWords * slotsMax);
    const segment: Segment = {
      id,
      bucket,
      words,
      openedAt: this.#drops,
      used: 0,
      newest: Number.NEGATIVE_INFINITY,
    };
    this.#segments[id] = segment;
    this.#open.set(bucket, segment);
    this.#latest = segment;
    return segment;
  }

  #index(hash: number, reference: number): void {
    const number = partNumber(hash, this.#partBits);
    let part = this.#parts[number] as Part;
    // From 35 to 70 % full, another level for each part.
    const fullness = 0.35 + (0.35 * number) / this.#parts.length;
    if (part.used + 1 > (part.entries.length / 2) * fullness) {
      part = this.#remade(part, fullness);
      this.#parts[number] = part;
    }
    insertEntry(part, hash, reference, this.#partBits);
  }

  /** The part's live entries in a new one (it is of no use itself afterwards), large enough that it fills for a while before it is made anew again. */
  #remade(part: Part, fullness: number): Part {
    const { entries } = part;
    let live = 0;
    for (let entry = 0; entry < entries.length; entry += 2) {
      const reference = entries[entry + 1] as number;
      if (reference === 0) continue;
      if (this.#isLive(entries[entry] as number, reference, part.dropsSeen)) live += 1;
      else entries[entry + 1] = 0;
    }
    let capacity = entries.length / 2;
    while (live + 1 > capacity * fullness * 0.6) capacity *= 2;
    const remade = emptyPart(capacity, this.#drops);
    for (let entry = 0; entry < entries.length; entry += 2) {
      const reference = entries[entry + 1] as number;
      if (reference !== 0) insertEntry(remade, entries[entry] as number, reference, this.#partBits);
    }
    return remade;
  }

  /** Whether an entry of a part made at `dropsSeen`, when all its entries were live, still is. */
  #isLive(hash: number, reference: number, dropsSeen: number): boolean {
    const segment = this.#segmentOf(reference);
    if (segment === undefined) return false;
    // Only a segment opened since then can have taken over the id; only then is its slot worth a look.
    if (segment.openedAt <= dropsSeen) return true;
    const slot = this.#slotOf(reference);
    return slot < segment.used * slotWords && this.#hash(segment.words, slot) === hash;
  }

  /** Multiply and shift with secret odd factors: its upper bits, which are used first, are evenly spread. */
  #hash(words: Uint32Array, at: number): number {
    const [first, second] = this.#hashFactors;
    return (Math.imul(words[at] as number, first) + Math.imul(words[at + 1] as number, second)) >>> 0;
  }

  #partOf(hash: number): Part {
    return this.#parts[partNumber(hash, this.#partBits)] as Part;
  }

  #segmentOf(reference: number): Segment | undefined {
    return this.#segments[(reference - 1) >>> this.#slotBits];
  }

  #slotOf(reference: number): number {
    return ((reference - 1) & ((1 << this.#slotBits) - 1)) * slotWords;
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}

function emptyPart(capacity: number, dropsSeen: number): Part {
  return { entries: new Uint32Array(2 * capacity), used: 0, dropsSeen };
}

/** A part is chosen by the hash's upper bits. */
function partNumber(hash: number, partBits: number): number {
  // A shift by 32 shifts by nothing in JavaScript.
  return partBits === 0 ? 0 : hash >>> (32 - partBits);
}

/** A place in the part is chosen by the bits below those that chose the part, the upper ones first. */
function firstEntry(hash: number, partBits: number, last: number): number {
  const capacityBits = 31 - Math.clz32((last + 2) / 2);
  return (((hash << partBits) >>> (32 - capacityBits)) * 2) & last;
}

function insertEntry(part: Part, hash: number, reference: number, partBits: number): void {
  const { entries } = part;
  const last = entries.length - 2;
  let entry = firstEntry(hash, partBits, last);
  while (entries[entry + 1] !== 0) entry = (entry + 2) & last;
  entries[entry] = hash;
  entries[entry + 1] = reference;
  part.used += 1;
}

function sameIdentity(slots: Uint32Array, slot: number, words: Uint32Array, at: number): boolean {
  return (
    slots[slot] === words[at] &&
    slots[slot + 1] === words[at + 1] &&
    slots[slot + 2] === words[at + 2] &&
    slots[slot + 3] === words[at + 3]
  );
}

/** A signed 64-bit instant, its lower word first. */
function instantAt(words: Uint32Array, at: number): number {
  return ((words[at + 1] as number) | 0) * upper + (words[at] as number);
}

/** Instants count from the earliest that a fact may have, so that 44 bits reach beyond the latest. */
function writeInstants(slots: Uint32Array, slot: number, timestamp: number, receivedAt: number): void {
  const occurred = timestamp - factLimits.instantMin;
  const received = receivedAt - factLimits.instantMin;
  slots[slot + 5] = occurred % upper;
  slots[slot + 6] = received % upper;
  slots[slot + 7] = (Math.floor(occurred / upper) << 16) | Math.floor(received / upper);
}

function slotTimestamp(slots: Uint32Array, slot: number): number {
  const upperWord = (slots[slot + 7] as number) >>> 16;
  return upperWord * upper + (slots[slot + 5] as number) + factLimits.instantMin;
}

function slotReceivedAt(slots: Uint32Array, slot: number): number {
  const upperWord = (slots[slot + 7] as number) & 0xffff;
  return upperWord * upper + (slots[slot + 6] as number) + factLimits.instantMin;
}
