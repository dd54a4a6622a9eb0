import {
  decodeDimensions,
  decodeFields,
  decodeId,
  decodeOptionalId,
  FieldProblem,
  rejectionOf,
} from './decode-field.ts';
import { decodeTimestamp } from './decode-timestamp.ts';
import type { EventFact, Rejection } from './facts.ts';

const eventFields = [
  'customerId',
  'eventName',
  'idempotencyKey',
  'resourceId',
  'timestamp',
  'dimensions',
] as const;

const allowedFields: ReadonlySet<(typeof eventFields)[number]> = new Set(eventFields);

/**
 * An event in Tollgate's own form (contract, section 3), from JSON or from a GraphQL input. `index` is its place
 * in the call. Absent and null mean the same; fields that no event has are refused, so that a slip of the pen in
 * an optional one is not lost in silence. The first problem found is the one reported. Never throws.
 */
export function decodeEvent(value: unknown, index: number, receivedAt: number): EventFact | Rejection {
  const event = eventOf(value, receivedAt);
  return event instanceof FieldProblem ? rejectionOf('events', index, event) : event;
}

function eventOf(value: unknown, receivedAt: number): EventFact | FieldProblem {
  const fields = decodeFields(value, allowedFields);
  if (fields instanceof FieldProblem) return fields;
  const customerId = decodeId(fields.customerId, 'customerId');
  if (customerId instanceof FieldProblem) return customerId;
  const resourceId = decodeOptionalId(fields.resourceId, 'resourceId');
  if (resourceId instanceof FieldProblem) return resourceId;
  const eventName = decodeId(fields.eventName, 'eventName');
  if (eventName instanceof FieldProblem) return eventName;
  const idempotencyKey = decodeId(fields.idempotencyKey, 'idempotencyKey');
  if (idempotencyKey instanceof FieldProblem) return idempotencyKey;
  const timestamp = decodeTimestamp(fields.timestamp, 'timestamp', receivedAt);
  if (timestamp instanceof FieldProblem) return timestamp;
  const dimensions = decodeDimensions(fields.dimensions, 'dimensions');
  if (dimensions instanceof FieldProblem) return dimensions;
  const source = '';
  return { customerId, resourceId, eventName, idempotencyKey, source, timestamp, receivedAt, dimensions };
}
