import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeEntry, encodeEntry } from './batch-entry.ts';

it('reads back what it wrote', () => {
  const entry = fc.record({
    count: fc.nat(),
    storedBytes: fc.nat(),
    contentBytes: fc.nat(),
    kind: fc.constantFrom('events' as const, 'usage' as const),
    sealedAt: fc.nat(Number.MAX_SAFE_INTEGER),
    replyTo: fc.oneof(fc.constant(''), fc.uuid()),
  });
  fc.assert(
    fc.property(entry, (written) => {
      expect(decodeEntry(encodeEntry(written))).toEqual(written);
    }),
  );
});

it('refuses what another version may have written', () => {
  expect(() => decodeEntry('{"count":1}')).toThrow('form');
});
