import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExactNumber } from '../json.ts';
import { decodeEvent } from './decode-event.ts';
import { isRejection } from './decode-field.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const event = { customerId: 'acme', eventName: 'api_call', idempotencyKey: 'k1' };
const allFields = 'allowed are customerId, eventName, idempotencyKey, resourceId, timestamp, dimensions';

describe('decodeEvent', () => {
  it('fills in what is optional', () => {
    expect(decodeEvent(event, 0, receivedAt)).toEqual({
      ...event,
      resourceId: '',
      source: '',
      timestamp: receivedAt,
      receivedAt,
      dimensions: [],
    });
  });

  it('takes null for absent', () => {
    const nulls = { resourceId: null, timestamp: null, dimensions: null };
    expect(decodeEvent({ ...event, ...nulls }, 0, receivedAt)).toEqual(decodeEvent(event, 0, receivedAt));
  });

  it('takes an object without a prototype, as a GraphQL server makes', () => {
    const bare = Object.assign(Object.create(null) as object, event, {
      dimensions: Object.assign(Object.create(null) as object, { a: 1 }),
    });
    expect(decodeEvent(bare, 0, receivedAt)).toMatchObject({ ...event, dimensions: [['a', '1']] });
  });

  it('turns dimensions to texts', () => {
    const dimensions = {
      text: 'as it is ',
      empty: '',
      numeral: '007',
      whole: 12,
      fraction: -0.5,
      small: 1e-7,
      large: 1e21,
      zero: -0,
      exact: new ExactNumber('12345678901234567890.50'),
      yes: true,
      no: false,
      'any key €😀': 'ä',
    };
    expect(decodeEvent({ ...event, dimensions }, 0, receivedAt)).toMatchObject({
      dimensions: [
        ['text', 'as it is '],
        ['empty', ''],
        ['numeral', '007'],
        ['whole', '12'],
        ['fraction', '-0.5'],
        ['small', '0.0000001'],
        ['large', '1000000000000000000000'],
        ['zero', '0'],
        ['exact', '12345678901234567890.5'],
        ['yes', 'true'],
        ['no', 'false'],
        ['any key €😀', 'ä'],
      ],
    });
  });

  it('takes __proto__ for a dimension like any other', () => {
    const dimensions = JSON.parse('{"__proto__":"x"}') as unknown;
    expect(decodeEvent({ ...event, dimensions }, 0, receivedAt)).toMatchObject({
      dimensions: [['__proto__', 'x']],
    });
  });

  it('counts the characters of identifiers in code points', () => {
    for (const id of ['a', ' ', 'ä'.repeat(255), '😀'.repeat(255)]) {
      expect(decodeEvent({ ...event, customerId: id, resourceId: id }, 0, receivedAt)).toMatchObject({
        customerId: id,
        resourceId: id,
      });
    }
    for (const id of ['a'.repeat(256), '😀'.repeat(256), '😀'.repeat(300)]) {
      expect(decodeEvent({ ...event, customerId: id }, 0, receivedAt)).toMatchObject({
        code: 'VALIDATION_ERROR',
        message: expect.stringContaining('a string of 1 to 255 characters is required'),
      });
    }
  });

  it.each([
    [null, 'events[3] is null; an object is required'],
    [[], 'events[3] is an array; an object is required'],
    ['text', 'events[3] is "text"; an object is required'],
    [new ExactNumber('12345678901234567890'), 'events[3] is 12345678901234567890; an object is required'],
    [{}, 'events[3].customerId is missing; a string of 1 to 255 characters is required'],
    [{ ...event, customerId: 7 }, 'events[3].customerId is 7; a string of 1 to 255 characters is required'],
    [{ ...event, customerId: '' }, 'events[3].customerId is ""; a string of 1 to 255 characters is required'],
    [{ ...event, resourceId: '' }, 'events[3].resourceId is ""; a string of 1 to 255 characters is required'],
    [
      { ...event, eventName: null },
      'events[3].eventName is null; a string of 1 to 255 characters is required',
    ],
    [
      { ...event, idempotencyKey: undefined },
      'events[3].idempotencyKey is missing; a string of 1 to 255 characters is required',
    ],
    [
      { ...event, customerId: 'a\ud83d' },
      'events[3].customerId is "a\\ud83d", which holds half of a surrogate pair',
    ],
    [{ ...event, customer: 'x' }, `events[3] has the unknown field "customer"; ${allFields}`],
    [{ ...event, source: 'x' }, `events[3] has the unknown field "source"; ${allFields}`],
    [
      JSON.parse('{"__proto__":{"customerId":"x"}}'),
      `events[3] has the unknown field "__proto__"; ${allFields}`,
    ],
    [
      { ...event, dimensions: [] },
      'events[3].dimensions is an array; an object of strings, numbers and booleans is required',
    ],
    [
      { ...event, dimensions: { a: null } },
      'events[3].dimensions["a"] is null; a string, number or boolean is required',
    ],
    [
      { ...event, dimensions: { a: { b: 1 } } },
      'events[3].dimensions["a"] is an object; a string, number or boolean is required',
    ],
    [
      { ...event, dimensions: { a: ['b'] } },
      'events[3].dimensions["a"] is an array; a string, number or boolean is required',
    ],
    [
      { ...event, dimensions: { a: new ExactNumber('1e400') } },
      'events[3].dimensions["a"] is 1e400; numbers have at most 30 digits before and after the point',
    ],
    [
      { ...event, dimensions: { a: '\udc00' } },
      'events[3].dimensions["a"] is "\\udc00", which holds half of a surrogate pair',
    ],
    [
      { ...event, dimensions: { '': 1 } },
      'events[3].dimensions has the key ""; keys are 1 to 255 characters of well-formed Unicode',
    ],
    [
      { ...event, dimensions: { '\ud800': 1 } },
      'events[3].dimensions has the key "\\ud800"; keys are 1 to 255 characters of well-formed Unicode',
    ],
  ])('refuses %j', (value, message) => {
    expect(decodeEvent(value, 3, receivedAt)).toEqual({ index: 3, code: 'VALIDATION_ERROR', message });
  });

  it('names the timestamp at fault and what is allowed', () => {
    const decoded = decodeEvent({ ...event, timestamp: '2024-02-30T00:00:00Z' }, 3, receivedAt);
    expect(decoded).toMatchObject({
      code: 'VALIDATION_ERROR',
      message: expect.stringMatching(
        /^events\[3\]\.timestamp is "2024-02-30T00:00:00Z".*ISO 8601.*epoch milli/,
      ),
    });
    expect(decodeEvent({ ...event, timestamp: receivedAt + 86_400_001 }, 4, receivedAt)).toMatchObject({
      index: 4,
      code: 'TIMESTAMP_IN_FUTURE',
      message: expect.stringMatching(/^events\[4\]\.timestamp is 1777723200001/),
    });
  });

  it('quotes no more than 64 characters of what is wrong', () => {
    const long = 'secret'.repeat(100_000);
    const wrong = [
      long,
      { ...event, [long]: 1 },
      { ...event, customerId: long },
      { ...event, timestamp: long },
      { ...event, dimensions: { [long]: 1 } },
      { ...event, dimensions: { a: new ExactNumber('1'.repeat(100_000)) } },
    ];
    for (const value of wrong) {
      const decoded = decodeEvent(value, 0, receivedAt);
      expect(isRejection(decoded) && decoded.message.length).toBeLessThan(400);
      expect(decoded).not.toMatchObject({ message: expect.stringContaining('secret'.repeat(11)) });
    }
  });

  it('answers anything at all with a fact or a rejection', () => {
    const anyField = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
    });
    const anyEvent = fc.record(
      {
        customerId: fc.oneof(fc.constant('c'), anyField),
        eventName: fc.oneof(fc.constant('e'), anyField),
        idempotencyKey: fc.oneof(fc.constant('k'), anyField),
        resourceId: anyField,
        timestamp: anyField,
        dimensions: fc.oneof(fc.dictionary(fc.string({ unit: 'binary' }), anyField), anyField),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(anyEvent, anyField), (value) => {
        const decoded = decodeEvent(value, 7, receivedAt);
        expect(decoded).toMatchObject(isRejection(decoded) ? { index: 7 } : { receivedAt, source: '' });
      }),
      { numRuns: 1_000 },
    );
  });
});
