import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, describe, expect, inject, it } from 'vitest';
import type { AppliedCoupon } from '../catalog/coupon.ts';
import { ManualClock } from '../clock.ts';
import { customerRef } from '../customers/customer-record.ts';
import { closeRedis, openRedis } from '../queue/redis-connection.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { billChange } from './bill-change.ts';
import {
  Account,
  dayMs,
  fee,
  makePlan,
  makeProduct,
  paid,
  published,
  trialOf,
} from './life-cycle.fixture.ts';
import { newSubscription, provisionCustomers } from './record-register.fixture.ts';
import { RecordSubscriptionPreviews } from './record-subscription-previews.ts';
import { RecordSubscriptionRegister } from './record-subscription-register.ts';
import type { NewSubscription, SubscriptionOutcome } from './subscription-register.ts';
import type { PreviewOutcome, SubscriptionPreview } from './subscription-preview.ts';
import type { Subscription } from './subscription.ts';
import type { UpdateRequest } from './update.ts';

const redis = openRedis(inject('redisUrl'), 'worker');
const audit = { actor: 'test', traceId: 'trace', operation: 'test', at: published };
const coupon: AppliedCoupon = {
  couponId: 'tenth',
  percentOff: '10',
  amountsOff: null,
  startsAt: published,
  endsAt: null,
};

afterAll(() => closeRedis(redis));

interface Step {
  readonly waitDays: number;
  readonly planId: string;
  readonly startsInDays: number | null;
  readonly resourceId: string | null;
  readonly scheduleStrategy: NewSubscription['scheduleStrategy'];
  readonly billingPeriod: NewSubscription['billingPeriod'];
  readonly unitQuantity: number | null;
  readonly payingCustomerId: string | null;
  /** Which of the live subscriptions is changed; null provisions another one. */
  readonly pick: number | null;
}

const step: fc.Arbitrary<Step> = fc.record({
  waitDays: fc.integer({ min: 0, max: 40 }),
  planId: fc.constantFrom('free', 'basic', 'seats', 'trial', 'none'),
  startsInDays: fc.option(fc.integer({ min: -40, max: 40 }), { freq: 1 }),
  resourceId: fc.constantFrom(null, 'r1'),
  scheduleStrategy: fc.constantFrom(null, 'IMMEDIATE', 'END_OF_BILLING_PERIOD'),
  billingPeriod: fc.constantFrom(null, 'MONTHLY', 'ANNUALLY'),
  unitQuantity: fc.option(fc.integer({ min: 0, max: 9 })),
  payingCustomerId: fc.option(fc.constant('holding'), { freq: 1 }),
  pick: fc.option(fc.nat(5)),
});

