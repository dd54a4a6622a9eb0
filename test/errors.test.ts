/** docs/errors.md is complete and says what the code does. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { problemKinds } from '../src/http/problems.ts';

const rows = readFileSync('docs/errors.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe('docs/errors.md', () => {
  it('has one row for every code, and no other', () => {
    expect(rows.map(([code = '']) => code.replaceAll('`', '')).toSorted()).toEqual(
      Object.keys(problemKinds).toSorted(),
    );
  });

  it.each(Object.entries(problemKinds))('tells %s as it is', (code, { status, retryable, meaning }) => {
    const row = rows.find(([cell]) => cell === `\`${code}\``);
    expect(row?.slice(1, 4)).toEqual([String(status), retryable ? 'yes' : 'no', meaning]);
    expect(row?.[4]?.length, 'what to do').toBeGreaterThan(20);
  });
});
