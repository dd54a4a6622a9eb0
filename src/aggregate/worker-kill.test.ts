/**
 * Worker processes that die by SIGKILL, one after another on the same queue: at each named point of a flush, and at
 * any moment. In the end everything is exact, as if there had been one worker that lived.
 */
import { describe, expect, test } from 'vitest';
import { checkpoints } from './checkpoint.ts';
import { KillRun, rowsMax } from './kill-run.fixture.ts';
import { Dice } from './kill-traffic.fixture.ts';

/** Printed with every failure; the same number here makes the same facts and the same deaths again. */
const seed = Date.now() % 2 ** 31;

describe(`with seed ${seed}`, { timeout: 180_000 }, () => {
  test('killed at each named point of a flush, in any order', async () => {
    const dice = new Dice(seed);
    const run = await KillRun.open(dice);
    for (const at of dice.shuffled(checkpoints)) {
      // While it inserts, any moment of the insert is worth dying in; at the other points nothing goes on.
      const afterMs = at === 'duringInsert' ? dice.below(60) : 0;
      await run.lifeUntil({ at, visit: 1 + dice.below(3), afterMs });
    }
    await expectExact(run);
  });

  test('killed at any moment, recovery included', async () => {
    const dice = new Dice(seed + 1);
    const run = await KillRun.open(dice);
    for (let life = 0; life < 10; life += 1) {
      // The first half within what recovering takes, the others within a few flushes.
      await run.lifeUntil({ at: 'takeover', visit: 1, afterMs: dice.below(life % 2 === 0 ? 80 : 500) });
    }
    await expectExact(run);
  });

  test('killed again and again within one flush: what it decided is stored once', async () => {
    const dice = new Dice(seed + 2);
    const run = await KillRun.open(dice);
    for (const [kind, points] of [
      ['events', ['duringInsert', 'duringInsert', 'afterEvents']],
      ['measurements', ['afterMeasurements', 'afterReply']],
    ] as const) {
      await run.produceOneBatch(kind, 3 * rowsMax);
      // The worker that begins this flush first finishes the one of the other kind.
      let visit = kind === 'events' ? 1 : 2;
      for (const at of points) {
        await run.lifeUntil({ at, visit, afterMs: dice.below(40) }, 0);
        visit = 1;
      }
      const flush = await run.unfinishedFlush();
      expect(flush.decided[kind]).toBeGreaterThan(0);
      expect(await run.storedOf(flush.flushId)).toEqual(flush.decided);
    }
    await expectExact(run);
  });
});

async function expectExact(run: KillRun): Promise<void> {
  run.beginLast();
  expect(await run.found()).toEqual(run.expected());
  // Senders whose answers were lost send again, and that adds nothing.
  await run.produceAgain();
  expect(await run.found()).toEqual(run.expected());
}
