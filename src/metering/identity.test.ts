import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity, type Quantity } from '../quantity.ts';
import { anyEvent, someEvent } from './facts.fixture.ts';
import {
  contentDigest,
  eventIdentity,
  identityOf,
  identityText,
  measurementContentDigest,
  measurementIdentity,
} from './identity.ts';

describe('an identity', () => {
  it('differs when any of its parts differs, however they are cut', () => {
    const identities = [
      someEvent(),
      someEvent({ customerId: 'acm', resourceId: 'e' }),
      someEvent({ customerId: 'acme0:', eventName: '' }),
      someEvent({ resourceId: 'r' }),
      someEvent({ eventName: 'http' }),
      someEvent({ idempotencyKey: 'k2' }),
      someEvent({ source: 'urn:a' }),
    ].map((fact) => identityText(eventIdentity(fact)));
    const usage = { customerId: 'acme', resourceId: '', featureId: 'http_request', idempotencyKey: 'k1' };
    identities.push(identityText(measurementIdentity(usage)));
    expect(new Set(identities).size).toBe(8);
  });

  it('does not depend on what is no part of it', () => {
    const other = someEvent({ timestamp: 1, receivedAt: 2, dimensions: [] });
    expect(eventIdentity(other)).toEqual(eventIdentity(someEvent()));
  });
});

describe('identities of any texts', () => {
  it('are the same exactly where the texts are', () => {
    const texts = fc.array(fc.string({ unit: 'binary', maxLength: 9 }), { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(texts, texts, (some, others) => {
        const isSame = identityText(identityOf('event', some)) === identityText(identityOf('event', others));
        expect(isSame).toBe(some.every((text, index) => text === others[index]));
      }),
      {
        examples: [
          [
            ['a', '', '', '', ''],
            ['', 'a', '', '', ''],
          ],
          [
            ['\0', '', '', '', ''],
            ['', '', '', '', ''],
          ],
        ],
      },
    );
  });

  it('are spread evenly: of 200,000 that differ in one digit, no word is met more often than chance has it', () => {
    const words = [0, 1, 2, 3].map(() => new Set<number>());
    for (let number = 0; number < 200_000; number += 1) {
      identityOf('event', ['acme', '', 'call', `k-${number}`, '']).forEach((word, index) =>
        words[index]?.add(word),
      );
    }
    // Of 200,000 random words some 4.7 are met twice.
    for (const word of words) expect(word.size).toBeGreaterThan(200_000 - 40);
  });
});

describe('a content digest', () => {
  it('is stored, so it is the same for ever', () => {
    const dimensions = [
      ['region', 'eu'],
      ['größe', '寿司 🍣'],
      ['bytes', '120'],
    ] as const;
    expect([contentDigest([]), contentDigest(dimensions), usageDigest('1.5', 'DELTA')]).toEqual([
      0, 3_792_223_879, 433_118_876,
    ]);
  });

  it('does not depend on the order of dimensions, for any keys', () => {
    const shuffled = anyEvent.chain(({ dimensions }) =>
      fc.tuple(
        fc.constant(dimensions),
        fc.shuffledSubarray([...dimensions], { minLength: dimensions.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([one, other]) => {
        expect(contentDigest(other)).toBe(contentDigest(one));
      }),
    );
  });

  it('is that of a text however long it is, whatever was looked at before', () => {
    const short = contentDigest([['a', 'b']]);
    const long = [3_000, 5_000, 300_000].map((length) => contentDigest([['text', 'é'.repeat(length)]]));
    expect(new Set(long).size).toBe(3);
    expect(contentDigest([['a', 'b']])).toBe(short);
    expect(contentDigest([['text', 'é'.repeat(5_000)]])).toBe(long[1]);
    const usage = { value: amount('1'), updateBehavior: 'DELTA' } as const;
    const ofLong = measurementContentDigest({ ...usage, dimensions: [['text', 'x'.repeat(100_000)]] });
    expect(ofLong).not.toBe(
      measurementContentDigest({ ...usage, dimensions: [['text', 'x'.repeat(99_999)]] }),
    );
    expect(identityText(identityOf('event', ['x'.repeat(9_000)]))).not.toBe(
      identityText(identityOf('event', ['x'.repeat(9_001)])),
    );
  });

  it('tells texts that were moved between keys and values apart', () => {
    const digests = [
      [['a', 'b']],
      [['b', 'a']],
      [['ab', '']],
      [
        ['a', 'b'],
        ['', ''],
      ],
      [],
    ] as const;
    expect(new Set(digests.map((dimensions) => contentDigest(dimensions))).size).toBe(5);
  });

  it('of usage takes amounts by their value and includes the behaviour', () => {
    expect(usageDigest('1.50', 'DELTA')).toBe(usageDigest('15e-1', 'DELTA'));
    expect(usageDigest('1.5', 'DELTA')).not.toBe(usageDigest('1.5', 'SET'));
    expect(usageDigest('1.5', 'DELTA')).not.toBe(usageDigest('1.6', 'DELTA'));
  });
});

function usageDigest(value: string, updateBehavior: 'DELTA' | 'SET'): number {
  return measurementContentDigest({ dimensions: [], value: amount(value), updateBehavior });
}

function amount(text: string): Quantity {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`${text} is no quantity`);
  return quantity;
}
