import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactNumber } from '../json.ts';
import { quantityToText } from '../quantity.ts';
import { isRejection } from './decode-field.ts';
import { decodeMeasurement, decodeSingleMeasurement } from './decode-measurement.ts';
import type { MeasurementFact } from './facts.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const measurement = { customerId: 'acme', featureId: 'seats', value: 1 };

describe('decodeMeasurement', () => {
  it('fills in what is optional', () => {
    const { value, ...rest } = decoded(measurement);
    expect(quantityToText(value)).toBe('1');
    expect(rest).toEqual({
      customerId: 'acme',
      featureId: 'seats',
      resourceId: '',
      idempotencyKey: '',
      updateBehavior: 'DELTA',
      timestamp: receivedAt,
      receivedAt,
      dimensions: [],
      rejectIfExceeded: false,
    });
  });

  it('takes every field', () => {
    const { value, ...rest } = decoded({
      customerId: 'acme',
      featureId: 'seats',
      value: '-0.10',
      updateBehavior: 'SET',
      resourceId: 'site-1',
      createdAt: '2026-04-30T00:00:00Z',
      dimensions: { region: 'eu' },
      idempotencyKey: 'k1',
      rejectIfExceeded: true,
    });
    expect(quantityToText(value)).toBe('-0.1');
    expect(rest).toEqual({
      customerId: 'acme',
      featureId: 'seats',
      resourceId: 'site-1',
      idempotencyKey: 'k1',
      updateBehavior: 'SET',
      timestamp: Date.UTC(2026, 3, 30),
      receivedAt,
      dimensions: [['region', 'eu']],
      rejectIfExceeded: true,
    });
  });

  it('takes null for absent', () => {
    const optional = [
      'resourceId',
      'idempotencyKey',
      'updateBehavior',
      'createdAt',
      'dimensions',
      'rejectIfExceeded',
    ];
    const nulls = Object.fromEntries(optional.map((field) => [field, null]));
    expect(decoded({ ...measurement, ...nulls })).toEqual(decoded(measurement));
  });

  it.each([
    [0.1, '0.1'],
    [-0, '0'],
    [1e-7, '0.0000001'],
    [1e21, '1000000000000000000000'],
    [new ExactNumber('12345678901234567890.123456789'), '12345678901234567890.123456789'],
    [new ExactNumber('1.0000000000000000000'), '1'],
    ['12345678901234567890.123456789', '12345678901234567890.123456789'],
    ['1.5e3', '1500'],
  ])('reads the value %s exactly', (value, text) => {
    expect(quantityToText(decoded({ ...measurement, value }).value)).toBe(text);
  });

  it.each([
    [undefined, 'missing'],
    [null, 'null'],
    [true, 'true'],
    [{}, 'an object'],
    ['', '""'],
    ['1,5', '"1,5"'],
    [' 1', '" 1"'],
    ['1e99', '"1e99"'],
    [Number.NaN, 'NaN'],
    [1e30, '1e+30'],
    [new ExactNumber('1e-400'), '1e-400'],
  ])('refuses the value %s', (value, excerpt) => {
    expect(decodeMeasurement({ ...measurement, value }, 2, receivedAt)).toEqual({
      index: 2,
      code: 'VALIDATION_ERROR',
      message:
        `usages[2].value is ${excerpt}; a number, or a string of one such as "12.5", is required, ` +
        'with at most 30 digits before and after the point',
    });
  });

  it.each([
    [7, 'usages[2] is 7; an object is required'],
    [
      { ...measurement, timestamp: 1 },
      'usages[2] has the unknown field "timestamp"; allowed are customerId, featureId, value, updateBehavior, ' +
        'resourceId, createdAt, dimensions, idempotencyKey, rejectIfExceeded',
    ],
    [{ value: 1 }, 'usages[2].customerId is missing; a string of 1 to 255 characters is required'],
    [
      { ...measurement, featureId: ['a'] },
      'usages[2].featureId is an array; a string of 1 to 255 characters is required',
    ],
    [
      { ...measurement, idempotencyKey: '' },
      'usages[2].idempotencyKey is ""; a string of 1 to 255 characters is required',
    ],
    [
      { ...measurement, resourceId: '' },
      'usages[2].resourceId is ""; a string of 1 to 255 characters is required',
    ],
    [
      { ...measurement, updateBehavior: 'set' },
      'usages[2].updateBehavior is "set"; allowed are DELTA and SET',
    ],
    [
      { ...measurement, rejectIfExceeded: 'true' },
      'usages[2].rejectIfExceeded is "true"; allowed are true and false',
    ],
    [
      { ...measurement, dimensions: { a: null } },
      'usages[2].dimensions["a"] is null; a string, number or boolean is required',
    ],
  ])('refuses %j', (value, message) => {
    expect(decodeMeasurement(value, 2, receivedAt)).toEqual({ index: 2, code: 'VALIDATION_ERROR', message });
  });

  it.each([
    [7, 'the measurement is 7; an object is required'],
    [
      { ...measurement, value: 'two' },
      'value is "two"; a number, or a string of one such as "12.5", is required',
    ],
  ])('names the field of %j simply where it is sent alone', (value, message) => {
    expect(decodeSingleMeasurement(value, receivedAt)).toEqual({
      index: 0,
      code: 'VALIDATION_ERROR',
      message: expect.stringMatching(new RegExp(`^${message}`)),
    });
    expect(decodeSingleMeasurement(measurement, receivedAt)).toEqual(decoded(measurement));
  });

  it('refuses a createdAt in the future', () => {
    const createdAt = '2026-05-02T12:00:00.001Z';
    expect(decodeMeasurement({ ...measurement, createdAt }, 0, receivedAt)).toMatchObject({
      code: 'TIMESTAMP_IN_FUTURE',
      message: expect.stringContaining('usages[0].createdAt is "2026-05-02T12:00:00.001Z"'),
    });
  });

  it('answers anything at all with a fact or a rejection', () => {
    const anyField = fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true });
    const anyMeasurement = fc.record(
      {
        customerId: fc.oneof(fc.constant('c'), anyField),
        featureId: fc.oneof(fc.constant('f'), anyField),
        value: fc.oneof(fc.double(), fc.string(), anyField),
        updateBehavior: fc.oneof(fc.constant('SET'), anyField),
        createdAt: anyField,
        dimensions: fc.oneof(fc.dictionary(fc.string(), anyField), anyField),
        rejectIfExceeded: fc.oneof(fc.boolean(), anyField),
      },
      { requiredKeys: ['customerId', 'featureId', 'value'] },
    );
    fc.assert(
      fc.property(fc.oneof(anyMeasurement, anyField), (value) => {
        const fact = decodeMeasurement(value, 7, receivedAt);
        expect(fact).toMatchObject(isRejection(fact) ? { index: 7 } : { receivedAt });
      }),
      { numRuns: 1_000 },
    );
  });
});

function decoded(value: unknown): MeasurementFact {
  const fact = decodeMeasurement(value, 0, receivedAt);
  if (isRejection(fact)) throw new Error(fact.message);
  return fact;
}
