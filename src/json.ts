/**
 * JSON in, with every number exact. JSON.parse turns numbers into doubles, which hold 15 decimal digits: a text
 * with a longer number, or one with a large exponent, takes a slower way that keeps such numbers as they were
 * written. The answer never depends on the way taken.
 */
import { isUtf8 } from 'node:buffer';

/** A JSON number that a double might not hold exactly, as it was written. */
export class ExactNumber {
  readonly literal: string;

  constructor(literal: string) {
    this.literal = literal;
  }
}

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/**
 * Arrays and objects inside one another; what Tollgate takes needs four. Without a bound, 16 MiB of brackets
 * keep JSON.parse busy for 4 s and take 500 MB, and whatever walks the value recursively overflows the stack.
 */
export const jsonDepthMax = 64;

/**
 * The value of a JSON text; its numbers are `number`, or `ExactNumber` where a double could lose a digit.
 * Of keys written twice the last one stands; `__proto__` is a key like any other. Never throws. The message says
 * what is wrong and where; it may quote some 20 characters of the text, so it is for the sender, not for logs.
 */
export function parseJson(text: string): ParsedJson {
  const { tooDeepAt, numbers } = survey(text);
  if (tooDeepAt !== undefined) {
    const message = `nested deeper than ${jsonDepthMax} levels at position ${tooDeepAt}`;
    return { ok: false, message: message + lineAndColumn(text, tooDeepAt) };
  }
  try {
    const value: unknown = JSON.parse(text);
    return { ok: true, value: numbers.length === 0 ? value : parseExactly(text, numbers) };
  } catch (error) {
    return { ok: false, message: syntaxMessage(text, error) };
  }
}

/** As `parseJson`, of UTF-8 bytes. Bytes that are no UTF-8 are malformed; a byte order mark is skipped. */
export function parseJsonBytes(bytes: Uint8Array): ParsedJson {
  const text = decodeUtf8(bytes);
  return text === undefined ? { ok: false, message: 'the bytes are not valid UTF-8' } : parseJson(text);
}

/** The bytes' text without a leading byte order mark, or undefined when they are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  // isUtf8 and Buffer's decoder take a third of a TextDecoder's time on a line of 240 bytes.
  if (!isUtf8(bytes)) return undefined;
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start).toString('utf8');
}

/** Whether the value's compact JSON is longer than so many bytes. Depth must be bounded, as `parseJson` does. */
export function jsonExceeds(value: unknown, bytesMax: number): boolean {
  // Writing it out is the exact measure and costs the most, so it is kept for values that might be too long.
  return jsonBytesAtMost(value) > bytesMax && Buffer.byteLength(JSON.stringify(value, literalOf)) > bytesMax;
}

/** Where a number stands in a text. */
interface Range {
  readonly start: number;
  readonly end: number;
}

interface Survey {
  /** Position of the bracket that opens one level too many. */
  readonly tooDeepAt: number | undefined;
  /** The numbers, without their sign, that a double might not hold. */
  readonly numbers: readonly Range[];
}

const quote = 0x22;
const dot = 0x2e;
const backslash = 0x5c;

/** One pass over the text, about a third of JSON.parse's time. What it finds in malformed text means nothing. */
function survey(text: string): Survey {
  const numbers: Range[] = [];
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
    } else if (isDigit(code)) {
      const { end, inexact } = surveyNumber(text, at);
      if (inexact) numbers.push({ start: at, end });
      at = end - 1;
    } else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > jsonDepthMax) return { tooDeepAt: at, numbers };
    } else if (code === 0x5d || code === 0x7d) {
      depth -= 1;
    }
  }
  return { tooDeepAt: undefined, numbers };
}

/** Position of the closing quote, or beyond the text. */
function endOfString(text: string, opening: number): number {
  let at = opening + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === quote) return at;
    at += code === backslash ? 2 : 1;
  }
  return at;
}

/**
 * A decimal of at most 15 digits with an exponent of at most two is far inside a double's range and comes back
 * from it unchanged; everything else is treated as inexact, which costs time only.
 */
function surveyNumber(text: string, start: number): { readonly end: number; readonly inexact: boolean } {
  let at = start;
  let digits = 0;
  for (let code = text.charCodeAt(at); isDigit(code) || code === dot; code = text.charCodeAt(++at)) {
    if (code !== dot) digits += 1;
  }
  if ((text.charCodeAt(at) | 0x20) !== 0x65) return { end: at, inexact: digits > 15 };
  at += 1;
  if (text[at] === '+' || text[at] === '-') at += 1;
  const exponentStart = at;
  while (isDigit(text.charCodeAt(at))) at += 1;
  return { end: at, inexact: digits > 15 || at - exponentStart > 2 };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/**
 * Every number that `survey` left alone is smaller than 10^115, so numbers of 10^200 and more can stand in for
 * the others: the i-th becomes `i e200`, JSON.parse carries it to its place, and there it becomes the literal.
 * JSON parsers that keep literals need 80 times as long for a long string, and 30 bytes for each of its characters.
 */
const substituteUnit = 1e200;

function parseExactly(text: string, numbers: readonly Range[]): unknown {
  const pieces: string[] = [];
  let copiedTo = 0;
  for (const [index, { start, end }] of numbers.entries()) {
    pieces.push(text.slice(copiedTo, start), `${index + 1}e200`);
    copiedTo = end;
  }
  pieces.push(text.slice(copiedTo));
  return withLiterals(JSON.parse(pieces.join('')), (substitute) => {
    const range = numbers[Math.round(Math.abs(substitute) / substituteUnit) - 1];
    if (range === undefined) throw new Error('a number of the text has no place in the list of its numbers');
    return new ExactNumber((substitute < 0 ? '-' : '') + text.slice(range.start, range.end));
  });
}

/** Puts the literals back, in place; recursion is bounded by `jsonDepthMax`. */
function withLiterals(value: unknown, exact: (substitute: number) => ExactNumber): unknown {
  if (typeof value === 'number') return Math.abs(value) >= substituteUnit ? exact(value) : value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) value[index] = withLiterals(value[index], exact);
  } else if (typeof value === 'object' && value !== null) {
    const members = value as Record<string, unknown>;
    // Assigning replaces the parser's own property, also where its name is __proto__.
    for (const key of Object.keys(members)) members[key] = withLiterals(members[key], exact);
  }
  return value;
}

function syntaxMessage(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : 'not valid JSON';
  const position = /at position (\d+)$/.exec(message)?.[1];
  return position === undefined ? message : message + lineAndColumn(text, Number(position));
}

/** Empty for the first line, where the position says as much. */
function lineAndColumn(text: string, position: number): string {
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < position; at = text.indexOf('\n', at + 1)) {
    line += 1;
    lineStart = at + 1;
  }
  return line === 1 ? '' : ` (line ${line} column ${position - lineStart + 1})`;
}

/** An upper bound of the value's compact JSON, in bytes: an escape takes six for one character. */
function jsonBytesAtMost(value: unknown): number {
  if (typeof value === 'string') return value.length * 6 + 2;
  if (value instanceof ExactNumber) return value.literal.length + 2;
  if (typeof value !== 'object' || value === null) return 25;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) bytes += 1 + jsonBytesAtMost(item);
  } else {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) bytes += key.length * 6 + 4 + jsonBytesAtMost(members[key]);
  }
  return bytes;
}

function literalOf(_key: string, value: unknown): unknown {
  return value instanceof ExactNumber ? value.literal : value;
}
