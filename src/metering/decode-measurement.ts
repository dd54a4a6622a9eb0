import { parseQuantity, type Quantity } from '../quantity.ts';
import {
  decodeDimensions,
  decodeFields,
  decodeId,
  decodeOptionalId,
  describe,
  FieldProblem,
  rejectionOf,
  soleRejection,
} from './decode-field.ts';
import { isNumeric, numberText } from './decode-number.ts';
import { decodeTimestamp } from './decode-timestamp.ts';
import type { MeasurementFact, Rejection, UpdateBehavior } from './facts.ts';

const measurementFields = [
  'customerId',
  'featureId',
  'value',
  'updateBehavior',
  'resourceId',
  'createdAt',
  'dimensions',
  'idempotencyKey',
  'rejectIfExceeded',
] as const;

const allowedFields: ReadonlySet<(typeof measurementFields)[number]> = new Set(measurementFields);

/**
 * Calculated usage (contract, section 3), from JSON or from a GraphQL input. `index` is its place in the call.
 * Absent and null mean the same; unknown fields are refused. The first problem found is the one reported. Never
 * throws.
 */
export function decodeMeasurement(
  value: unknown,
  index: number,
  receivedAt: number,
): MeasurementFact | Rejection {
  const measurement = measurementOf(value, receivedAt);
  return measurement instanceof FieldProblem ? rejectionOf('usages', index, measurement) : measurement;
}

/** A measurement that is a call of its own, so what is wrong names the field simply: `value is missing; …`. */
export function decodeSingleMeasurement(value: unknown, receivedAt: number): MeasurementFact | Rejection {
  const measurement = measurementOf(value, receivedAt);
  return measurement instanceof FieldProblem ? soleRejection('the measurement', measurement) : measurement;
}

function measurementOf(value: unknown, receivedAt: number): MeasurementFact | FieldProblem {
  const fields = decodeFields(value, allowedFields);
  if (fields instanceof FieldProblem) return fields;
  const customerId = decodeId(fields.customerId, 'customerId');
  if (customerId instanceof FieldProblem) return customerId;
  const resourceId = decodeOptionalId(fields.resourceId, 'resourceId');
  if (resourceId instanceof FieldProblem) return resourceId;
  const featureId = decodeId(fields.featureId, 'featureId');
  if (featureId instanceof FieldProblem) return featureId;
  const idempotencyKey = decodeOptionalId(fields.idempotencyKey, 'idempotencyKey');
  if (idempotencyKey instanceof FieldProblem) return idempotencyKey;
  const amount = decodeAmount(fields.value, 'value');
  if (amount instanceof FieldProblem) return amount;
  const updateBehavior = decodeUpdateBehavior(fields.updateBehavior);
  if (updateBehavior instanceof FieldProblem) return updateBehavior;
  const timestamp = decodeTimestamp(fields.createdAt, 'createdAt', receivedAt);
  if (timestamp instanceof FieldProblem) return timestamp;
  const dimensions = decodeDimensions(fields.dimensions, 'dimensions');
  if (dimensions instanceof FieldProblem) return dimensions;
  const rejectIfExceeded = decodeFlag(fields.rejectIfExceeded, 'rejectIfExceeded');
  if (rejectIfExceeded instanceof FieldProblem) return rejectIfExceeded;
  return {
    customerId,
    resourceId,
    featureId,
    idempotencyKey,
    value: amount,
    updateBehavior,
    timestamp,
    receivedAt,
    dimensions,
    rejectIfExceeded,
  };
}

/** Negative amounts are taken: a DELTA may give back what an earlier one took. */
export function decodeAmount(value: unknown, field: string): Quantity | FieldProblem {
  const text = isNumeric(value) ? numberText(value) : value;
  const amount = typeof text === 'string' ? parseQuantity(text) : undefined;
  if (amount !== undefined) return amount;
  const message =
    `is ${describe(value)}; a number, or a string of one such as "12.5", is required, ` +
    'with at most 30 digits before and after the point';
  return new FieldProblem('VALIDATION_ERROR', field, message);
}

function decodeUpdateBehavior(value: unknown): UpdateBehavior | FieldProblem {
  if (value === undefined || value === null) return 'DELTA';
  if (value === 'DELTA' || value === 'SET') return value;
  return new FieldProblem(
    'VALIDATION_ERROR',
    'updateBehavior',
    `is ${describe(value)}; allowed are DELTA and SET`,
  );
}

function decodeFlag(value: unknown, field: string): boolean | FieldProblem {
  if (value === undefined || value === null) return false;
  if (typeof value === 'boolean') return value;
  return new FieldProblem('VALIDATION_ERROR', field, `is ${describe(value)}; allowed are true and false`);
}
