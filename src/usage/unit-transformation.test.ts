import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseQuantity, type Quantity, quantityToText } from '../quantity.ts';
import { transformUnits } from './unit-transformation.ts';

function quantity(text: string): Quantity {
  const parsed = parseQuantity(text);
  if (parsed === undefined) throw new Error(`no number: ${text}`);
  return parsed;
}

const transformed = (usage: string, divide: string, round: 'UP' | 'DOWN') =>
  quantityToText(transformUnits(quantity(usage), { divide, round }));

test('usage is shown in whole coarse units, rounded as the feature says', () => {
  expect(transformed('1500', '1000', 'UP')).toBe('2');
  expect(transformed('1500', '1000', 'DOWN')).toBe('1');
  expect(transformed('2000', '1000', 'UP')).toBe('2');
  expect(transformed('0', '1000', 'UP')).toBe('0');
  expect(transformed('-1500', '1000', 'UP')).toBe('-1');
  expect(transformed('-1500', '1000', 'DOWN')).toBe('-2');
  expect(transformed('1', '0.3', 'UP')).toBe('4');
  expect(quantityToText(transformUnits(quantity('1.5'), null))).toBe('1.5');
});

test('what lies beyond the thirtieth digit of the quotient still decides', () => {
  expect(transformed('3000.000000000000000000000000000001', '1000', 'UP')).toBe('4');
  expect(transformed('2999.999999999999999999999999999999', '1000', 'DOWN')).toBe('2');
  expect(transformed('999999999999999999999999999999', '0.000000000000000000000000000007', 'DOWN')).toBe(
    String((999_999_999_999_999_999_999_999_999_999n * 10n ** 30n) / 7n),
  );
});

test('for any whole numbers it is the quotient rounded in that direction', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
      fc.bigInt({ min: 1n, max: 10n ** 10n }),
      (usage, divide) => {
        const down = usage >= 0n ? usage / divide : -((-usage + divide - 1n) / divide);
        const up = down * divide === usage ? down : down + 1n;
        expect(transformed(String(usage), String(divide), 'DOWN')).toBe(String(down));
        expect(transformed(String(usage), String(divide), 'UP')).toBe(String(up));
      },
    ),
  );
});
