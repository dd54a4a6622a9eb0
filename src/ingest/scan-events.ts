/**
 * The quick way for events in their common form: one pass over the body's bytes, from which they go straight into
 * columns. What it does not know (escapes, rare numbers, unknown fields, whatever is wrong) it leaves to the complete
 * decoder, event by event or the whole body, so that there is one answer to each body whichever way it went.
 */
import { isUtf8 } from 'node:buffer';
import { jsonDepthMax, parseJsonBytes } from '../json.ts';
import { EventBlockBuilder } from '../metering/event-block.ts';
import { type EventPlaces, makeEventPlaces, placesMax, textPlaces } from '../metering/event-places.ts';
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

type TextField = keyof typeof textPlaces;

interface Field {
  readonly key: Buffer;
  /** A bit of its own. */
  readonly bit: number;
  readonly text: TextField | undefined;
}

const fields: readonly Field[] = [
  ...(['customerId', 'eventName', 'idempotencyKey', 'resourceId'] as const).map((text) => ({
    name: text,
    text,
  })),
  ...['timestamp', 'dimensions'].map((name) => ({ name, text: undefined })),
].map(({ name, text }, index) => ({ key: Buffer.from(name), bit: 1 << index, text }));

/** The first three, which are the required ones. */
const requiredBits = 0b111;
const dimensionsBit = 1 << 5;

class EventScanner {
  readonly #block = new EventBlockBuilder();
  readonly #event: EventPlaces = makeEventPlaces();
  #rejected: Rejection[] = [];
  #body: Uint8Array = new Uint8Array(0);

  /** One event, an array, or `{"events": […]}`. */
  scanJson(body: Uint8Array, receivedAt: number): ScannedEvents | undefined {
    if (!this.#begin(body, receivedAt)) return undefined;
    const start = this.#pastBlanks(0);
    let at = start;
    if (body[at] === braceOpen) {
      at = this.#pastBlanks(this.#pastKey(this.#pastBlanks(at + 1)));
      // Not the list's key as it is mostly written: an event's, or the list's in another form, which is no event.
      if (body[at] !== bracketOpen) return this.#ended(this.#scanKnown(start), body.length);
    }
    if (body[at] !== bracketOpen) return undefined;
    at = this.#pastBlanks(this.#scanList(at));
    if (body[start] === braceOpen) {
      if (body[at] !== braceClose) return undefined;
      at += 1;
    }
    return this.#ended(at, body.length);
  }

  scanLines(body: Uint8Array, receivedAt: number): ScannedEvents | undefined {
    if (!this.#begin(body, receivedAt)) return undefined;
    for (let at = this.#pastBlanks(0); at < body.length; at = this.#pastBlanks(at)) {
      const lineEnd = body.indexOf(0x0a, at);
      const end = lineEnd === -1 ? body.length : lineEnd;
      // Which line is wrong, the complete decoder can say.
      at = this.#scanKnown(at);
      if (at === unknown || at > end || this.#pastBlanks(at) < end) return undefined;
    }
    return this.#ended(body.length, body.length);
  }

  #begin(body: Uint8Array, receivedAt: number): boolean {
    this.#block.clear();
    this.#rejected = [];
    this.#body = body;
    this.#event.body = body;
    this.#event.receivedAt = receivedAt;
    return isUtf8(body);
  }

  /** The result, when the scan came to the body's end. */
  #ended(at: number, end: number): ScannedEvents | undefined {
    const count = this.#block.count + this.#rejected.length;
    if (at === unknown || this.#pastBlanks(at) !== end || count === 0) return undefined;
    return { events: this.#block, rejected: this.#rejected };
  }

  #scanList(opening: number): number {
    const body = this.#body;
    let at = this.#pastBlanks(opening + 1);
    for (;;) {
      at = this.#pastBlanks(this.#scanEvent(at));
      if (body[at] === bracketClose) return at + 1;
      if (body[at] !== comma) return unknown;
      at = this.#pastBlanks(at + 1);
    }
  }

  #scanEvent(start: number): number {
    if (this.#block.count + this.#rejected.length === factLimits.eventsPerCallMax) return unknown;
    const end = this.#scanKnown(start);
    return end === unknown ? this.#decodeAlone(start) : end;
  }

  /** Looks at an event in the common form and takes it. */
  #scanKnown(start: number): number {
    const end = this.#placesOf(start);
    if (end === unknown || end - start > placesMax.eventBytes) return unknown;
    this.#block.appendPlaces(this.#event);
    return end;
  }

  /** An event that only the complete decoder knows, among others. */
  #decodeAlone(start: number): number {
    const end = this.#endOfObject(start);
    if (end === unknown || end - start > factLimits.eventBytesMax) return unknown;
    const parsed = parseJsonBytes(this.#body.subarray(start, end));
    if (!parsed.ok) return unknown;
    const index = this.#block.count + this.#rejected.length;
    const fact = decodeEvent(parsed.value, index, this.#event.receivedAt);
    if (isRejection(fact)) this.#rejected.push(fact);
    else this.#block.append(fact);
    return end;
  }

  #placesOf(start: number): number {
    const body = this.#body;
    const event = this.#event;
    if (body[start] !== braceOpen) return unknown;
    event.texts.fill(0);
    event.dimensionCount = 0;
    event.timestamp = event.receivedAt;
    let seen = 0;
    let at = start + 1;
    for (;;) {
      at = this.#pastBlanks(at);
      const field = this.#fieldAt(at);
      if (field === undefined || (seen & field.bit) !== 0) return unknown;
      seen |= field.bit;
      at = this.#pastBlanks(at + field.key.length + 2);
      if (body[at] !== colon) return unknown;
      at = this.#pastBlanks(this.#scanField(field, this.#pastBlanks(at + 1)));
      if (body[at] === braceClose) break;
      if (body[at] !== comma) return unknown;
      at += 1;
    }
    return (seen & requiredBits) === requiredBits ? at + 1 : unknown;
  }

  #fieldAt(at: number): Field | undefined {
    const body = this.#body;
    if (body[at] !== quote) return undefined;
    return fields.find(
      ({ key }) => body[at + key.length + 1] === quote && body[at + 1] === key[0] && isAt(body, at + 1, key),
    );
  }

