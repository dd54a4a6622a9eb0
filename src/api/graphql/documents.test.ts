import { buildSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import { documentLimits, DocumentReader } from './documents.ts';

const schema = buildSchema('type Query { a: Int b: Int }');

describe('documents', () => {
  it('are parsed once while they are in use', () => {
    const reader = new DocumentReader(schema);
    expect(reader.read('{ a }')).toBe(reader.read('{ a }'));
  });

  it('are kept within a bound, the longest unused going first', () => {
    const reader = new DocumentReader(schema);
    const text = (at: number): string => `query Q${at} { a }`;
    const first = reader.read(text(0));
    for (let at = 1; at < documentLimits.cachedMax; at += 1) reader.read(text(at));
    expect(reader.read(text(0))).toBe(first);
    reader.read(text(documentLimits.cachedMax));
    expect(reader.cached).toBe(documentLimits.cachedMax);
    expect(reader.read(text(0))).toBe(first);
  });

  it('are not kept when they are long or wrong', () => {
    const reader = new DocumentReader(schema);
    reader.read(`{ a } # ${'x'.repeat(documentLimits.cachedLengthMax)}`);
    reader.read('{ nothing }');
    expect(reader.cached).toBe(0);
  });

  it('tell a bounded number of errors', () => {
    const wrong = `{ ${Array.from({ length: 100 }, (_, at) => `x${at}`).join(' ')} }`;
    const errors = new DocumentReader(schema).read(wrong);
    expect(errors).toHaveLength(documentLimits.errorsMax + 1);
  });
});
