/** What the seed promises of subscriptions, sentence by sentence; the names of the tests quote it. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startOfTests } from './api.fixture.ts';
import { type Json, type SeedApi, startSeedApi } from './seed.fixture.ts';

let seed: SeedApi;

beforeAll(async () => {
  seed = await startSeedApi(inject('redisUrl'));
});

afterAll(() => seed.api.stop());

const dayMs = 86_400_000;
const iso = (at: number): string => new Date(at).toISOString();
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const usd = (amount: string): Json => ({ amount, currency: 'usd' });

const [free, basic, essentials, professional] = [
  'plan-revvenu-free',
  'plan-revvenu-basic',
  'plan-revvenu-essentials',
  'plan-revvenu-professional',
];

describe('getSubscription', () => {
  it('answers the printed fields of a cancelled free subscription', async () => {
    const made = await seed.subscribed('looked-at', { planId: free, billingPeriod: 'ANNUALLY' });
    seed.api.clock.advance(1_403_622);
    const subscriptionCancellationTime = 'IMMEDIATE';
    await seed.run('cancelSubscription', { subscriptionId: made['refId'], subscriptionCancellationTime });
    const fields = `id startDate endDate trialEndDate cancellationDate effectiveEndDate status refId
      currentBillingPeriodEnd additionalMetaData prices { id } totalPrice { total { amount currency } } pricingType
      plan { id refId displayName description additionalMetaData } addons { quantity } paymentCollection
      latestInvoice { billingId status createdAt updatedAt requiresAction paymentUrl paymentSecret errorMessage }`;
    const cancelledAt = iso(startOfTests + 1_403_622);
    const printed = {
      id: made['id'],
      startDate: iso(startOfTests),
      endDate: null,
      trialEndDate: null,
      cancellationDate: cancelledAt,
      effectiveEndDate: cancelledAt,
      status: 'CANCELED',
      refId: expect.stringMatching(/^subscription-plan-revvenu-free-[0-9a-f]{6}$/),
      currentBillingPeriodEnd: '2027-05-01T12:00:00.000Z',
      additionalMetaData: null,
      prices: [],
      totalPrice: null,
      pricingType: 'FREE',
      plan: { id: uuid, refId: free, displayName: 'Free', description: null, additionalMetaData: null },
      addons: [],
      paymentCollection: 'NOT_REQUIRED',
      latestInvoice: null,
    };
    expect(await seed.subscription(made['id'], fields)).toEqual(printed);
    expect(await seed.subscription(made['refId'], fields)).toEqual(printed);
  });
});

describe('when a customer subscribes to a new plan, provision the subscription', () => {
  it('the mutation CreateSubscription runs as printed, with the printed variables', async () => {
    const addons = [{ addonId: 'addon-extra-stuff', quantity: 2 }];
    const made = await seed.subscribed('customer-id', {
      planId: basic,
      billingPeriod: 'MONTHLY',
      billingCountryCode: 'DK',
      addons,
      additionalMetaData: { key: 'value' },
      resourceId: 'resource-01',
    });
    expect(made).toEqual({
      id: uuid,
      refId: expect.stringMatching(/^subscription-plan-revvenu-basic-[0-9a-f]{6}$/),
      status: 'ACTIVE',
      additionalMetaData: { key: 'value' },
      plan: { id: uuid, refId: basic },
      addons: [{ quantity: 2, addon: { id: uuid, refId: 'addon-extra-stuff' } }],
      customer: { id: uuid, refId: 'customer-id' },
      resource: { resourceId: 'resource-01' },
      paymentCollection: 'NOT_REQUIRED',
      latestInvoice: null,
    });
  });

  it('a non-trial subscription and a trial of a different plan run in parallel', async () => {
    await seed.subscribed('parallel', { planId: basic, billingPeriod: 'MONTHLY' });
    const trial = await seed.subscribed('parallel', { planId: professional, billingPeriod: 'MONTHLY' });
    expect(trial['status']).toBe('IN_TRIAL');
    expect(await seed.plansOf('parallel')).toEqual({ [basic]: 'ACTIVE', [professional]: 'IN_TRIAL' });
  });

  it('a new subscription for the plan in trial is created as non-trial: upgrade of a trial to paid', async () => {
    await seed.subscribed('upgrading', { planId: basic, billingPeriod: 'MONTHLY' });
    const trial = await seed.subscribed('upgrading', { planId: professional, billingPeriod: 'MONTHLY' });
    const paid = await seed.subscribed('upgrading', { planId: professional, billingPeriod: 'MONTHLY' });
    const now = iso(seed.api.clock.now());
    expect(paid['id']).not.toBe(trial['id']);
    const fields = 'status startDate trialEndDate totalPrice { total { amount currency } }';
    expect(await seed.subscription(paid['id'], fields)).toEqual({
      status: 'ACTIVE',
      startDate: now,
      trialEndDate: null,
      totalPrice: { total: usd('310') },
    });
    const ended = { status: 'CANCELED', effectiveEndDate: now };
    expect(await seed.subscription(trial['id'], 'status effectiveEndDate')).toEqual(ended);
    expect(await seed.plansOf('upgrading')).toMatchObject({ [basic]: 'CANCELED' });
  });

  it('another subscription for the same product with start date S cancels the existing one', async () => {
    const former = await seed.subscribed('moving', { planId: basic, billingPeriod: 'MONTHLY' });
    seed.api.clock.advance(dayMs);
    await seed.subscribed('moving', { planId: essentials, billingPeriod: 'MONTHLY' });
    const fields = 'status effectiveEndDate cancelReason';
    expect(await seed.subscription(former['id'], fields)).toEqual({
      status: 'CANCELED',
      effectiveEndDate: iso(seed.api.clock.now()),
      cancelReason: 'UPGRADE_OR_DOWNGRADE',
    });
  });

  it('the new subscription will start on start date S, where that lies ahead', async () => {
    const startDate = iso(seed.api.clock.now() + 10 * dayMs);
    const former = await seed.subscribed('planning', { planId: basic, billingPeriod: 'MONTHLY' });
    const next = await seed.subscribed('planning', {
      planId: essentials,
      billingPeriod: 'MONTHLY',
      startDate,
    });
    expect(next['status']).toBe('NOT_STARTED');
    expect(await seed.subscription(former['id'], 'status effectiveEndDate')).toEqual({
      status: 'ACTIVE',
      effectiveEndDate: startDate,
    });
    seed.api.clock.advance(10 * dayMs);
    expect(await seed.plansOf('planning')).toEqual({ [basic]: 'CANCELED', [essentials]: 'ACTIVE' });
    expect(await seed.subscription(next['id'], 'startDate')).toEqual({ startDate });
    expect(await seed.subscription(former['id'], 'effectiveEndDate')).toEqual({
      effectiveEndDate: startDate,
    });
  });

  it('skipTrial: true explicitly skips the trial period of the selected plan', async () => {
    const trial = await seed.subscribed('trying', { planId: professional, billingPeriod: 'MONTHLY' });
    expect(trial['status']).toBe('IN_TRIAL');
    const input = { planId: professional, billingPeriod: 'MONTHLY', skipTrial: true };
    const paid = await seed.subscribed('skipping', input);
    expect(paid['status']).toBe('ACTIVE');
    expect(await seed.subscription(paid['id'], 'trialEndDate')).toEqual({ trialEndDate: null });
  });
});

describe('updateOneSubscription', () => {
  it('answers the printed fields', async () => {
    const made = await seed.subscribed('changing', { planId: essentials, billingPeriod: 'MONTHLY' });
    const input = {
      subscriptionId: made['refId'],
      addons: [{ addonId: 'addon-extra-stuff', quantity: 2 }],
      additionalMetaData: { key: 'value' },
    };
    const fields = `id refId status additionalMetaData plan { id refId } addons { quantity addon { id refId } }
      customer { id refId } paymentCollection
      latestInvoice { billingId status createdAt updatedAt requiresAction paymentUrl paymentSecret errorMessage }`;
    expect(await seed.run('updateOneSubscription', input, fields)).toEqual({
      id: made['id'],
      refId: made['refId'],
      status: 'ACTIVE',
      additionalMetaData: { key: 'value' },
      plan: made['plan'],
      addons: [{ quantity: 2, addon: { id: uuid, refId: 'addon-extra-stuff' } }],
      customer: made['customer'],
      paymentCollection: 'NOT_REQUIRED',
      latestInvoice: null,
    });
  });

  it('estimate the cost of updating, which also returns a breakdown of the proration amounts', async () => {
    const made = await seed.subscribed('estimating', { planId: basic, billingPeriod: 'MONTHLY' });
    const { start, end } = await periodOf(made['id']);
    seed.api.clock.advance((end - start) / 4);
    const input = { subscriptionId: made['refId'], addons: [{ addonId: 'addon-extra-stuff', quantity: 4 }] };
    const answer = await seed.ask(
      `query ($input: EstimateSubscriptionUpdateInput!) { estimateSubscriptionUpdate(input: $input) {
        proration { credit { amount } charge { amount } net { amount currency } }
        immediateInvoice { total { amount } } recurringInvoice { total { amount } } } }`,
      { input },
    );
    expect(answer['estimateSubscriptionUpdate']).toEqual({
      // Three quarters of the period are left, of 31 before and of 51 after.
      proration: { credit: { amount: '23.25' }, charge: { amount: '38.25' }, net: usd('15') },
      immediateInvoice: { total: { amount: '15' } },
      recurringInvoice: { total: { amount: '51' } },
    });
    expect(await seed.subscription(made['id'], 'addons { quantity }')).toEqual({ addons: [] });
  });
});

describe('migrating subscriptions to the latest plan and add-on version', () => {
  it('rolled out only to new subscriptions, grandfathering takes place; charged or credited the prorated amount when moved', async () => {
    const plan = { refId: 'growing', displayName: 'Growing', productId: 'revvenu' };
    await seed.run('createPlan', { ...plan, compatibleAddonIds: ['addon-extra-stuff'] });
    await seed.priceAt('growing', 30);
    const made = await seed.subscribed('migrating', { planId: 'growing', billingPeriod: 'MONTHLY' });
    const { start, end } = await periodOf(made['id']);
    seed.api.clock.advance((end - start) / 2);
    const fields = 'plan { versionNumber } totalPrice { total { amount } }';
    for (const { amount, versionNumber, unused } of [
      { amount: 40, versionNumber: 2, unused: '20' },
      { amount: 20, versionNumber: 3, unused: '10' },
    ]) {
      const before = await seed.subscription(made['id'], fields);
      await seed.priceAt('growing', amount);
      expect(await seed.subscription(made['id'], fields)).toEqual(before);
      const input = { subscriptionId: made['refId'] };
      expect(await seed.run('migrateSubscriptionToLatest', input, fields)).toEqual({
        plan: { versionNumber },
        totalPrice: { total: { amount: String(amount) } },
      });
      // The rest of the period, half of it, is paid at the latest price from now on.
      expect(await creditForLeaving('migrating')).toBe(unused);
    }
  });
});

async function creditForLeaving(customerId: string): Promise<unknown> {
  const answer = await seed.ask(
    `query ($input: PreviewSubscriptionInput!) { previewSubscription(input: $input) {
      proration { credit { amount } } } }`,
    { input: { customerId, planId: free } },
  );
  const preview = answer['previewSubscription'] as {
    readonly proration: { readonly credit: { readonly amount: string } };
  };
  return preview.proration.credit.amount;
}

async function periodOf(id: unknown): Promise<{ readonly start: number; readonly end: number }> {
  const { start, end } = await seed.subscription(
    id,
    'start: currentBillingPeriodStart end: currentBillingPeriodEnd',
  );
  return { start: Date.parse(String(start)), end: Date.parse(String(end)) };
}
