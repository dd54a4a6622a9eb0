import { describe, expect, it } from 'vitest';
import { PacedTask } from './paced-task.ts';

describe('a paced task', () => {
  it('runs at once, and once more for all that asked meanwhile', async () => {
    const runs: number[] = [];
    const task = new PacedTask(async () => void runs.push(performance.now()), 30);
    for (let time = 0; time < 5; time += 1) task.request();
    await expect.poll(() => runs.length).toBe(1);
    for (let time = 0; time < 5; time += 1) task.request();
    await expect.poll(() => runs.length).toBe(2);
    const [first = 0, second = 0] = runs;
    expect(second - first).toBeGreaterThan(25);
    await task.stop();
    expect(runs).toHaveLength(2);
  });

  it('that fails runs again', async () => {
    let runs = 0;
    const task = new PacedTask(async () => {
      runs += 1;
      if (runs === 1) throw new Error('away');
    }, 5);
    task.request();
    await expect.poll(() => runs).toBe(2);
    await task.stop();
    expect(runs).toBe(2);
  });

  it('that is wanted when it is stopped runs before the stop ends', async () => {
    let runs = 0;
    const task = new PacedTask(async () => {
      runs += 1;
    }, 60_000);
    task.request();
    await expect.poll(() => runs).toBe(1);
    task.request();
    await task.stop();
    expect(runs).toBe(2);
  });
});
