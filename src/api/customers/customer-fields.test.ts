import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi } from '../api.fixture.ts';

const dayMs = 86_400_000;
let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await send('createProduct', 'CreateProductInput', { refId: 'app', displayName: 'App' });
  await send('createProduct', 'CreateProductInput', { refId: 'shop', displayName: 'Shop' });
  await plan('free', 'app');
  await plan('team', 'app', { duration: 14, units: 'DAY', trialEndBehavior: 'CANCEL_SUBSCRIPTION' });
  await plan('store', 'shop');
  const feature = { refId: 'sso', displayName: 'SSO', featureType: 'BOOLEAN' };
  await send('createFeature', 'CreateFeatureInput', feature);
});

afterAll(() => api.stop());

describe("a customer's subscriptions", () => {
  it('are those that have not ended, with how many give access', async () => {
    await customer('several');
    await subscribe('several', 'free');
    api.clock.advance(1);
    await subscribe('several', 'team');
    const later = new Date(api.clock.now() + 90 * dayMs).toISOString();
    await subscribe('several', 'store', { startDate: later });
    const fields = `hasActiveSubscription totalActiveSubscription resources { resourceId }
      subscriptions { status plan { refId } customer { refId } }`;
    const whose = { customer: { refId: 'several' } };
    const live = [
      { status: 'ACTIVE', plan: { refId: 'free' }, ...whose },
      { status: 'IN_TRIAL', plan: { refId: 'team' }, ...whose },
      { status: 'NOT_STARTED', plan: { refId: 'store' }, ...whose },
    ];
    expect(await shown('several', fields)).toEqual({
      hasActiveSubscription: true,
      totalActiveSubscription: 2,
      resources: [],
      subscriptions: expect.arrayContaining(live),
    });
    // Time goes by for what is shown: the trial ends.
    api.clock.advance(14 * dayMs);
    expect(await shown('several', 'totalActiveSubscription')).toEqual({ totalActiveSubscription: 1 });
  });

  it('are none for a customer without', async () => {
    await customer('without');
    const fields =
      'subscriptions { id } hasActiveSubscription totalActiveSubscription resources { resourceId }';
    expect(await shown('without', fields)).toEqual({
      subscriptions: [],
      hasActiveSubscription: false,
      totalActiveSubscription: 0,
      resources: [],
    });
  });
});

describe('eligibleForTrial', () => {
  const fields = 'eligibleForTrial { productRefId eligible }';

  it('is true for each product until there was a trial of it', async () => {
    await customer('trying');
    const both = [
      { productRefId: 'app', eligible: true },
      { productRefId: 'shop', eligible: true },
    ];
    expect(await shown('trying', fields)).toEqual({ eligibleForTrial: both });
    await subscribe('trying', 'team');
    const [, shop] = both;
    const one = { eligibleForTrial: [{ productRefId: 'app', eligible: false }, shop] };
    expect(await shown('trying', fields)).toEqual(one);
    api.clock.advance(20 * dayMs);
    expect(await shown('trying', fields)).toEqual(one);
  });

  it('is false when a trial is scheduled', async () => {
    await customer('scheduled');
    const startDate = new Date(api.clock.now() + dayMs).toISOString();
    await subscribe('scheduled', 'team', { startDate });
    expect(await shown('scheduled', fields)).toMatchObject({
      eligibleForTrial: [{ productRefId: 'app', eligible: false }, { eligible: true }],
    });
  });
});

