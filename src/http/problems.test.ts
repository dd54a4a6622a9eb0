import { expect, it } from 'vitest';
import { problemResponse } from './message.ts';
import { problemKinds } from './problems.ts';

it('gives every code a status of an error and a meaning', () => {
  for (const { status, meaning } of Object.values(problemKinds)) {
    expect(status).toBeGreaterThanOrEqual(400);
    expect(meaning).toMatch(/^[A-Z].*\.$/);
  }
});

it('answers in the contract’s form', () => {
  const plain = problemResponse('OVERLOADED', 'full', 'trace-0001', { retryAfterSeconds: 1.2 });
  expect(plain.status).toBe(503);
  expect(plain.headers).toEqual({ 'Retry-After': '2' });
  expect(JSON.parse(String(plain.body))).toEqual({
    error: { code: 'OVERLOADED', message: 'full', traceId: 'trace-0001' },
  });
  const detailed = problemResponse('VALIDATION_ERROR', 'no', 'trace-0001', { details: { at: 1 } });
  expect(JSON.parse(String(detailed.body)).error.details).toEqual({ at: 1 });
});
