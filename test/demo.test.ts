/** `npm run demo` as a user runs it: the file's own totals, however often, and a difference when there is one. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countTotals, lineToEvent, readAccessLog } from '../samples/access-log/access-log.ts';
import { Installation } from './installation.ts';

let tollgate: Installation;

beforeAll(async () => {
  tollgate = await Installation.create();
  await tollgate.start();
});
afterAll(() => tollgate.remove());

function demo(): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/demo.ts'], {
    env: {
      PATH: process.env['PATH'],
      SERVER_API_KEY: tollgate.apiKey,
      API_PORT: new URL(tollgate.apiUrl).port,
      INGEST_PORT: new URL(tollgate.ingestUrl).port,
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

describe('npm run demo', () => {
  it('agrees with the file twice, and ends with 1 once a figure differs', { timeout: 240_000 }, async () => {
    const agrees = expect.stringContaining('200 agree, 0 differ');
    expect(await demo()).toEqual({ code: 0, output: agrees });
    const stored = await tollgate.metric('tollgate_events', 'state="stored"');
    expect(stored).toBe(20_000);
    expect(await demo()).toEqual({ code: 0, output: agrees });
    expect(await tollgate.metric('tollgate_events', 'state="stored"')).toBe(stored);

    const lines = readAccessLog();
    const [busiest = ''] = [...countTotals(lines)].sort(([, a], [, b]) => b.requests - a.requests)[0] ?? [];
    const line = lines.find(({ address }) => address === busiest) ?? expect.unreachable();
    await tollgate.send('/api/v1/events', { ...lineToEvent(line), idempotencyKey: 'not in the log' });
    await tollgate.settled();
    expect(await demo()).toEqual({ code: 1, output: expect.stringContaining(`differs: ${busiest}`) });
  });
});
