/**
 * Past a number that is written as its exact plain decimal text is: no exponent, no needless zero, at most 15 digits.
 * -1 for any other, and where no number stands.
 */
export function endOfNumber(body: Uint8Array, start: number): number {
  const isNegative = body[start] === 0x2d;
  const first = isNegative ? start + 1 : start;
  let at = pastDigits(body, first);
  let digits = at - first;
  const isZeroFirst = body[first] === 0x30;
  if (digits === 0 || (isZeroFirst && digits > 1)) return -1;
  if (body[at] === 0x2e) {
    const fraction = at + 1;
    at = pastDigits(body, fraction);
    digits += at - fraction;
    if (at === fraction || body[at - 1] === 0x30) return -1;
  } else if (isZeroFirst && isNegative) {
    return -1;
  }
  const after = body[at];
  return digits > 15 || after === 0x65 || after === 0x45 ? -1 : at;
}

function pastDigits(body: Uint8Array, start: number): number {
  let at = start;
  for (let byte = body[at]; byte !== undefined && byte >= 0x30 && byte <= 0x39; byte = body[at]) at += 1;
  return at;
}
