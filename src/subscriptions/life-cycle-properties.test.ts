import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextDueAt } from './advance.ts';
import { monthsLater } from '../calendar.ts';
import {
  Account,
  at,
  dayMs,
  fee,
  makeCoupon,
  makePlan,
  makeProduct,
  paid,
  republished,
  trialOf,
} from './life-cycle.fixture.ts';
import type { MigrationTime } from './migrate.ts';
import { isSameSlot } from './portfolio.ts';
import { currentPeriod } from './subscription-dates.ts';
import type { ProvisionRequest } from './provision.ts';
import { hasEnded, type Subscription, type SubscriptionStatus } from './subscription.ts';

type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'provision'; readonly planId: string; readonly more: Partial<ProvisionRequest> }
  | { readonly do: 'cancel'; readonly pick: number; readonly time: 'IMMEDIATE' | 'END_OF_BILLING_PERIOD' }
  | { readonly do: 'cancelOn'; readonly pick: number; readonly afterMs: number }
  | { readonly do: 'update'; readonly pick: number; readonly units: number; readonly later: boolean }
  | { readonly do: 'extend'; readonly pick: number; readonly afterMs: number }
  | { readonly do: 'takeBack'; readonly pick: number }
  | { readonly do: 'migrate'; readonly pick: number; readonly time: MigrationTime }
  | { readonly do: 'transfer'; readonly pick: number; readonly resourceId: string }
  | { readonly do: 'coupon'; readonly pick: number; readonly isGiven: boolean };

const start = at('2026-01-31');
/** When the versions for all customers are published. */
const forAllFrom = start + 30 * dayMs;
const plans = ['free', 'basic', 'pro', 'gold', 's-one', 's-two'];

const pick = fc.nat(20);
const span = fc
  .oneof(fc.integer({ min: 0, max: 90 }), fc.constantFrom(7, 14, 28))
  .map((days) => days * dayMs);
const provisioning: fc.Arbitrary<Step> = fc
  .record({
    planId: fc.constantFrom(...plans),
    resourceId: fc.constantFrom(null, 'r1', 'r2'),
    startsIn: fc.option(fc.integer({ min: -60, max: 60 }), { freq: 2 }),
    skipTrial: fc.boolean(),
    scheduleStrategy: fc.constantFrom(null, 'IMMEDIATE', 'END_OF_BILLING_PERIOD'),
    billingPeriod: fc.constantFrom('MONTHLY', 'ANNUALLY'),
  })
  .map(({ planId, startsIn, ...more }) => ({
    do: 'provision',
    planId,
    more: {
      ...more,
      ...(startsIn === null ? {} : { startDate: startsIn * dayMs }),
    } as Partial<ProvisionRequest>,
  }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: provisioning },
  { weight: 4, arbitrary: span.map((ms): Step => ({ do: 'wait', ms })) },
  fc.record({
    do: fc.constant('cancel' as const),
    pick,
    time: fc.constantFrom('IMMEDIATE' as const, 'END_OF_BILLING_PERIOD' as const),
  }),
  fc.record({ do: fc.constant('cancelOn' as const), pick, afterMs: span }),
  fc.record({
    do: fc.constant('update' as const),
    pick,
    units: fc.integer({ min: 0, max: 9 }),
    later: fc.boolean(),
  }),
  fc.record({ do: fc.constant('extend' as const), pick, afterMs: span }),
  fc.record({ do: fc.constant('takeBack' as const), pick }),
  fc.record({
    do: fc.constant('migrate' as const),
    pick,
    time: fc.constantFrom('IMMEDIATE' as const, 'END_OF_BILLING_PERIOD' as const),
  }),
  fc.record({ do: fc.constant('transfer' as const), pick, resourceId: fc.constantFrom('r1', 'r2', 'r3') }),
  fc.record({ do: fc.constant('coupon' as const), pick, isGiven: fc.boolean() }),
);
const history = fc.array(step, { maxLength: 25 });

