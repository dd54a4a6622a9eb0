import { expect, it } from 'vitest';
import { jsonResponse, type Route } from './message.ts';
import { Router } from './router.ts';

const route = (method: string, path: string): Route => ({
  method,
  path,
  handle: () => jsonResponse(200, path),
});

it('prefers an exact path to one with varying parts', () => {
  const router = new Router([route('GET', '/a/:id'), route('GET', '/a/b')]);
  expect(router.match('GET', '/a/b')).toMatchObject({ kind: 'found', route: { path: '/a/b' } });
  expect(router.match('GET', '/a/c')).toMatchObject({ route: { path: '/a/:id' }, params: { id: 'c' } });
});

it('keeps several methods of one path apart', () => {
  const router = new Router([route('GET', '/g'), route('POST', '/g')]);
  expect(router.match('POST', '/g')).toMatchObject({ kind: 'found', route: { method: 'POST' } });
  expect(router.match('HEAD', '/g')).toMatchObject({ kind: 'found', route: { method: 'GET' } });
  expect(router.match('PUT', '/g')).toEqual({ kind: 'otherMethod', allow: 'GET, POST, HEAD, OPTIONS' });
});

it('takes no empty or ill-encoded part for a value', () => {
  const router = new Router([route('GET', '/a/:id/b')]);
  for (const path of ['/a//b', '/a/%zz/b', '/a/1', '/a/1/b/']) {
    expect(router.match('GET', path)).toEqual({ kind: 'unknown' });
  }
});

it('refuses the same route twice', () => {
  expect(() => new Router([route('GET', '/a'), route('GET', '/a')])).toThrow('two routes for GET /a');
});
