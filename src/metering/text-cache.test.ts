import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TextCache } from './text-cache.ts';

it('answers each text as it is, however few places there are', () => {
  const cache = new TextCache(2);
  const text = fc.oneof(
    fc.constantFrom('a', 'b', 'acme', 'größe', ''),
    fc.string({ unit: 'binary', maxLength: 90 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 20 }), (texts) => {
      for (const each of texts) {
        const bytes = Buffer.from(`<${each}>`);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        expect(cache.text(bytes, view, 1, bytes.length - 1)).toBe(Buffer.from(each).toString());
      }
    }),
  );
});