describe('whatever happens', () => {
  it('a customer never has two non-trial subscriptions, nor two trials, to one product and resource', () => {
    play(history, (account) => {
      const running = account.portfolio.subscriptions.filter(hasStarted);
      for (const one of running) {
        const beside = running.filter((other) => other !== one && isSameSlot(one, other, account.offers));
        expect(beside.filter(({ status }) => status === one.status)).toEqual([]);
        expect(beside.filter(({ planId }) => planId === one.planId)).toEqual([]);
      }
    });
  });

  it('a subscription has the status that its dates say', () => {
    play(history, ({ portfolio, offers, now }) => {
      for (const subscription of portfolio.subscriptions) {
        expect([subscription.refId, subscription.status]).toEqual([
          subscription.refId,
          statusByDates(subscription, now),
        ]);
      }
      const due = nextDueAt(portfolio, offers);
      expect(due === null || due > now).toBe(true);
    });
  });

  it('a customer has one trial of a product', () => {
    play(history, ({ portfolio }) => {
      const trialed = portfolio.subscriptions.filter(
        ({ trial, status, startDate, endedAt }) =>
          trial !== null && status !== 'NOT_STARTED' && (endedAt === null || endedAt > startDate),
      );
      const products = trialed.map(({ productId }) => productId);
      expect(new Set(products).size).toBe(products.length);
    });
  });

  it('billing periods follow one another without a gap or an overlap, from the start to now', () => {
    play(history, ({ portfolio, now }) => {
      for (const subscription of portfolio.subscriptions.filter(hasStarted)) {
        const period = currentPeriod(subscription, now);
        expect(period !== null && period.start <= now && now < period.end).toBe(true);
        const { startDate, trial } = subscription;
        const before = Math.max(period?.start ?? 0, startDate) - 1;
        const earlier = before >= startDate ? currentPeriod(subscription, before) : null;
        if (earlier !== null) expect(earlier.end).toBe(period?.start);
        if (trial !== null && trial.endsAt <= now) {
          expect(currentPeriod(subscription, trial.endsAt - 1)?.end).toBe(trial.endsAt);
        }
      }
    });
  });

  it('usage is counted from one instant, which is set at the start and stays', () => {
    playThrough(history, (account) => {
      const anchors = new Map<string, number | null>();
      return () => {
        const { subscriptions } = account.portfolio;
        for (const { refId, status, usageAnchor, startDate, productId } of subscriptions) {
          if (status === 'NOT_STARTED') expect(usageAnchor).toBeNull();
          else if (anchors.has(refId)) expect(usageAnchor).toBe(anchors.get(refId));
          else anchors.set(refId, usageAnchor);
          // The one product resets usage with each new subscription, the other one goes on counting.
          if (usageAnchor === null) continue;
          if (productId === 'sites') expect(usageAnchor).toBe(startDate);
          else expect(subscriptions.map((item) => item.startDate)).toContain(usageAnchor);
        }
      };
    });
  });

  it('versions only go up, and one for all customers takes each subscription along once', () => {
    playThrough(history, (account) => {
      const seen = new Map<string, Subscription>();
      return () => {
        for (const subscription of account.portfolio.subscriptions) {
          const { refId, planId, planVersion } = subscription;
          const before = seen.get(refId)?.planVersion ?? 1;
          expect(planVersion).toBeGreaterThanOrEqual(before);
          seen.set(refId, subscription);
          if (!hasStarted(subscription)) continue;
          if (planId === 'basic') expect(planVersion).toBe(account.now < forAllFrom ? 1 : 2);
          // Its version for all customers begins to be billed, so that nobody goes there by itself.
          if (planId === 'free' && subscription.pricingType === 'FREE') expect(planVersion).toBe(1);
        }
      };
    });
  });

  it('a trial is told to end soon when it does, and not before', () => {
    play(history, ({ portfolio, now }) => {
      for (const { status, trial, startDate } of portfolio.subscriptions) {
        if (status !== 'IN_TRIAL' || trial === null) continue;
        const isSoon = now >= Math.max(startDate, trial.endsAt - 7 * dayMs);
        expect(trial.endsSoonToldAt !== null).toBe(isSoon);
      }
    });
  });

  it('a coupon holds for its months and is changed by nobody but who gives or takes it', () => {
    playThrough(history, (account) => {
      let before: readonly Subscription[] = [];
      return (taken) => {
        const after = account.portfolio.subscriptions;
        const couponOf = ({ refId }: Subscription): unknown =>
          before.find((item) => item.refId === refId)?.coupon ?? null;
        const wrong = after.filter(
          ({ coupon }) => coupon !== null && coupon.endsAt !== monthsLater(coupon.startsAt, 2),
        );
        expect(wrong).toEqual([]);
        const changed = after.filter((item) => !isDeepStrictEqual(item.coupon, couponOf(item)));
        expect(taken.do === 'coupon' ? [] : changed).toEqual([]);
        before = after;
      };
    });
  });

  it('the result does not depend on how often somebody looks', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: 9 }), (steps, looks) => {
        const [seldom, often] = [openAccount(), openAccount()];
        for (const one of steps) {
          take(seldom, one);
          if (one.do === 'wait') {
            const from = often.now;
            for (let look = 1; look < looks; look += 1)
              often.until(from + Math.floor((one.ms * look) / looks));
            often.until(from + one.ms);
          } else {
            take(often, one);
          }
        }
        expect(often.portfolio).toEqual(seldom.portfolio);
      }),
      { numRuns: 150 },
    );
  });
});

function play(steps: fc.Arbitrary<readonly Step[]>, check: (account: Account) => void): void {
  playThrough(steps, (account) => () => check(account));
}

