/**
 * The checks that events and measurements share, one field each. A field that fails comes back as a problem,
 * never as an exception, so that one bad fact costs its neighbours nothing.
 */
import { ExactNumber } from '../json.ts';
import { isNumeric, numberText } from './decode-number.ts';
import { type EventFact, factLimits, type MeasurementFact, type Rejection } from './facts.ts';

/**
 * What is wrong with one field. `field` is empty for the fact itself. Field and message go to the sender only, not
 * into logs: they may quote up to 64 characters of the key and the value at fault, and nothing else that was sent.
 */
export class FieldProblem {
  readonly code: Rejection['code'];
  readonly field: string;
  readonly message: string;

  constructor(code: Rejection['code'], field: string, message: string) {
    this.code = code;
    this.field = field;
    this.message = message;
  }
}

type Dimensions = EventFact['dimensions'];

/** The problem as the answer tells it, such as `events[3].timestamp is …`. */
export function rejectionOf(list: 'events' | 'usages', index: number, problem: FieldProblem): Rejection {
  const path = `${list}[${index}]${problem.field === '' ? '' : '.'}${problem.field}`;
  return { index, code: problem.code, message: `${path} ${problem.message}` };
}

/** The problem of a fact that was sent alone: `timestamp is …`; `whole` is the subject where no field is at fault. */
export function soleRejection(whole: string, { code, field, message }: FieldProblem): Rejection {
  return { index: 0, code, message: `${field === '' ? whole : field} ${message}` };
}

export function isRejection(decoded: EventFact | MeasurementFact | Rejection): decoded is Rejection {
  return 'code' in decoded;
}

/** The object's fields, as long as it has no others than those allowed. */
export function decodeFields<Field extends string>(
  value: unknown,
  allowed: ReadonlySet<Field>,
): Readonly<Partial<Record<Field, unknown>>> | FieldProblem {
  if (!isJsonObject(value)) {
    return new FieldProblem('VALIDATION_ERROR', '', `is ${describe(value)}; an object is required`);
  }
  for (const key of Object.keys(value)) {
    if (!allowed.has(key as Field)) {
      const message = `has the unknown field ${excerpt(key)}; allowed are ${[...allowed].join(', ')}`;
      return new FieldProblem('VALIDATION_ERROR', '', message);
    }
  }
  return value as Readonly<Partial<Record<Field, unknown>>>;
}

/** An identifier: a string of 1 to 255 characters (Unicode code points), well-formed, taken as it is. */
export function decodeId(value: unknown, field: string): string | FieldProblem {
  if (typeof value !== 'string' || value === '' || isTooLong(value)) {
    const message = `is ${describe(value)}; a string of 1 to ${factLimits.idLengthMax} characters is required`;
    return new FieldProblem('VALIDATION_ERROR', field, message);
  }
  return isWellFormed(value) ? value : loneSurrogate(field, value);
}

/** As `decodeId`; absent and null are the empty text. */
export function decodeOptionalId(value: unknown, field: string): string | FieldProblem {
  return value === undefined || value === null ? '' : decodeId(value, field);
}

const noDimensions: Dimensions = [];

/** The dimensions as texts: strings as sent, numbers as exact plain decimals, booleans `true` and `false`. */
export function decodeDimensions(value: unknown, field: string): Dimensions | FieldProblem {
  if (value === undefined || value === null) return noDimensions;
  if (!isJsonObject(value)) {
    const message = `is ${describe(value)}; an object of strings, numbers and booleans is required`;
    return new FieldProblem('VALIDATION_ERROR', field, message);
  }
  const dimensions: [string, string][] = [];
  for (const key of Object.keys(value)) {
    if (key === '' || isTooLong(key) || !isWellFormed(key)) {
      const message = `has the key ${excerpt(key)}; keys are 1 to ${factLimits.idLengthMax} characters of well-formed Unicode`;
      return new FieldProblem('VALIDATION_ERROR', field, message);
    }
    const text = dimensionText(value[key], field, key);
    if (text instanceof FieldProblem) return text;
    dimensions.push([key, text]);
  }
  return dimensions;
}

function dimensionText(value: unknown, field: string, key: string): string | FieldProblem {
  if (typeof value === 'string') {
    return isWellFormed(value) ? value : loneSurrogate(dimensionField(field, key), value);
  }
  if (typeof value === 'boolean') return String(value);
  if (isNumeric(value)) {
    const text = numberText(value);
    if (text !== undefined) return text;
    const message = `is ${describe(value)}; numbers have at most 30 digits before and after the point`;
    return new FieldProblem('VALIDATION_ERROR', dimensionField(field, key), message);
  }
  const message = `is ${describe(value)}; a string, number or boolean is required`;
  return new FieldProblem('VALIDATION_ERROR', dimensionField(field, key), message);
}

function dimensionField(field: string, key: string): string {
  return `${field}[${excerpt(key)}]`;
}

/** Also true of objects that a GraphQL server makes, which have no prototype. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

/** The value in a few words, with at most 64 characters of it. */
export function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return excerpt(value);
  if (value instanceof ExactNumber) return cut(value.literal);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The text in quotes, escaped as in JSON, at most 64 characters of it. */
export function excerpt(text: string): string {
  return JSON.stringify(cut(text));
}

const excerptLengthMax = 64;

function cut(text: string): string {
  return text.length > excerptLengthMax ? `${text.slice(0, excerptLengthMax - 1)}…` : text;
}

/** Counts code points only where that can matter: a text never has more of them than UTF-16 units. */
function isTooLong(text: string): boolean {
  if (text.length <= factLimits.idLengthMax) return false;
  return text.length > 2 * factLimits.idLengthMax || Array.from(text).length > factLimits.idLengthMax;
}

/** In a Unicode pattern this class matches only a surrogate without its other half, which UTF-8 cannot write. */
const surrogate = /\p{Surrogate}/u;

function isWellFormed(text: string): boolean {
  return !surrogate.test(text);
}

function loneSurrogate(field: string, text: string): FieldProblem {
  return new FieldProblem(
    'VALIDATION_ERROR',
    field,
    `is ${excerpt(text)}, which holds half of a surrogate pair`,
  );
}
