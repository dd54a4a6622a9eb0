/**
 * The quick way for events in their common form: one pass over the body's bytes, from which they go straight into
 * columns. What it does not know (escapes, rare numbers, unknown fields, whatever is wrong) it leaves to the complete
 * decoder, event by event or the whole body, so that there is one answer to each body whichever way it went.
 */
import { isUtf8 } from 'node:buffer';
import { jsonDepthMax, parseJsonBytes } from '../json.ts';
import { EventBlockBuilder } from '../metering/event-block.ts';
import type { ColumnWriter } from '../metering/native-column.ts';
import { decodeEvent } from '../metering/decode-event.ts';
import { isRejection } from '../metering/decode-field.ts';
import { factLimits, type Rejection } from '../metering/facts.ts';
import { type CloudEventHeaders, isBinaryMode } from './cloud-events.ts';
import { mediaTypeOf } from './decode-body.ts';
import { scanInstant } from './scan-instant.ts';
import { endOfNumber } from './scan-number.ts';

export interface ScannedEvents {
  /** The good events in the order sent. The block is filled anew when the next body is scanned. */
  readonly events: EventBlockBuilder;
  readonly rejected: readonly Rejection[];
}

/** Undefined: the complete decoder has to look, which also says what is wrong. */
export function scanEventsBody(
  body: Uint8Array,
  contentType: string,
  headers: CloudEventHeaders,
  receivedAt: number,
): ScannedEvents | undefined {
  if (isBinaryMode(headers)) return undefined;
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/json') return scanner.scanJson(body, receivedAt);
  return mediaType === 'application/x-ndjson' ? scanner.scanLines(body, receivedAt) : undefined;
}

const braceOpen = 0x7b;
const braceClose = 0x7d;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;
const quote = 0x22;
const colon = 0x3a;
const comma = 0x2c;
const backslash = 0x5c;

/** Of a position: there is none, because the complete decoder has to look. */
const unknown = -1;

/** `[…]`, or what stands around it in `{"events": […]}`. */
const listKey = Buffer.from('"events"');
/** Levels that a body of the latter form has around each event. */
const levelsAround = 2;

const fields = {
  customerId: fieldOf('customerId', 1),
  eventName: fieldOf('eventName', 2),
  idempotencyKey: fieldOf('idempotencyKey', 4),
  resourceId: fieldOf('resourceId', 8),
  timestamp: fieldOf('timestamp', 16),
  dimensions: fieldOf('dimensions', 32),
} as const;

interface Field {
  /** With the closing quote. */
  readonly key: Buffer;
  /** The key's first eight bytes, those that end with its last, and those of 14 letters between: all of it. */
  readonly words: readonly [first: number, second: number, third: number, last: number];
  readonly bit: number;
}

/** Keys are compared by words; each has between 8 and 16 bytes. */
function fieldOf(name: string, bit: number): Field {
  const key = Buffer.from(`${name}"`);
  const third = Math.min(8, key.length - 4);
  const words = [0, 4, third, key.length - 4].map((at) => key.readInt32LE(at));
  return { key, words: words as [number, number, number, number], bit };
}

function isKeyAt(view: DataView, at: number, { key, words }: Field): boolean {
  const { length } = key;
  return (
    at + length <= view.byteLength &&
    view.getInt32(at, true) === words[0] &&
    view.getInt32(at + 4, true) === words[1] &&
    view.getInt32(at + Math.min(8, length - 4), true) === words[2] &&
    view.getInt32(at + length - 4, true) === words[3]
  );
}

const requiredBits = fields.customerId.bit | fields.eventName.bit | fields.idempotencyKey.bit;

/** No two fields begin with the same letter. */
const fieldByFirst = Array.from({ length: 256 }, (_, byte) =>
  Object.values(fields).find(({ key }) => key[0] === byte),
);

/** Larger events are looked at by the complete decoder. */
const eventBytesMax = 65_536;

class EventScanner {
  readonly #block = new EventBlockBuilder();
  #rejected: Rejection[] = [];
  #body: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#body.buffer);
  #receivedAt = 0;
  /** Of the event that is being read. */
  #timestamp = 0;

