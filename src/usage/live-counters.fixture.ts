/** Live usage on a real worker's queue: readers, what they ask of ClickHouse, and a recount to compare with. */
import { inject, onTestFinished } from 'vitest';
import type { WorkerWorld } from '../aggregate/worker.fixture.ts';
import { systemClock } from '../clock.ts';
import { quantityToText } from '../quantity.ts';
import { closeRedis, openRedis, type Redis, redisReady } from '../queue/redis-connection.ts';
import type { TestDatabase } from '../store/clickhouse-database.fixture.ts';
import { ClickhouseUsageReader } from './clickhouse-usage-reader.ts';
import { ClickhouseUsageTallies } from './clickhouse-usage-tallies.ts';
import { LiveCounters, type UsageTallies } from './live-counters.ts';
import type { UsageAsk } from './live-usage.ts';
import { type CounterLimits, RedisCounterStore } from './redis-counter-store.ts';

export interface ReaderSetup {
  readonly limits?: Partial<CounterLimits>;
  /** Waited for before ClickHouse is asked. */
  readonly beforeTally?: () => Promise<void>;
  /** Waited for once it has answered. */
  readonly afterTally?: () => Promise<void>;
}

export class LiveReader {
  readonly redis: Redis;
  readonly store: RedisCounterStore;
  readonly live: LiveCounters;
  /** Figures asked of ClickHouse so far. */
  tallies = 0;

  private constructor(world: WorkerWorld, database: TestDatabase, setup: ReaderSetup) {
    this.redis = openRedis(inject('redisUrl'), 'edge');
    onTestFinished(() => closeRedis(this.redis));
    this.store = new RedisCounterStore(this.redis, world.queue.keys, setup.limits);
    const stored = new ClickhouseUsageTallies(database.client);
    const tallies: UsageTallies = {
      tally: async (...asked) => {
        this.tallies += 1;
        await setup.beforeTally?.();
        const tally = await stored.tally(...asked);
        await setup.afterTally?.();
        return tally;
      },
    };
    this.live = new LiveCounters({ store: this.store, tallies, clock: systemClock });
  }

  static async open(
    world: WorkerWorld,
    database: TestDatabase,
    setup: ReaderSetup = {},
  ): Promise<LiveReader> {
    const reader = new LiveReader(world, database, setup);
    await redisReady(reader.redis, 5_000);
    return reader;
  }

  async usage(asks: readonly UsageAsk[]): Promise<string[]> {
    return (await this.live.current(asks)).map(({ usage }) => quantityToText(usage));
  }
}

/** The figures by the query of everybody else. */
export async function recount(database: TestDatabase, asks: readonly UsageAsk[]): Promise<string[]> {
  const reader = new ClickhouseUsageReader(database.client, { feature: () => Promise.resolve(undefined) });
  const figures = asks.map(({ customerId, feature, resourceId, period }) =>
    reader.currentUsage({ customerId, feature, resourceId: resourceId ?? '' }, { period }),
  );
  return (await Promise.all(figures)).map(quantityToText);
}
