import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await makeCatalog();
});

afterAll(() => api.stop());

const dayMs = 86_400_000;
const iso = (at: number): string => new Date(at).toISOString();

/** As the seed prints it. */
const seedMutation = `mutation CreateSubscription($input: ProvisionSubscriptionInput!) { provisionSubscription: provisionSubscriptionV2(subscription: $input) { id refId status additionalMetaData plan { id refId } addons { quantity addon { id refId } } customer { id refId } resource { resourceId } paymentCollection latestInvoice { billingId status createdAt updatedAt requiresAction paymentUrl paymentSecret errorMessage } } }`;

const provision = `mutation ($input: ProvisionSubscriptionInput!) { made: provisionSubscriptionV2(subscription: $input) {
  id refId subscriptionId status plan { refId versionNumber } } }`;
const dates = `startDate endDate effectiveEndDate trialEndDate cancellationDate cancelReason
  currentBillingPeriodStart currentBillingPeriodEnd billingCycleAnchor`;
const scheduled = `futureUpdates { scheduledExecutionTime scheduleStatus subscriptionScheduleType
  targetPackage { refId } }`;
const ask = `query ($id: String!) { it: getSubscription(input: { subscriptionId: $id }) {
  id refId status ${dates} ${scheduled} plan { refId versionNumber } billableFeatures { featureId quantity }
  unitQuantity addons { quantity addon { refId versionNumber } } billingPeriod pricingType additionalMetaData
  totalPrice { subTotal { amount currency } total { amount currency } } prices { billingModel price { amount } } } }`;
const update = `mutation ($input: UpdateSubscriptionInput!) { it: updateOneSubscription(input: $input) {
  refId status unitQuantity additionalMetaData trialEndDate cancellationDate ${scheduled} } }`;
const cancel = `mutation ($input: SubscriptionCancellationInput!) { it: cancelSubscription(input: $input) {
  refId status ${dates} } }`;
const active = `query ($input: GetActiveSubscriptionsInput!) { list: getActiveSubscriptions(input: $input) {
  refId status plan { refId } resource { resourceId } } }`;