describe('a preview', () => {
  it('is what the operation then costs, or why it is refused, and changes nothing', async () => {
    const counts = { previewed: 0, refused: 0, charged: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        const scene = await openScene();
        for (const taken of steps) {
          scene.clock.advance(taken.waitDays * dayMs);
          const outcome = await scene.compare(taken);
          if ('problem' in outcome) counts.refused += 1;
          else {
            counts.previewed += 1;
            if (outcome.preview.immediateInvoice.lineItems.length > 0) counts.charged += 1;
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(10);
  });

  it('is decided on what time has done by then', async () => {
    const scene = await openScene();
    await scene.register.provision(newSubscription('acme', 'trial', { refId: 'tried' }), audit);
    scene.clock.advance(20 * dayMs);
    const { immediateInvoice } = previewIn(
      await scene.previews.provision(
        newSubscription('acme', 'basic', { billingPeriod: 'MONTHLY', scheduleStrategy: 'IMMEDIATE' }),
      ),
    );
    // The trial was converted on the 15th: what it was paid for is credited.
    expect(immediateInvoice.lineItems.map(({ description }) => description)).toEqual([
      'Unused time: trial',
      'Remaining time: basic',
    ]);
  });
});

interface Scene {
  readonly clock: ManualClock;
  readonly register: RecordSubscriptionRegister;
  readonly previews: RecordSubscriptionPreviews;
  /** Asks for the preview, does it, and holds one against the other. */
  compare(taken: Step): Promise<PreviewOutcome>;
}

async function openScene(): Promise<Scene> {
  const records = new RedisRecordStore(redis, `{previews-${randomUUID()}}`);
  await provisionCustomers(records, ['acme', 'holding']);
  const [holding] = await records.read([customerRef('holding')]);
  const body = { ...(holding?.body as object), coupon };
  await records.commit([{ ...customerRef('holding'), expectedVersion: 1, body }], audit);
  const clock = new ManualClock(published + dayMs);
  const { offers } = soldBy();
  const catalog = {
    package: (name: string) => Promise.resolve(offers.package(name)),
    product: (name: string) => Promise.resolve(offers.product(name)),
    coupon: () => Promise.resolve(undefined),
  };
  const register = new RecordSubscriptionRegister({ records, catalog, clock });
  const previews = new RecordSubscriptionPreviews({ records, catalog, clock });
  const payerCoupons = new Map([['holding', coupon]]);
  return {
    clock,
    register,
    previews,
    compare: async (taken) => {
      const live = await register.live('acme');
      const stored = await records.read(live.map(({ refId }) => ({ kind: 'subscription', key: refId })));
      const picked = taken.pick === null ? undefined : live[taken.pick % Math.max(live.length, 1)];
      const previewed = await asked(previews, taken, picked, clock.now());
      expect(await records.read(stored.flatMap((record) => record ?? []))).toEqual(stored);
      expect(await register.live('acme')).toEqual(live);
      const outcome = await done(register, taken, picked, clock.now());
      if ('problem' in outcome || 'problem' in previewed) {
        expect(previewed).toEqual(outcome);
        return previewed;
      }
      const names = new Set(
        [...live, ...(await register.live('acme')), outcome.subscription].map(({ refId }) => refId),
      );
      const now = await Promise.all([...names].map((name) => register.subscription(name)));
      const billed = billChange(
        {
          before: { subscriptions: live, trialedProductIds: [] },
          after: { subscriptions: now.filter((item) => item !== undefined), trialedProductIds: [] },
          offers,
          payerCoupons,
          at: clock.now(),
          cause: 'request',
        },
        previewed.preview.immediateInvoice,
      );
      const { proration, immediateInvoice, otherInvoices } = previewed.preview;
      expect({ proration, invoice: immediateInvoice, otherInvoices }).toEqual(billed);
      return previewed;
    },
  };
}

function asked(
  previews: RecordSubscriptionPreviews,
  taken: Step,
  picked: Subscription | undefined,
  now: number,
): Promise<PreviewOutcome> {
  return picked === undefined
    ? previews.provision(provisioning(taken, now))
    : previews.update(picked.refId, updating(taken));
}

function done(
  register: RecordSubscriptionRegister,
  taken: Step,
  picked: Subscription | undefined,
  now: number,
): Promise<SubscriptionOutcome> {
  return picked === undefined
    ? register.provision(provisioning(taken, now), audit)
    : register.update(picked.refId, updating(taken), audit);
}

function provisioning(taken: Step, now: number): NewSubscription {
  const { planId, startsInDays, resourceId, scheduleStrategy, billingPeriod } = taken;
  const { unitQuantity, payingCustomerId } = taken;
  const startDate = startsInDays === null ? null : now + startsInDays * dayMs;
  const terms = { resourceId, scheduleStrategy, billingPeriod, unitQuantity, payingCustomerId };
  return newSubscription('acme', planId, { ...terms, startDate });
}

function updating({ unitQuantity, billingPeriod, scheduleStrategy, payingCustomerId }: Step): UpdateRequest {
  return {
    unitQuantity,
    billingPeriod,
    scheduleStrategy,
    payingCustomerId,
    addons: null,
    billableFeatures: null,
    additionalMetaData: undefined,
    trialEndDate: undefined,
    cancellationDate: undefined,
  };
}

function previewIn(outcome: PreviewOutcome): SubscriptionPreview {
  if ('problem' in outcome) throw new Error(outcome.problem.message);
  return outcome.preview;
}

function soldBy(): Account {
  const seat = { billingModel: 'PER_UNIT', featureId: 'seat' } as const;
  return new Account(
    published,
    [makeProduct('app', { downgradeAtEndOfBillingPeriod: true })],
    [
      makePlan('free', 'app'),
      makePlan('basic', 'app', paid(fee('10'), fee('99.9', 'ANNUALLY'))),
      makePlan('seats', 'app', paid(fee('7.77', 'MONTHLY', seat), fee('70', 'ANNUALLY', seat))),
      makePlan('trial', 'app', { ...paid(fee('30')), ...trialOf(14) }),
    ],
  );
}
