import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { factLimits } from '../metering/facts.ts';
import { decodeEventsBody } from './decode-events.ts';

const receivedAt = Date.UTC(2026, 4, 1, 12);
const json = 'application/json';
const ndjson = 'application/x-ndjson';

describe('forms', () => {
  it.each([
    ['a list under events', { events: [event(1), event(2)] }, ['k1', 'k2']],
    ['a bare array', [event(1), event(2)], ['k1', 'k2']],
    ['one bare object', event(1), ['k1']],
  ])('takes %s', (_form, value, keys) => {
    expect(keysOf(decode(value))).toEqual(keys);
  });

  it('takes one event a line, skips blank lines and needs no last line end', () => {
    const lines = [
      '',
      JSON.stringify(event(1)),
      ' \t\r',
      `  ${JSON.stringify(event(2))}\r`,
      '',
      JSON.stringify(event(3)),
    ];
    expect(keysOf(decodeText(lines.join('\n'), ndjson))).toEqual(['k1', 'k2', 'k3']);
    expect(keysOf(decodeText(`${lines.join('\n')}\n\n`, ndjson))).toEqual(['k1', 'k2', 'k3']);
  });

  it('skips a byte order mark', () => {
    expect(keysOf(decodeText(`\ufeff${JSON.stringify(event(1))}`))).toEqual(['k1']);
  });

  it('tells each bad event apart and takes its neighbours', () => {
    const late = { ...event(2), timestamp: receivedAt + factLimits.futureMsMax + 1 };
    expect(decode({ events: [event(0), { ...event(1), customerId: 5 }, late, 'x', event(4)] })).toMatchObject(
      {
        events: [{ idempotencyKey: 'k0' }, { idempotencyKey: 'k4' }],
        rejected: [
          { index: 1, code: 'VALIDATION_ERROR' },
          { index: 2, code: 'TIMESTAMP_IN_FUTURE' },
          { index: 3, code: 'VALIDATION_ERROR' },
        ],
      },
    );
  });

  it('keeps numbers beyond what a double holds', () => {
    const text = JSON.stringify(event(1)).replace('"tokens":1', '"tokens":12345678901234567890.5');
    expect(decodeText(text)).toMatchObject({
      events: [{ dimensions: [['tokens', '12345678901234567890.5']] }],
    });
    expect(decodeText(text, ndjson)).toMatchObject({
      events: [{ dimensions: [['tokens', '12345678901234567890.5']] }],
    });
  });

  it('reads CloudEvents by their media type only', () => {
    const cloudEvent = { specversion: '1.0', id: 'k1', source: 's', type: 't', subject: 'c' };
    expect(decode([cloudEvent])).toMatchObject({ events: [], rejected: [{ index: 0 }] });
  });

  it.each([
    [{ events: [event(1)], extra: 1 }, 'unknown field "extra" beside events'],
    [{ events: event(1) }, 'events is an object; an array of events is required'],
    [{ events: null }, 'events is null'],
    [{ events: [] }, 'at least one is required'],
    [[], 'at least one is required'],
    [null, 'The body is null'],
    [7, 'The body is 7'],
    ['text', 'The body is "text"'],
  ])('refuses %j', (value, message) => {
    expect(decode(value)).toEqual({
      refusal: { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) },
    });
  });

  it.each(['', '{"events":[{]}', '[{"a":1},', '{"events":[]}x', '{"a":01}', 'events'])(
    'refuses %j whole as malformed',
    (text) => {
      expect(decodeText(text)).toEqual({
        refusal: { code: 'MALFORMED_JSON', message: expect.stringMatching(/^The body is not valid JSON: ./) },
      });
    },
  );

  it('refuses what is no UTF-8', () => {
    const body = Buffer.from(JSON.stringify(event(1)).replace('acme', 'ac\u00e9me'), 'latin1');
    expect(decodeEventsBody(body, json, {}, receivedAt)).toMatchObject({
      refusal: { code: 'MALFORMED_JSON' },
    });
  });

  it.each(['', '\n\n', ' \r\n\t\n'])('refuses the blank lines %j', (text) => {
    expect(decodeText(text, ndjson)).toMatchObject({ refusal: { code: 'VALIDATION_ERROR' } });
  });

  it('rejects a malformed line alone, and says which line it was', () => {
    const body = Buffer.concat([
      Buffer.from(`${JSON.stringify(event(0))}\n\n{"customerId":\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`[]\n${JSON.stringify(event(4))}`),
    ]);
    expect(decodeEventsBody(body, ndjson, {}, receivedAt)).toMatchObject({
      events: [{ idempotencyKey: 'k0' }, { idempotencyKey: 'k4' }],
      rejected: [
        {
          index: 1,
          code: 'MALFORMED_JSON',
          message: expect.stringMatching(/^events\[1\], line 3 of the body, is not valid JSON: ./),
        },
        { index: 2, code: 'MALFORMED_JSON', message: expect.stringContaining('line 4') },
        { index: 3, code: 'VALIDATION_ERROR', message: 'events[3] is an array; an object is required' },
      ],
    });
  });
});

describe('media types', () => {
  it.each([
    '',
    json,
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8";q=1',
  ])('takes %j', (contentType) => {
    expect(keysOf(decode([event(1)], contentType))).toEqual(['k1']);
  });

  it.each([
    'text/plain',
    'application/xml',
    'application/json; charset=latin1',
    'application/cloudevents+avro',
    'json',
  ])('refuses %j and lists what is allowed', (contentType) => {
    expect(decode([event(1)], contentType)).toEqual({
      refusal: {
        code: 'UNSUPPORTED_MEDIA_TYPE',
        message:
          `Content-Type is ${JSON.stringify(contentType)}; allowed are application/json, application/x-ndjson, ` +
          'application/cloudevents+json, application/cloudevents-batch+json, in UTF-8',
      },
    });
  });
});

describe('limits', () => {
  it('takes 10,000 events and refuses one more', () => {
    const events = Array.from({ length: factLimits.eventsPerCallMax }, (_, index) => event(index));
    const more = [...events, event(-1)];
    const refusal = { refusal: { code: 'PAYLOAD_TOO_LARGE' } };
    expect(keysOf(decode({ events }))).toHaveLength(10_000);
    expect(keysOf(decodeText(linesOf(events), ndjson))).toHaveLength(10_000);
    expect(decode(more)).toMatchObject(refusal);
    expect(decodeText(linesOf(more), ndjson)).toMatchObject(refusal);
  });

  it('rejects an event of more than 1 MiB alone, in every form', () => {
    const fits = sizedEvent(1, factLimits.eventBytesMax);
    const exceeds = sizedEvent(2, factLimits.eventBytesMax + 1);
    const expected = {
      events: [{ idempotencyKey: 'k0' }, { idempotencyKey: 'k1' }],
      rejected: [{ index: 2, code: 'PAYLOAD_TOO_LARGE', message: 'events[2] is larger than 1048576 bytes' }],
    };
    const all = [event(0), fits, exceeds];
    expect(decode({ events: all })).toMatchObject(expected);
    expect(decode(all)).toMatchObject(expected);
    expect(decodeText(linesOf(all), ndjson)).toMatchObject(expected);
    expect(decode(exceeds)).toMatchObject({
      events: [],
      rejected: [{ index: 0, code: 'PAYLOAD_TOO_LARGE' }],
    });
  });

  it('takes any count of dimensions within 1 MiB', () => {
    const dimensions = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`d${index}`, index]));
    expect(decode({ ...event(1), dimensions })).toMatchObject({
      events: [{ dimensions: { length: 50_000 } }],
    });
  });

  it.each([
    ['[', json],
    ['[', ndjson],
    ['\n', ndjson],
    ['[\n', ndjson],
    ['1', json],
    ['{"events":', json],
  ])('takes nothing of 16 MiB of %j as %s', (piece, contentType) => {
    const body = Buffer.alloc(factLimits.bodyBytesMax, piece);
    const decoded = decodeEventsBody(body, contentType, {}, receivedAt);
    expect('refusal' in decoded ? [] : decoded.events).toEqual([]);
  });
});

describe('whatever is sent', () => {
  it('takes exactly the valid events among broken ones, each under its own place', () => {
    const valid = fc.nat().map((key) => ({ ok: true, line: JSON.stringify(event(key)) }));
    fc.assert(
      fc.property(fc.array(fc.oneof(valid, brokenEvent()), { minLength: 1, maxLength: 20 }), (entries) => {
        const list = entries.map(({ line }) => line).join(',');
        const places = entries.map((_, index) => index);
        const expected = {
          accepted: entries
            .filter(({ ok }) => ok)
            .map(({ line }) => (JSON.parse(line) as { idempotencyKey: string }).idempotencyKey),
          rejected: places.filter((index) => entries[index]?.ok === false),
        };
        for (const decoded of [
          decodeText(`{"events":[${list}]}`),
          decodeText(`[${list}]`),
          decodeText(entries.map(({ line }) => line).join('\n'), ndjson),
        ]) {
          expect(outcomeOf(decoded)).toEqual(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('costs only the lines that are damaged', () => {
    const edit = fc.record({ line: fc.nat(19), at: fc.nat(), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 10 }), (edits) => {
        const lines = Array.from({ length: 20 }, (_, index) =>
          Buffer.from(`${JSON.stringify(event(index))}\n`),
        );
        for (const { line, at, byte } of edits) {
          const bytes = lines[line] ?? Buffer.alloc(1);
          // The line's end stays, and no other is made, so that the places of the lines stay too.
          if (byte !== 0x0a) bytes[at % (bytes.length - 1)] = byte;
        }
        const decoded = decodeEventsBody(Buffer.concat(lines), ndjson, {}, receivedAt);
        const damaged = new Set(edits.map(({ line }) => line));
        const untouched = lines.map((_, index) => index).filter((index) => !damaged.has(index));
        expect(keysOf(decoded)).toEqual(expect.arrayContaining(untouched.map((index) => `k${index}`)));
        expect(outcomeOf(decoded).rejected.every((index) => damaged.has(index))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('answers any bytes with events, rejections or a refusal', () => {
    const contentTypes = [
      '',
      json,
      ndjson,
      'application/cloudevents+json',
      'application/cloudevents-batch+json',
      'x',
    ];
    const header = fc.option(fc.string({ unit: 'binary' }), { nil: undefined });
    const headers = fc.oneof(
      fc.constant({}),
      fc.record({ id: header, subject: header, time: header }).map(withoutAbsent),
    );
    fc.assert(
      fc.property(anyBody(), fc.constantFrom(...contentTypes), headers, (body, contentType, given) => {
        const decoded = decodeEventsBody(body, contentType, given, receivedAt);
        const count = 'refusal' in decoded ? 1 : decoded.events.length + decoded.rejected.length;
        expect(count).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });
});

function event(key: number): Record<string, unknown> {
  return { customerId: 'acme', eventName: 'api_call', idempotencyKey: `k${key}`, dimensions: { tokens: 1 } };
}

function linesOf(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join('\n');
}

/** An event whose compact JSON has so many bytes. */
function sizedEvent(key: number, bytes: number): Record<string, unknown> {
  const padded = (length: number) => ({ ...event(key), dimensions: { pad: 'x'.repeat(length) } });
  return padded(bytes - Buffer.byteLength(JSON.stringify(padded(0))));
}

/** JSON of one line that is no valid event. */
function brokenEvent(): fc.Arbitrary<{ ok: boolean; line: string }> {
  const wrongFields = fc.constantFrom(
    { customerId: '' },
    { eventName: 5 },
    { idempotencyKey: null },
    { resourceId: 'x'.repeat(256) },
    { timestamp: '2024-02-30' },
    { timestamp: receivedAt * 2 },
    { dimensions: { a: { b: 1 } } },
    { dimensions: { a: null } },
    { dimensions: [] },
    { unknown: 1 },
  );
  const wrong = wrongFields.map((fields) => JSON.stringify({ ...event(-1), ...fields }));
  const other = fc.oneof(
    fc.json(),
    fc.constantFrom('12345678901234567890', '{"dimensions":{"a":1e999}}', '{"__proto__":{}}'),
  );
  return fc.oneof(wrong, other).map((line) => ({ ok: false, line }));
}

/** Bytes of every kind: random, JSON, events, and events with some bytes changed. */
function anyBody(): fc.Arbitrary<Uint8Array> {
  const events = fc
    .array(fc.nat(99).map(event), { maxLength: 5 })
    .chain((list) => fc.constantFrom(JSON.stringify({ events: list }), JSON.stringify(list), linesOf(list)));
  const text = fc.oneof(events, fc.json(), fc.string()).map((body) => Uint8Array.from(Buffer.from(body)));
  const changed = fc.tuple(text, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
    const copy = Uint8Array.from(bytes);
    if (copy.length > 0) copy[at % copy.length] = byte;
    return copy;
  });
  const cut = fc.tuple(text, fc.nat()).map(([bytes, at]) => bytes.subarray(0, at % (bytes.length + 1)));
  return fc.oneof(text, changed, cut, fc.uint8Array());
}

type Decoded = ReturnType<typeof decodeEventsBody>;

function decode(value: unknown, contentType = json): Decoded {
  return decodeText(JSON.stringify(value), contentType);
}

function decodeText(text: string, contentType = json): Decoded {
  return decodeEventsBody(Buffer.from(text), contentType, {}, receivedAt);
}

function keysOf(decoded: Decoded): readonly string[] {
  return outcomeOf(decoded).accepted;
}

function outcomeOf(decoded: Decoded): { accepted: string[]; rejected: number[] } {
  if ('refusal' in decoded) throw new Error(decoded.refusal.message);
  return {
    accepted: decoded.events.map(({ idempotencyKey }) => idempotencyKey),
    rejected: decoded.rejected.map(({ index }) => index),
  };
}

function withoutAbsent(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
