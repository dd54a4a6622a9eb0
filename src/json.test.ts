import { Decimal } from 'decimal.js';
import * as fc from 'fast-check';
import { parse as parseLossless } from 'lossless-json';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, ExactNumber, jsonDepthMax, jsonExceeds, parseJson, parseJsonBytes } from './json.ts';

describe('parseJson', () => {
  it('keeps numbers that a double holds as numbers', () => {
    expect(parseJson('[0,-0,1.5,123456789012345,1e21,-2.5E-7,0.000001]')).toEqual({
      ok: true,
      value: [0, -0, 1.5, 123456789012345, 1e21, -2.5e-7, 0.000001],
    });
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '0.1000000000000000055',
    '1.0000000000000000',
    '1e400',
    '-1e-400',
    '1E+100',
    '12345678901234567890.123456789e-5',
  ])('keeps the literal of %s', (literal) => {
    expect(parseJson(`{"a":[1,${literal}],"b":${literal}}`)).toEqual({
      ok: true,
      value: { a: [1, new ExactNumber(literal)], b: new ExactNumber(literal) },
    });
  });

  it('tells many exact numbers apart, in keys of any order', () => {
    const literals = Array.from({ length: 5_000 }, (_, index) => `${index}.00000000000000001`);
    const text = `{"list":[${literals.join(',')}],"b":1234567890123456789,"2":-11111111111111111,"1":22222222222222222}`;
    expect(parseJson(text)).toEqual({
      ok: true,
      value: {
        '1': new ExactNumber('22222222222222222'),
        '2': new ExactNumber('-11111111111111111'),
        list: literals.map((literal) => new ExactNumber(literal)),
        b: new ExactNumber('1234567890123456789'),
      },
    });
  });

  it('is not misled by digits, brackets and quotes inside strings', () => {
    const value = { '12345678901234567890': '"12345678901234567890', b: '[[{{\\', c: '1e999', d: 1.5 };
    expect(parseJson(JSON.stringify(value))).toEqual({ ok: true, value });
  });

  it.each(['{"a":1,"a":2}', '{"a":12345678901234567890,"a":2}', '{"a":{"b":12345678901234567890},"a":2}'])(
    'takes the last of equal keys: %s',
    (text) => {
      expect(parseJson(text)).toEqual({ ok: true, value: { a: 2 } });
    },
  );

  it.each(['{"__proto__":{"a":1}}', '{"__proto__":{"a":1},"b":12345678901234567890}'])(
    'takes __proto__ for a key like any other: %s',
    (text) => {
      const parsed = parseJson(text);
      const value = parsed.ok ? (parsed.value as Record<string, unknown>) : {};
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
      expect(Object.keys(value)).toContain('__proto__');
      expect(value['a']).toBeUndefined();
    },
  );

  it('refuses what is nested too deep, and takes what is not', () => {
    expect(parseJson(nested(jsonDepthMax, '1')).ok).toBe(true);
    expect(parseJson(nested(jsonDepthMax, '12345678901234567890')).ok).toBe(true);
    expect(parseJson(nested(jsonDepthMax + 1, '1'))).toEqual({
      ok: false,
      message: 'nested deeper than 64 levels at position 64',
    });
    expect(parseJson(`[${'[],'.repeat(1_000)}1]`).ok).toBe(true);
  });

  it.each(['[', '{"a":', '[{"a":['])('answers 16 MiB of %s at once', (piece) => {
    expect(parseJson(piece.repeat((16 * 1_048_576) / piece.length))).toMatchObject({ ok: false });
  });

  it('says where the text breaks', () => {
    expect(parseJson('{"a" 1}')).toMatchObject({ message: expect.stringContaining('position 5') });
    expect(parseJson('{\n  "a": 1,\n  "b" 2\n}')).toMatchObject({
      message: expect.stringContaining('(line 3 column 7)'),
    });
    expect(parseJson(`[${'12345678901234567890,'.repeat(50)}1 2]`)).toMatchObject({
      message: expect.stringContaining('position 1053'),
    });
  });

  it.each([
    '',
    ' ',
    '01234567890123456789',
    '1234567890123456.',
    '-',
    '.1234567890123456',
    '1234567890123456e',
  ])('refuses %j', (text) => {
    expect(parseJson(text).ok).toBe(false);
    expect(parseJson(`[${text},1234567890123456789]`).ok).toBe(false);
  });

  it('reads any text as JSON.parse does, save for the numbers it keeps', () => {
    fc.assert(
      fc.property(jsonLikeText(), (text) => {
        const parsed = parseJson(text);
        const expected = nativeValue(text);
        expect(parsed.ok ? { value: toNative(parsed.value) } : undefined).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it('reads the same numbers as a parser that keeps all literals', () => {
    fc.assert(
      fc.property(exactText(), (text) => {
        const parsed = parseJson(text);
        const expected = parseLossless(text, undefined, {
          parseNumber: (literal) => new ExactNumber(literal),
          onDuplicateKey: ({ newValue }) => newValue,
        });
        expect(parsed.ok && toDecimals(parsed.value)).toEqual(toDecimals(expected));
      }),
      { numRuns: 500 },
    );
  });
});

describe('decodeUtf8', () => {
  it('skips a byte order mark', () => {
    expect(decodeUtf8(Buffer.from('\ufeff{"ä":"€😀"}'))).toBe('{"ä":"€😀"}');
  });

  it.each([[0xff], [0xc0, 0xa0], [0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]])(
    'refuses the bytes %j %j',
    (...bytes) => {
      expect(decodeUtf8(Uint8Array.from(bytes))).toBeUndefined();
      expect(parseJsonBytes(Uint8Array.from([0x22, ...bytes, 0x22]))).toEqual({
        ok: false,
        message: 'the bytes are not valid UTF-8',
      });
    },
  );

  it('reads a part of a larger buffer', () => {
    const whole = Buffer.from('xx"a"xx');
    expect(parseJsonBytes(whole.subarray(2, 5))).toEqual({ ok: true, value: 'a' });
    expect(parseJsonBytes(new Uint8Array(whole).subarray(2, 5))).toEqual({ ok: true, value: 'a' });
  });
});

describe('jsonExceeds', () => {
  it('measures the compact JSON in bytes of UTF-8', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const bytes = Buffer.byteLength(JSON.stringify(value));
        expect(jsonExceeds(value, bytes)).toBe(false);
        expect(jsonExceeds(value, bytes - 1)).toBe(true);
      }),
    );
  });

  it('counts the digits of exact numbers', () => {
    expect(jsonExceeds([new ExactNumber('1'.repeat(100))], 100)).toBe(true);
    expect(jsonExceeds([new ExactNumber('1'.repeat(100))], 104)).toBe(false);
  });
});

function nested(depth: number, inner: string): string {
  return '['.repeat(depth) + inner + ']'.repeat(depth);
}

/** JSON, JSON with long numbers, and both with a character changed. */
function jsonLikeText(): fc.Arbitrary<string> {
  const text = fc.oneof(fc.json(), exactText());
  const characters = '{}[]",:\\0123456789.eE+-tfn \u0000'.split('');
  const mutated = fc
    .tuple(text, fc.nat(), fc.constantFrom(...characters, '"\\', '1e200'))
    .map(([json, at, character]) => {
      const start = at % (json.length + 1);
      return json.slice(0, start) + character + json.slice(start + 1);
    });
  return fc.oneof(text, mutated);
}

/** JSON with numbers of every length and exponent, and now and then a key twice. */
function exactText(): fc.Arbitrary<string> {
  const digits = fc.stringMatching(/^[0-9]{1,25}$/);
  const literal = fc
    .tuple(
      fc.constantFrom('', '-'),
      digits,
      fc.option(digits),
      fc.option(fc.integer({ min: -1_000, max: 1_000 })),
    )
    .map(([sign, whole, fraction, exponent]) => {
      const plain = sign + (whole.replace(/^0+/, '') || '0') + (fraction === null ? '' : `.${fraction}`);
      return exponent === null ? plain : `${plain}e${exponent}`;
    });
  const key = fc.constantFrom('"a"', '"b"', '"1"', '"__proto__"', '"1234567890123456789"');
  return fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      literal,
      fc.string().map((s) => JSON.stringify(s)),
      tie('list'),
      tie('object'),
    ),
    list: fc.array(tie('value'), { maxLength: 5 }).map((items) => `[ ${items.join(' , ')}]`),
    object: fc
      .array(fc.tuple(key, tie('value')), { maxLength: 5 })
      .map((members) => `{${members.map(([name, value]) => `${name}:${value}`).join(',')} }`),
  })).value;
}

function nativeValue(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function toNative(value: unknown): unknown {
  return mapNumbers(value, Number);
}

/** Each number as the exact decimal that it is worth, whichever way it was kept. */
function toDecimals(value: unknown): unknown {
  return mapNumbers(value, (literal) => `number ${new Decimal(literal).toString()}`);
}

function mapNumbers(value: unknown, map: (literal: string) => unknown): unknown {
  if (value instanceof ExactNumber) return map(value.literal);
  if (typeof value === 'number') return map(Object.is(value, -0) ? '-0' : String(value));
  if (Array.isArray(value)) return value.map((item) => mapNumbers(item, map));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: mapNumbers(member, map), enumerable: true });
  }
  return copy;
}
