import { describe, expect, it } from 'vitest';
import type { ProductSettings } from '../catalog/product.ts';
import { type StartDecision, startPlanOf, startSubscription } from './customer-start.ts';
import { Account, at, fee, iso, makePlan, makeProduct, paid, trialOf } from './life-cycle.fixture.ts';
import type { ProvisionRequest } from './provision.ts';

const monthly = fee('10');
const free = makePlan('free', 'app');
const pro = makePlan('pro', 'app', {
  ...paid(monthly, fee('100', 'ANNUALLY')),
  compatibleAddonIds: ['extra'],
});
const extra = makePlan('extra', 'app', paid(monthly, fee('20', 'ANNUALLY')), 'ADDON');
const team = makePlan('team', 'app', { ...paid(monthly), ...trialOf(14) });
const noTrial = makePlan('no-trial', 'app', paid(monthly));

describe('PLAN_SELECTION', () => {
  it('starts with the plan asked for', () => {
    const account = accountWith({});
    const addons = [{ addonId: 'extra', quantity: 2 }];
    expect(start(account, { planId: 'pro', billingPeriod: 'MONTHLY', addons })).toBe('REQUESTED_PLAN');
    expect(account.find('new')).toMatchObject({ planId: 'pro', status: 'ACTIVE', addons: [{ quantity: 2 }] });
  });

  it('tells what is wrong with it', () => {
    expect(start(accountWith({}), { planId: 'none' })).toMatch(/^PLAN_NOT_FOUND: .*"none"/);
    expect(start(accountWith({}), { planId: 'extra' })).toMatch(/^PLAN_NOT_FOUND/);
    expect(start(accountWith({}), { planId: 'pro' })).toMatch(/^VALIDATION_ERROR: billingPeriod is required/);
  });
});

describe('FREE_PLAN', () => {
  const settings = { subscriptionStartSetup: 'FREE_PLAN', subscriptionStartPlanId: 'free' } as const;

  it('starts with the free plan instead, and with nothing of what was selected of the other', () => {
    const account = accountWith(settings);
    const addons = [{ addonId: 'extra', quantity: 2 }];
    const more = { additionalMetaData: { from: 'sign-up' }, trialOverride: trialUntil('2025-03-10') };
    expect(start(account, { planId: 'pro', billingPeriod: 'ANNUALLY', addons, ...more })).toBe(
      'START_WITH_FREE_PLAN',
    );
    expect(account.find('new')).toMatchObject({
      planId: 'free',
      status: 'ACTIVE',
      billingPeriod: 'MONTHLY',
      addons: [],
      additionalMetaData: { from: 'sign-up' },
    });
  });

  it('tells that it is the journey that leads to a plan which cannot be had', () => {
    const account = accountWith({ ...settings, subscriptionStartPlanId: 'gone' });
    expect(start(account, { planId: 'pro' })).toMatch(
      /^PLAN_NOT_FOUND: the customer journey .*"app".*"gone"/,
    );
  });
});

describe('TRIAL_PERIOD', () => {
  const settings = { subscriptionStartSetup: 'TRIAL_PERIOD', subscriptionStartPlanId: 'team' } as const;

  it("starts with a trial of the journey's plan, whatever was asked for", () => {
    const account = accountWith(settings);
    expect(start(account, { planId: 'pro', billingPeriod: 'ANNUALLY', skipTrial: true })).toBe(
      'START_WITH_TRIAL',
    );
    const { planId, status, trial, billingPeriod } = account.find('new');
    expect({ planId, status, billingPeriod }).toEqual({
      planId: 'team',
      status: 'IN_TRIAL',
      billingPeriod: 'MONTHLY',
    });
    expect(iso(trial?.endsAt ?? null)).toBe('2025-03-15T00:00:00');
  });

  it('ends when the caller says, also where the plan has no trial of its own', () => {
    const account = accountWith({ ...settings, subscriptionStartPlanId: 'no-trial' });
    expect(start(account, { planId: 'pro' })).toMatch(
      /^VALIDATION_ERROR: the customer journey .*trialEndDate/,
    );
    start(account, { planId: 'pro', trialOverride: trialUntil('2025-03-10') });
    expect(iso(account.find('new').trial?.endsAt ?? null)).toBe('2025-03-10T00:00:00');
  });

  it('keeps what was selected of the very plan', () => {
    const plan = makePlan('pro', 'app', {
      ...paid(monthly),
      ...trialOf(7),
      compatibleAddonIds: ['extra'],
    });
    const account = accountWith({ ...settings, subscriptionStartPlanId: 'pro' }, plan);
    start(account, { planId: 'pro', addons: [{ addonId: 'extra', quantity: 3 }] });
    expect(account.find('new')).toMatchObject({ status: 'IN_TRIAL', addons: [{ quantity: 3 }] });
  });

  it('is for those who have not had the trial: the others get what they ask for', () => {
    const account = accountWith(settings);
    start(account, { planId: 'pro', billingPeriod: 'MONTHLY' });
    account.cancel('new', { time: 'IMMEDIATE' });
    expect(start(account, { planId: 'pro', billingPeriod: 'MONTHLY', refId: 'second' })).toBe(
      'REQUESTED_PLAN',
    );
    expect(account.find('second')).toMatchObject({ planId: 'pro', status: 'ACTIVE' });
  });
});

