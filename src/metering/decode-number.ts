import { ExactNumber } from '../json.ts';

/** Digits of a plain number before and after the point: the bounds of `plainNumberPattern`. */
const plainDigitsMax = 30;
/** What a sender may write for one number; only needless zeros could make a number that fits longer. */
const literalLengthMax = 1_000;

const numberGrammar = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

export function isNumeric(value: unknown): value is number | ExactNumber {
  return typeof value === 'number' || value instanceof ExactNumber;
}

/**
 * The number as exact plain decimal text, whatever its spelling: no exponent, no needless zeros, `0` for zero.
 * Undefined when it has more than 30 digits before or after the point, which `parseQuantity` would not take.
 */
export function numberText(value: number | ExactNumber): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  const literal = typeof value === 'number' ? String(value) : value.literal;
  if (literal.length > literalLengthMax) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = numberGrammar.exec(literal) ?? [];
  if (sign === undefined || whole === undefined) return undefined;
  const { digits, pointAt } = significantDigits(whole + fraction, whole.length + Number(exponent));
  if (digits === '') return '0';
  if (pointAt > plainDigitsMax || digits.length - pointAt > plainDigitsMax) return undefined;
  return sign + plainText(digits, pointAt);
}

/** The digits without zeros at either end, and where the point stands in them: before the first one is 0. */
function significantDigits(
  digits: string,
  pointAt: number,
): { readonly digits: string; readonly pointAt: number } {
  let start = 0;
  while (digits[start] === '0') start += 1;
  let end = digits.length;
  while (end > start && digits[end - 1] === '0') end -= 1;
  return { digits: digits.slice(start, end), pointAt: pointAt - start };
}

function plainText(digits: string, pointAt: number): string {
  if (pointAt <= 0) return `0.${'0'.repeat(-pointAt)}${digits}`;
  if (pointAt >= digits.length) return digits + '0'.repeat(pointAt - digits.length);
  return `${digits.slice(0, pointAt)}.${digits.slice(pointAt)}`;
}