describe('provisionSubscriptionV2', () => {
  it('runs as the seed prints it, and getSubscription answers the fields that it prints', async () => {
    await addCustomer('customer-id');
    const input = {
      customerId: 'customer-id',
      planId: 'plan-revvenu-basic',
      billingPeriod: 'MONTHLY',
      billingCountryCode: 'DK',
      addons: [{ addonId: 'addon-extra-stuff', quantity: 2 }],
      additionalMetaData: { key: 'value' },
      resourceId: 'resource-01',
    };
    const answer = dataOf(await api.ask(seedMutation, { input }))['provisionSubscription'] as Json;
    expect(answer).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      refId: expect.stringMatching(/^subscription-plan-revvenu-basic-[0-9a-f]{6}$/),
      status: 'ACTIVE',
      additionalMetaData: { key: 'value' },
      plan: { id: expect.any(String), refId: 'plan-revvenu-basic' },
      addons: [{ quantity: 2, addon: { id: expect.any(String), refId: 'addon-extra-stuff' } }],
      customer: { id: expect.any(String), refId: 'customer-id' },
      resource: { resourceId: 'resource-01' },
      paymentCollection: 'NOT_REQUIRED',
      latestInvoice: null,
    });
    const printed = `query ($id: String!) { getSubscription(input: { subscriptionId: $id }) { id startDate endDate
      trialEndDate cancellationDate effectiveEndDate status refId currentBillingPeriodEnd additionalMetaData
      prices { id } totalPrice { total { amount currency } } pricingType
      plan { id refId displayName description additionalMetaData } addons { quantity } paymentCollection
      latestInvoice { billingId } } }`;
    for (const id of [answer['id'], answer['refId']]) {
      expect(dataOf(await api.ask(printed, { id }))['getSubscription']).toMatchObject({
        id: answer['id'],
        startDate: iso(startOfTests),
        endDate: null,
        trialEndDate: null,
        cancellationDate: null,
        effectiveEndDate: null,
        status: 'ACTIVE',
        currentBillingPeriodEnd: '2026-06-01T12:00:00.000Z',
        totalPrice: { total: { amount: '60', currency: 'usd' } },
        pricingType: 'PAID',
        plan: { displayName: 'Basic', description: null, additionalMetaData: null },
        paymentCollection: 'NOT_REQUIRED',
        latestInvoice: null,
      });
    }
  });

  it('tells as provisionSubscription how it went', async () => {
    await addCustomer('v1');
    const mutation = `mutation ($input: ProvisionSubscriptionInput!) { provisionSubscription(input: $input) {
      id status checkoutUrl isScheduled subscription { id status } } }`;
    const input = { customerId: 'v1', planId: 'free', startDate: iso(startOfTests + dayMs) };
    const { provisionSubscription: result } = dataOf(await api.ask(mutation, { input }));
    const { id } = result as { readonly id: string };
    expect(result).toEqual({
      id,
      status: 'SUCCESS',
      checkoutUrl: null,
      isScheduled: true,
      subscription: { id, status: 'NOT_STARTED' },
    });
  });

  it('takes the names that are given, once', async () => {
    await addCustomer('names');
    const input = { customerId: 'names', planId: 'free', subscriptionId: 'mine' };
    expect(await made(input)).toMatchObject({ refId: 'mine', subscriptionId: 'mine' });
    expect(codesOf(await api.ask(provision, { input }))).toEqual(['DUPLICATE_ENTITY']);
  });

  it.each([
    ['CUSTOMER_NOT_FOUND', { customerId: 'nobody', planId: 'free' }],
    ['PLAN_NOT_FOUND', { customerId: 'refused', planId: 'none' }],
    ['PLAN_NOT_FOUND', { customerId: 'refused', planId: 'draft' }],
    ['PLAN_NOT_FOUND', { customerId: 'refused', planId: 'of-archived-product' }],
    ['ADDON_NOT_FOUND', { customerId: 'refused', planId: 'free', addons: [{ addonId: 'none' }] }],
    ['VALIDATION_ERROR', { customerId: 'refused', planId: 'seats', billingPeriod: 'ANNUALLY' }],
    ['VALIDATION_ERROR', { customerId: 'refused', planId: 'seats', unitQuantity: 0 }],
    ['VALIDATION_ERROR', { customerId: 'refused', planId: 'free', billingCountryCode: 'dk' }],
    ['VALIDATION_ERROR', { customerId: 'refused', planId: 'free', additionalMetaData: 'text' }],
  ])('refuses with %s: %j', async (code, input) => {
    await addCustomer('refused');
    expect(codesOf(await api.ask(provision, { input }))).toEqual([code]);
    expect(await activeOf('refused')).toEqual([]);
  });

  it('by several at once leaves one, and cancels the others', async () => {
    await addCustomer('crowd');
    const plans = Array.from({ length: 20 }, (_, at) => ['free', 'seats', 'plan-revvenu-basic'][at % 3]);
    const answers = await Promise.all(
      plans.map((planId) =>
        api.ask(provision, {
          input: { customerId: 'crowd', planId, billingPeriod: 'MONTHLY', skipTrial: true },
        }),
      ),
    );
    answers.forEach(dataOf);
    expect(await activeOf('crowd')).toHaveLength(1);
    expect(await listed({ customerId: { eq: 'crowd' }, status: { eq: 'CANCELED' } })).toHaveLength(19);
  });

  it('of two trials at once grants one', async () => {
    await addCustomer('twins');
    const input = { customerId: 'twins', planId: 'trial', billingPeriod: 'MONTHLY' };
    const answers = await Promise.all([1, 2, 3].map(() => api.ask(provision, { input })));
    answers.forEach(dataOf);
    expect(await activeOf('twins')).toEqual([expect.objectContaining({ status: 'ACTIVE' })]);
  });
});

