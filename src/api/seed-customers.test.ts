/** What the seed promises of access and customers, sentence by sentence; the names of the tests quote it. */
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { answerOf, codesOf, dataOf, serverKey } from './api.fixture.ts';
import { type Json, type SeedApi, startSeedApi } from './seed.fixture.ts';

let seed: SeedApi;

beforeAll(async () => {
  seed = await startSeedApi(inject('redisUrl'));
});

afterAll(() => seed.api.stop());

const address = { country: 'DK', city: 'Aarhus', addressLine1: 'Allé 42', postalCode: '8000' };
const billingInformation = {
  billingAddress: { ...address, state: null, addressLine2: null, phoneNumber: null },
  shippingAddress: null,
  taxIds: [{ type: 'eu_vat', value: 'DK99887766' }],
  paymentMethodId: null,
  currency: 'usd',
  metadata: null,
};

describe('access', () => {
  it('the Server API key in the X-API-KEY request header', async () => {
    const body = JSON.stringify({ query: '{ customers { totalCount } }' });
    expect(dataOf(await seed.api.send(body, { 'X-API-KEY': serverKey }))).toHaveProperty('customers');
    expect(codesOf(await seed.api.send(body, {}))).toEqual(['UNAUTHENTICATED']);
  });

  it('an introspection query by passing the Server API key as a query parameter', async () => {
    const post = async (query: string) =>
      answerOf(
        await fetch(`${seed.api.url}/graphql?apiKey=${serverKey}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify({ query }),
        }),
      );
    expect(dataOf(await post(getIntrospectionQuery()))).toHaveProperty('__schema.types');
    expect(codesOf(await post('{ customers { totalCount } }'))).toEqual(['UNAUTHENTICATED']);
  });
});

describe('when a new customer is provisioned', () => {
  it('you should also provision them', async () => {
    const input = { customerId: 'new', name: 'New', email: 'new@example.com' };
    const fields = 'customer { refId customerId name email } subscription { id }';
    expect(await seed.run('provisionCustomer', input, fields)).toEqual({
      customer: { refId: 'new', customerId: 'new', name: 'New', email: 'new@example.com' },
      subscription: null,
    });
    expect(await shown('new')).toEqual({ name: 'New', email: 'new@example.com' });
  });

  it('billing information can also be passed, is propagated, and is not persisted', async () => {
    await seed.run('provisionCustomer', { customerId: 'billed', billingInformation }, 'customer { refId }');
    expect(await seed.api.letter('billed')).toMatchObject({
      billingInformation: { taxIds: billingInformation.taxIds },
    });
    const changes = JSON.stringify(await seed.api.outbox());
    expect(changes).toContain('billed');
    expect(changes).not.toMatch(/Aarhus|Allé 42|DK99887766/);
  });

  it('subscriptionParams create a subscription using a single operation', async () => {
    const subscriptionParams = { planId: 'plan-revvenu-basic', billingPeriod: 'MONTHLY' };
    expect(await started('single', subscriptionParams)).toEqual({
      subscription: { status: 'ACTIVE', plan: { refId: 'plan-revvenu-basic' } },
      subscriptionDecisionStrategy: 'REQUESTED_PLAN',
    });
  });

  it("the product's Customer Journey overrides the requested subscription", async () => {
    await seed.run('createProduct', { refId: 'journey', displayName: 'Journey' });
    for (const refId of ['start', 'asked-for']) {
      await seed.run('createPlan', { refId, displayName: refId, productId: 'journey' });
      await seed.run('setPackagePricing', { packageId: refId, pricingType: 'FREE' });
      await seed.run('publishPackage', { packageId: refId });
    }
    const productSettings = { subscriptionStartSetup: 'FREE_PLAN', subscriptionStartPlanId: 'start' };
    await seed.run('updateProduct', { refId: 'journey', productSettings });
    expect(await started('overridden', { planId: 'asked-for' })).toEqual({
      subscription: { status: 'ACTIVE', plan: { refId: 'start' } },
      subscriptionDecisionStrategy: 'START_WITH_FREE_PLAN',
    });
  });
});

describe('customer information can also be updated', () => {
  it('you only need to send the new email value without the rest of the customer', async () => {
    await seed.run(
      'provisionCustomer',
      { customerId: 'partly', name: 'Whole', email: 'a@b.dk' },
      'customer { id }',
    );
    const input = { customerId: 'partly', email: 'c@d.dk' };
    expect(await seed.run('updateOneCustomer', input, 'name email')).toEqual({
      name: 'Whole',
      email: 'c@d.dk',
    });
    expect(await shown('partly')).toEqual({ name: 'Whole', email: 'c@d.dk' });
  });

  it('assuming it already exists', async () => {
    const update = 'mutation { updateOneCustomer(input: { customerId: "nobody", email: "a@b.dk" }) { id } }';
    expect(codesOf(await seed.api.ask(update))).toEqual(['CUSTOMER_NOT_FOUND']);
  });

  it('the entire billing information object must be passed each time', async () => {
    await seed.run('provisionCustomer', { customerId: 'moved' }, 'customer { id }');
    await seed.run('updateOneCustomer', { customerId: 'moved', billingInformation });
    expect(await seed.api.letter('moved')).toMatchObject({ billingInformation: { currency: 'usd' } });
    const mutation = 'mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { id } }';
    const part = { billingAddress: address };
    const answer = await seed.api.ask(mutation, { input: { customerId: 'moved', billingInformation: part } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toMatch(/whole object.*taxIds/);
  });
});

describe('archiving a customer', () => {
  it('its name and email address will be nullified, and it is no longer returned by the API', async () => {
    await seed.run(
      'provisionCustomer',
      { customerId: 'leaving', name: 'Zaphod', email: 'z@b.dk' },
      'customer { id }',
    );
    const made = await seed.subscribed('leaving', { planId: 'plan-revvenu-free' });
    const archived = await seed.run('archiveCustomer', { customerId: 'leaving' }, 'refId name email');
    expect(archived).toEqual({ refId: 'leaving', name: null, email: null });
    const gone = [
      '{ getCustomerByRefId(input: { customerId: "leaving" }) { id } }',
      '{ getActiveSubscriptions(input: { customerId: "leaving" }) { id } }',
      `{ getSubscription(input: { subscriptionId: "${String(made['refId'])}" }) { id } }`,
      'mutation { updateOneCustomer(input: { customerId: "leaving", name: "Z" }) { id } }',
    ];
    const codes = await Promise.all(gone.map(async (query) => codesOf(await seed.api.ask(query))));
    expect(codes.flat()).toEqual([
      'CUSTOMER_NOT_FOUND',
      'CUSTOMER_NOT_FOUND',
      'SUBSCRIPTION_NOT_FOUND',
      'CUSTOMER_NOT_FOUND',
    ]);
    const lists = await seed.ask(`{
      customers(filter: { customerId: { eq: "leaving" } }) { totalCount edges { node { id } } }
      subscriptions(filter: { customerId: { eq: "leaving" } }) { totalCount edges { node { id } } }
      entitlementsState(query: { customerId: "leaving" }) { accessDeniedReason entitlements { isGranted } } }`);
    expect(lists).toEqual({
      customers: { totalCount: 0, edges: [] },
      subscriptions: { totalCount: 0, edges: [] },
      entitlementsState: { accessDeniedReason: 'CustomerIsArchived', entitlements: [] },
    });
    await seed.run('unarchiveCustomer', { customerId: 'leaving' });
    expect(await shown('leaving')).toEqual({ name: null, email: null });
  });
});

describe('usage', () => {
  it('calculated usage: an acknowledgement about the processed measurement is received', async () => {
    const input = { customerId: 'reporting', featureId: 'seats', value: 2 };
    const fields = 'id measurementId currentUsage duplicate';
    await seed.run('reportUsage', input, fields);
    const acknowledged = await seed.run('reportUsage', input, fields);
    expect(acknowledged).toMatchObject({
      currentUsage: '4',
      duplicate: false,
      measurementId: acknowledged['id'],
    });
  });

  it('raw events are taken from your application', async () => {
    const event = {
      customerId: 'reporting',
      eventName: 'login',
      idempotencyKey: 'login-1',
      dimensions: { user: 'u1' },
    };
    const report = 'mutation ($events: UsageEventsReportInput!) { reportEvent(events: $events) }';
    expect(await seed.ask(report, { events: { events: [event] } })).toEqual({ reportEvent: null });
    expect(seed.api.intake.events).toEqual([
      expect.objectContaining({ customerId: 'reporting', eventName: 'login' }),
    ]);
  });
});

async function shown(customerId: string): Promise<unknown> {
  const query = 'query ($id: String!) { it: getCustomerByRefId(input: { customerId: $id }) { name email } }';
  return (await seed.ask(query, { id: customerId }))['it'];
}

async function started(customerId: string, subscriptionParams: Json): Promise<Json> {
  const fields = 'subscription { status plan { refId } } subscriptionDecisionStrategy';
  return seed.run('provisionCustomer', { customerId, subscriptionParams }, fields);
}
