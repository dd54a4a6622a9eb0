import { expect, it } from 'vitest';
import { measureNaiveDesign } from './naive-designs.ts';

const load = { seconds: 0.05, seed: 5, eventsPerRequest: 5, poolSize: 1_000 };

it.each(['jobPerEvent', 'fullyNaive'] as const)('%s stores what was sent', async (design) => {
  const { exact, eventsPerSecond, cpuMicrosPerEvent, rssMbMaxOf } = await measureNaiveDesign(design, load);
  expect(exact).toBe(true);
  expect(eventsPerSecond).toBeGreaterThan(1);
  expect(cpuMicrosPerEvent.naive).toBeGreaterThan(0);
  expect(rssMbMaxOf?.clickhouse).toBeGreaterThan(10);
});