describe('time', () => {
  it('ends trials, starts what is scheduled and ends what is cancelled, as of the moment it was due', async () => {
    const own = await ownApi();
    await own.trialAndLater();
    own.api.clock.advance(13 * dayMs);
    expect(await own.statuses()).toEqual({ trial: 'IN_TRIAL', later: 'NOT_STARTED' });
    own.api.clock.advance(100 * dayMs);
    expect(await own.statuses()).toEqual({ trial: 'CANCELED', later: 'ACTIVE' });
    const { it: trial } = dataOf(await own.api.ask(ask, { id: 'trial' }));
    expect(trial).toMatchObject({
      trialEndDate: iso(startOfTests + 14 * dayMs),
      billingCycleAnchor: iso(startOfTests + 14 * dayMs),
      effectiveEndDate: iso(startOfTests + 30 * dayMs),
      cancelReason: 'UPGRADE_OR_DOWNGRADE',
    });
    await own.api.stop();
  });

  it('is written once, under the name of the system, however many look at once', async () => {
    const own = await ownApi();
    await own.trialAndLater();
    own.api.clock.advance(14 * dayMs);
    await Promise.all(Array.from({ length: 10 }, () => own.statuses()));
    const entries = (await own.api.outbox()).filter(({ audit }) => audit.actor === 'system');
    expect(entries.map(({ audit }) => audit.operation)).toEqual(['advanceSubscriptions']);
    await own.api.stop();
  });
});

