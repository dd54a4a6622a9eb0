import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiAnswer, codesOf, dataOf, type RunningApi, startApi } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await product('app');
  await plan('free', 'app', { pricingType: 'FREE', prices: [] });
  const price = { amount: 10, currency: 'USD' };
  const prices = [{ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price }];
  await plan('pro', 'app', { pricingType: 'PAID', prices });
  await product('app-free');
  await plan('basic', 'app-free', { pricingType: 'FREE', prices: [] });
  await plan('big', 'app-free', { pricingType: 'PAID', prices });
  await journey('app-free', { subscriptionStartSetup: 'FREE_PLAN', subscriptionStartPlanId: 'basic' });
  await product('app-trial');
  await plan('trialed', 'app-trial', { pricingType: 'PAID', prices }, { defaultTrialConfig: twoWeeks });
  await plan('other', 'app-trial', { pricingType: 'PAID', prices });
  await journey('app-trial', { subscriptionStartSetup: 'TRIAL_PERIOD', subscriptionStartPlanId: 'trialed' });
  await grantedBy('free', 'sso');
  await product('sites', { multipleSubscriptions: true });
  await plan('site', 'sites', { pricingType: 'FREE', prices: [] });
});

afterAll(() => api.stop());

const twoWeeks = { duration: 14, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' };

describe('subscriptionParams: create a subscription for that customer using a single operation', () => {
  it('stores both, and answers both', async () => {
    const subscriptionParams = { planId: 'pro', billingPeriod: 'MONTHLY', additionalMetaData: { a: 1 } };
    const outcome = await provisioned({ customerId: 'both', name: 'Both', subscriptionParams });
    expect(outcome).toEqual({
      customer: { refId: 'both', name: 'Both' },
      subscription: {
        refId: expect.stringMatching(/^subscription-pro-[0-9a-f]{6}$/),
        status: 'ACTIVE',
        plan: { refId: 'pro' },
        resource: null,
        trialEndDate: null,
        additionalMetaData: { a: 1 },
      },
      subscriptionDecisionStrategy: 'REQUESTED_PLAN',
    });
    expect(await subscriptionsOf('both')).toEqual(['pro']);
  });

  it('is one commit: the change log is told of the customer and the subscription at once', async () => {
    const own = await startApi(inject('redisUrl'));
    await product('app', {}, own);
    await plan('free', 'app', { pricingType: 'FREE', prices: [] }, {}, own);
    const input = { customerId: 'one-step', subscriptionParams: { planId: 'free' } };
    dataOf(await own.ask(provision, { input }));
    const entries = await own.outbox();
    const kinds = entries
      .filter(({ audit }) => audit.operation === 'provisionCustomer')
      .map(({ writes }) => writes);
    expect(kinds.map((writes) => writes.map(({ kind }) => kind).toSorted())).toEqual([
      ['customer', 'subscription', 'subscription-book'],
    ]);
    await own.stop();
  });

  it.each([
    ['a plan that there is none of', { planId: 'none' }, 'PLAN_NOT_FOUND'],
    ['an add-on that there is none of', { planId: 'pro', addons: [{ addonId: 'none' }] }, 'ADDON_NOT_FOUND'],
    ['a resource with a bad name', { planId: 'site', resourceId: 'a b' }, 'VALIDATION_ERROR'],
    [
      'a coupon that there is none of',
      { planId: 'pro', appliedCoupon: { couponId: 'none' } },
      'VALIDATION_ERROR',
    ],
  ])('stores neither with %s', async (_, subscriptionParams, code) => {
    const answer = await ask({ customerId: 'neither', name: 'N', subscriptionParams });
    expect(codesOf(answer)).toEqual([code]);
    const question = '{ getCustomerByRefId(input: { customerId: "neither" }) { id } }';
    expect(codesOf(await api.ask(question))).toEqual(['CUSTOMER_NOT_FOUND']);
  });

  it('answers what the customer may use by it, with what was granted beside it', async () => {
    const query = `mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) {
      entitlements { isGranted feature { refId } } } }`;
    const input = { customerId: 'entitled', subscriptionParams: { planId: 'free' } };
    expect(dataOf(await api.ask(query, { input }))['provisionCustomer']).toEqual({
      entitlements: [{ isGranted: true, feature: { refId: 'sso' } }],
    });
    await send('createFeature', 'CreateFeatureInput', {
      refId: 'beta',
      displayName: 'Beta',
      featureType: 'BOOLEAN',
    });
    const grants = { customerId: 'entitled', promotionalEntitlements: [{ featureId: 'beta' }] };
    await send('grantPromotionalEntitlements', 'GrantPromotionalEntitlementsInput', grants);
    expect(dataOf(await api.ask(query, { input }))['provisionCustomer']).toEqual({
      entitlements: [
        { isGranted: true, feature: { refId: 'beta' } },
        { isGranted: true, feature: { refId: 'sso' } },
      ],
    });
  });

  it('makes no subscription where none is asked for', async () => {
    for (const params of [{}, { subscriptionParams: null }]) {
      expect(await provisioned({ customerId: 'none', ...params })).toMatchObject({
        subscription: null,
        subscriptionDecisionStrategy: 'NO_SUBSCRIPTION',
      });
    }
    expect(await subscriptionsOf('none')).toEqual([]);
  });

  it('makes an id for the customer, too', async () => {
    const { customer, subscription } = await provisioned({ subscriptionParams: { planId: 'free' } });
    expect(customer['refId']).toMatch(/^customer-[0-9a-f]{6}$/);
    expect(await subscriptionsOf(String(customer['refId']))).toEqual(['free']);
    expect(subscription).toMatchObject({ plan: { refId: 'free' } });
  });

  it('may be sent again: the customer is updated, and keeps the subscription', async () => {
    const input = { customerId: 'again', name: 'A', subscriptionParams: { planId: 'free' } };
    const first = await provisioned(input);
    const again = await provisioned({ ...input, name: 'B' });
    expect(again).toEqual({
      customer: { refId: 'again', name: 'B' },
      subscription: first.subscription,
      subscriptionDecisionStrategy: 'EXISTING_SUBSCRIPTION',
    });
    const other = await provisioned({ ...input, subscriptionParams: { planId: 'pro' } });
    expect(other.subscription).toEqual(first.subscription);
    expect(await subscriptionsOf('again')).toEqual(['free']);
  });

  it('makes exactly one subscription of 50 that are sent at once', async () => {
    const subscriptionParams = { planId: 'pro', billingPeriod: 'MONTHLY' };
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        provisioned({ customerId: 'busy', name: `Busy ${at}`, subscriptionParams }),
      ),
    );
    const strategies = outcomes.map(({ subscriptionDecisionStrategy }) => subscriptionDecisionStrategy);
    expect(strategies.filter((strategy) => strategy === 'REQUESTED_PLAN')).toHaveLength(1);
    expect(strategies.filter((strategy) => strategy === 'EXISTING_SUBSCRIPTION')).toHaveLength(49);
    expect(new Set(outcomes.map(({ subscription }) => subscription?.['refId'])).size).toBe(1);
    expect(await subscriptionsOf('busy')).toEqual(['pro']);
  });

  it('is refused for an archived customer, and unchanged', async () => {
    await provisioned({ customerId: 'archived' });
    await send('archiveCustomer', 'ArchiveCustomerInput', { customerId: 'archived' });
    const answer = await ask({ customerId: 'archived', subscriptionParams: { planId: 'free' } });
    expect(codesOf(answer)).toEqual(['DUPLICATE_ENTITY']);
    expect(answer.errors[0]?.message).toContain('unarchiveCustomer');
  });

  it('leaves no archived customer with a paid subscription that is made at the same moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const customerId = `racing-${round}`;
      await provisioned({ customerId });
      const archive = 'mutation ($input: ArchiveCustomerInput!) { archiveCustomer(input: $input) { id } }';
      const subscriptionParams = { planId: 'pro', billingPeriod: 'MONTHLY' };
      const [archived, made] = await Promise.all([
        api.ask(archive, { input: { customerId } }),
        ask({ customerId, subscriptionParams }),
      ]);
      // Whoever comes first, the other one is refused.
      expect([codesOf(archived), codesOf(made)]).toContainEqual([]);
      expect(codesOf(made)).toEqual(archived.errors.length === 0 ? ['DUPLICATE_ENTITY'] : []);
    }
  });

  it('gives one subscription for each resource, where the product allows several', async () => {
    for (const resourceId of ['site-1', 'site-2', 'site-1']) {
      await provisioned({ customerId: 'sites', subscriptionParams: { planId: 'site', resourceId } });
      api.clock.advance(1);
    }
    const { getCustomerByRefId } = dataOf(
      await api.ask(
        '{ getCustomerByRefId(input: { customerId: "sites" }) { resources { resourceId createdAt } totalActiveSubscription } }',
      ),
    );
    expect(getCustomerByRefId).toEqual({
      resources: [
        { resourceId: 'site-1', createdAt: new Date(api.clock.now() - 3).toISOString() },
        { resourceId: 'site-2', createdAt: new Date(api.clock.now() - 2).toISOString() },
      ],
      totalActiveSubscription: 2,
    });
  });
});

