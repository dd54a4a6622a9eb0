import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { TestPaymentProvider } from '../../payments/test-payment-provider.ts';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

type Json = Readonly<Record<string, unknown>>;

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'), '', new TestPaymentProvider());
  await makeCatalog();
});

afterAll(() => api.stop());

/** As the seed prints it. */
const seedMutation = `mutation CreateSubscription($input: ProvisionSubscriptionInput!) { provisionSubscription: provisionSubscriptionV2(subscription: $input) { id refId status additionalMetaData plan { id refId } addons { quantity addon { id refId } } customer { id refId } resource { resourceId } paymentCollection latestInvoice { billingId status createdAt updatedAt requiresAction paymentUrl paymentSecret errorMessage } } }`;

const lineItems = `lineItems { description quantity unitPrice { amount currency } amount { amount currency }
  proration periodStart periodEnd }`;
const ask = `query ($id: String!) { it: getSubscription(input: { subscriptionId: $id }) { status cancelReason
  paymentCollection latestInvoice { billingId status requiresAction paymentUrl paymentSecret errorMessage
    total { amount currency } amountDue { amount currency } currency billingReason ${lineItems} } } }`;

describe('a subscription that is to be paid', () => {
  it('waits as the seed prints it: PAYMENT_PENDING, with an invoice that asks the customer to act', async () => {
    await addCustomer('customer-id', 'pm_test_action_required');
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
    const now = new Date(startOfTests).toISOString();
    expect(answer).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      refId: expect.stringMatching(/^subscription-plan-revvenu-basic-[0-9a-f]{6}$/),
      status: 'PAYMENT_PENDING',
      additionalMetaData: { key: 'value' },
      plan: { id: expect.any(String), refId: 'plan-revvenu-basic' },
      addons: [{ quantity: 2, addon: { id: expect.any(String), refId: 'addon-extra-stuff' } }],
      customer: { id: expect.any(String), refId: 'customer-id' },
      resource: { resourceId: 'resource-01' },
      paymentCollection: 'ACTION_REQUIRED',
      latestInvoice: {
        billingId: expect.stringMatching(/^test-invoice-/),
        status: 'OPEN',
        createdAt: now,
        updatedAt: now,
        requiresAction: true,
        paymentUrl: expect.stringMatching(/^https:/),
        paymentSecret: expect.stringMatching(/^test-secret-[0-9a-f]{24}$/),
        errorMessage: null,
      },
    });
  });

  it('gives access once it is paid, and saying so again changes nothing', async () => {
    await addCustomer('confirms', 'pm_test_action_required');
    await provisioned({ customerId: 'confirms', subscriptionId: 'confirmed' });
    const active = `query { getActiveSubscriptions(input: { customerId: "confirms" }) { refId } }`;
    expect(dataOf(await api.ask(active))['getActiveSubscriptions']).toEqual([]);
    const mutation = `mutation { it: markInvoicePaid(input: { subscriptionId: "confirmed" }) { status
      paymentCollection latestInvoice { status requiresAction paymentUrl paymentSecret } } }`;
    for (const _ of [1, 2]) {
      expect(dataOf(await api.ask(mutation))['it']).toEqual({
        status: 'ACTIVE',
        paymentCollection: 'NOT_REQUIRED',
        latestInvoice: { status: 'PAID', requiresAction: false, paymentUrl: null, paymentSecret: null },
      });
    }
    expect(dataOf(await api.ask(active))['getActiveSubscriptions']).toEqual([{ refId: 'confirmed' }]);
  });

  it('is active at once where the payment succeeds, invoiced as it was previewed', async () => {
    await addCustomer('succeeds', 'pm_test_succeeds');
    const input = { customerId: 'succeeds', planId: 'plan-revvenu-basic', billingPeriod: 'MONTHLY' };
    const query = `query ($input: PreviewSubscriptionInput!) { it: previewSubscription(input: $input) {
      immediateInvoice { total { amount currency } ${lineItems} } } }`;
    const { immediateInvoice } = dataOf(await api.ask(query, { input }))['it'] as Json;
    await provisioned({ customerId: 'succeeds', subscriptionId: 'paid' });
    expect(await asked('paid')).toMatchObject({
      status: 'ACTIVE',
      paymentCollection: 'NOT_REQUIRED',
      latestInvoice: {
        status: 'PAID',
        amountDue: { amount: '30', currency: 'usd' },
        currency: 'usd',
        billingReason: 'SUBSCRIPTION_CREATION',
        ...(immediateInvoice as Json),
      },
    });
  });

  it('says why a payment failed', async () => {
    await addCustomer('declined', 'pm_test_declined');
    await provisioned({ customerId: 'declined', subscriptionId: 'refused' });
    expect(await asked('refused')).toMatchObject({
      status: 'PAYMENT_PENDING',
      paymentCollection: 'FAILED',
      latestInvoice: { status: 'OPEN', errorMessage: 'the payment method was declined', paymentUrl: null },
    });
  });

  it('has to be paid by hand without a payment method, and is free of all that where nothing is to pay', async () => {
    await addCustomer('methodless', null);
    const mutation = `mutation ($input: ProvisionSubscriptionInput!) { provisionSubscription(input: $input) {
      status checkoutUrl subscription { status latestInvoice { paymentUrl } } } }`;
    const input = { customerId: 'methodless', planId: 'plan-revvenu-basic', billingPeriod: 'MONTHLY' };
    const { provisionSubscription: result } = dataOf(await api.ask(mutation, { input }));
    const checkoutUrl = expect.stringMatching(/^https:/);
    expect(result).toEqual({
      status: 'PAYMENT_REQUIRED',
      checkoutUrl,
      subscription: { status: 'PAYMENT_PENDING', latestInvoice: { paymentUrl: checkoutUrl } },
    });
    const free = await api.ask(mutation, { input: { customerId: 'methodless', planId: 'free' } });
    expect(dataOf(free)['provisionSubscription']).toEqual({
      status: 'SUCCESS',
      checkoutUrl: null,
      subscription: { status: 'ACTIVE', latestInvoice: null },
    });
  });
});