/** With a check that remembers what it saw of the history. */
function playThrough(
  steps: fc.Arbitrary<readonly Step[]>,
  begin: (account: Account) => (taken: Step) => void,
): void {
  fc.assert(
    fc.property(steps, (taken) => {
      const account = openAccount();
      const check = begin(account);
      for (const one of taken) {
        take(account, one);
        check(one);
      }
    }),
    { numRuns: 150 },
  );
}

function openAccount(): Account {
  const units = fee('3', 'MONTHLY', { billingModel: 'PER_UNIT', featureId: 'seats' });
  const yearly = fee('300', 'ANNUALLY', { billingModel: 'PER_UNIT', featureId: 'seats' });
  const journey = { downgradeAtEndOfBillingPeriod: true, downgradePlanId: 'free' };
  const pro = makePlan('pro', 'app', { ...paid(fee('50'), units, yearly), ...trialOf(14) });
  const app = makeProduct('app', { ...journey, subscriptionEndSetup: 'DOWNGRADE_TO_FREE' });
  const basic = makePlan('basic', 'app', paid(fee('10'), fee('100', 'ANNUALLY')));
  const billed = paid(fee('1'), fee('9', 'ANNUALLY'));
  const account = new Account(
    start,
    [{ ...app, usageResetCutoffRule: { behavior: 'NEVER_RESET' } }, makeProduct('sites', {}, true)],
    [
      republished(makePlan('free', 'app'), billed, forAllFrom, 'ALL_CUSTOMERS'),
      republished(basic, paid(fee('11'), fee('110', 'ANNUALLY')), forAllFrom, 'ALL_CUSTOMERS'),
      republished(pro, trialOf(28), start + 40 * dayMs),
      makePlan('gold', 'app', {
        ...paid(fee('90'), fee('9', 'ANNUALLY')),
        ...trialOf(7, 'CANCEL_SUBSCRIPTION'),
      }),
      makePlan('s-one', 'sites', { ...paid(units, yearly), ...trialOf(10) }),
      makePlan('s-two', 'sites', { ...paid(fee('5'), fee('50', 'ANNUALLY')), ...trialOf(10) }),
    ],
  );
  account.coupons.set('off', makeCoupon('off', { percentOff: '10', durationInMonths: 2 }));
  return account;
}

/** What is refused changes nothing, and that is all right here. */
function take(account: Account, taken: Step): void {
  const { portfolio, now } = account;
  if (taken.do === 'wait') {
    account.until(now + taken.ms);
    return;
  }
  if (taken.do === 'provision') {
    const { startDate } = taken.more;
    const dated = typeof startDate === 'number' ? { startDate: now + startDate } : {};
    const refId = `s${portfolio.subscriptions.length}`;
    attempt(() => account.provision(taken.planId, { ...taken.more, ...dated, refId }));
    return;
  }
  const known = portfolio.subscriptions;
  const refId = known[taken.pick % Math.max(known.length, 1)]?.refId;
  if (refId === undefined) return;
  attempt(() => {
    if (taken.do === 'cancel') account.cancel(refId, { time: taken.time });
    if (taken.do === 'cancelOn') account.cancel(refId, { endDate: now + taken.afterMs });
    if (taken.do === 'extend') account.update(refId, { trialEndDate: now + taken.afterMs });
    if (taken.do === 'takeBack') account.takeBack(refId);
    if (taken.do === 'migrate') account.migrate(refId, taken.time);
    if (taken.do === 'transfer') account.transfer(refId, taken.resourceId);
    if (taken.do === 'coupon') {
      const appliedCoupon = taken.isGiven ? { couponId: 'off', startDate: null } : null;
      account.update(refId, { appliedCoupon });
    }
    if (taken.do === 'update') {
      const scheduleStrategy = taken.later ? 'END_OF_BILLING_PERIOD' : null;
      account.update(refId, { unitQuantity: taken.units, scheduleStrategy });
    }
  });
}

function attempt(change: () => unknown): void {
  try {
    change();
  } catch (error) {
    if (!(error instanceof Error) || /does not happen|lacks version/.test(error.message)) throw error;
  }
}

function hasStarted(subscription: Subscription): boolean {
  return !hasEnded(subscription) && subscription.status !== 'NOT_STARTED';
}

/** Written from the rules, not from the code: what a reader of the dates alone would say. */
function statusByDates(subscription: Subscription, now: number): SubscriptionStatus {
  const { endedAt, cancelReason, startDate, trial } = subscription;
  if (endedAt !== null && endedAt <= now) return cancelReason === 'TRIAL_ENDED' ? 'EXPIRED' : 'CANCELED';
  if (startDate > now) return 'NOT_STARTED';
  return trial !== null && now < trial.endsAt ? 'IN_TRIAL' : 'ACTIVE';
}
