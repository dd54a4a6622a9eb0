/**
 * Measurements as they travel through the queue: JSON, amounts as decimal text. Calculated usage comes in
 * hundreds where events come in hundreds of thousands, so it is legible rather than packed.
 */
import { parseQuantity, quantityToText } from '../quantity.ts';
import { factLimits, type MeasurementFact } from './facts.ts';
import type { ReservationOrder } from './reservation.ts';

export function encodeUsagePayload(facts: readonly MeasurementFact[]): Buffer {
  return Buffer.from(JSON.stringify(facts.map((fact) => ({ ...fact, value: quantityToText(fact.value) }))));
}

/** The payload is no list of measurements; it can only be set aside. The message holds no content. */
export class CorruptUsagePayloadError extends Error {
  readonly code = 'CORRUPT_USAGE_PAYLOAD';
  readonly retryable = false;
}

/** The facts as they were encoded; throws `CorruptUsagePayloadError` for anything else. */
export function decodeUsagePayload(payload: Buffer): MeasurementFact[] {
  const list = parseJson(payload);
  if (!Array.isArray(list) || list.length === 0) throw corrupt('no list');
  return list.map((item: unknown, index) => {
    const fact = toMeasurement(item);
    if (fact === undefined) throw corrupt(`measurement ${index} of ${list.length}`);
    return fact;
  });
}

function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'));
  } catch {
    // The parser's own message quotes the content, which must reach no log.
    throw corrupt('no JSON');
  }
}

function corrupt(reason: string): CorruptUsagePayloadError {
  return new CorruptUsagePayloadError(`not a payload of measurements: ${reason}`);
}

function toMeasurement(item: unknown): MeasurementFact | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const { customerId, resourceId, featureId, idempotencyKey, value, ...rest }: Record<string, unknown> = {
    ...item,
  };
  const { updateBehavior, timestamp, receivedAt, dimensions, rejectIfExceeded, reservation } = rest;
  const quantity = typeof value === 'string' ? parseQuantity(value) : undefined;
  if (
    !isText(customerId) ||
    !isText(resourceId) ||
    !isText(featureId) ||
    !isText(idempotencyKey) ||
    quantity === undefined ||
    (updateBehavior !== 'DELTA' && updateBehavior !== 'SET') ||
    !isInstant(timestamp) ||
    !isInstant(receivedAt) ||
    !isDimensions(dimensions) ||
    typeof rejectIfExceeded !== 'boolean' ||
    (reservation !== undefined && !isOrder(reservation))
  ) {
    return undefined;
  }
  return {
    customerId,
    resourceId,
    featureId,
    idempotencyKey,
    value: quantity,
    updateBehavior,
    timestamp,
    receivedAt,
    dimensions,
    rejectIfExceeded,
    ...(reservation === undefined ? {} : { reservation }),
  };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isInstant(value: unknown): value is number {
  return (
    Number.isInteger(value) &&
    Number(value) >= factLimits.instantMin &&
    Number(value) <= factLimits.instantMax
  );
}

function isDimensions(value: unknown): value is [string, string][] {
  return (
    Array.isArray(value) &&
    value.every((entry) => Array.isArray(entry) && entry.length === 2 && entry.every(isText))
  );
}

function isOrder(value: unknown): value is ReservationOrder {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, ttlMs, key, reservationId }: Record<string, unknown> = { ...value };
  if (kind === 'reserve') return Number.isSafeInteger(ttlMs) && isText(key);
  return (kind === 'commit' || kind === 'release') && isText(reservationId);
}
