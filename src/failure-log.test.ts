import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.ts';
import { FailureLog } from './failure-log.ts';
import { RecordsUnavailableError } from './records/record-store.ts';

describe('a failure log', () => {
  it('says the kind of failure, and how many were not said', () => {
    const lines: unknown[] = [];
    const logger = { warn: (...line: readonly unknown[]) => void lines.push(line) };
    const common = { logger, message: 'it has to wait', fields: { task: 'sweep' } };
    const seldom = new FailureLog(common);
    for (let at = 0; at < 5; at += 1) seldom.note(new Error('jane@example.com'));
    const often = new FailureLog({ ...common, everyMs: 0 });
    often.note(new RecordsUnavailableError('jane@example.com'));
    often.note('jane@example.com');
    expect(lines).toEqual([
      [{ task: 'sweep', error: 'Error', failures: 1 }, 'it has to wait'],
      [{ task: 'sweep', error: 'Error RECORDS_UNAVAILABLE', failures: 1 }, 'it has to wait'],
      [{ task: 'sweep', error: 'string', failures: 1 }, 'it has to wait'],
    ]);
  });

  it('says how many failures there were since it last said so', async () => {
    const counts: unknown[] = [];
    const logger = { warn: (line: unknown) => void counts.push((line as { failures: number }).failures) };
    const log = new FailureLog({ logger, message: 'it has to wait', everyMs: 20 });
    for (let at = 0; at < 3; at += 1) log.note(new Error('away'));
    await expect
      .poll(() => {
        log.note(new Error('away'));
        return counts.length;
      })
      .toBe(2);
    expect(counts[0]).toBe(1);
    expect(counts[1]).toBeGreaterThan(2);
  });
});

describe('the time to wait after failures', () => {
  it('doubles up to its bound, and up to half of it is left out', () => {
    const waits = [1, 2, 3, 4, 5, 5_000].map((failures) => backoffMs(failures, 100, 1_000, () => 0));
    expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(backoffMs(3, 100, 1_000, () => 0.5)).toBe(300);
    for (let at = 0; at < 100; at += 1) {
      const wait = backoffMs(2, 100, 1_000);
      expect(wait > 100 && wait <= 200).toBe(true);
    }
  });
});