  #scanField(field: Field, at: number): number {
    const { text, bit } = field;
    if (text !== undefined) return this.#scanId(text, at);
    return bit === dimensionsBit ? this.#scanDimensions(at) : this.#scanTimestamp(at);
  }

  #scanId(name: TextField, at: number): number {
    const end = this.#endOfText(at);
    // So many bytes are at most as many characters.
    if (end === unknown || end === at + 2 || end - at - 2 > factLimits.idLengthMax) return unknown;
    this.#event.texts[textPlaces[name]] = at + 1;
    this.#event.texts[textPlaces[name] + 1] = end - 1;
    return end;
  }

  #scanTimestamp(at: number): number {
    const { receivedAt } = this.#event;
    const isText = this.#body[at] === quote;
    const end = isText ? this.#endOfText(at) : endOfNumber(this.#body, at);
    if (end === unknown) return unknown;
    const instant = isText ? scanInstant(this.#body, at + 1, end - 1) : wholeNumber(this.#body, at, end);
    const isTaken = instant <= receivedAt + factLimits.futureMsMax && instant <= factLimits.instantMax;
    // NaN, which is no instant, is not less than anything either.
    if (!isTaken || !(instant >= factLimits.instantMin)) return unknown;
    this.#event.timestamp = instant;
    return end;
  }

  #scanDimensions(opening: number): number {
    const body = this.#body;
    const event = this.#event;
    if (body[opening] !== braceOpen) return unknown;
    let at = this.#pastBlanks(opening + 1);
    if (body[at] === braceClose) return at + 1;
    for (;;) {
      const keyEnd = this.#endOfText(at);
      if (keyEnd === unknown || keyEnd === at + 2 || keyEnd - at - 2 > factLimits.idLengthMax) return unknown;
      const textAt = this.#pastBlanks(keyEnd);
      if (body[textAt] !== colon || event.dimensionCount === placesMax.dimensions) return unknown;
      const end = this.#scanDimension(at + 1, keyEnd - 1, this.#pastBlanks(textAt + 1));
      if (end === unknown) return unknown;
      at = this.#pastBlanks(end);
      if (body[at] === braceClose) return at + 1;
      if (body[at] !== comma) return unknown;
      at = this.#pastBlanks(at + 1);
    }
  }

  #scanDimension(keyStart: number, keyEnd: number, at: number): number {
    const body = this.#body;
    const { dimensions, dimensionCount, order } = this.#event;
    const first = body[keyStart] as number;
    // Object.keys moves keys that are whole numbers to the front.
    if (first >= 0x30 && first <= 0x39) return unknown;
    const isText = body[at] === quote;
    const end = isText ? this.#endOfText(at) : endOfPlainValue(body, at);
    if (end === unknown) return unknown;
    const place = 4 * dimensionCount;
    dimensions[place] = keyStart;
    dimensions[place + 1] = keyEnd;
    dimensions[place + 2] = isText ? at + 1 : at;
    dimensions[place + 3] = isText ? end - 1 : end;
    let rank = dimensionCount;
    for (; rank > 0; rank -= 1) {
      const before = 4 * (order[rank - 1] as number);
      const compared = compareBytes(
        body,
        dimensions[before] as number,
        dimensions[before + 1] as number,
        keyStart,
        keyEnd,
      );
      // Of a key written twice the last one stands; that is rare.
      if (compared === 0) return unknown;
      if (compared < 0) break;
      order[rank] = order[rank - 1] as number;
    }
    order[rank] = dimensionCount;
    this.#event.dimensionCount += 1;
    return end;
  }

  /** Past the closing quote. Escapes are not known, nor what stands in no JSON text. */
  #endOfText(opening: number): number {
    const body = this.#body;
    if (body[opening] !== quote) return unknown;
    let at = opening + 1;
    for (let byte = body[at]; byte !== quote; byte = body[at]) {
      if (byte === undefined || byte < 0x20 || byte === backslash) return unknown;
      at += 1;
    }
    return at + 1;
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
    const after = this.#pastBlanks(at + listKey.length);
    return this.#body[after] === colon ? after + 1 : this.#body.length;
  }

  #pastBlanks(start: number): number {
    const body = this.#body;
    let at = start;
    for (
      let byte = body[at];
      byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
      byte = body[at]
    ) {
      at += 1;
    }
    return at;
  }
}

/** One for the process, since its memory is used over and over. */
const scanner = new EventScanner();

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

function compareBytes(body: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let at = 0; at < shared; at += 1) {
    const difference = (body[aStart + at] as number) - (body[bStart + at] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}