describe('a subscription', () => {
  it('is updated: units at once, fewer at the end of the period, and taken back', async () => {
    await addCustomer('units');
    const { refId } = await made({ customerId: 'units', planId: 'seats', unitQuantity: 5 });
    const change = async (input: Json): Promise<Json> =>
      dataOf(await api.ask(update, { input: { subscriptionId: refId, ...input } }))['it'] as Json;
    expect(await change({ unitQuantity: 8, additionalMetaData: { a: 'b' } })).toMatchObject({
      unitQuantity: 8,
      additionalMetaData: { a: 'b' },
    });
    const later = { billableFeatures: [{ featureId: 'seat', quantity: 3 }] };
    expect(await change({ ...later, scheduleStrategy: 'END_OF_BILLING_PERIOD' })).toMatchObject({
      unitQuantity: 8,
      additionalMetaData: { a: 'b' },
      futureUpdates: [
        {
          scheduledExecutionTime: '2026-06-01T12:00:00.000Z',
          scheduleStatus: 'SCHEDULED',
          subscriptionScheduleType: 'UNIT_AMOUNT',
          targetPackage: null,
        },
      ],
    });
    const takeBack = `mutation ($id: String!) { it: cancelSubscriptionUpdates(input: { subscriptionId: $id }) {
      futureUpdates { subscriptionScheduleType } } }`;
    expect(dataOf(await api.ask(takeBack, { id: refId }))['it']).toEqual({ futureUpdates: [] });
    expect(dataOf(await api.ask(ask, { id: refId }))['it']).toMatchObject({
      unitQuantity: 8,
      billableFeatures: [{ featureId: 'seat', quantity: 8 }],
      totalPrice: { total: { amount: '80', currency: 'usd' }, subTotal: { amount: '80' } },
      prices: [{ billingModel: 'PER_UNIT', price: { amount: '10' } }],
    });
  });

  it('loses none of many updates that are made at once', async () => {
    await addCustomer('busy');
    const { refId } = await made({ customerId: 'busy', planId: 'seats', unitQuantity: 5 });
    const changes = [
      { unitQuantity: 9 },
      { additionalMetaData: { x: 1 } },
      { cancellationDate: '2027-01-01' },
    ];
    const all = changes.map((change) => api.ask(update, { input: { subscriptionId: refId, ...change } }));
    (await Promise.all(all)).forEach(dataOf);
    expect(dataOf(await api.ask(ask, { id: refId }))['it']).toMatchObject({
      unitQuantity: 9,
      additionalMetaData: { x: 1 },
      cancellationDate: '2027-01-01T00:00:00.000Z',
      effectiveEndDate: '2027-01-01T00:00:00.000Z',
    });
  });

  it('shows what will take its place', async () => {
    await addCustomer('mover');
    const { refId } = await made({ customerId: 'mover', planId: 'seats' });
    await made({ customerId: 'mover', planId: 'free', scheduleStrategy: 'END_OF_BILLING_PERIOD' });
    expect(dataOf(await api.ask(ask, { id: refId }))['it']).toMatchObject({
      status: 'ACTIVE',
      effectiveEndDate: '2026-06-01T12:00:00.000Z',
      cancellationDate: null,
      futureUpdates: [{ subscriptionScheduleType: 'DOWNGRADE', targetPackage: { refId: 'free' } }],
    });
  });

  it('is cancelled now, at the end of the period, or on a date', async () => {
    await addCustomer('leaver');
    const now = iso(startOfTests);
    const end = '2026-06-01T12:00:00.000Z';
    const cancelled = async (planId: string, input: Json): Promise<Json> => {
      const { refId } = await made({ customerId: 'leaver', planId, subscriptionId: `leaving-${planId}` });
      return dataOf(await api.ask(cancel, { input: { subscriptionId: refId, ...input } }))['it'] as Json;
    };
    expect(await cancelled('free', { subscriptionCancellationTime: 'IMMEDIATE' })).toMatchObject({
      status: 'CANCELED',
      cancellationDate: now,
      effectiveEndDate: now,
      endDate: null,
      cancelReason: 'Immediate',
      currentBillingPeriodEnd: end,
    });
    const late = { subscriptionCancellationTime: 'END_OF_BILLING_PERIOD', prorate: true };
    expect(await cancelled('seats', late)).toMatchObject({
      status: 'ACTIVE',
      cancellationDate: end,
      effectiveEndDate: end,
      endDate: null,
      cancelReason: null,
    });
    const dated = { subscriptionCancellationTime: 'SPECIFIC_DATE', endDate: '2026-12-24' };
    expect(await cancelled('trial', dated)).toMatchObject({
      status: 'IN_TRIAL',
      endDate: '2026-12-24T00:00:00.000Z',
      trialEndDate: '2026-12-24T00:00:00.000Z',
    });
    const again = { subscriptionId: 'leaving-free' };
    expect(codesOf(await api.ask(cancel, { input: again }))).toEqual(['VALIDATION_ERROR']);
  });

  it('that is unknown is SUBSCRIPTION_NOT_FOUND', async () => {
    const input = { subscriptionId: 'none' };
    expect(codesOf(await api.ask(ask, { id: 'none' }))).toEqual(['SUBSCRIPTION_NOT_FOUND']);
    expect(codesOf(await api.ask(cancel, { input }))).toEqual(['SUBSCRIPTION_NOT_FOUND']);
    expect(codesOf(await api.ask(update, { input }))).toEqual(['SUBSCRIPTION_NOT_FOUND']);
  });

  it('stays on its version of the plan; a new one gets the newest', async () => {
    await addCustomer('grandfather');
    await addCustomer('newcomer');
    const { refId } = await made({ customerId: 'grandfather', planId: 'versioned' });
    dataOf(
      await api.ask(`mutation { updatePlan(input: { refId: "versioned", displayName: "Two" }) { refId } }`),
    );
    await publish('versioned');
    expect(await made({ customerId: 'newcomer', planId: 'versioned' })).toMatchObject({
      plan: { versionNumber: 2 },
    });
    expect(dataOf(await api.ask(ask, { id: refId }))['it']).toMatchObject({ plan: { versionNumber: 1 } });
  });
});

