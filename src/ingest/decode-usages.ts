/** The body of a calculated usage call to facts (contract, section 3). */
import { jsonExceeds } from '../json.ts';
import { describe, excerpt, isJsonObject } from '../metering/decode-field.ts';
import { decodeMeasurement } from '../metering/decode-measurement.ts';
import { factLimits, type MeasurementFact, type Rejection } from '../metering/facts.ts';
import {
  mediaTypeOf,
  parseBody,
  type RefusedBody,
  refused,
  tooLargeFact,
  unsupportedMediaType,
} from './decode-body.ts';

/** One entry for each measurement, in the order sent. */
export interface DecodedUsages {
  readonly usages: readonly (MeasurementFact | Rejection)[];
}

/**
 * Decodes `{"usages": [...]}` with 1 to 1,000 measurements: the only form, since its answers stand in the places
 * of what was sent. The caller bounds the body's length (`factLimits.bodyBytesMax`). Never throws.
 */
export function decodeUsagesBody(
  body: Uint8Array,
  contentType: string,
  receivedAt: number,
): DecodedUsages | RefusedBody {
  if (mediaTypeOf(contentType) !== 'application/json') {
    return unsupportedMediaType(contentType, ['application/json']);
  }
  const parsed = parseBody(body);
  if ('refusal' in parsed) return parsed;
  const list = usagesOf(parsed.value);
  if ('refusal' in list) return list;
  const mayExceed = body.length > factLimits.eventBytesMax;
  const usages = list.map((value: unknown, index) =>
    mayExceed && jsonExceeds(value, factLimits.eventBytesMax)
      ? tooLargeFact('usages', index)
      : decodeMeasurement(value, index, receivedAt),
  );
  return { usages };
}

function usagesOf(value: unknown): readonly unknown[] | RefusedBody {
  if (!isJsonObject(value)) {
    return refused('VALIDATION_ERROR', `The body is ${describe(value)}; allowed is {"usages": [...]}`);
  }
  const other = Object.keys(value).find((key) => key !== 'usages');
  if (other !== undefined) {
    const message = `The body has the unknown field ${excerpt(other)}; allowed is {"usages": [...]}`;
    return refused('VALIDATION_ERROR', message);
  }
  const list = value['usages'];
  if (!Array.isArray(list)) {
    return refused('VALIDATION_ERROR', `usages is ${describe(list)}; an array of measurements is required`);
  }
  if (list.length === 0) return refused('VALIDATION_ERROR', 'usages is empty; at least one is required');
  if (list.length <= factLimits.measurementsPerCallMax) return list;
  const message = `usages holds more than ${factLimits.measurementsPerCallMax} measurements; send them in several calls`;
  return refused('PAYLOAD_TOO_LARGE', message);
}