describe("a customer's coupon", () => {
  const fields = 'couponId coupon { name percentOff } couponStartDate couponEndDate';
  const none = { couponId: null, coupon: null, couponStartDate: null, couponEndDate: null };

  beforeAll(async () => {
    for (const refId of ['tenth', 'half', 'gone']) {
      const percentOff = refId === 'half' ? 50 : 10;
      await send('createCoupon', 'CreateCouponInput', {
        refId,
        name: refId,
        percentOff,
        durationInMonths: 1,
      });
    }
    await send('archiveCoupon', 'ArchiveCouponInput', { refId: 'gone' });
  });

  it('is given on provisioning, and lasts from then on', async () => {
    await customer('saving', { couponId: 'tenth' });
    const start = api.clock.now();
    const given = {
      couponId: 'tenth',
      coupon: { name: 'tenth', percentOff: '10' },
      couponStartDate: new Date(start).toISOString(),
      couponEndDate: expect.any(String),
    };
    expect(await shown('saving', fields)).toEqual(given);
    api.clock.advance(1);
    await customer('saving', { couponId: 'tenth' });
    await customer('saving', { name: 'Saving' });
    expect(await shown('saving', fields)).toEqual(given);
  });

  it('is replaced by another one, and taken away by null', async () => {
    await customer('changing', { couponId: 'tenth' });
    await update({ customerId: 'changing', couponId: 'half' });
    expect(await shown('changing', fields)).toMatchObject({ couponId: 'half' });
    await update({ customerId: 'changing', couponId: null });
    expect(await shown('changing', fields)).toEqual(none);
  });

  it('must exist and be active', async () => {
    for (const couponId of ['none', 'gone']) {
      const answer = await api.ask(provision, { input: { customerId: 'unlucky', couponId } });
      expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
      expect(answer.errors[0]?.message).toContain(couponId);
    }
    const question = '{ getCustomerByRefId(input: { customerId: "unlucky" }) { id } }';
    expect(codesOf(await api.ask(question))).toEqual(['CUSTOMER_NOT_FOUND']);
  });
});

describe('a list of customers with all they have', () => {
  const fields = `couponId coupon { name } subscriptions { status plan { refId } } hasActiveSubscription
    totalActiveSubscription resources { resourceId } eligibleForTrial { productRefId eligible }
    promotionalEntitlements { feature { refId } } totalActivePromotionalEntitlements`;

  it('asks Redis as often for 20 customers as for 2', async () => {
    const asked = async (count: number): Promise<number> => {
      const email = `of-${count}@example.com`;
      for (let index = 0; index < count; index += 1) {
        const customerId = `of-${count}-${index}`;
        await customer(customerId, { email, couponId: 'tenth' });
        await subscribe(customerId, 'free');
        await subscribe(customerId, 'store');
        const promotionalEntitlements = [{ featureId: 'sso' }];
        const input = { customerId, promotionalEntitlements };
        await send('grantPromotionalEntitlements', 'GrantPromotionalEntitlementsInput', input);
      }
      const before = api.roundTrips();
      const list = `query ($filter: CustomerFilter) { customers(filter: $filter, paging: { first: 20 }) {
        edges { node { ${fields} } } } }`;
      const answer = dataOf(await api.ask(list, { filter: { email: { eq: email } } }));
      const after = api.roundTrips();
      const { edges } = answer['customers'] as { edges: readonly { node: object }[] };
      expect(edges).toHaveLength(count);
      expect(new Set(edges.map(({ node }) => JSON.stringify(node))).size).toBe(1);
      expect(edges[0]?.node).toMatchObject({
        coupon: { name: 'tenth' },
        totalActiveSubscription: 2,
        promotionalEntitlements: [{ feature: { refId: 'sso' } }],
        totalActivePromotionalEntitlements: 1,
      });
      return after - before;
    };
    const few = await asked(2);
    expect(few).toBeLessThan(20);
    expect(await asked(20)).toBe(few);
  });
});

const provision =
  'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';

async function customer(customerId: string, more: object = {}): Promise<void> {
  dataOf(await api.ask(provision, { input: { customerId, ...more } }));
}

async function update(input: object): Promise<void> {
  await send('updateOneCustomer', 'UpdateCustomerInput', input);
}

async function subscribe(customerId: string, planId: string, more: object = {}): Promise<void> {
  await send('provisionSubscription', 'ProvisionSubscriptionInput', { customerId, planId, ...more });
}

async function plan(
  refId: string,
  productId: string,
  defaultTrialConfig: object | null = null,
): Promise<void> {
  const input = { refId, displayName: refId, productId, defaultTrialConfig };
  await send('createPlan', 'CreatePlanInput', input);
  await send('setPackagePricing', 'PackagePricingInput', {
    packageId: refId,
    pricingType: 'FREE',
    prices: [],
  });
  await send('publishPackage', 'PublishPackageInput', { packageId: refId });
}

async function shown(customerId: string, fields: string): Promise<unknown> {
  const question = `query ($input: GetCustomerByRefIdInput!) { getCustomerByRefId(input: $input) { ${fields} } }`;
  return dataOf(await api.ask(question, { input: { customerId } }))['getCustomerByRefId'];
}

async function send(field: string, type: string, input: object): Promise<void> {
  dataOf(await api.ask(`mutation ($input: ${type}!) { ${field}(input: $input) { id } }`, { input }));
}
