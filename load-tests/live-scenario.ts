/**
 * From accepted to denied: a customer's events use up its hard limit, and its application goes on asking until it is
 * told no, while a load of other customers' events runs.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { livePlan } from './bench-installation.ts';
import { type BenchRun, measureLoads } from './bench-run.ts';
import { eventPlanAt, eventScenario } from './event-scenarios.ts';
import type { Scenario } from './figures.ts';
import { exchange, getHead, HttpLane } from './http-lane.ts';
import { percentile } from './load.ts';

const customersAtOnce = 6;
const askEveryMs = 4;
/** So that customers do not all begin with the same flush. */
const startWithinMs = 150;
const secondsAtLeast = 6;
const patienceMs = 20_000;

export async function measureLive(run: BenchRun, saturatedPerSecond: number): Promise<Scenario> {
  const { bench, options } = run;
  const seconds = Math.max(secondsAtLeast, options.seconds);
  // A customer takes a third of a second at best.
  const names = Array.from(
    { length: customersAtOnce * seconds * 3 },
    (_, at) => `live-${bench.nextStream()}-${at}`,
  );
  await bench.provision(names, livePlan.planId);
  const deniedMs: number[] = [];
  const beside = async (loadsEnded: AbortSignal): Promise<number> => {
    const lane = async (): Promise<void> => {
      const [events, checks] = [
        await HttpLane.open(bench.ingest('').port),
        await HttpLane.open(bench.ingest('').port),
      ];
      for (let name = names.pop(); name !== undefined && !loadsEnded.aborted; name = names.pop()) {
        await pause(Math.random() * startWithinMs);
        deniedMs.push(await useUp(run, { events, checks }, name));
      }
      events.close();
      checks.close();
    };
    await Promise.all(Array.from({ length: customersAtOnce }, lane));
    return deniedMs.length * livePlan.limit;
  };
  const measured = await measureLoads(run, [eventPlanAt(saturatedPerSecond / 3, seconds)], beside);
  const sorted = Float64Array.from(deniedMs).sort();
  const scenario = eventScenario(measured);
  return {
    ...scenario,
    freshMs: { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
    details: { ...scenario.details, customers: sorted.length },
  };
}

interface Lanes {
  readonly events: HttpLane;
  readonly checks: HttpLane;
}

/** Milliseconds from the acceptance of the last event that fits until a check says no. */
async function useUp({ bench }: BenchRun, { events, checks }: Lanes, customerId: string): Promise<number> {
  const ask = (): Promise<string> => check(checks, bench.ingest(''), customerId);
  const first = await ask();
  if (!first.includes('"isGranted":true')) throw new Error(`a customer without usage is refused: ${first}`);
  const list = Array.from({ length: livePlan.limit }, (_, index) => ({
    customerId,
    eventName: livePlan.eventName,
    idempotencyKey: `${customerId}-${index}`,
  }));
  const { status } = await exchange(events, bench.ingest('/api/v1/events'), { events: list });
  const acceptedAt = performance.now();
  if (status !== 202) throw new Error(`a customer's events were answered with ${status}`);
  for (;;) {
    const answer = await ask();
    const elapsed = performance.now() - acceptedAt;
    if (answer.includes('"isGranted":false')) {
      if (answer.includes(`"currentUsage":"${livePlan.limit}"`)) return elapsed;
      throw new Error(`a customer is refused with another usage than it has: ${answer}`);
    }
    if (elapsed > patienceMs)
      throw new Error(`a customer is still granted after ${patienceMs} ms: ${answer}`);
    await pause(askEveryMs);
  }
}

function check(
  lane: HttpLane,
  target: ReturnType<BenchRun['bench']['ingest']>,
  customerId: string,
): Promise<string> {
  const path = `/api/v1/customers/${customerId}/entitlements/check?featureId=${livePlan.featureId}`;
  return new Promise((resolve) => {
    lane.request(getHead(target, path), undefined, (_status, answer) => resolve(answer.toString()));
  });
}
