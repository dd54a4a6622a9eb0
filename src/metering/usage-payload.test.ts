import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity } from '../quantity.ts';
import type { MeasurementFact } from './facts.ts';
import { anyEvent } from './facts.fixture.ts';
import { CorruptUsagePayloadError, decodeUsagePayload, encodeUsagePayload } from './usage-payload.ts';

const digits = fc.stringMatching(/^-?[1-9][0-9]{0,29}(\.[0-9]{1,30})?$/);
const anyMeasurement: fc.Arbitrary<MeasurementFact> = fc
  .tuple(anyEvent, digits, fc.constantFrom('DELTA', 'SET'), fc.boolean())
  .map(([{ eventName, source: _source, ...event }, text, updateBehavior, rejectIfExceeded]) => {
    const value = parseQuantity(text);
    if (value === undefined) throw new Error(`${text} is no quantity`);
    return { ...event, featureId: eventName, value, updateBehavior, rejectIfExceeded };
  });

describe('a payload of measurements', () => {
  it('gives back what was put in, amounts to the last digit', () => {
    fc.assert(
      fc.property(fc.array(anyMeasurement, { minLength: 1, maxLength: 10 }), (facts) => {
        const decoded = decodeUsagePayload(encodeUsagePayload(facts));
        expect(decoded).toEqual(facts);
        decoded.forEach((fact, index) => expect(facts[index]?.value.equals(fact.value)).toBe(true));
      }),
    );
  });

  it('carries orders about reservations, and is refused when one is of another kind', () => {
    const [fact] = fc.sample(anyMeasurement, { numRuns: 1, seed: 8 });
    if (fact === undefined) throw new Error('no sample');
    const orders = [
      { kind: 'reserve', ttlMs: 1_000, key: 'k' },
      { kind: 'commit', reservationId: 'r' },
      { kind: 'release', reservationId: 'r' },
    ] as const;
    const facts = orders.map((reservation) => ({ ...fact, reservation }));
    expect(decodeUsagePayload(encodeUsagePayload(facts))).toEqual(facts);
    const wrong = [null, 'commit', {}, { kind: 'commit' }, { kind: 'reserve', ttlMs: 0.5, key: 'k' }];
    for (const reservation of wrong) {
      const payload = Buffer.from(JSON.stringify([{ ...fact, value: '1', reservation }]));
      expect(() => decodeUsagePayload(payload)).toThrow(CorruptUsagePayloadError);
    }
  });

  it('is refused when anything in it is missing or of another kind', () => {
    const [fact] = fc.sample(anyMeasurement, { numRuns: 1, seed: 7 });
    if (fact === undefined) throw new Error('no sample');
    const whole = { ...fact, value: '1.5' };
    const wrong: readonly Record<string, unknown>[] = [
      ...Object.keys(whole).map((field) => ({ ...whole, [field]: undefined })),
      ...Object.keys(whole).map((field) => ({ ...whole, [field]: { nested: 1 } })),
      ...['1.5x', '', ' 1', 1.5].map((value) => ({ ...whole, value })),
      ...[Number.MAX_SAFE_INTEGER, 0.5, '0'].map((timestamp) => ({ ...whole, timestamp })),
      ...[[['a']], [['a', 1]], ['ab'], [['a', 'b', 'c']]].map((dimensions) => ({ ...whole, dimensions })),
      { ...whole, updateBehavior: 'ADD' },
    ];
    expect(decodeUsagePayload(Buffer.from(JSON.stringify([whole])))).toHaveLength(1);
    for (const item of wrong) {
      const payload = Buffer.from(JSON.stringify([whole, item]));
      expect(() => decodeUsagePayload(payload)).toThrow(CorruptUsagePayloadError);
    }
  });

  it('is refused when it is no list of objects, and never quoted', () => {
    for (const text of [
      '',
      '[',
      '{}',
      '[]',
      'null',
      '[null]',
      '[1]',
      '["secret"]',
      '[{"secret": 1',
      '[[]]',
    ]) {
      const decode = (): unknown => decodeUsagePayload(Buffer.from(text));
      expect(decode).toThrow(CorruptUsagePayloadError);
      expect(decode).not.toThrow(/secret/);
    }
  });
});
