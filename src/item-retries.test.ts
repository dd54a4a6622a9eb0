import { describe, expect, it } from 'vitest';
import { ManualClock } from './clock.ts';
import { ItemRetries, type ItemRetriesOptions } from './item-retries.ts';
import { QueueUnavailableError } from './metering/batch.ts';
import { RecordsOverloadedError, RecordsUnavailableError } from './records/record-store.ts';
import { ClickhouseUnavailableError } from './store/clickhouse-client.ts';

const minute = 60_000;
const broken = (): Promise<void> => Promise.reject(new TypeError('broken'));

function setUp(options: Partial<ItemRetriesOptions> = {}) {
  const clock = new ManualClock(1_000_000);
  const failed: string[] = [];
  const report = { failed: (task: string) => void failed.push(task) };
  return { clock, failed, retries: new ItemRetries({ task: 'count', clock, report, ...options }) };
}

describe('work on an item', () => {
  it('that fails is put off for longer each time, and within five minutes tried again', async () => {
    const { clock, failed, retries } = setUp();
    const waits: number[] = [];
    let attemptedAt = clock.now();
    const work = (): Promise<void> => {
      waits.push(clock.now() - attemptedAt);
      attemptedAt = clock.now();
      return broken();
    };
    for (let second = 0; second < 3_600; second += 1) {
      expect(await retries.attempt('a', work)).toBe(false);
      clock.advance(1_000);
    }
    expect(waits.slice(0, 3)).toEqual([0, 1_000, 2_000]);
    expect(Math.max(...waits)).toBeLessThanOrEqual(5 * minute);
    expect(waits.at(-1)).toBeGreaterThan(2 * minute);
    expect(failed).toEqual(waits.map(() => 'count'));
  });

  it('that is done again is put off no more', async () => {
    const { clock, failed, retries } = setUp();
    for (let at = 0; at < 5; at += 1) {
      await retries.attempt('a', broken);
      clock.advance(5 * minute);
    }
    expect(await retries.attempt('a', () => Promise.resolve())).toBe(true);
    await retries.attempt('a', broken);
    clock.advance(1_000);
    expect(await retries.attempt('a', () => Promise.resolve())).toBe(true);
    expect(failed).toHaveLength(6);
  });

  it('costs other items nothing', async () => {
    const { retries } = setUp();
    await retries.attempt('a', broken);
    expect(await retries.attempt('b', () => Promise.resolve())).toBe(true);
  });

  it.each([RecordsUnavailableError, QueueUnavailableError, ClickhouseUnavailableError])(
    'is not put off when a store is away: %o',
    async (Away) => {
      const { failed, retries } = setUp();
      const away = (): Promise<void> => Promise.reject(new Away('away'));
      await expect(retries.attempt('a', away)).rejects.toThrow('away');
      await expect(retries.attemptTogether(['a', 'b'], away)).rejects.toThrow('away');
      expect(await retries.attempt('a', () => Promise.resolve())).toBe(true);
      expect(failed).toEqual([]);
    },
  );

  it('is put off when it is its own doing that a store has enough', async () => {
    const { failed, retries } = setUp();
    const contended = (): Promise<void> => Promise.reject(new RecordsOverloadedError('too many changes'));
    expect(await retries.attempt('a', contended)).toBe(false);
    expect(failed).toEqual(['count']);
  });

  it('beyond the bound is tried each time, until one that nobody comes with again is forgotten', async () => {
    const { clock, failed, retries } = setUp({ itemsMax: 2 });
    for (const item of ['a', 'b', 'c', 'c', 'a']) await retries.attempt(item, broken);
    expect(failed).toHaveLength(4);
    clock.advance(1_000);
    await retries.attempt('c', broken);
    await retries.attempt('c', broken);
    expect(failed).toHaveLength(5);
  });
});

describe('work on several items', () => {
  it('is done on all together while none fails', async () => {
    const { retries } = setUp();
    const works: (readonly string[])[] = [];
    const left = await retries.attemptTogether(['a', 'b', 'c'], async (items) => void works.push(items));
    expect([left, works]).toEqual([[], [['a', 'b', 'c']]]);
    expect(await retries.attemptTogether([], broken)).toEqual([]);
  });

  it('leaves those that fail, and is done together on the others from then on', async () => {
    const { clock, failed, retries } = setUp();
    const works: string[] = [];
    const work = async (items: readonly string[]): Promise<void> => {
      works.push(items.join(''));
      if (items.includes('b')) throw new Error('broken');
    };
    const turn = (): Promise<readonly string[]> => retries.attemptTogether(['a', 'b', 'c'], work);
    expect(await turn()).toEqual(['b']);
    expect(await turn()).toEqual(['b']);
    clock.advance(1_000);
    expect(await turn()).toEqual(['b']);
    expect(works).toEqual(['abc', 'a', 'b', 'c', 'ac', 'ac', 'b']);
    expect(failed).toHaveLength(2);
  });

  it('takes one that is done again among the others', async () => {
    const { clock, retries } = setUp();
    await retries.attempt('b', broken);
    clock.advance(1_000);
    const works: string[] = [];
    const work = async (items: readonly string[]): Promise<void> => void works.push(items.join(''));
    await retries.attemptTogether(['a', 'b'], work);
    await retries.attemptTogether(['a', 'b'], work);
    expect(works).toEqual(['a', 'b', 'ab']);
  });
});