describe('a customer who has a live subscription to the product', () => {
  it('keeps it: the same call sent again makes no second one', () => {
    const account = accountWith({});
    start(account, { planId: 'pro', billingPeriod: 'MONTHLY' });
    const before = account.portfolio;
    const again = { planId: 'pro', billingPeriod: 'MONTHLY', refId: 'again' } as const;
    expect(start(account, again)).toBe('EXISTING_SUBSCRIPTION new');
    expect(start(account, { ...again, planId: 'free' })).toBe('EXISTING_SUBSCRIPTION new');
    expect(account.portfolio).toEqual(before);
  });

  it('keeps one that is scheduled, too, and may have another one once it ended', () => {
    const account = accountWith({});
    start(account, { planId: 'free', startDate: at('2025-04-01') });
    expect(start(account, { planId: 'free', refId: 'again' })).toBe('EXISTING_SUBSCRIPTION new');
    account.cancel('new', { time: 'IMMEDIATE' });
    expect(start(account, { planId: 'free', refId: 'again' })).toBe('REQUESTED_PLAN');
  });

  it('is answered the one to the plan asked for, where a trial runs beside what is paid for', () => {
    const account = accountWith({});
    account.provision('free');
    account.provision('team');
    expect(start(account, { planId: 'team' })).toBe('EXISTING_SUBSCRIPTION team');
    expect(start(account, { planId: 'pro' })).toBe('EXISTING_SUBSCRIPTION free');
  });

  it('may have one for each resource, where the product allows several', () => {
    const account = accountWith({}, pro, true);
    expect(start(account, { planId: 'free', resourceId: 'a', refId: 'a' })).toBe('REQUESTED_PLAN');
    expect(start(account, { planId: 'free', resourceId: 'b', refId: 'b' })).toBe('REQUESTED_PLAN');
    expect(start(account, { planId: 'free', resourceId: 'b', refId: 'c' })).toBe('EXISTING_SUBSCRIPTION b');
  });
});

it("knows the journey's plan before anything is decided", () => {
  expect(startPlanOf(makeProduct('app'))).toBeNull();
  const settings = { subscriptionStartSetup: 'TRIAL_PERIOD', subscriptionStartPlanId: 'team' } as const;
  expect(startPlanOf(makeProduct('app', settings))).toBe('team');
});

function accountWith(settings: Partial<ProductSettings>, plan = pro, multipleSubscriptions = false): Account {
  const product = makeProduct('app', settings, multipleSubscriptions);
  return new Account(at('2025-03-01'), [product], [free, plan, extra, team, noTrial]);
}

/** The strategy, with the subscription's name where it is none that was made now; or what was wrong. */
function start(account: Account, request: Partial<ProvisionRequest>): string {
  const full = { ...nothing, refId: 'new', ...request };
  const decision: StartDecision = startSubscription(account.portfolio, account.offers, full, account.now);
  if ('problem' in decision) return `${decision.problem.code}: ${decision.problem.message}`;
  account.portfolio = decision.portfolio;
  const { strategy, refId } = decision;
  return strategy === 'EXISTING_SUBSCRIPTION' ? `${strategy} ${refId}` : strategy;
}

function trialUntil(day: string): ProvisionRequest['trialOverride'] {
  return { isTrial: true, trialEndDate: at(day), trialEndBehavior: null };
}

const nothing: ProvisionRequest = {
  refId: '',
  id: 'id',
  customerId: 'acme',
  planId: '',
  resourceId: null,
  billingCountryCode: null,
  startDate: null,
  skipTrial: false,
  trialOverride: null,
  scheduleStrategy: null,
  billingCycleAnchor: 'UNCHANGED',
  cancellationDate: null,
  additionalMetaData: null,
  billingPeriod: null,
  addons: null,
  billableFeatures: null,
  unitQuantity: null,
};
