import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRejection } from '../metering/decode-field.ts';
import { factLimits } from '../metering/facts.ts';
import { decodeUsagesBody } from './decode-usages.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);

describe('decodeUsagesBody', () => {
  it('answers each measurement in its place', () => {
    const decoded = decode({ usages: [usage(0), { ...usage(1), value: 'x' }, null, usage(3)] });
    expect(decoded).toMatchObject({
      usages: [
        { idempotencyKey: 'k0' },
        { index: 1, code: 'VALIDATION_ERROR', message: expect.stringMatching(/^usages\[1\]\.value is "x"/) },
        { index: 2, code: 'VALIDATION_ERROR', message: 'usages[2] is null; an object is required' },
        { idempotencyKey: 'k3' },
      ],
    });
  });

  it.each([
    [[usage(1)], 'The body is an array; allowed is {"usages": [...]}'],
    [usage(1), 'The body has the unknown field "customerId"; allowed is {"usages": [...]}'],
    [{ usages: [usage(1)], more: 1 }, 'The body has the unknown field "more"; allowed is {"usages": [...]}'],
    [{}, 'usages is missing; an array of measurements is required'],
    [{ usages: usage(1) }, 'usages is an object; an array of measurements is required'],
    [{ usages: [] }, 'usages is empty; at least one is required'],
    [null, 'The body is null; allowed is {"usages": [...]}'],
  ])('refuses %j', (value, message) => {
    expect(decode(value)).toEqual({ refusal: { code: 'VALIDATION_ERROR', message } });
  });

  it('refuses malformed JSON and other media types', () => {
    expect(decodeText('{"usages":[')).toMatchObject({ refusal: { code: 'MALFORMED_JSON' } });
    expect(decodeText(JSON.stringify({ usages: [usage(1)] }), 'application/x-ndjson')).toEqual({
      refusal: {
        code: 'UNSUPPORTED_MEDIA_TYPE',
        message: 'Content-Type is "application/x-ndjson"; allowed are application/json, in UTF-8',
      },
    });
  });

  it('takes 1,000 measurements and refuses one more', () => {
    const usages = Array.from({ length: factLimits.measurementsPerCallMax }, (_, index) => usage(index));
    expect(decode({ usages })).toMatchObject({ usages: { length: 1_000 } });
    expect(decode({ usages: [...usages, usage(-1)] })).toMatchObject({
      refusal: { code: 'PAYLOAD_TOO_LARGE' },
    });
  });

  it('rejects a measurement of more than 1 MiB in its place', () => {
    const large = { ...usage(1), dimensions: { pad: 'x'.repeat(factLimits.eventBytesMax) } };
    expect(decode({ usages: [usage(0), large, usage(2)] })).toMatchObject({
      usages: [{ idempotencyKey: 'k0' }, { index: 1, code: 'PAYLOAD_TOO_LARGE' }, { idempotencyKey: 'k2' }],
    });
  });

  it('answers any list with one entry for each', () => {
    const entry = fc.oneof(
      fc.nat().map((key) => ({ ok: true, value: usage(key) })),
      fc.json().map((text) => ({ ok: false, value: JSON.parse(text) as unknown })),
    );
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), (entries) => {
        const decoded = decode({ usages: entries.map(({ value }) => value) });
        const accepted = 'usages' in decoded ? decoded.usages.map((one) => !isRejection(one)) : [];
        expect(accepted).toEqual(entries.map(({ ok }) => ok));
      }),
      { numRuns: 500 },
    );
  });

  it('answers any bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (body) => {
          expect(decodeUsagesBody(body, '', receivedAt)).toHaveProperty('refusal');
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

function usage(key: number): Record<string, unknown> {
  return { customerId: 'acme', featureId: 'seats', value: 1, idempotencyKey: `k${key}` };
}

type Decoded = ReturnType<typeof decodeUsagesBody>;

function decode(value: unknown): Decoded {
  return decodeText(JSON.stringify(value));
}

function decodeText(text: string, contentType = 'application/json'): Decoded {
  return decodeUsagesBody(Buffer.from(text), contentType, receivedAt);
}
