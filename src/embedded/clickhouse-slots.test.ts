import { describe, expect, it } from 'vitest';
import { QuerySlots } from './clickhouse-slots.ts';

const forever = new AbortController().signal;

describe('QuerySlots', () => {
  it('keeps one slot for writes however many reads wait, and serves in order of arrival', async () => {
    const slots = new QuerySlots(2, 10);
    const order: string[] = [];
    const releaseFirst = await slots.acquire('read', forever);
    const read = async (name: string): Promise<void> => {
      const release = await slots.acquire('read', forever);
      order.push(name);
      release();
    };
    const reads = [read('second read'), read('third read')];
    const releaseWrite = await slots.acquire('write', forever);
    order.push('write');
    releaseFirst();
    releaseFirst();
    await Promise.all(reads);
    expect(order).toEqual(['write', 'second read', 'third read']);
    releaseWrite();
    await slots.idle();
  });

  it('refuses more than may wait, and forgets those who left', async () => {
    const slots = new QuerySlots(1, 1);
    const release = await slots.acquire('write', forever);
    const leaving = new AbortController();
    const left = slots.acquire('write', leaving.signal);
    await expect(slots.acquire('read', forever)).rejects.toMatchObject({ code: 202 });
    leaving.abort();
    await expect(left).rejects.toMatchObject({ type: 'ABORTED' });
    const next = slots.acquire('read', forever);
    release();
    (await next)();
    await slots.idle();
  });

  it('lets nothing pass that was aborted before it asked', async () => {
    await expect(new QuerySlots(1, 1).acquire('read', AbortSignal.abort())).rejects.toThrow('aborted');
  });
});
