import { array, assert, asyncProperty, integer, nat } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makeGate } from '../http/raw-client.fixture.ts';
import {
  type BatchBuilder,
  GroupCommit,
  type GroupCommitOptions,
  type SealedPayload,
} from './group-commit.ts';

/** Numbers as text, so that a payload shows what is in it. */
class NumberList implements BatchBuilder<readonly number[]> {
  #numbers: number[] = [];

  get count(): number {
    return this.#numbers.length;
  }

  get byteSize(): number {
    return this.#numbers.length * 10;
  }

  append(numbers: readonly number[]): void {
    for (const number of numbers) {
      if (number < 0) throw new RangeError('negative');
      this.#numbers.push(number);
    }
  }

  finish(): Buffer {
    const payload = Buffer.from(this.#numbers.join(','));
    this.#numbers = [];
    return payload;
  }
}

function gather(options: Partial<GroupCommitOptions<readonly number[], string>> = {}): {
  readonly commit: GroupCommit<readonly number[], string>;
  readonly sent: SealedPayload[];
} {
  const sent: SealedPayload[] = [];
  const commit = new GroupCommit<readonly number[], string>({
    makeBuilder: () => new NumberList(),
    send: async (batch) => {
      sent.push(batch);
      return options.send === undefined ? batch.payload.toString() : options.send(batch);
    },
    countMax: options.countMax ?? 100,
    bytesMax: options.bytesMax ?? 10_000,
    lingerMs: options.lingerMs ?? 3,
  });
  return { commit, sent };
}

describe('joining', () => {
  it('sends calls of one turn together and tells each where its items are', async () => {
    const { commit, sent } = gather();
    const calls = await Promise.all([
      commit.join([1, 2], 2, 20),
      commit.join([3], 1, 10),
      commit.join([4, 5], 2, 20),
    ]);
    expect(sent.map(({ count, cause }) => ({ count, cause }))).toEqual([{ count: 5, cause: 'idle' }]);
    expect(calls).toEqual([
      { outcome: '1,2,3,4,5', offset: 0 },
      { outcome: '1,2,3,4,5', offset: 2 },
      { outcome: '1,2,3,4,5', offset: 3 },
    ]);
  });

  it('lets calls linger together while another batch is in flight', async () => {
    const gate = makeGate<string>();
    const { commit, sent } = gather({ send: () => gate.passed });
    const first = commit.join([1], 1, 10);
    await new Promise((resolve) => setImmediate(resolve));
    const second = commit.join([2], 1, 10);
    await new Promise((resolve) => setImmediate(resolve));
    const third = commit.join([3], 1, 10);
    expect(sent).toHaveLength(1);
    gate.open('done');
    await Promise.all([first, second, third]);
    expect(sent.map(({ payload, cause }) => [payload.toString(), cause])).toEqual([
      ['1', 'idle'],
      ['2,3', 'linger'],
    ]);
  });

  it('seals at the count, at the bytes and when the next call does not fit', async () => {
    const { commit, sent } = gather({ countMax: 4, bytesMax: 1_000 });
    await Promise.all([
      commit.join([1, 2], 2, 20),
      commit.join([3, 4], 2, 20),
      commit.join([5, 6, 7], 3, 30),
    ]);
    await Promise.all([commit.join([8, 9], 2, 20), commit.join([10, 11, 12], 3, 30)]);
    expect(sent.map(({ count, cause }) => [count, cause])).toEqual([
      [4, 'count'],
      [3, 'linger'],
      [2, 'room'],
      [3, 'linger'],
    ]);
    const small = gather({ bytesMax: 30 });
    await Promise.all([
      small.commit.join([1, 2], 2, 20),
      small.commit.join([3], 1, 10),
      small.commit.join([4], 1, 10),
    ]);
    expect(small.sent.map(({ count, cause }) => [count, cause])).toEqual([
      [3, 'bytes'],
      [1, 'linger'],
    ]);
  });

  it('never splits a call, however it is cut, and sends each item once', async () => {
    const calls = array(array(nat(999), { minLength: 1, maxLength: 9 }), {
      minLength: 1,
      maxLength: 30,
    });
    await assert(
      asyncProperty(calls, integer({ min: 1, max: 12 }), async (lists, countMax) => {
        const { commit, sent } = gather({ countMax });
        const joined = await Promise.all(
          lists.map((list) => commit.join(list, list.length, list.length * 10)),
        );
        for (const [at, { outcome, offset }] of joined.entries()) {
          const list = lists[at] ?? [];
          expect(
            outcome
              .split(',')
              .slice(offset, offset + list.length)
              .map(Number),
          ).toEqual(list);
        }
        expect(sent.flatMap(({ payload }) => payload.toString().split(',').map(Number))).toEqual(
          lists.flat(),
        );
        for (const { count } of sent) expect(count).toBeLessThanOrEqual(Math.max(countMax, 9));
      }),
    );
  });
});

describe('failures', () => {
  it('go to every call of the batch and to no other', async () => {
    const { commit } = gather({ send: failOnFirst });
    const failed = await Promise.allSettled([commit.join([1], 1, 10), commit.join([2], 1, 10)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await commit.join([3], 1, 10)).toEqual({ outcome: 'done', offset: 0 });
  });

  it('of a builder send nothing of what it held, and the next batch is sound', async () => {
    const { commit, sent } = gather();
    const calls = await Promise.allSettled([commit.join([1, 2], 2, 20), commit.join([3, -1], 2, 20)]);
    expect(calls.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await commit.join([4], 1, 10)).toEqual({ outcome: '4', offset: 0 });
    expect(sent).toHaveLength(1);
  });
});

it('drains what is open and what is in flight', async () => {
  const gates = [makeGate<string>(), makeGate<string>()];
  const { commit, sent } = gather({ lingerMs: 60_000, send: () => gates[sent.length - 1]?.passed ?? fail() });
  const first = commit.join([1], 1, 10);
  await new Promise((resolve) => setImmediate(resolve));
  const second = commit.join([2], 1, 10);
  const drained = commit.drain();
  expect(sent.map(({ cause }) => cause)).toEqual(['idle', 'drain']);
  for (const gate of gates) gate.open('done');
  await drained;
  await expect(Promise.all([first, second])).resolves.toHaveLength(2);
  await gather().commit.drain();
});

function fail(): never {
  throw new Error('more batches than expected');
}

async function failOnFirst({ payload }: SealedPayload): Promise<string> {
  if (payload.toString() === '1,2') throw new Error('the queue failed');
  return 'done';
}
