import { describe, expect, it } from 'vitest';
import { CoalescedReads } from './coalesced-reads.ts';
import type { RecordRef, StoredRecord } from './record-store.ts';

/** Has every record but those called `none`; `asked` are the keys of each round trip. */
class MemoryRecords {
  readonly asked: string[][] = [];
  readonly #fault: Error | undefined;

  constructor(fault?: Error) {
    this.#fault = fault;
  }

  async read(refs: readonly RecordRef[]): Promise<readonly (StoredRecord | undefined)[]> {
    this.asked.push(refs.map(({ key }) => key));
    if (this.#fault !== undefined) throw this.#fault;
    return refs.map((ref) => (ref.key === 'none' ? undefined : { ...ref, version: 1, body: ref.key }));
  }
}

const product = (key: string): RecordRef => ({ kind: 'product', key });

describe('reads at the same moment', () => {
  it('share a round trip, each record once', async () => {
    const store = new MemoryRecords();
    const reads = new CoalescedReads(store);
    const keys = ['a', 'b', 'a', 'none'];
    const found = await Promise.all(keys.map((key) => reads.read(product(key))));
    expect(found.map((record) => record?.body)).toEqual(['a', 'b', 'a', undefined]);
    expect(store.asked).toEqual([['a', 'b', 'none']]);
  });

  it('share it also when promises resume them one after another', async () => {
    const store = new MemoryRecords();
    const reads = new CoalescedReads(store);
    const late = async (key: string, turns: number): Promise<unknown> => {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return reads.read(product(key));
    };
    await Promise.all([late('a', 0), late('b', 3), late('c', 20)]);
    expect(store.asked).toEqual([['a', 'b', 'c']]);
  });

  it('tell records of different kinds apart', async () => {
    const reads = new CoalescedReads(new MemoryRecords());
    const kinds = ['product', 'package'] as const;
    const found = await Promise.all(kinds.map((kind) => reads.read({ kind, key: 'same' })));
    expect(found.map((record) => record?.kind)).toEqual(['product', 'package']);
  });
});

describe('a later read', () => {
  it('asks again: nothing is kept', async () => {
    const store = new MemoryRecords();
    const reads = new CoalescedReads(store);
    await reads.read(product('a'));
    await reads.read(product('a'));
    expect(store.asked).toEqual([['a'], ['a']]);
  });
});

describe('a fault', () => {
  it('reaches everyone who asked, and nobody after', async () => {
    const store = new MemoryRecords(new Error('gone'));
    const reads = new CoalescedReads(store);
    const outcomes = await Promise.allSettled(['a', 'b'].map((key) => reads.read(product(key))));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(reads.read(product('c'))).rejects.toThrow('gone');
    expect(store.asked).toEqual([['a', 'b'], ['c']]);
  });
});
