import { describe, expect, it } from 'vitest';
import { decodeMeter, meterLimits } from './decode-meter.ts';
import { aggregationFunctions, filterOperations } from './meter.ts';

const count = { function: 'COUNT' };
const withCondition = (condition: unknown) => ({
  aggregation: count,
  filters: [{ conditions: [condition] }],
});
const problemOf = (input: unknown) => {
  const decoded = decodeMeter(input);
  return 'problem' in decoded ? decoded.problem : undefined;
};

describe('decodeMeter', () => {
  it('takes every aggregation, each but COUNT with its field', () => {
    for (const name of aggregationFunctions) {
      const field = name === 'COUNT' ? null : 'bytes';
      const meter = { aggregation: { function: name, field }, filters: [] };
      expect(decodeMeter({ aggregation: { function: name, field: 'bytes' }, filters: [] })).toEqual({
        meter,
      });
    }
  });

  it('demands a field of every aggregation but COUNT', () => {
    for (const name of aggregationFunctions) {
      expect(problemOf({ aggregation: { function: name } })).toBe(
        name === 'COUNT' ? undefined : `meter.aggregation.field is required for ${name}`,
      );
    }
    expect(problemOf({ aggregation: { function: 'SUM', field: '' } })).toBe(
      'meter.aggregation.field must be a non-empty text',
    );
  });

  it('takes every operation with what it compares with, and drops what it has no use for', () => {
    for (const operation of filterOperations) {
      const takesNothing = operation === 'IS_NULL' || operation === 'IS_NOT_NULL';
      const given = { field: 'a', operation, value: '5', values: ['6'] };
      const condition = {
        field: 'a',
        operation,
        value: takesNothing || operation === 'IN' ? null : '5',
        values: operation === 'IN' ? ['6'] : null,
      };
      expect(decodeMeter(withCondition(given))).toEqual({ meter: withConditionOf(condition) });
    }
  });

  it('takes numbers and booleans as their texts', () => {
    const decoded = decodeMeter(
      withCondition({ field: 'a', operation: 'IN', values: [200, 1.5, true, 'x'] }),
    );
    expect(decoded).toEqual({
      meter: withConditionOf({
        field: 'a',
        operation: 'IN',
        value: null,
        values: ['200', '1.5', 'true', 'x'],
      }),
    });
  });

  it('takes the empty text where a text is compared', () => {
    expect(problemOf(withCondition({ field: 'a', operation: 'EQUALS', value: '' }))).toBeUndefined();
  });

  it('takes no filters for every event', () => {
    for (const filters of [undefined, null, []]) {
      expect(decodeMeter({ aggregation: count, filters })).toEqual({
        meter: { aggregation: { function: 'COUNT', field: null }, filters: [] },
      });
    }
  });

  const place = 'meter.filters[0].conditions[0]';
  it.each([
    ['no object', 'x', 'meter must be an object'],
    ['no aggregation', {}, 'meter.aggregation must be an object'],
    [
      'an unknown function',
      { aggregation: { function: 'MEDIAN', field: 'a' } },
      'meter.aggregation.function must be one of COUNT, SUM, MAX, MIN, AVG, UNIQUE',
    ],
    ['filters that are no list', { aggregation: count, filters: {} }, 'meter.filters must be a list'],
    [
      'a filter without conditions',
      { aggregation: count, filters: [{}] },
      'meter.filters[0].conditions must be a list',
    ],
    [
      'a filter with an empty list',
      { aggregation: count, filters: [{ conditions: [] }] },
      'meter.filters[0].conditions must not be empty',
    ],
    ['no field', withCondition({ operation: 'IS_NULL' }), `${place}.field must be a non-empty text`],
    [
      'no value',
      withCondition({ field: 'a', operation: 'EQUALS', value: null }),
      `${place}.value is required`,
    ],
    [
      'an object as value',
      withCondition({ field: 'a', operation: 'EQUALS', value: {} }),
      `${place}.value must be a text`,
    ],
    [
      'no values',
      withCondition({ field: 'a', operation: 'IN', value: 'x' }),
      `${place}.values must be a list`,
    ],
    [
      'empty values',
      withCondition({ field: 'a', operation: 'IN', values: [] }),
      `${place}.values must not be empty`,
    ],
    [
      'a null among the values',
      withCondition({ field: 'a', operation: 'IN', values: ['x', null] }),
      `${place}.values[1] is required`,
    ],
    [
      'an order on a text',
      withCondition({ field: 'a', operation: 'GREATER_THAN', value: '007' }),
      `${place}.value must be a number`,
    ],
    [
      'a lone surrogate',
      withCondition({ field: 'a', operation: 'EQUALS', value: 'x\ud800' }),
      `${place}.value holds characters that are no valid text`,
    ],
    [
      'a NUL',
      withCondition({ field: 'a\0', operation: 'IS_NULL' }),
      `${place}.field holds characters that are no valid text`,
    ],
  ])('refuses %s', (_what, input, problem) => {
    expect(problemOf(input)).toBe(problem);
  });

  it('holds its bounds', () => {
    const isNull = { field: 'a', operation: 'IS_NULL' };
    const filters = (length: number, conditions: number) => ({
      aggregation: count,
      filters: Array.from({ length }, () => ({
        conditions: Array.from({ length: conditions }, () => isNull),
      })),
    });
    const { filtersMax, conditionsPerFilterMax, valuesPerConditionMax, textLengthMax } = meterLimits;
    expect(problemOf(filters(filtersMax, conditionsPerFilterMax))).toBeUndefined();
    expect(problemOf(filters(filtersMax + 1, 1))).toBe(
      'meter.filters holds 21 items; at most 20 are allowed',
    );
    expect(problemOf(filters(1, conditionsPerFilterMax + 1))).toBe(
      'meter.filters[0].conditions holds 51 items; at most 50 are allowed',
    );
    expect(problemOf(inOf(valuesPerConditionMax, 'x'))).toBeUndefined();
    expect(problemOf(inOf(valuesPerConditionMax + 1, 'x'))).toBe(
      `${place}.values holds 1001 items; at most 1000 are allowed`,
    );
    expect(problemOf(inOf(1, 'x'.repeat(textLengthMax)))).toBeUndefined();
    expect(problemOf(inOf(1, 'x'.repeat(textLengthMax + 1)))).toBe(
      `${place}.values[0] is longer than 1000 characters`,
    );
    expect(problemOf(inOf(1000, '日'.repeat(22)))).toBe('meter holds more than 65536 bytes of texts');
  });
});

function withConditionOf(condition: unknown) {
  return { aggregation: { function: 'COUNT', field: null }, filters: [{ conditions: [condition] }] };
}

function inOf(length: number, text: string) {
  return withCondition({ field: 'a', operation: 'IN', values: Array.from({ length }, () => text) });
}
