import { expect, test } from 'vitest';
import { FencedError } from '../queue/ledger.ts';
import { StoreRefusedDataError } from './flush-store.ts';
import { Persistence } from './persistence.ts';

function persistence(signal = new AbortController().signal) {
  const retries: string[] = [];
  const onRetry = (step: string): void => void retries.push(step);
  return { retries, persistence: new Persistence({ signal, onRetry }) };
}

/** Rejects with each error in turn, then answers. */
function failing(...errors: readonly Error[]): () => Promise<string> {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'done';
  };
}

const away = Object.assign(new Error('away'), { code: 'CLICKHOUSE_UNAVAILABLE' });
const rejected = Object.assign(new Error('no such table'), { code: 'CLICKHOUSE_REJECTED', retryable: false });
const refused = new StoreRefusedDataError('no such number');

test('whatever the other side cannot do now is tried until it can, also what its operator has to mend', async () => {
  const made = persistence();
  expect(await made.persistence.until('events', failing(away, rejected, refused, away))).toBe('done');
  expect(made.retries).toEqual(['events', 'events', 'events', 'events']);
});

test('content is refused for good only after three refusals running, and only when that is final', async () => {
  const refusals = failing(refused, refused, refused, refused, refused);
  await expect(persistence().persistence.until('events', refusals)).rejects.toBe(refused);
  expect(await refusals().catch(() => 'one more was left')).toBe('one more was left');
  const made = persistence();
  const three = failing(refused, refused, refused);
  expect(await made.persistence.until('events', three, async () => false)).toBe('done');
});

test('a mistake in the program and a lost ownership are not tried again', async () => {
  for (const error of [new TypeError('a mistake'), new FencedError('lost')]) {
    const made = persistence();
    await expect(made.persistence.until('events', failing(error))).rejects.toBe(error);
    expect(made.retries).toEqual([]);
  }
});

test('it stops at once when the worker must stop, also in the middle of a pause', async () => {
  const stop = new AbortController();
  const attempts = Array.from({ length: 100 }, () => away);
  const waiting = persistence(stop.signal).persistence.until('events', failing(...attempts));
  stop.abort(new FencedError('lost'));
  await expect(waiting).rejects.toThrow('lost');
  await expect(persistence(stop.signal).persistence.until('events', failing())).rejects.toThrow('lost');
});
