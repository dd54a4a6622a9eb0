import { describe, expect, it, onTestFinished } from 'vitest';
import { BackgroundLoop, type BackgroundLoopOptions, pause } from './background-loop.ts';

const quick = { idleMs: 1, retryMsMin: 1, retryMsMax: 2, message: 'it has to wait' };

/** Stopped when the test ends. Everything logged is in `lines`. */
function loopOf(options: Partial<BackgroundLoopOptions> & Pick<BackgroundLoopOptions, 'look'>) {
  const lines: unknown[] = [];
  const logger = { warn: (...line: readonly unknown[]) => void lines.push(line) };
  const loop = new BackgroundLoop({ ...quick, logger, ...options });
  onTestFinished(() => loop.stop());
  return { loop, lines };
}

/** Ends when it is told, and not before. */
function gate() {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe('a background loop', () => {
  it('looks again and again, one look at a time, however often it is started', async () => {
    let looks = 0;
    let atOnce = 0;
    let most = 0;
    const { loop, lines } = loopOf({
      look: async () => {
        atOnce += 1;
        most = Math.max(most, atOnce);
        await pause(1, new AbortController().signal);
        atOnce -= 1;
        looks += 1;
        return false;
      },
    });
    loop.start();
    loop.start();
    await expect.poll(() => looks).toBeGreaterThan(5);
    expect(most).toBe(1);
    expect(lines).toEqual([]);
  });

  it('pauses only where nothing waits, and lets others have their turn in between', async () => {
    let looks = 0;
    const { loop } = loopOf({ idleMs: 3_600_000, look: () => Promise.resolve((looks += 1) < 50) });
    loop.start();
    await expect.poll(() => looks).toBe(50);
    await loop.stop();
    expect(looks).toBe(50);
  });

  it('goes on after failures, of which the log hears at once and then seldom, and not what they say', async () => {
    let looks = 0;
    const { loop, lines } = loopOf({
      look: () => {
        looks += 1;
        return looks < 20 ? Promise.reject(new TypeError('secret')) : Promise.resolve(false);
      },
    });
    loop.start();
    await expect.poll(() => looks).toBeGreaterThan(25);
    expect(lines).toEqual([[{ error: 'TypeError', failures: 1 }, 'it has to wait']]);
  });

  it('waits after a failure, and no longer than it may', async () => {
    let looks = 0;
    const look = (): Promise<boolean> => {
      looks += 1;
      return Promise.reject(new Error('away'));
    };
    const patient = loopOf({ look, idleMs: 0, retryMsMin: 3_600_000, retryMsMax: 7_200_000 });
    patient.loop.start();
    await expect.poll(() => patient.lines.length).toBe(1);
    await patient.loop.stop();
    expect(looks).toBe(1);
    const hurried = loopOf({ look, retryMsMin: 1, retryMsMax: 1 });
    hurried.loop.start();
    await expect.poll(() => looks).toBeGreaterThan(20);
  });

  it('stops at once in a pause, and for good', async () => {
    let looks = 0;
    const look = (): Promise<boolean> => {
      looks += 1;
      return Promise.resolve(false);
    };
    const { loop } = loopOf({ look, idleMs: 3_600_000 });
    loop.start();
    await expect.poll(() => looks).toBe(1);
    await loop.stop();
    await loop.stop();
    loop.start();
    await loop.stop();
    expect(looks).toBe(1);
  });

  it('may be stopped before it starts', async () => {
    let looks = 0;
    const { loop } = loopOf({ look: () => Promise.resolve((looks += 1) < 0) });
    await loop.stop();
    loop.start();
    await loop.stop();
    expect(looks).toBe(0);
  });

  it('stops after the look in hand, which is told of it', async () => {
    const { passed, open } = gate();
    let signal: AbortSignal | undefined;
    let hasEnded = false;
    const { loop, lines } = loopOf({
      look: async (given) => {
        signal = given;
        await passed;
        hasEnded = true;
        throw new Error('cut short');
      },
    });
    loop.start();
    await expect.poll(() => signal).toBeDefined();
    const stopped = loop.stop();
    expect([signal?.aborted, hasEnded]).toEqual([true, false]);
    open();
    await stopped;
    expect(hasEnded).toBe(true);
    expect(lines).toEqual([]);
  });
});
