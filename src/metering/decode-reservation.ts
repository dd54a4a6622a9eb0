/** Orders about reservations, from JSON or from a GraphQL input, as facts for the intake. */
import { compareQuantities, type Quantity, zeroQuantity } from '../quantity.ts';
import {
  decodeDimensions,
  decodeFields,
  decodeId,
  decodeOptionalId,
  describe,
  FieldProblem,
} from './decode-field.ts';
import { decodeAmount } from './decode-measurement.ts';
import { isNumeric, numberText } from './decode-number.ts';
import type { MeasurementFact } from './facts.ts';
import { commitKeyOf, type Reservation, reservationLimits } from './reservation.ts';

/** What a commit says beside the reservation's id. */
export interface CommitRequest {
  readonly reservationId: string;
  /** Null: all that was reserved. */
  readonly amount: Quantity | null;
  readonly dimensions: MeasurementFact['dimensions'];
}

/** @param freshKey names the reservation where the caller does not. */
export function decodeReserve(
  value: unknown,
  receivedAt: number,
  freshKey: string,
): MeasurementFact | FieldProblem {
  const fields = decodeFields(value, reserveFields);
  if (fields instanceof FieldProblem) return fields;
  const customerId = decodeId(fields.customerId, 'customerId');
  if (customerId instanceof FieldProblem) return customerId;
  const resourceId = decodeOptionalId(fields.resourceId, 'resourceId');
  if (resourceId instanceof FieldProblem) return resourceId;
  const featureId = decodeId(fields.featureId, 'featureId');
  if (featureId instanceof FieldProblem) return featureId;
  const key = decodeOptionalId(fields.idempotencyKey, 'idempotencyKey');
  if (key instanceof FieldProblem) return key;
  const amount = decodeAmount(fields.amount, 'amount');
  if (amount instanceof FieldProblem) return amount;
  if (compareQuantities(amount, zeroQuantity) <= 0) {
    return new FieldProblem('VALIDATION_ERROR', 'amount', 'must be above 0');
  }
  const ttlMs = decodeTtl(fields.ttlSeconds);
  if (ttlMs instanceof FieldProblem) return ttlMs;
  return {
    customerId,
    resourceId,
    featureId,
    idempotencyKey: '',
    value: amount,
    updateBehavior: 'DELTA',
    timestamp: receivedAt,
    receivedAt,
    dimensions: [],
    rejectIfExceeded: true,
    reservation: { kind: 'reserve', ttlMs, key: key === '' ? freshKey : key },
  };
}

export function decodeCommit(value: unknown): CommitRequest | FieldProblem {
  const fields = decodeFields(value, commitFields);
  if (fields instanceof FieldProblem) return fields;
  const reservationId = decodeId(fields.reservationId, 'reservationId');
  if (reservationId instanceof FieldProblem) return reservationId;
  const dimensions = decodeDimensions(fields.dimensions, 'dimensions');
  if (dimensions instanceof FieldProblem) return dimensions;
  if (fields.amount === undefined || fields.amount === null) {
    return { reservationId, amount: null, dimensions };
  }
  const amount = decodeAmount(fields.amount, 'amount');
  if (amount instanceof FieldProblem) return amount;
  if (compareQuantities(amount, zeroQuantity) < 0) {
    return new FieldProblem('VALIDATION_ERROR', 'amount', 'must be 0 or above');
  }
  return { reservationId, amount, dimensions };
}

/** The measurement that a commit records. Repeated without an amount, it repeats what was committed. */
export function commitFact(
  reservation: Reservation,
  { amount, dimensions }: CommitRequest,
  receivedAt: number,
): MeasurementFact {
  const { id, customerId, featureId, resourceId, committed } = reservation;
  return {
    customerId,
    resourceId,
    featureId,
    idempotencyKey: commitKeyOf(id),
    value: amount ?? committed ?? reservation.amount,
    updateBehavior: 'DELTA',
    timestamp: receivedAt,
    receivedAt,
    dimensions,
    rejectIfExceeded: false,
    reservation: { kind: 'commit', reservationId: id },
  };
}

export function releaseFact(reservation: Reservation, receivedAt: number): MeasurementFact {
  const { id, customerId, featureId, resourceId, amount } = reservation;
  return {
    customerId,
    resourceId,
    featureId,
    idempotencyKey: '',
    value: amount,
    updateBehavior: 'DELTA',
    timestamp: receivedAt,
    receivedAt,
    dimensions: [],
    rejectIfExceeded: false,
    reservation: { kind: 'release', reservationId: id },
  };
}

const reserveFields: ReadonlySet<
  'amount' | 'customerId' | 'featureId' | 'idempotencyKey' | 'resourceId' | 'ttlSeconds'
> = new Set(['customerId', 'featureId', 'amount', 'resourceId', 'ttlSeconds', 'idempotencyKey'] as const);

const commitFields: ReadonlySet<'amount' | 'dimensions' | 'reservationId'> = new Set([
  'reservationId',
  'amount',
  'dimensions',
] as const);

function decodeTtl(value: unknown): number | FieldProblem {
  const { ttlSecondsMin, ttlSecondsMax, ttlSecondsDefault } = reservationLimits;
  if (value === undefined || value === null) return ttlSecondsDefault * 1_000;
  const seconds = isNumeric(value) ? Number(numberText(value)) : Number.NaN;
  if (Number.isInteger(seconds) && seconds >= ttlSecondsMin && seconds <= ttlSecondsMax)
    return seconds * 1_000;
  const message = `is ${describe(value)}; a whole number from ${ttlSecondsMin} to ${ttlSecondsMax} is required`;
  return new FieldProblem('VALIDATION_ERROR', 'ttlSeconds', message);
}
