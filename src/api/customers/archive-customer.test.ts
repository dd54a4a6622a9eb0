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

  it('cancels paid subscriptions when it is told to', async () => {
    const subscriptionId = await subscribed('leaving', 'pro');
    const input = { customerId: 'leaving', cancelSubscriptions: true };
    const archived = { archiveCustomer: { refId: 'leaving', name: null, email: null } };
    expect(dataOf(await api.ask(archive, { input }))).toEqual(archived);
    expect(await statusOf(subscriptionId)).toBe('CANCELED');
    expect(await isKnown('leaving')).toBe(false);
    expect(dataOf(await api.ask(archive, { input }))).toEqual(archived);
  });

  it('takes no notice of free subscriptions', async () => {
    const subscriptionId = await subscribed('trying', 'free');
    dataOf(await api.ask(archive, { input: { customerId: 'trying' } }));
    expect(await statusOf(subscriptionId)).toBe('ACTIVE');
    expect(await isKnown('trying')).toBe(false);
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

async function publish(refId: string, pricing: object): Promise<void> {
  await send('createPlan', 'CreatePlanInput', { refId, displayName: refId, productId: 'hosting' });
  await send('setPackagePricing', 'PackagePricingInput', { packageId: refId, ...pricing });
  await send('publishPackage', 'PublishPackageInput', { packageId: refId });
}

async function provision(customerId: string): Promise<void> {
  const query =
    'mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }';
  dataOf(await api.ask(query, { input: { customerId, name: 'Somebody' } }));
}

async function subscribed(customerId: string, planId: string): Promise<string> {
  await provision(customerId);
  const billingPeriod = planId === 'pro' ? { billingPeriod: 'MONTHLY' } : {};
  const made = dataOf(await api.ask(subscribe, { input: { customerId, planId, ...billingPeriod } }));
  return (made as { provisionSubscription: { subscription: { subscriptionId: string } } })
    .provisionSubscription.subscription.subscriptionId;
}

async function statusOf(subscriptionId: string): Promise<string> {
  const query = `{ getSubscription(input: { subscriptionId: "${subscriptionId}" }) { status } }`;
  return (dataOf(await api.ask(query)) as { getSubscription: { status: string } }).getSubscription.status;
}

async function isKnown(customerId: string): Promise<boolean> {
  const answer = await api.ask(`{ getCustomerByRefId(input: { customerId: "${customerId}" }) { id } }`);
  return answer.errors.length === 0;
}

async function send(name: string, type: string, input: object): Promise<void> {
  const query = `mutation ($input: ${type}!) { ${name}(input: $input) { refId } }`;
  dataOf(await api.ask(query, { input }));
}