describe("subscriptionParams: admins override the requested subscription using the product's customer journey", () => {
  it('with its free plan', async () => {
    const subscriptionParams = { planId: 'big', billingPeriod: 'MONTHLY' };
    expect(await provisioned({ customerId: 'freed', subscriptionParams })).toMatchObject({
      subscription: { refId: expect.stringContaining('basic'), plan: { refId: 'basic' }, status: 'ACTIVE' },
      subscriptionDecisionStrategy: 'START_WITH_FREE_PLAN',
    });
  });

  it('with a trial of its plan', async () => {
    const subscriptionParams = { planId: 'other', billingPeriod: 'MONTHLY', skipTrial: true };
    expect(await provisioned({ customerId: 'trying', subscriptionParams })).toMatchObject({
      subscription: {
        plan: { refId: 'trialed' },
        status: 'IN_TRIAL',
        trialEndDate: new Date(api.clock.now() + 14 * 86_400_000).toISOString(),
      },
      subscriptionDecisionStrategy: 'START_WITH_TRIAL',
    });
  });

  it('as it is when the customer comes: changes of it reach only what happens later', async () => {
    const input = { customerId: 'early', subscriptionParams: { planId: 'pro', billingPeriod: 'MONTHLY' } };
    const before = await provisioned(input);
    await journey('app', { subscriptionStartSetup: 'FREE_PLAN', subscriptionStartPlanId: 'free' });
    expect((await provisioned(input)).subscription).toEqual(before.subscription);
    expect((await provisioned({ ...input, customerId: 'late' })).subscription).toMatchObject({
      plan: { refId: 'free' },
    });
    await journey('app', { subscriptionStartSetup: 'PLAN_SELECTION', subscriptionStartPlanId: null });
  });
});

