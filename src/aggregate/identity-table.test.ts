import { describe, expect, it } from 'vitest';
import { factLimits } from '../metering/facts.ts';
import { verdicts } from '../metering/identity.ts';
import { IdentityTable } from './identity-table.ts';

const hour = 3_600_000;
const windowMs = 24 * hour;
const start = Date.UTC(2024, 4, 17, 12);

describe('the table of identities', () => {
  it('finds each of many copies, and none that was not added', () => {
    const table = tableOf(1_000_000);
    const words = identities(200_000);
    for (let row = 0; row < 100_000; row += 1) table.add(words, row * 4, start + row, start, row);
    expect(table.size).toBe(100_000);
    const wrong = { missing: 0, made: 0 };
    for (let row = 0; row < 100_000; row += 1) {
      if (table.judge(words, row * 4, start + row, start, row, false) !== verdicts.duplicate)
        wrong.missing += 1;
      if (table.judge(words, (100_000 + row) * 4, start + row, start, row, false) !== verdicts.counts)
        wrong.made += 1;
    }
    expect(wrong).toEqual({ missing: 0, made: 0 });
    // 32 bytes a copy and an index that is at least a third full; segments and parts are not yet full.
    expect(table.bytes / table.size).toBeLessThan(80);
  });

  it('gives back the instants of a copy over their whole range', () => {
    const table = tableOf(1_000);
    const words = identities(1);
    const instants = [factLimits.instantMin, -1, 0, 1, 2 ** 32 - 1, 2 ** 32, start, factLimits.instantMax];
    for (const instant of instants) table.add(words, 0, instant, start, 0xffff_ffff);
    for (const instant of instants) table.add(words, 0, start, instant, 0);
    const expected = [
      ...instants.map((timestamp) => ({ timestamp, receivedAt: start, contentDigest: 0xffff_ffff })),
      ...instants.map((receivedAt) => ({ timestamp: start, receivedAt, contentDigest: 0 })),
    ];
    // In no certain order, so compared as sets.
    const found = table.copies(words, 0);
    expect(found).toHaveLength(expected.length);
    expect(found).toEqual(expect.arrayContaining(expected));
  });

  it('forgets what no report can meet any more, and keeps what one still may', () => {
    const table = tableOf(100_000);
    const words = identities(3_000);
    table.clear(start);
    for (let row = 0; row < 1_000; row += 1) table.add(words, row * 4, start, start, 1);
    // Happens a day after its receipt, so it is needed a day longer.
    for (let row = 1_000; row < 2_000; row += 1) table.add(words, row * 4, start + 24 * hour, start, 1);
    table.expire(start + windowMs);
    expect(table.size).toBe(2_000);
    table.expire(start + windowMs + 1);
    expect(table.size).toBe(1_000);
    expect(table.completeSince).toBe(start + 1);
    expect(table.judge(words, 1_500 * 4, start + 24 * hour, start + 47 * hour, 1, false)).toBe(
      verdicts.duplicate,
    );
    expect(table.judge(words, 500 * 4, start, start + 47 * hour, 1, false)).toBe(verdicts.counts);
    expect(table.lookupScope(start, start + 47 * hour)).toBe('timestamp');
    expect(table.lookupScope(start + 1, start + 47 * hour)).toBeUndefined();
  });

  it('keeps its bound by forgetting the oldest, and says so', () => {
    const table = tableOf(2_000);
    const words = identities(50_000);
    table.clear(start);
    let bytesMax = 0;
    for (let row = 0; row < 50_000; row += 1) {
      table.add(words, row * 4, start + row, start + row, 1);
      if (row % 500 !== 0) continue;
      table.expire(start);
      expect(table.size).toBeLessThanOrEqual(2_000);
      bytesMax = Math.max(bytesMax, table.bytes);
    }
    // Neither segments nor index entries of what is forgotten pile up.
    expect(bytesMax).toBeLessThan(2_500 * 80);
    expect(table.completeSince).toBeGreaterThan(start + 47_000);
    expect(table.lookupScope(start + 49_999, start + 49_999)).toBe('window');
    const remembered = Array.from({ length: 50_000 }, (_, row) => row).filter(
      (row) => table.judge(words, row * 4, start + row, start + row, 1, false) === verdicts.duplicate,
    );
    expect(remembered).toHaveLength(table.size);
    expect(remembered.includes(table.completeSince - start)).toBe(true);
  });

  it('knows nothing before it is filled, and says so', () => {
    const table = new IdentityTable({ windowMs, entriesMax: 1_000 });
    expect(table.lookupScope(start, start)).toBe('window');
    table.clear(start - windowMs);
    expect(table.lookupScope(start, start)).toBeUndefined();
    expect(table.lookupScope(start - windowMs - 1, start)).toBe('timestamp');
    expect(table.lookupScope(start, start - 1)).toBe('window');
  });
});

function tableOf(entriesMax: number): IdentityTable {
  const table = new IdentityTable({ windowMs, entriesMax });
  table.clear(Number.NEGATIVE_INFINITY);
  return table;
}

/** Spread evenly, as the beginnings of hashes are. */
function identities(count: number): Uint32Array {
  const words = new Uint32Array(4 * count);
  let state = 1;
  for (let index = 0; index < words.length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[index] = Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) >>> 0;
  }
  return words;
}