describe('what is kept of a payment method', () => {
  it('is the provider’s own reference of it, until the customer has none', async () => {
    await addCustomer('keeps', 'pm_test_succeeds');
    expect(await billingIdOf('keeps')).toBe('test:succeeds');
    const mutation = `mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { billingId } }`;
    const nothing = {
      billingAddress: null,
      shippingAddress: null,
      taxIds: null,
      currency: null,
      metadata: null,
    };
    const billingInformation = { ...nothing, paymentMethodId: null };
    dataOf(await api.ask(mutation, { input: { customerId: 'keeps', name: 'Kept' } }));
    expect(await billingIdOf('keeps')).toBe('test:succeeds');
    dataOf(await api.ask(mutation, { input: { customerId: 'keeps', billingInformation } }));
    expect(await billingIdOf('keeps')).toBeNull();
  });

  it('is nothing of one that the provider does not know', async () => {
    const mutation = `mutation { provisionCustomer(input: { customerId: "unknown",
      billingInformation: { paymentMethodId: "pm_other" } }) { customer { id } } }`;
    expect(codesOf(await api.ask(mutation))).toEqual(['VALIDATION_ERROR']);
  });
});

describe('the secret that confirms a payment', () => {
  it('is in no change that is logged', async () => {
    await addCustomer('secretive', 'pm_test_action_required');
    await provisioned({ customerId: 'secretive', subscriptionId: 'secret' });
    const { latestInvoice } = (await asked('secret')) as { readonly latestInvoice: Json };
    const log = JSON.stringify(await api.outbox());
    expect(log).toContain(latestInvoice['billingId']);
    expect(log).not.toContain(latestInvoice['paymentSecret']);
  });
});

async function makeCatalog(): Promise<void> {
  dataOf(
    await api.ask(`mutation {
      product: createProduct(input: { refId: "app", displayName: "App", multipleSubscriptions: true }) { id }
      plan: createPlan(input: { refId: "plan-revvenu-basic", displayName: "Basic", productId: "app",
        compatibleAddonIds: [] }) { id }
      free: createPlan(input: { refId: "free", displayName: "Free", productId: "app" }) { id }
      addon: createAddon(input: { refId: "addon-extra-stuff", displayName: "Extra", productId: "app" }) { id }
      compatible: updatePlan(input: { refId: "plan-revvenu-basic",
        compatibleAddonIds: ["addon-extra-stuff"] }) { id }
      planPrice: setPackagePricing(input: { packageId: "plan-revvenu-basic", pricingType: PAID, prices: [
        { billingModel: FLAT_FEE, billingPeriod: MONTHLY, price: { amount: 30, currency: "usd" } }] }) { refId }
      freePrice: setPackagePricing(input: { packageId: "free", pricingType: FREE, prices: [] }) { refId }
      addonPrice: setPackagePricing(input: { packageId: "addon-extra-stuff", pricingType: PAID, prices: [
        { billingModel: FLAT_FEE, billingPeriod: MONTHLY, price: { amount: 15, currency: "usd" } }] }) { refId }
      a: publishPackage(input: { packageId: "addon-extra-stuff" }) { refId }
      b: publishPackage(input: { packageId: "plan-revvenu-basic" }) { refId }
      c: publishPackage(input: { packageId: "free" }) { refId }
    }`),
  );
}

async function addCustomer(customerId: string, paymentMethodId: string | null): Promise<void> {
  const mutation = `mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { id } } }`;
  const input = { customerId, billingInformation: { paymentMethodId } };
  dataOf(await api.ask(mutation, { input }));
}

async function provisioned(more: Json): Promise<void> {
  const mutation = `mutation ($input: ProvisionSubscriptionInput!) {
    provisionSubscriptionV2(subscription: $input) { id } }`;
  const input = { planId: 'plan-revvenu-basic', billingPeriod: 'MONTHLY', ...more };
  dataOf(await api.ask(mutation, { input }));
}

async function asked(id: string): Promise<unknown> {
  return dataOf(await api.ask(ask, { id }))['it'];
}

async function billingIdOf(customerId: string): Promise<unknown> {
  const query = `query ($input: GetCustomerByRefIdInput!) { it: getCustomerByRefId(input: $input) { billingId } }`;
  return (dataOf(await api.ask(query, { input: { customerId } }))['it'] as Json)['billingId'];
}
