import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactNumber, parseJson } from '../json.ts';
import { parseQuantity, quantityToText } from '../quantity.ts';
import { isNumeric, numberText } from './decode-number.ts';

describe('numberText', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['0e999', '0'],
    ['-0.0000000000000000000', '0'],
    ['1.50', '1.5'],
    ['1.00000000000000000000', '1'],
    ['-12.5e1', '-125'],
    ['1e21', '1000000000000000000000'],
    ['1e29', `1${'0'.repeat(29)}`],
    ['1E-7', '0.0000001'],
    ['1e-30', `0.${'0'.repeat(29)}1`],
    ['0.1', '0.1'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['9007199254740993', '9007199254740993'],
    ['12345678901234567890.12345', '12345678901234567890.12345'],
    [`0.${'0'.repeat(100)}1e101`, '1'],
    [`1${'0'.repeat(100)}e-100`, '1'],
    ['9'.repeat(30), '9'.repeat(30)],
  ])('writes %s as %s', (literal, text) => {
    expect(textOf(literal)).toBe(text);
    expect(numberText(new ExactNumber(literal))).toBe(text);
  });

  it.each(['1e30', '1e-31', '1e99', '1e999999999999', '-1e400', '1e-400', '1'.repeat(31)])(
    'has no text for %s, which cannot be held exactly',
    (literal) => {
      expect(textOf(literal)).toBeUndefined();
    },
  );

  it('has no text for what is not finite, nor for literals without end', () => {
    expect(numberText(new ExactNumber(`1.${'0'.repeat(10_000_000)}`))).toBeUndefined();
    expect(numberText(Number.NaN)).toBeUndefined();
    expect(numberText(Number.POSITIVE_INFINITY)).toBeUndefined();
  });

  it('does not depend on how the number is spelled', () => {
    const digits = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });
    fc.assert(
      fc.property(digits, fc.integer({ min: -12, max: 11 }), fc.nat(20), (mantissa, exponent, zeros) => {
        const spelled = `${mantissa * 10n ** BigInt(zeros)}e${exponent - zeros}`;
        const text = textOf(spelled);
        expect(text).toBe(textOf(`${mantissa}e${exponent}`));
        expect(text).toBe(canonical(text));
      }),
    );
  });

  it('keeps every number of up to 15 digits that passes through a double', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999_999_999 }),
        fc.integer({ min: 1, max: 15 }),
        (whole, cut) => {
          const digits = String(whole).padStart(15, '0');
          const literal = `${BigInt(digits.slice(0, 15 - cut) || '0')}.${digits.slice(15 - cut)}`;
          expect(textOf(literal)).toBe(canonical(literal));
        },
      ),
    );
  });
});

function textOf(literal: string): string | undefined {
  const parsed = parseJson(literal);
  if (!parsed.ok || !isNumeric(parsed.value)) throw new Error(`${literal} is no JSON number`);
  return numberText(parsed.value);
}

function canonical(text: string | undefined): string | undefined {
  const quantity = parseQuantity(text ?? '');
  return quantity && quantityToText(quantity);
}
