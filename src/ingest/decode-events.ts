/** The body of a raw events call to facts, in each of the forms that the HTTP contract names in section 3. */
import { jsonExceeds, parseJsonBytes } from '../json.ts';
import { decodeEvent } from '../metering/decode-event.ts';
import { describe, excerpt, isJsonObject, isRejection } from '../metering/decode-field.ts';
import { type EventFact, factLimits, type Rejection } from '../metering/facts.ts';
import {
  type CloudEventHeaders,
  decodeBinaryCloudEvent,
  decodeCloudEvent,
  isBinaryMode,
} from './cloud-events.ts';
import {
  mediaTypeOf,
  parseBody,
  type RefusedBody,
  refused,
  tooLargeFact,
  unsupportedMediaType,
} from './decode-body.ts';

/** The good events in the order sent, and why each other one is not among them. Together at least one. */
export interface DecodedEvents {
  readonly events: readonly EventFact[];
  readonly rejected: readonly Rejection[];
}

const allowedMediaTypes = [
  'application/json',
  'application/x-ndjson',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
];

/**
 * Decodes a whole call. The media type decides the form, save that `ce-` headers beside any but a CloudEvents
 * type mean one event in binary mode. JSON that breaks anywhere refuses the call; in newline-delimited JSON it
 * costs its own line only. The caller bounds the body's length (`factLimits.bodyBytesMax`). Never throws.
 */
export function decodeEventsBody(
  body: Uint8Array,
  contentType: string,
  headers: CloudEventHeaders,
  receivedAt: number,
): DecodedEvents | RefusedBody {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/cloudevents+json') return decodeOne(body, decodeCloudEvent, receivedAt);
  if (mediaType === 'application/cloudevents-batch+json') return decodeCloudEventsBatch(body, receivedAt);
  if (isBinaryMode(headers)) return decodeBinaryMode(body, contentType, headers, receivedAt);
  if (mediaType === 'application/x-ndjson') return decodeLines(body, receivedAt);
  if (mediaType === 'application/json') return decodeJson(body, receivedAt);
  return unsupportedMediaType(contentType, allowedMediaTypes);
}

type DecodeFact = (value: unknown, index: number, receivedAt: number) => EventFact | Rejection;

function decodeJson(body: Uint8Array, receivedAt: number): DecodedEvents | RefusedBody {
  const parsed = parseBody(body);
  if ('refusal' in parsed) return parsed;
  const { value } = parsed;
  if (Array.isArray(value)) return decodeList(value, decodeEvent, body.length, receivedAt);
  if (!isJsonObject(value)) {
    const message = `The body is ${describe(value)}; allowed are {"events": [...]}, an array of events and one event`;
    return refused('VALIDATION_ERROR', message);
  }
  if (!Object.hasOwn(value, 'events')) return decodeList([value], decodeEvent, body.length, receivedAt);
  const other = Object.keys(value).find((key) => key !== 'events');
  if (other !== undefined) {
    return refused('VALIDATION_ERROR', `The body has the unknown field ${excerpt(other)} beside events`);
  }
  const list = value['events'];
  if (Array.isArray(list)) return decodeList(list, decodeEvent, body.length, receivedAt);
  return refused('VALIDATION_ERROR', `events is ${describe(list)}; an array of events is required`);
}

function decodeOne(
  body: Uint8Array,
  decodeFact: DecodeFact,
  receivedAt: number,
): DecodedEvents | RefusedBody {
  const parsed = parseBody(body);
  return 'refusal' in parsed ? parsed : decodeList([parsed.value], decodeFact, body.length, receivedAt);
}

function decodeCloudEventsBatch(body: Uint8Array, receivedAt: number): DecodedEvents | RefusedBody {
  const parsed = parseBody(body);
  if ('refusal' in parsed) return parsed;
  if (Array.isArray(parsed.value)) return decodeList(parsed.value, decodeCloudEvent, body.length, receivedAt);
  const message = `The body is ${describe(parsed.value)}; a CloudEvents batch is an array`;
  return refused('VALIDATION_ERROR', message);
}

function decodeBinaryMode(
  body: Uint8Array,
  contentType: string,
  headers: CloudEventHeaders,
  receivedAt: number,
): DecodedEvents | RefusedBody {
  const decodeFact: DecodeFact = (data) => decodeBinaryCloudEvent(headers, data, receivedAt);
  if (body.length === 0) return decodeList([undefined], decodeFact, 0, receivedAt);
  const mediaType = mediaTypeOf(contentType);
  const isJson = mediaType === 'application/json' || mediaType?.endsWith('+json') === true;
  return isJson
    ? decodeOne(body, decodeFact, receivedAt)
    : unsupportedMediaType(contentType, ['application/json', 'application/*+json']);
}

function decodeList(
  values: readonly unknown[],
  decodeFact: DecodeFact,
  bodyBytes: number,
  receivedAt: number,
): DecodedEvents | RefusedBody {
  if (values.length === 0) return noEvents();
  if (values.length > factLimits.eventsPerCallMax) return tooManyEvents();
  const events: EventFact[] = [];
  const rejected: Rejection[] = [];
  const mayExceed = bodyBytes > factLimits.eventBytesMax;
  for (const [index, value] of values.entries()) {
    const isTooLarge = mayExceed && jsonExceeds(value, factLimits.eventBytesMax);
    const fact = isTooLarge ? tooLargeFact('events', index) : decodeFact(value, index, receivedAt);
    if (isRejection(fact)) rejected.push(fact);
    else events.push(fact);
  }
  return { events, rejected };
}

const lineFeed = 0x0a;

/** One event a line; blank lines are skipped and not counted, and the last line needs no end. */
function decodeLines(body: Uint8Array, receivedAt: number): DecodedEvents | RefusedBody {
  const events: EventFact[] = [];
  const rejected: Rejection[] = [];
  let lineNumber = 1;
  for (let at = 0; at < body.length; ) {
    if (isBlank(body[at])) {
      if (body[at] === lineFeed) lineNumber += 1;
      at += 1;
      continue;
    }
    const lineFeedAt = body.indexOf(lineFeed, at);
    const end = lineFeedAt === -1 ? body.length : lineFeedAt;
    const index = events.length + rejected.length;
    if (index === factLimits.eventsPerCallMax) return tooManyEvents();
    const fact = decodeLine(body.subarray(at, end), lineNumber, index, receivedAt);
    if (isRejection(fact)) rejected.push(fact);
    else events.push(fact);
    at = end;
  }
  return events.length + rejected.length === 0 ? noEvents() : { events, rejected };
}

function decodeLine(
  line: Uint8Array,
  lineNumber: number,
  index: number,
  receivedAt: number,
): EventFact | Rejection {
  if (line.length > factLimits.eventBytesMax) return tooLargeFact('events', index);
  const parsed = parseJsonBytes(line);
  if (parsed.ok) return decodeEvent(parsed.value, index, receivedAt);
  const message = `events[${index}], line ${lineNumber} of the body, is not valid JSON: ${parsed.message}`;
  return { index, code: 'MALFORMED_JSON', message };
}

/** Whether the byte is white space of JSON. */
function isBlank(byte: number | undefined): boolean {
  return byte === lineFeed || byte === 0x20 || byte === 0x0d || byte === 0x09;
}

function noEvents(): RefusedBody {
  return refused('VALIDATION_ERROR', 'The body holds no event; at least one is required');
}

function tooManyEvents(): RefusedBody {
  const message = `The body holds more than ${factLimits.eventsPerCallMax} events; send them in several calls`;
  return refused('PAYLOAD_TOO_LARGE', message);
}
