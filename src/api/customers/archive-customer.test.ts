import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await send('createProduct', 'CreateProductInput', { refId: 'hosting', displayName: 'Hosting' });
  await publish('free', { pricingType: 'FREE', prices: [] });
  const price = { amount: 10, currency: 'USD' };
  const prices = [{ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price }];
  await publish('pro', { pricingType: 'PAID', prices });
});

afterAll(() => api.stop());

const unarchive = 'mutation ($input: UnarchiveCustomerInput!) { unarchiveCustomer(input: $input) { refId } }';
const archive =
  'mutation ($input: ArchiveCustomerInput!) { archiveCustomer(input: $input) { refId name email } }';

describe('archiving a customer', () => {
  it('with a paid subscription is refused, and nothing is changed', async () => {
    const subscriptionId = await subscribed('paying', 'pro');
    const answer = await api.ask(archive, { input: { customerId: 'paying' } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toContain('cancelSubscriptions');
    expect(await statusOf(subscriptionId)).toBe('ACTIVE');
    expect(await isKnown('paying')).toBe(true);
  });

  it('with a paid add-on to a free plan is refused, too', async () => {
    const addon = { refId: 'backups', displayName: 'Backups', productId: 'hosting' };
    await send('createAddon', 'CreateAddonInput', addon);
    const price = { amount: 5, currency: 'USD' };
    const prices = [{ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price }];
    await send('setPackagePricing', 'PackagePricingInput', {
      packageId: 'backups',
      pricingType: 'PAID',
      prices,
    });
    await send('publishPackage', 'PublishPackageInput', { packageId: 'backups' });
    await publish('base', { pricingType: 'FREE', prices: [] }, { compatibleAddonIds: ['backups'] });
    await subscribed('adding', 'base', {
      billingPeriod: 'MONTHLY',
      addons: [{ addonId: 'backups', quantity: 1 }],
    });
    const input = { customerId: 'adding' };
    expect(codesOf(await api.ask(archive, { input }))).toEqual(['VALIDATION_ERROR']);
    dataOf(await api.ask(archive, { input: { ...input, cancelSubscriptions: true } }));
  });

  it('cancels paid subscriptions when it is told to', async () => {
    const subscriptionId = await subscribed('leaving', 'pro');
    const input = { customerId: 'leaving', cancelSubscriptions: true };
    const archived = { archiveCustomer: { refId: 'leaving', name: null, email: null } };
    expect(dataOf(await api.ask(archive, { input }))).toEqual(archived);
    expect(await statusOf(subscriptionId)).toBe('SUBSCRIPTION_NOT_FOUND');
    expect(await isKnown('leaving')).toBe(false);
    expect(dataOf(await api.ask(archive, { input }))).toEqual(archived);
    dataOf(await api.ask(unarchive, { input: { customerId: 'leaving' } }));
    expect(await subscriptionsOf('leaving')).toEqual([
      { refId: subscriptionId, status: 'CANCELED', cancelReason: 'CustomerArchived' },
    ]);
  });

  it('hides subscriptions that do not bill, and those that have ended, from every list and by every name', async () => {
    const ended = await subscribed('hiding', 'pro');
    api.clock.advance(1);
    const free = await subscribed('hiding', 'free');
    const { id } = (await subscription(free)) as { readonly id: string };
    const before = await totalOf('free');
    dataOf(await api.ask(archive, { input: { customerId: 'hiding' } }));
    expect(await Promise.all([free, ended, id].map(statusOf))).toEqual([
      'SUBSCRIPTION_NOT_FOUND',
      'SUBSCRIPTION_NOT_FOUND',
      'SUBSCRIPTION_NOT_FOUND',
    ]);
    expect(await subscriptionsOf('hiding')).toEqual([]);
    expect(await totalOf('free')).toBe(before - 1);
    const update = `mutation { updateOneSubscription(input: { subscriptionId: "${free}", additionalMetaData: {} }) {
      refId } }`;
    expect(codesOf(await api.ask(update))).toEqual(['SUBSCRIPTION_NOT_FOUND']);
    const again = { input: { customerId: 'hiding', planId: 'free' } };
    expect(codesOf(await api.ask(subscribe, again))).toEqual(['CUSTOMER_NOT_FOUND']);
    const active = '{ getActiveSubscriptions(input: { customerId: "hiding" }) { refId } }';
    expect(codesOf(await api.ask(active))).toEqual(['CUSTOMER_NOT_FOUND']);

    dataOf(await api.ask(unarchive, { input: { customerId: 'hiding' } }));
    expect(await subscriptionsOf('hiding')).toEqual([
      { refId: ended, status: 'CANCELED', cancelReason: 'UPGRADE_OR_DOWNGRADE' },
      { refId: free, status: 'ACTIVE', cancelReason: null },
    ]);
    expect(await totalOf('free')).toBe(before);
    expect(dataOf(await api.ask(active))).toEqual({ getActiveSubscriptions: [{ refId: free }] });
  });

  it('lets time catch up with them when it brings them back', async () => {
    const free = await subscribed('pausing', 'free');
    const end = new Date(api.clock.now() + 86_400_000).toISOString();
    const date = `mutation { updateOneSubscription(input: { subscriptionId: "${free}", cancellationDate: "${end}" }) {
      refId } }`;
    dataOf(await api.ask(date));
    dataOf(await api.ask(archive, { input: { customerId: 'pausing' } }));
    api.clock.advance(2 * 86_400_000);
    expect(await statusOf(free)).toBe('SUBSCRIPTION_NOT_FOUND');
    dataOf(await api.ask(unarchive, { input: { customerId: 'pausing' } }));
    expect(await subscription(free)).toMatchObject({ status: 'CANCELED', effectiveEndDate: end });
  });

  it('leaves no paid subscription behind that is made at the same moment', async () => {
    for (let round = 0; round < 10; round += 1) {
      const customerId = `racing-${round}`;
      await provision(customerId);
      const [archived, made] = await Promise.all([
        api.ask(archive, { input: { customerId } }),
        api.ask(subscribe, { input: { customerId, planId: 'pro', billingPeriod: 'MONTHLY' } }),
      ]);
      // Whoever comes first, the other one is refused.
      expect([codesOf(archived), codesOf(made)]).toContainEqual([]);
      expect(archived.errors.length + made.errors.length).toBe(1);
      expect(await isKnown(customerId)).toBe(archived.errors.length === 1);
    }
  });
});

const subscribe = `mutation ($input: ProvisionSubscriptionInput!) {
  provisionSubscription(input: $input) { subscription { subscriptionId } } }`;

async function publish(refId: string, pricing: object, more: object = {}): Promise<void> {
  await send('createPlan', 'CreatePlanInput', { refId, displayName: refId, productId: 'hosting', ...more });
  await send('setPackagePricing', 'PackagePricingInput', { packageId: refId, ...pricing });
  await send('publishPackage', 'PublishPackageInput', { packageId: refId });
}

async function provision(customerId: string): Promise<void> {
  const query =
    'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';
  dataOf(await api.ask(query, { input: { customerId, name: 'Somebody' } }));
}

async function subscribed(customerId: string, planId: string, more: object = {}): Promise<string> {
  await provision(customerId);
  const billingPeriod = planId === 'pro' ? { billingPeriod: 'MONTHLY' } : {};
  const made = dataOf(await api.ask(subscribe, { input: { customerId, planId, ...billingPeriod, ...more } }));
  return (made as { provisionSubscription: { subscription: { subscriptionId: string } } })
    .provisionSubscription.subscription.subscriptionId;
}

/** Its status, or why it is not answered. */
async function statusOf(subscriptionId: string): Promise<unknown> {
  const answer = await api.ask(
    `{ getSubscription(input: { subscriptionId: "${subscriptionId}" }) { status } }`,
  );
  if (answer.errors.length > 0) return codesOf(answer)[0];
  return (dataOf(answer) as { getSubscription: { status: string } }).getSubscription.status;
}

async function subscription(subscriptionId: string): Promise<unknown> {
  const query = `{ getSubscription(input: { subscriptionId: "${subscriptionId}" }) { id status effectiveEndDate } }`;
  return dataOf(await api.ask(query))['getSubscription'];
}

async function subscriptionsOf(customerId: string): Promise<readonly unknown[]> {
  const query = `{ subscriptions(filter: { customerId: { eq: "${customerId}" } }) { totalCount
    edges { node { refId status cancelReason } } } }`;
  const { totalCount, edges } = dataOf(await api.ask(query))['subscriptions'] as {
    readonly totalCount: number;
    readonly edges: readonly { readonly node: unknown }[];
  };
  expect(totalCount).toBe(edges.length);
  return edges.map(({ node }) => node);
}

async function totalOf(planId: string): Promise<number> {
  const query = `{ subscriptions(filter: { planId: { eq: "${planId}" } }) { totalCount } }`;
  return (dataOf(await api.ask(query)) as { subscriptions: { totalCount: number } }).subscriptions.totalCount;
}

async function isKnown(customerId: string): Promise<boolean> {
  const answer = await api.ask(`{ getCustomerByRefId(input: { customerId: "${customerId}" }) { id } }`);
  return answer.errors.length === 0;
}

async function send(name: string, type: string, input: object): Promise<void> {
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { refId } }`;
  dataOf(await api.ask(query, { input }));
}
