/** Events end to end: as fast as they go, and at a third of that with the time until a query counts them. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type BenchRun,
  eventConnections,
  latencies,
  loadDetails,
  type LoadPlan,
  type MeasuredLoads,
  measureLoads,
} from './bench-run.ts';
import { poolEvents } from './event-pool.ts';
import type { Scenario } from './figures.ts';
import { exchange, HttpLane } from './http-lane.ts';
import { percentile } from './load.ts';
import { meteredFeatures } from './metered-features.ts';

export function eventPlan(eventsPerBody: number, seconds: number): LoadPlan {
  return {
    path: '/api/v1/events',
    content: { kind: 'events', eventsPerBody, pool: poolEvents },
    connections: eventConnections[eventsPerBody] ?? 16,
    seconds,
  };
}

/** An open loop of bodies of 100; more of them may be on their way than a steady server ever has. */
export function eventPlanAt(eventsPerSecond: number, seconds: number): LoadPlan {
  return { ...eventPlan(100, seconds), rate: eventsPerSecond / 100, connections: 64 };
}

/** A closed loop: what it takes when it is given all it takes. */
export async function measureSaturation(run: BenchRun, eventsPerBody: number): Promise<Scenario> {
  return eventScenario(await measureLoads(run, [eventPlan(eventsPerBody, run.options.seconds)]));
}

export async function measureAtThird(run: BenchRun, saturatedPerSecond: number): Promise<Scenario> {
  const plan = eventPlanAt(saturatedPerSecond / 3, run.options.seconds);
  const probe = await FreshnessProbe.open(run);
  const measured = await measureLoads(run, [plan], (loadsEnded) => probe.run(loadsEnded));
  return { ...eventScenario(measured), freshMs: probe.figures() };
}

export function eventScenario({ reports, seconds, cpu, memory, exact }: MeasuredLoads): Scenario {
  const [report] = reports;
  if (report?.events === undefined) throw new Error('the load sent no events');
  const { accepted } = report.events;
  return {
    eventsPerSecond: accepted / seconds,
    ackMs: latencies(report),
    cpuMicrosPerEvent: cpu(accepted),
    ...memory,
    exact,
    details: { ...loadDetails(report), acceptedPerSecond: Math.round(accepted / report.seconds) },
  };
}

const probeEveryMs = 50;
/**
 * Between two questions, which cost ClickHouse a tenth of a core so. What they find is late by half of it on average,
 * and that stays in the figures.
 */
const askEveryMs = 25;
/** Behind the load, for the last events of the probe. */
const patienceMs = 60_000;

/** Beside a load: one event after another of a customer of its own, asked for until it is counted. */
export class FreshnessProbe {
  readonly #run: BenchRun;
  readonly #events: HttpLane;
  readonly #questions: HttpLane;
  readonly #customerId: string;
  /** When each event was acknowledged. */
  readonly #acknowledgedAt: number[] = [];
  readonly #freshMs: number[] = [];

  private constructor(run: BenchRun, events: HttpLane, questions: HttpLane, customerId: string) {
    this.#run = run;
    this.#events = events;
    this.#questions = questions;
    this.#customerId = customerId;
  }

  static async open(run: BenchRun): Promise<FreshnessProbe> {
    const { bench } = run;
    const customerId = `probe-${bench.nextStream()}`;
    await bench.provision([customerId], 'standard');
    const events = await HttpLane.open(bench.ingest('').port);
    return new FreshnessProbe(run, events, await HttpLane.open(bench.graphql.port), customerId);
  }

  /** Until the loads are done and the last event is counted. Returns how many it sent. */
  async run(loadsEnded: AbortSignal): Promise<number> {
    const sending = this.#send(loadsEnded);
    let giveUpAt = Number.POSITIVE_INFINITY;
    while (!loadsEnded.aborted || this.#freshMs.length < this.#acknowledgedAt.length) {
      if (loadsEnded.aborted) giveUpAt = Math.min(giveUpAt, performance.now() + patienceMs);
      if (performance.now() > giveUpAt) throw new Error('a probe was never counted');
      await this.#ask();
    }
    await sending;
    for (const lane of [this.#events, this.#questions]) lane.close();
    return this.#acknowledgedAt.length;
  }

  figures(): Scenario['ackMs'] {
    const sorted = Float64Array.from(this.#freshMs).sort();
    return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
  }

  async #send(loadsEnded: AbortSignal): Promise<void> {
    const target = this.#run.bench.ingest('/api/v1/events');
    for (let index = 0; !loadsEnded.aborted; index += 1) {
      const event = {
        customerId: this.#customerId,
        eventName: 'probe',
        idempotencyKey: `${this.#customerId}-${index}`,
        dimensions: { region: 'eu-west-1' },
      };
      const { status } = await exchange(this.#events, target, { events: [event] });
      if (status !== 202) throw new Error(`a probe was answered with ${status}`);
      this.#acknowledgedAt.push(performance.now());
      await pause(probeEveryMs);
    }
  }

  async #ask(): Promise<void> {
    const input = {
      customerId: this.#customerId,
      featureId: meteredFeatures[0]?.refId,
      startDate: new Date(Date.now() - 3_600_000).toISOString(),
    };
    const query = 'query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) { totalUsage } }';
    const { answer } = await exchange(this.#questions, this.#run.bench.graphql, {
      query,
      variables: { input },
    });
    const counted = Number(/"totalUsage":"(\d+)"/.exec(answer)?.[1] ?? 0);
    const now = performance.now();
    while (this.#freshMs.length < counted) {
      this.#freshMs.push(now - (this.#acknowledgedAt[this.#freshMs.length] ?? now));
    }
    await pause(askEveryMs);
  }
}