describe('lists', () => {
  it('of active subscriptions tell resources apart', async () => {
    await addCustomer('sites');
    for (const resourceId of ['one', 'two', null]) {
      await made({ customerId: 'sites', planId: 'site', resourceId });
    }
    expect(await activeOf('sites')).toEqual([expect.objectContaining({ resource: null })]);
    expect(await activeOf('sites', 'two')).toEqual([
      expect.objectContaining({ resource: { resourceId: 'two' } }),
    ]);
    expect(codesOf(await api.ask(active, { input: { customerId: 'nobody' } }))).toEqual([
      'CUSTOMER_NOT_FOUND',
    ]);
  });

  it('are walked page by page and filtered', async () => {
    await addCustomer('many');
    const names = ['m1', 'm2', 'm3', 'm4', 'm5'];
    for (const subscriptionId of names) {
      await made({ customerId: 'many', planId: 'site', resourceId: subscriptionId, subscriptionId });
    }
    const filter = { customerId: { eq: 'many' } };
    const first = await page({ filter, paging: { first: 2 } });
    expect([first.names, first.totalCount]).toEqual([['m1', 'm2'], 5]);
    const next = await page({ filter, paging: { first: 2, after: first.endCursor } });
    expect([next.names, next.hasNextPage]).toEqual([['m3', 'm4'], true]);
    const newest = await page({ filter, sorting: [{ field: 'createdAt', direction: 'DESC' }] });
    expect(newest.names).toEqual(names.toReversed());
    expect(await listed({ ...filter, resourceId: { eq: 'm3' }, planId: { eq: 'site' } })).toEqual(['m3']);
    expect(await listed({ ...filter, status: { eq: 'CANCELED' } })).toEqual([]);
    expect(await listed({ subscriptionId: { eq: 'm4' }, pricingType: { eq: 'FREE' } })).toEqual(['m4']);
    expect(await listed({ subscriptionId: { eq: 'm4' }, pricingType: { eq: 'PAID' } })).toEqual([]);
    expect(await listed({ ...filter, createdAt: { lt: iso(startOfTests) } })).toEqual([]);
  });

  it('ask for plans, add-ons and customers of all their subscriptions together', async () => {
    const count = async (first: number): Promise<number> => {
      const before = api.roundTrips();
      const list = `{ subscriptions(paging: { first: ${first} }) { edges { node { refId customer { name }
        plan { displayName } addons { addon { displayName } } totalPrice { total { amount } } } } } }`;
      dataOf(await api.ask(list));
      return api.roundTrips() - before;
    };
    expect(await count(20)).toBe(await count(1));
  });
});

type Json = Readonly<Record<string, unknown>>;

async function made(input: Json, on = api): Promise<{ readonly refId: string } & Json> {
  return dataOf(await on.ask(provision, { input }))['made'] as { readonly refId: string };
}

async function addCustomer(customerId: string, on = api): Promise<void> {
  const mutation = `mutation ($id: String) { provisionCustomer(input: { customerId: $id }) { customer { id } } }`;
  dataOf(await on.ask(mutation, { id: customerId }));
}

async function activeOf(customerId: string, resourceId?: string): Promise<readonly Json[]> {
  return dataOf(await api.ask(active, { input: { customerId, resourceId } }))['list'] as readonly Json[];
}

async function listed(filter: Json): Promise<readonly string[]> {
  return (await page({ filter })).names;
}

