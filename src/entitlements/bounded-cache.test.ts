import { expect, it } from 'vitest';
import { BoundedCache } from './bounded-cache.ts';

const heavy = (weight: number): { readonly weight: number } => ({ weight });

it('keeps what was used last within the bound', () => {
  const cache = new BoundedCache(3);
  for (const key of ['a', 'b', 'c']) cache.set(key, heavy(1));
  cache.get('a');
  cache.set('d', heavy(1));
  expect(['a', 'b', 'c', 'd'].filter((key) => cache.get(key) !== undefined)).toEqual(['a', 'c', 'd']);
});

it('weighs a value that takes the place of another anew', () => {
  const cache = new BoundedCache(3);
  cache.set('a', heavy(3));
  cache.set('a', heavy(1));
  cache.set('b', heavy(2));
  expect(cache.get('a')).toEqual(heavy(1));
  cache.set('b', heavy(3));
  expect(cache.get('a')).toBeUndefined();
  expect(cache.get('b')).toEqual(heavy(3));
});

it('does not keep what alone is too heavy', () => {
  const cache = new BoundedCache(3);
  cache.set('a', heavy(1));
  cache.set('b', heavy(4));
  expect([cache.get('a'), cache.get('b')]).toEqual([undefined, undefined]);
  cache.set('c', heavy(3));
  expect(cache.get('c')).toEqual(heavy(3));
});
