import { describe, expect, it } from 'vitest';
import { type CpuProfile, functionTimes, profileTable } from './cpu-profile.ts';

const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 });

/** root → a → b → a, and root → (idle). */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5] },
    { id: 2, callFrame: frame('a', 'file:///x/dist/ingest/a.js'), children: [3] },
    { id: 3, callFrame: frame('b', 'file:///x/node_modules/some/dist/b.js'), children: [4] },
    { id: 4, callFrame: frame('a', 'file:///x/dist/ingest/a.js') },
    { id: 5, callFrame: frame('(idle)') },
  ],
  samples: [2, 3, 4, 5, 2],
  timeDeltas: [0, 1_000, 2_000, 3_000, 4_000],
};

describe('a profile of processor time', () => {
  it('is added up by function, recursion once', () => {
    const { busyMs, idleMs, functions } = functionTimes(profile);
    expect(idleMs).toBe(4);
    expect(busyMs).toBe(6);
    expect(functions).toEqual([
      { name: 'a', place: 'dist/ingest/a.js:10', selfMs: 4, totalMs: 6 },
      { name: 'b', place: 'some/dist/b.js:10', selfMs: 2, totalMs: 5 },
    ]);
  });

  it('is told by unit', () => {
    expect(profileTable(profile, 1_000)).toContain(
      '| 66.7 % | 4.000 | 100.0 % | `a` | dist/ingest/a.js:10 |',
    );
    expect(profileTable(profile, 1_000, 1)).not.toContain('`b`');
  });
});