interface Page {
  readonly names: readonly string[];
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

async function page(variables: Json, on = api): Promise<Page> {
  const query = `query ($filter: CustomerSubscriptionFilter, $paging: CursorPaging,
    $sorting: [CustomerSubscriptionSort!]) { page: subscriptions(filter: $filter, paging: $paging, sorting: $sorting) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { refId } } } }`;
  const { totalCount, pageInfo, edges } = dataOf(await on.ask(query, variables))['page'] as {
    readonly totalCount: number;
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
    readonly edges: readonly { readonly node: { readonly refId: string } }[];
  };
  return { names: edges.map(({ node }) => node.refId), totalCount, ...pageInfo };
}

interface OwnApi {
  readonly api: RunningApi;
  /** A trial that is converted on day 14, and a plan that takes its place on day 30. */
  trialAndLater(): Promise<void>;
  statuses(): Promise<Readonly<Record<string, unknown>>>;
}

/** With a clock that no other test turns. */
async function ownApi(): Promise<OwnApi> {
  const own = await startApi(inject('redisUrl'));
  await makeCatalog(own);
  await addCustomer('acme', own);
  const later = { startDate: iso(startOfTests + 30 * dayMs), subscriptionId: 'later' };
  return {
    api: own,
    trialAndLater: async () => {
      await made({ customerId: 'acme', planId: 'trial', subscriptionId: 'trial' }, own);
      await made({ customerId: 'acme', planId: 'free', ...later }, own);
    },
    statuses: async () => {
      const query =
        '{ subscriptions(filter: { customerId: { eq: "acme" } }) { edges { node { refId status } } } }';
      const { edges } = dataOf(await own.ask(query))['subscriptions'] as {
        readonly edges: readonly { readonly node: { readonly refId: string; readonly status: string } }[];
      };
      return Object.fromEntries(edges.map(({ node }) => [node.refId, node.status]));
    },
  };
}

async function makeCatalog(on = api): Promise<void> {
  const run = async (field: string, input: Json): Promise<void> => {
    const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
    const name = { setPackagePricing: 'PackagePricingInput' }[field] ?? type;
    dataOf(await on.ask(`mutation ($input: ${name}!) { ${field}(input: $input) { refId } }`, { input }));
  };
  const plan = async (
    refId: string,
    displayName: string,
    productId: string,
    more: Json = {},
  ): Promise<void> => run('createPlan', { refId, displayName, productId, ...more });
  const price = async (packageId: string, row: Json): Promise<void> =>
    run('setPackagePricing', {
      packageId,
      pricingType: 'PAID',
      prices: [{ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', ...row }],
    });
  await run('createProduct', { refId: 'app', displayName: 'App' });
  await run('createProduct', { refId: 'sites', displayName: 'Sites', multipleSubscriptions: true });
  const seat = { refId: 'seat', displayName: 'Seats', featureType: 'NUMBER', meterType: 'FLUCTUATING' };
  await run('createFeature', seat);
  await run('createAddon', { refId: 'addon-extra-stuff', displayName: 'Extra', productId: 'app' });
  await price('addon-extra-stuff', { price: { amount: 5, currency: 'usd' } });
  await publish('addon-extra-stuff', on);
  await plan('plan-revvenu-basic', 'Basic', 'app', { compatibleAddonIds: ['addon-extra-stuff'] });
  await price('plan-revvenu-basic', { price: { amount: 50, currency: 'usd' } });
  await plan('free', 'Free', 'app');
  await plan('seats', 'Seats', 'app');
  await price('seats', {
    billingModel: 'PER_UNIT',
    price: { amount: 10, currency: 'usd' },
    featureId: 'seat',
    minUnitQuantity: 1,
  });
  const defaultTrialConfig = { duration: 14, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' };
  await plan('trial', 'Trial', 'app', { defaultTrialConfig });
  await price('trial', { price: { amount: '99.5', currency: 'usd' } });
  await plan('versioned', 'One', 'app');
  await plan('site', 'Site', 'sites');
  await plan('draft', 'Draft', 'app');
  for (const refId of ['free', 'versioned', 'site']) {
    await run('setPackagePricing', { packageId: refId, pricingType: 'FREE' });
  }
  for (const refId of ['plan-revvenu-basic', 'free', 'seats', 'trial', 'versioned', 'site']) {
    await publish(refId, on);
  }
  await run('createProduct', { refId: 'former', displayName: 'Former' });
  await plan('of-archived-product', 'Former', 'former');
  await run('setPackagePricing', { packageId: 'of-archived-product', pricingType: 'FREE' });
  await publish('of-archived-product', on);
  await run('archiveProduct', { refId: 'former' });
}

async function publish(packageId: string, on = api): Promise<void> {
  const mutation = 'mutation ($id: String!) { publishPackage(input: { packageId: $id }) { refId } }';
  dataOf(await on.ask(mutation, { id: packageId }));
}
