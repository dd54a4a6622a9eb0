import { randomUUID } from 'node:crypto';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import { afterAll, describe, expect, inject, it, vi } from 'vitest';
import type { Package } from '../catalog/package.ts';
import { ManualClock } from '../clock.ts';
import type { RecordPlace } from '../records/record-store.ts';
import { RedisOutbox } from '../records/redis-outbox.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { BullmqTimekeeper } from './bullmq-timekeeper.ts';
import { dayMs, makePlan, makeProduct, published, trialOf } from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import { subscriptionOf, subscriptionRef } from './subscription-record.ts';
import type { DueStep } from './subscription-register.ts';

const redis = openRedis(inject('redisUrl'), 'worker');
const none = (): Promise<DueStep> => Promise.resolve({ done: 0, next: null });
const logger = { warn: () => undefined };
const customers = Array.from({ length: 130 }, (_, at) => `customer-${at}`);

afterAll(async () => {
  await closeRedis(redis);
});

describe('the timekeeper', () => {
  it('carries out what is due, once, though two run, and though nobody ran when it was due', async () => {
    const namespace = `{time-${randomUUID()}}`;
    const records = new RedisRecordStore(redis, namespace);
    const clock = new ManualClock(published + dayMs);
    const register = await registerOf(records, clock);
    for (const customerId of customers) await subscribe(register, customerId);
    clock.advance(30 * dayMs);
    const reported: Error[] = [];
    const report = (error: Error): void => void reported.push(error);
    const keepers = [1, 2].map(
      () => new BullmqTimekeeper({ redis, namespace, time: register, report, logger, intervalMs: 20 }),
    );
    await Promise.all(keepers.map((keeper) => keeper.start()));
    await vi.waitFor(async () => expect(await statuses(records)).toEqual(new Set(['EXPIRED'])), {
      timeout: 10_000,
    });
    const again = await register.settleDue(1_000);
    await Promise.all(keepers.map((keeper) => keeper.stop()));
    expect(again).toEqual({ done: 0, next: null });
    expect(reported).toEqual([]);
    const entries = await allEntries(new RedisOutbox(redis, namespace));
    expect(entries.filter((actor) => actor === 'system')).toHaveLength(customers.length);
  });

  it('rolls versions out until there is nothing to do, and looks again later', async () => {
    const answers = [true, true, false, true];
    let asked = 0;
    const rollOut = (): Promise<boolean> => {
      asked += 1;
      return Promise.resolve(answers.shift() ?? false);
    };
    const time = { settleDue: none, rollOut, collectDue: none };
    const namespace = `{time-${randomUUID()}}`;
    const keeper = new BullmqTimekeeper({ redis, namespace, time, report: () => {}, logger, intervalMs: 20 });
    await keeper.start();
    await vi.waitFor(() => expect([answers.length, asked > 4]).toEqual([0, true]), { timeout: 10_000 });
    await keeper.stop();
  });

  it('walks over what is due to its end, and goes on to other duties when one fails', async () => {
    const places = [{ score: 1, key: 'a' }, { score: 2, key: 'b' }, null];
    const cameFrom: unknown[] = [];
    const collectDue = (_: number, after: RecordPlace | null): Promise<DueStep> => {
      cameFrom.push(after);
      return Promise.resolve({ done: 0, next: places[cameFrom.length - 1] ?? null });
    };
    const lines: unknown[] = [];
    const time = {
      settleDue: () => Promise.reject(new Error('secret')),
      collectDue,
      rollOut: () => Promise.reject(new TypeError('secret')),
    };
    const namespace = `{time-${randomUUID()}}`;
    const keeper = new BullmqTimekeeper({
      redis,
      namespace,
      time,
      report: () => {},
      logger: { warn: (...line: readonly unknown[]) => void lines.push(line) },
      intervalMs: 20,
    });
    await keeper.start();
    // The second walk has ended, so both duties that fail have failed more than once.
    await vi.waitFor(() => expect(cameFrom.length).toBeGreaterThan(4), { timeout: 10_000 });
    await keeper.stop();
    expect(cameFrom.slice(0, 4)).toEqual([null, places[0], places[1], null]);
    expect(lines).toEqual([[{ error: 'Error', failures: 1 }, 'what is due has to wait']]);
  });

  it('may be stopped before it starts, and twice', async () => {
    const time = { settleDue: none, rollOut: () => Promise.resolve(false), collectDue: none };
    const namespace = `{time-${randomUUID()}}`;
    const keeper = new BullmqTimekeeper({ redis, namespace, time, report: () => {}, logger, intervalMs: 20 });
    await keeper.stop();
    await keeper.start();
    await keeper.stop();
    await expect(keeper.stop()).resolves.toBeUndefined();
  });
});

async function registerOf(
  records: RedisRecordStore,
  clock: ManualClock,
): Promise<RecordSubscriptionRegister> {
  const plan = makePlan('gold', 'app', trialOf(7, 'CANCEL_SUBSCRIPTION'));
  await provisionCustomers(records, customers);
  const catalog = {
    package: (name: string): Promise<Package | undefined> =>
      Promise.resolve(name === plan.refId ? plan : undefined),
    product: (name: string) => Promise.resolve(makeProduct(name)),
    coupon: () => Promise.resolve(undefined),
  };
  return new RecordSubscriptionRegister({ records, catalog, clock });
}

async function subscribe(register: RecordSubscriptionRegister, customerId: string): Promise<void> {
  const outcome = await register.provision(
    newSubscription(customerId, 'gold', { refId: `of-${customerId}` }),
    {
      actor: 'test',
      traceId: 'trace',
      operation: 'provision',
      at: 0,
    },
  );
  expect(outcome).toMatchObject({ subscription: { status: 'IN_TRIAL' } });
}

async function statuses(records: RedisRecordStore): Promise<ReadonlySet<string | undefined>> {
  const found = await records.read(customers.map((customerId) => subscriptionRef(`of-${customerId}`)));
  return new Set(found.map((record) => subscriptionOf(record)?.status));
}

/** Who made the changes that the outbox holds. */
async function allEntries(outbox: RedisOutbox): Promise<readonly string[]> {
  const actors: string[] = [];
  for (let batch = await outbox.take(); batch !== undefined; batch = await outbox.take()) {
    actors.push(...batch.entries.map(({ audit }) => audit.actor));
    await outbox.done(batch.token);
  }
  return actors;
}
