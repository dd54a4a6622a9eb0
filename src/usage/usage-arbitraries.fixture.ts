/** Random meters and events that meet each other often and at the awkward places. */
import * as fc from 'fast-check';
import { aggregationFunctions, filterOperations, type Meter, type MeterCondition } from '../catalog/meter.ts';
import type { StoredEvent, StoredMeasurement } from './usage-oracle.fixture.ts';

const numbers = [
  '0',
  '-0',
  '1',
  '1.0',
  '1.50',
  '1e3',
  '1000',
  '1E+3',
  '1000.000',
  '-1.5',
  '-15e-1',
  '0.1',
  '0.10',
  '1e-15',

  '123456789012345.123456789012345e15',
  '0.000000000000000000000000000001',
  '1.123456789012345e-15',
  '999999999999999999999999999999.999999999999999999999999999999',
  '-999999999999999999999999999999',
  '9007199254740993',
  '9007199254740992',
  '0e5',
  '12345678901234567890.123456789',
];
/** Near to numbers, or to SQL, or awkward to carry. */
const texts = [
  '',
  ' ',
  '007',
  '+1',
  '.5',
  '1.',
  ' 1',
  '1 ',
  '1\n',
  '1e99',
  '1e16',
  '1e',
  'e3',
  'NaN',
  'inf',
  '-',
  '--1',

  '0x10',
  '1_000',
  '1,5',
  '１',
  '٣',
  '0.0000000000000000000000000000001',
  '1000000000000000000000000000000',

  'abc',
  'ABC',
  'abcabc',
  'bc',
  'a',
  'true',
  'null',
  'NULL',
  '\\N',
  '\\',
  '\\n',
  "it's",
  '"',
  '`',
  '\t',
  '\r\n',

  '\n\n',
  '%',
  '_',
  '{p1:String}',
  '{',
  "'; DROP TABLE events; --",
  'other',
  '日本',
  '日',
  '😀',
  '😀a',
  'é',
  'e\u0301',

  '\uFFFD',
  '\u00A0',
  '\u2028',
  '\u0001',
  '[]',
  "['a']",
  '(1)',
  'toDecimal256(1, 30)',
];
const keys = ['a', 'b', 'c', 'bytes', "k'e\\y", '日', 'eventName', 'p1'];
const names = ['request', 'requests', '1', '1.0', 'Request', "it's"];

const wellFormed = fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => !text.includes('\0'));
const text = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...numbers) },
  { weight: 6, arbitrary: fc.constantFrom(...texts) },
  { weight: 1, arbitrary: wellFormed },
);
const field = fc.constantFrom(...keys);

const condition: fc.Arbitrary<MeterCondition> = fc
  .record({
    field,
    operation: fc.constantFrom(...filterOperations),
    value: fc.oneof(text, fc.constantFrom(...names)),
    number: fc.constantFrom(...numbers),
    values: fc.array(text, { minLength: 1, maxLength: 6 }),
  })
  .map(({ field: key, operation, value, number, values }) => ({
    field: key,
    operation,
    value: operation === 'IN' ? null : operation.includes('THAN') ? number : value,
    values: operation === 'IN' ? values : null,
  }));

export const meterArbitrary: fc.Arbitrary<Meter> = fc
  .record({
    name: fc.constantFrom(...aggregationFunctions),
    field,
    filters: fc.array(fc.record({ conditions: fc.array(condition, { minLength: 1, maxLength: 3 }) }), {
      maxLength: 3,
    }),
  })
  .map(({ name, field: key, filters }) => ({
    aggregation: { function: name, field: name === 'COUNT' ? null : key },
    filters,
  }));

/** Events within [start, end), of three customers and three resources. */
export function eventsArbitrary(
  count: number,
  start: number,
  end: number,
): fc.Arbitrary<readonly StoredEvent[]> {
  const event = fc.record({
    customerId: fc.constantFrom('anna', 'bert', "o'neil"),
    resourceId: fc.constantFrom('', 'r1', 'r2'),
    eventName: fc.constantFrom(...names),
    timestamp: fc.integer({ min: start, max: end - 1 }),
    dimensions: fc.dictionary(field, text, { maxKeys: 6, noNullPrototype: true }),
  });
  return fc
    .array(event, { minLength: count, maxLength: count })
    .map((events) => events.map((fields, index) => ({ ...fields, idempotencyKey: `key-${index}` })));
}

/** Up to 40 measurements of feature `1`, many at the same instant, of which only the place in a flush decides. */
export function measurementsArbitrary(
  start: number,
  end: number,
): fc.Arbitrary<readonly Omit<StoredMeasurement, 'customerId'>[]> {
  const measurement = fc.record({
    resourceId: fc.constantFrom('', 'r1', 'r2'),
    timestamp: fc.oneof(fc.integer({ min: start, max: end - 1 }), fc.constant(start + 5)),
    flush: fc.integer({ min: 1, max: 5 }),
    updateBehavior: fc.constantFrom('DELTA' as const, 'DELTA' as const, 'DELTA' as const, 'SET' as const),
    value: fc.oneof(
      fc.constantFrom('0.1', '-1', '0', '12345678901234567890.123456789', '0.000000000000000000000000000001'),
      fc.integer({ min: -1_000, max: 1_000 }).map(String),
    ),
    dimensions: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('x', 'y', '', '日'), {
      noNullPrototype: true,
    }),
  });
  return fc.tuple(fc.uuid(), fc.array(measurement, { minLength: 1, maxLength: 40 })).map(([id, facts]) =>
    facts.map((fact, position) => ({
      ...fact,
      featureId: '1',
      position,
      id: `${id.slice(0, -4)}${position.toString(16).padStart(4, '0')}`,
    })),
  );
}
