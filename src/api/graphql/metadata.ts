import { ExactNumber, jsonExceeds } from '../../json.ts';
import { ApiProblem } from '../api-problem.ts';

/** Compact JSON of one entity's metadata. */
export const metadataBytesMax = 16_384;

/**
 * The caller's own data about an entity: a JSON object of at most 16 KiB. It is given back as it came, so a
 * number that a double would change is refused rather than rounded.
 */
export function metadataOf(
  value: unknown,
  field = 'additionalMetaData',
): Readonly<Record<string, unknown>> | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof ExactNumber) {
    throw new ApiProblem('VALIDATION_ERROR', `${field} must be a JSON object`);
  }
  if (jsonExceeds(value, metadataBytesMax)) {
    throw new ApiProblem('VALIDATION_ERROR', `${field} is larger than ${metadataBytesMax} bytes of JSON`);
  }
  const inexact = firstInexactNumber(value);
  if (inexact !== undefined) {
    const message = `${field} holds ${inexact.slice(0, 40)}, a number with more digits than JSON programs keep; send it as a string`;
    throw new ApiProblem('VALIDATION_ERROR', message);
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Recursion is bounded by the depth that `parseJson` and the limits on documents allow. */
function firstInexactNumber(value: unknown): string | undefined {
  if (value instanceof ExactNumber) return value.literal;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const member of Object.values(value)) {
    const found = firstInexactNumber(member);
    if (found !== undefined) return found;
  }
  return undefined;
}