interface Provisioned {
  readonly customer: Readonly<Record<string, unknown>>;
  readonly subscription: Readonly<Record<string, unknown>> | null;
  readonly subscriptionDecisionStrategy: string;
}

const provision = `mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) {
  customer { refId name }
  subscription { refId status plan { refId } resource { resourceId } trialEndDate additionalMetaData }
  subscriptionDecisionStrategy } }`;

function ask(input: object): Promise<ApiAnswer> {
  return api.ask(provision, { input });
}

async function provisioned(input: object): Promise<Provisioned> {
  return dataOf(await ask(input))['provisionCustomer'] as Provisioned;
}

async function subscriptionsOf(customerId: string): Promise<readonly unknown[]> {
  const question = `query ($filter: CustomerSubscriptionFilter) { subscriptions(filter: $filter) {
    edges { node { plan { refId } } } } }`;
  const { subscriptions } = dataOf(await api.ask(question, { filter: { customerId: { eq: customerId } } }));
  const { edges } = subscriptions as { edges: readonly { node: { plan: { refId: string } } }[] };
  return edges.map(({ node }) => node.plan.refId);
}

async function product(refId: string, more: object = {}, to = api): Promise<void> {
  await send('createProduct', 'CreateProductInput', { refId, displayName: refId, ...more }, to);
}

async function journey(refId: string, productSettings: object): Promise<void> {
  await send('updateProduct', 'UpdateProductInput', { refId, productSettings });
}

async function plan(
  refId: string,
  productId: string,
  pricing: object,
  more: object = {},
  to = api,
): Promise<void> {
  await send('createPlan', 'CreatePlanInput', { refId, displayName: refId, productId, ...more }, to);
  await send('setPackagePricing', 'PackagePricingInput', { packageId: refId, ...pricing }, to);
  await send('publishPackage', 'PublishPackageInput', { packageId: refId }, to);
}

async function grantedBy(packageId: string, featureId: string): Promise<void> {
  await send('createFeature', 'CreateFeatureInput', {
    refId: featureId,
    displayName: featureId,
    featureType: 'BOOLEAN',
  });
  const entitlements = [{ featureId }];
  await send('setPackageEntitlements', 'SetPackageEntitlementsInput', { packageId, entitlements });
  await send('publishPackage', 'PublishPackageInput', { packageId });
}

async function send(field: string, type: string, input: object, to = api): Promise<void> {
  dataOf(await to.ask(`mutation ($input: ${type}!) { ${field}(input: $input) { id } }`, { input }));
}
