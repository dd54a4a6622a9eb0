/** What the decoders of both kinds of body share: media types, JSON, and why a whole call is refused. */
import { parseJsonBytes } from '../json.ts';
import { excerpt, FieldProblem, rejectionOf } from '../metering/decode-field.ts';
import { factLimits, type Rejection } from '../metering/facts.ts';

/** Why nothing of a call was taken. The message goes to the sender and is not logged. */
export interface BodyRefusal {
  readonly code: 'MALFORMED_JSON' | 'VALIDATION_ERROR' | 'UNSUPPORTED_MEDIA_TYPE' | 'PAYLOAD_TOO_LARGE';
  readonly message: string;
}

export interface RefusedBody {
  readonly refusal: BodyRefusal;
}

export function refused(code: BodyRefusal['code'], message: string): RefusedBody {
  return { refusal: { code, message } };
}

/**
 * The media type of a Content-Type header in lower case, `application/json` when there is none. Undefined when
 * its charset is not UTF-8 (or ASCII, which is a part of it); other parameters change nothing.
 */
export function mediaTypeOf(contentType: string): string | undefined {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=');
    if (name.trim() === 'charset' && !/^"?(utf-?8|us-ascii)"?$/.test(value.trim())) return undefined;
  }
  return type.trim() || 'application/json';
}

export function unsupportedMediaType(contentType: string, allowed: readonly string[]): RefusedBody {
  const message = `Content-Type is ${excerpt(contentType)}; allowed are ${allowed.join(', ')}, in UTF-8`;
  return refused('UNSUPPORTED_MEDIA_TYPE', message);
}

/** The body's JSON value. */
export function parseBody(body: Uint8Array): { readonly value: unknown } | RefusedBody {
  const parsed = parseJsonBytes(body);
  return parsed.ok ? parsed : refused('MALFORMED_JSON', `The body is not valid JSON: ${parsed.message}`);
}

export function tooLargeFact(list: 'events' | 'usages', index: number): Rejection {
  const message = `is larger than ${factLimits.eventBytesMax} bytes`;
  return rejectionOf(list, index, new FieldProblem('PAYLOAD_TOO_LARGE', '', message));
}