  /** One event, an array, or `{"events": […]}`. */
  scanJson(body: Uint8Array, receivedAt: number): ScannedEvents | undefined {
    if (!this.#begin(body, receivedAt)) return undefined;
    const start = pastBlanks(this.#body, 0);
    let at = start;
    if (body[at] === braceOpen) {
      at = pastBlanks(this.#body, this.#pastKey(pastBlanks(this.#body, at + 1)));
      // Not the list's key as it is mostly written: an event's, or the list's in another form, which is no event.
      if (body[at] !== bracketOpen) return this.#ended(this.#scanKnown(start), body.length);
    }
    if (body[at] !== bracketOpen) return undefined;
    at = pastBlanks(this.#body, this.#scanList(at));
    if (body[start] === braceOpen) {
      if (body[at] !== braceClose) return undefined;
      at += 1;
    }
    return this.#ended(at, body.length);
  }

  scanLines(body: Uint8Array, receivedAt: number): ScannedEvents | undefined {
    if (!this.#begin(body, receivedAt)) return undefined;
    for (let at = pastBlanks(this.#body, 0); at < body.length; at = pastBlanks(this.#body, at)) {
      const lineEnd = body.indexOf(0x0a, at);
      const end = lineEnd === -1 ? body.length : lineEnd;
      // Which line is wrong, the complete decoder can say.
      at = this.#scanKnown(at);
      if (at === unknown || at > end || pastBlanks(this.#body, at) < end) return undefined;
    }
    return this.#ended(body.length, body.length);
  }

  #begin(body: Uint8Array, receivedAt: number): boolean {
    this.#block.clear();
    this.#rejected = [];
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.length);
    this.#receivedAt = receivedAt;
    return isUtf8(body);
  }

  /** The result, when the scan came to the body's end. */
  #ended(at: number, end: number): ScannedEvents | undefined {
    const count = this.#block.count + this.#rejected.length;
    if (at === unknown || pastBlanks(this.#body, at) !== end || count === 0) return undefined;
    return { events: this.#block, rejected: this.#rejected };
  }

  #scanList(opening: number): number {
    const body = this.#body;
    let at = pastBlanks(body, opening + 1);
    for (;;) {
      at = pastBlanks(body, this.#scanEvent(at));
      if (body[at] === bracketClose) return at + 1;
      if (body[at] !== comma) return unknown;
      at = pastBlanks(body, at + 1);
    }
  }

  #scanEvent(start: number): number {
    if (this.#block.count + this.#rejected.length === factLimits.eventsPerCallMax) return unknown;
    const end = this.#scanKnown(start);
    return end === unknown ? this.#decodeAlone(start) : end;
  }

  /** Takes an event in the common form. */
  #scanKnown(start: number): number {
    const end = this.#scanFields(start);
    if (end === unknown || end - start > eventBytesMax) {
      this.#block.discard();
      return unknown;
    }
    this.#block.add(this.#timestamp, this.#receivedAt);
    return end;
  }

  /** An event that only the complete decoder knows, among others. */
  #decodeAlone(start: number): number {
    const end = this.#endOfObject(start);
    if (end === unknown || end - start > factLimits.eventBytesMax) return unknown;
    const parsed = parseJsonBytes(this.#body.subarray(start, end));
    if (!parsed.ok) return unknown;
    const index = this.#block.count + this.#rejected.length;
    const fact = decodeEvent(parsed.value, index, this.#receivedAt);
    if (isRejection(fact)) this.#rejected.push(fact);
    else this.#block.append(fact);
    return end;
  }

  #scanFields(start: number): number {
    const body = this.#body;
    if (body[start] !== braceOpen) return unknown;
    this.#timestamp = this.#receivedAt;
    let seen = 0;
    let at = start + 1;
    for (;;) {
      at = pastBlanks(body, at);
      const field = body[at] === quote ? fieldByFirst[body[at + 1] as number] : undefined;
      if (field === undefined || (seen & field.bit) !== 0 || !isKeyAt(this.#view, at + 1, field))
        return unknown;
      seen |= field.bit;
      at = pastBlanks(body, at + 1 + field.key.length);
      if (body[at] !== colon) return unknown;
      at = this.#scanValue(field, pastBlanks(body, at + 1));
      if (at === unknown) return unknown;
      at = pastBlanks(body, at);
      if (body[at] === braceClose) break;
      if (body[at] !== comma) return unknown;
      at += 1;
    }
    if ((seen & requiredBits) !== requiredBits) return unknown;
    if ((seen & fields.resourceId.bit) === 0) this.#block.resourceId.writeText('');
    return at + 1;
  }

  #scanValue(field: Field, at: number): number {
    switch (field) {
      case fields.customerId:
        return this.#scanId(this.#block.customerId, at);
      case fields.eventName:
        return this.#scanId(this.#block.eventName, at);
      case fields.idempotencyKey:
        return this.#scanId(this.#block.idempotencyKey, at);
      case fields.resourceId:
        return this.#scanId(this.#block.resourceId, at);
      case fields.timestamp:
        return this.#scanTimestamp(at);
      default:
        return this.#scanDimensions(at);
    }
  }

  #scanId(column: ColumnWriter, at: number): number {
    if (this.#body[at] !== quote) return unknown;
    const end = column.writePlainJson(this.#body, at + 1);
    const size = end - at - 2;
    // So many bytes are at most as many characters.
    return size >= 1 && size <= factLimits.idLengthMax ? end : unknown;
  }

  #scanTimestamp(at: number): number {
    const body = this.#body;
    const isText = body[at] === quote;
    const end = isText ? endOfShortText(body, at + 1) : endOfNumber(body, at);
    if (end === unknown) return unknown;
    const instant = isText ? scanInstant(body, at + 1, end - 1) : wholeNumber(body, at, end);
    const isTaken = instant <= this.#receivedAt + factLimits.futureMsMax && instant <= factLimits.instantMax;
    // NaN, which is no instant, is not less than anything either.
    if (!isTaken || !(instant >= factLimits.instantMin)) return unknown;
    this.#timestamp = instant;
    return end;
  }

  #scanDimensions(opening: number): number {
    const body = this.#body;
    if (body[opening] !== braceOpen) return unknown;
    let at = pastBlanks(body, opening + 1);
    if (body[at] === braceClose) return at + 1;
    for (;;) {
      // Object.keys moves keys that are whole numbers to the front.
      if (body[at] !== quote || isDigit(body[at + 1] as number)) return unknown;
      at = this.#block.dimensionKey(body, at + 1);
      if (at === unknown) return unknown;
      at = pastBlanks(body, at);
      if (body[at] !== colon) return unknown;
      at = this.#scanDimension(pastBlanks(body, at + 1));
      if (at === unknown) return unknown;
      at = pastBlanks(body, at);
      if (body[at] === braceClose) return at + 1;
      if (body[at] !== comma) return unknown;
      at = pastBlanks(body, at + 1);
    }
  }

  #scanDimension(at: number): number {
    const body = this.#body;
    if (body[at] === quote) return this.#block.dimensionJson(body, at + 1);
    const end = endOfPlainValue(body, at);
    if (end !== unknown) this.#block.dimensionBytes(body, at, end);
    return end;
  }

  /** Past the closing brace; strings may hold anything. */
  #endOfObject(start: number): number {
    const body = this.#body;
    if (body[start] !== braceOpen) return unknown;
    let depth = 0;
    for (let at = start; at < body.length; at += 1) {
      const byte = body[at];
      if (byte === quote) {
        for (at += 1; body[at] !== quote; at += 1) {
          if (at >= body.length) return unknown;
          if (body[at] === backslash) at += 1;
        }
      } else if (byte === braceOpen || byte === bracketOpen) {
        depth += 1;
        if (depth > jsonDepthMax - levelsAround) return unknown;
      } else if (byte === braceClose || byte === bracketClose) {
        depth -= 1;
        if (depth === 0) return at + 1;
      }
    }
    return unknown;
  }

  /** Past `"events" :`, or where no list begins. */
  #pastKey(at: number): number {
    if (!isAt(this.#body, at, listKey)) return this.#body.length;
    const after = pastBlanks(this.#body, at + listKey.length);
    return this.#body[after] === colon ? after + 1 : this.#body.length;
  }
}

/** One for the process, since its memory is used over and over. */
const scanner = new EventScanner();

/** Past the closing quote of a text that may be a timestamp. */
function endOfShortText(body: Uint8Array, start: number): number {
  // With milliseconds; a quote before it is none of a timestamp's characters.
  if (body[start + 24] === quote) return start + 25;
  for (let at = start; at < start + timestampBytesMax; at += 1) if (body[at] === quote) return at + 1;
  return unknown;
}

const timestampBytesMax = 48;

/** Past a number, `true` or `false`. */
function endOfPlainValue(body: Uint8Array, at: number): number {
  if (body[at] === 0x74) return isAt(body, at, trueText) ? at + trueText.length : unknown;
  if (body[at] === 0x66) return isAt(body, at, falseText) ? at + falseText.length : unknown;
  return endOfNumber(body, at);
}

const trueText = Buffer.from('true');
const falseText = Buffer.from('false');

function wholeNumber(body: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const digit = (body[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function isAt(body: Uint8Array, start: number, text: Buffer): boolean {
  for (let at = 0; at < text.length; at += 1) if (body[start + at] !== text[at]) return false;
  return true;
}

function pastBlanks(body: Uint8Array, start: number): number {
  let at = start;
  while ((body[at] as number) <= 0x20 && isBlank(body[at] as number)) at += 1;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
