import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addQuantities,
  compareQuantities,
  divideQuantity,
  multiplyQuantities,
  parseQuantity,
  type Quantity,
  quantityFromClickhouse,
  quantityToText,
  roundQuantity,
  roundQuantityUp,
  subtractQuantities,
  zeroQuantity,
} from './quantity.ts';

const fractionDigits = 30;
const scale = 10n ** BigInt(fractionDigits);

const notNumbers = {
  forms: ['', ' ', ' 1', '1 ', '1\n', '+1', '.5', '5.', '007', '-', '--1', '1,5', '1_000', '0x10', '٣'],
  words: ['NaN', 'Infinity', 'null', 'true', 'abc', 'e1', '1e', '1e1.5'],
  bounds: ['1e16', '1e-16', '1e99', '1e015', '1234567890123456e1', '1'.repeat(31), `0.${'0'.repeat(30)}1`],
};

describe('parseQuantity', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['0.0', '0'],
    ['-0.000', '0'],
    ['12.50', '12.5'],
    ['-7', '-7'],
    ['1e3', '1000'],
    ['1.5E+2', '150'],
    ['25e-1', '2.5'],
    ['1e-15', '0.000000000000001'],
    ['999999999999999.999999999999999e15', '999999999999999999999999999999'],
    ['9'.repeat(30), '9'.repeat(30)],
    [`0.${'0'.repeat(29)}1`, `0.${'0'.repeat(29)}1`],
    [`-${'9'.repeat(30)}.${'9'.repeat(30)}`, `-${'9'.repeat(30)}.${'9'.repeat(30)}`],
  ])('reads %s as %s', (text, canonical) => {
    expect(quantityToText(quantity(text))).toBe(canonical);
  });

  it.each(Object.values(notNumbers).flat())('takes %j for no number', (text) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  it('reads every plain decimal exactly', () => {
    fc.assert(
      fc.property(scaledAmount(30), (scaled) => {
        expect(scaledOf(quantity(textOf(scaled)))).toBe(scaled);
      }),
    );
  });

  it('reads exponents exactly', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 15n) + 1n, max: 10n ** 15n - 1n }),
        fc.integer({ min: -15, max: 15 }),
        (mantissa, exponent) => {
          const expected = mantissa * 10n ** BigInt(fractionDigits + exponent);
          expect(scaledOf(quantity(`${mantissa}e${exponent}`))).toBe(expected);
        },
      ),
    );
  });
});

describe('arithmetic', () => {
  it('makes 1 of ten times 0.1', () => {
    let sum = zeroQuantity;
    for (let times = 0; times < 10; times++) sum = addQuantities(sum, quantity('0.1'));
    expect(quantityToText(sum)).toBe('1');
  });

  it('adds, subtracts and compares as integers do', () => {
    fc.assert(
      fc.property(scaledAmount(46), scaledAmount(46), (a, b) => {
        const [first, second] = [quantityFromClickhouse(textOf(a)), quantityFromClickhouse(textOf(b))];
        expect(scaledOf(addQuantities(first, second))).toBe(a + b);
        expect(scaledOf(subtractQuantities(first, second))).toBe(a - b);
        expect(Math.sign(compareQuantities(first, second))).toBe(Number(a > b) - Number(a < b));
      }),
    );
  });

  it('sums in any order to the same amount', () => {
    fc.assert(
      fc.property(fc.array(scaledAmount(30), { maxLength: 50 }), (amounts) => {
        const quantities = amounts.map((scaled) => quantity(textOf(scaled)));
        const forwards = quantities.reduce(addQuantities, zeroQuantity);
        const backwards = quantities.reduceRight(addQuantities, zeroQuantity);
        expect(quantityToText(forwards)).toBe(quantityToText(backwards));
        expect(scaledOf(forwards)).toBe(amounts.reduce((sum, scaled) => sum + scaled, 0n));
      }),
    );
  });

  it('rounds a quotient half up, away from zero, at 30 digits', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        (a, b) => {
          const magnitude = ((a < 0n ? -a : a) * scale * 2n + b) / (b * 2n);
          const quotient = divideQuantity(quantity(String(a)), quantity(String(b)));
          expect(scaledOf(quotient)).toBe(a < 0n ? -magnitude : magnitude);
        },
      ),
    );
  });
});

describe('quantityToText', () => {
  it('is plain, canonical and read back as the same amount', () => {
    fc.assert(
      fc.property(scaledAmount(30), (scaled) => {
        const text = quantityToText(quantity(textOf(scaled)));
        expect(text).toMatch(/^(0|-?(0\.[0-9]*[1-9]|[1-9][0-9]*(\.[0-9]*[1-9])?))$/);
        expect(scaledOf(quantity(text))).toBe(scaled);
      }),
    );
  });

  it('writes what ClickHouse answers, whatever its scale', () => {
    expect(quantityToText(quantityFromClickhouse(`12.5${'0'.repeat(29)}`))).toBe('12.5');
    expect(quantityToText(quantityFromClickhouse('-0'))).toBe('0');
    expect(quantityToText(quantityFromClickhouse('9'.repeat(46)))).toBe('9'.repeat(46));
  });
});

function quantity(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error(`${text} is no quantity`);
  return parsed;
}

/** An amount as a whole number of 10^-30, with so many digits before the point. */
function scaledAmount(wholeDigits: number): fc.Arbitrary<bigint> {
  const digitsMax = wholeDigits + fractionDigits;
  // Uniform big integers are nearly all of the greatest length: the divisor makes every length likely.
  return fc
    .tuple(
      fc.bigInt({ min: -(10n ** BigInt(digitsMax)) + 1n, max: 10n ** BigInt(digitsMax) - 1n }),
      fc.nat(digitsMax),
    )
    .map(([amount, dropped]) => amount / 10n ** BigInt(dropped));
}

function textOf(scaled: bigint): string {
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(fractionDigits + 1, '0');
  return `${scaled < 0n ? '-' : ''}${digits.slice(0, -fractionDigits)}.${digits.slice(-fractionDigits)}`;
}

function scaledOf(amount: Quantity): bigint {
  const [whole = '', fraction = ''] = quantityToText(amount).split('.');
  return (
    BigInt(whole.replace('-', '') + fraction.padEnd(fractionDigits, '0')) * (whole.startsWith('-') ? -1n : 1n)
  );
}

describe('roundQuantity and roundQuantityUp', () => {
  const of = (text: string): Quantity => parseQuantity(text) ?? zeroQuantity;

  it.each([
    ['1.005', 2, '1.01'],
    ['1.00499999999999999999', 2, '1'],
    ['-1.005', 2, '-1.01'],
    ['2.5', 0, '3'],
    ['7', 3, '7'],
  ])('makes %s to %i places %s', (text, places, rounded) => {
    expect(quantityToText(roundQuantity(of(text), places))).toBe(rounded);
  });

  it.each([
    ['1', '1'],
    [`1.${'0'.repeat(29)}1`, '2'],
    ['-1.5', '-1'],
    ['0', '0'],
  ])('makes %s up to %s', (text, rounded) => {
    expect(quantityToText(roundQuantityUp(of(text)))).toBe(rounded);
  });
});

describe('multiplyQuantities', () => {
  it('is exact, as integers are', () => {
    const parts = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const of = (value: bigint): Quantity => quantityFromClickhouse(`${value}e-20`);
        const product = multiplyQuantities(of(a), of(b));
        return compareQuantities(product, quantityFromClickhouse(`${a * b}e-40`)) === 0;
      }),
    );
  });
});
