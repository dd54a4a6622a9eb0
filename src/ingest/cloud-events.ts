/**
 * CloudEvents 1.0 as usage events: `id` is the idempotency key, `subject` the customer, `type` the event's name,
 * `time` the timestamp, `data` the dimensions, and `source` a part of the identity. The extension attribute
 * `resourceid` names the customer's resource. Every other attribute is ignored.
 */
import {
  decodeDimensions,
  decodeId,
  decodeOptionalId,
  describe,
  FieldProblem,
  isJsonObject,
  rejectionOf,
} from '../metering/decode-field.ts';
import { decodeTimestamp } from '../metering/decode-timestamp.ts';
import type { EventFact, Rejection } from '../metering/facts.ts';

const headerAttributes = ['specversion', 'id', 'source', 'type', 'subject', 'time', 'resourceid'] as const;

/** The attributes of an event in binary mode as its `ce-` headers carry them, still encoded. */
export type CloudEventHeaders = Readonly<Partial<Record<(typeof headerAttributes)[number], string>>>;

/** Takes the attributes out of a request's headers; `header` answers '' for one that is absent. */
export function readCloudEventHeaders(header: (lowerCaseName: string) => string): CloudEventHeaders {
  const headers: Partial<Record<(typeof headerAttributes)[number], string>> = {};
  for (const attribute of headerAttributes) {
    const value = header(`ce-${attribute}`);
    if (value !== '') headers[attribute] = value;
  }
  return headers;
}

/**
 * Whether a request is one event in binary mode. The specification lets a receiver wait for all required headers;
 * one suffices here, so that an event which lacks another is told so and not read as something else.
 */
export function isBinaryMode(headers: CloudEventHeaders): boolean {
  return headerAttributes.some((attribute) => headers[attribute] !== undefined);
}

/** An event in the JSON format, structured or of a batch. Never throws. */
export function decodeCloudEvent(value: unknown, index: number, receivedAt: number): EventFact | Rejection {
  const event = isJsonObject(value)
    ? cloudEventOf(value, receivedAt)
    : new FieldProblem('VALIDATION_ERROR', '', `is ${describe(value)}; a CloudEvents object is required`);
  return event instanceof FieldProblem ? rejectionOf('events', index, event) : event;
}

/** An event in binary mode: `data` is the body's JSON value, undefined for an empty body. Never throws. */
export function decodeBinaryCloudEvent(
  headers: CloudEventHeaders,
  data: unknown,
  receivedAt: number,
): EventFact | Rejection {
  const attributes: Record<string, unknown> = { data };
  for (const attribute of headerAttributes) {
    const header = headers[attribute];
    if (header === undefined) continue;
    const value = decodeHeaderValue(header);
    if (value === undefined) {
      const message = `is ${describe(header)}; a header's value is percent-encoded UTF-8, in which % is %25`;
      return rejectionOf('events', 0, new FieldProblem('VALIDATION_ERROR', attribute, message));
    }
    attributes[attribute] = value;
  }
  return decodeCloudEvent(attributes, 0, receivedAt);
}

function cloudEventOf(
  attributes: Readonly<Record<string, unknown>>,
  receivedAt: number,
): EventFact | FieldProblem {
  const wrong = wrongVersion(attributes['specversion']) ?? binaryData(attributes['data_base64']);
  if (wrong !== undefined) return wrong;
  const customerId = decodeId(attributes['subject'], 'subject');
  if (customerId instanceof FieldProblem) return customerId;
  const resourceId = decodeOptionalId(attributes['resourceid'], 'resourceid');
  if (resourceId instanceof FieldProblem) return resourceId;
  const eventName = decodeId(attributes['type'], 'type');
  if (eventName instanceof FieldProblem) return eventName;
  const idempotencyKey = decodeId(attributes['id'], 'id');
  if (idempotencyKey instanceof FieldProblem) return idempotencyKey;
  const source = decodeId(attributes['source'], 'source');
  if (source instanceof FieldProblem) return source;
  const timestamp = decodeTimestamp(attributes['time'], 'time', receivedAt);
  if (timestamp instanceof FieldProblem) return timestamp;
  const dimensions = decodeDimensions(attributes['data'], 'data');
  if (dimensions instanceof FieldProblem) return dimensions;
  return { customerId, resourceId, eventName, idempotencyKey, source, timestamp, receivedAt, dimensions };
}

function wrongVersion(value: unknown): FieldProblem | undefined {
  if (value === '1.0') return undefined;
  return new FieldProblem('VALIDATION_ERROR', 'specversion', `is ${describe(value)}; allowed is "1.0"`);
}

function binaryData(value: unknown): FieldProblem | undefined {
  if (value === undefined || value === null) return undefined;
  const message = 'is given; dimensions are taken from data, a JSON object';
  return new FieldProblem('VALIDATION_ERROR', 'data_base64', message);
}

/**
 * The HTTP binding's way (CloudEvents 1.0.2, 3.1.3.2): first a value in double quotes is unquoted, then one round
 * of percent-decoding. Undefined for what is not percent-encoded UTF-8.
 */
function decodeHeaderValue(header: string): string | undefined {
  const quoted = /^"(.*)"$/s.exec(header)?.[1];
  const value = quoted === undefined ? header : quoted.replace(/\\(.)/gs, '$1');
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
