import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi } from '../api.fixture.ts';
import type { BillingInformationInput } from './billing-information.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

const provision = `mutation ($input: ProvisionCustomerInput!) {
  provisionCustomer(input: $input) { customer { refId } } }`;
const update =
  'mutation ($input: UpdateCustomerInput!) { updateOneCustomer(input: $input) { refId updatedAt } }';

const address = { country: 'DK', city: 'Vogsphere', addressLine1: 'Allé 42', postalCode: '8000' };
const whole = {
  billingAddress: { ...address, state: 'Midt', addressLine2: '2. tv', phoneNumber: '+45 42 42 42 42' },
  shippingAddress: null,
  taxIds: [{ type: 'eu_vat', value: 'DK99887766' }],
  paymentMethodId: 'pm_heart_of_gold',
  currency: 'DKK',
  metadata: { note: 'mostly harmless', depth: 7.5 },
} satisfies BillingInformationInput;

describe('billing information', () => {
  it('goes with the customer that is provisioned; what is not given is none', async () => {
    await done(provision, {
      customerId: 'acme',
      billingInformation: { billingAddress: { city: 'Vogsphere' } },
    });
    const none = { country: null, state: null, addressLine1: null, addressLine2: null };
    expect(await api.letter('acme')).toMatchObject({
      type: 'customer.billing_information',
      customerId: 'acme',
      actor: expect.any(String),
      traceId: expect.any(String),
      billingInformation: {
        billingAddress: { ...none, city: 'Vogsphere', postalCode: null, phoneNumber: null },
        shippingAddress: null,
        taxIds: [],
        paymentMethodId: null,
        currency: null,
        metadata: null,
      },
    });
  });

  it('goes with an update as a whole, also when nothing else changes', async () => {
    await done(provision, { customerId: 'beta' });
    await done(update, { customerId: 'beta', billingInformation: whole });
    expect(await api.letter('beta')).toMatchObject({ billingInformation: { ...whole, currency: 'dkk' } });
  });

  it('with null for what the customer does not have is whole', async () => {
    await done(provision, { customerId: 'gamma' });
    const none = { taxIds: null, paymentMethodId: null, currency: null, metadata: null };
    const billingInformation = {
      billingAddress: { ...address, postalCode: null },
      shippingAddress: null,
      ...none,
    };
    await done(update, { customerId: 'gamma', billingInformation });
    expect(await api.letter('gamma')).toMatchObject({
      billingInformation: { taxIds: [], paymentMethodId: null },
    });
  });

  it.each([
    ['one field', { paymentMethodId: 'pm_1' }, 'billingAddress, shippingAddress, taxIds, currency, metadata'],
    ['nothing', {}, 'billingAddress, shippingAddress, taxIds, paymentMethodId, currency, metadata'],
    [
      'part of an address',
      { ...whole, billingAddress: { city: 'Secret City' } },
      'billingAddress.country, billingAddress.addressLine1, billingAddress.postalCode',
    ],
  ])(
    'with %s is refused on an update, which then changes nothing',
    async (_what, billingInformation, missing) => {
      await done(provision, { customerId: 'partial', name: 'Before' });
      const answer = await api.ask(update, {
        input: { customerId: 'partial', name: 'After', billingInformation },
      });
      expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
      expect(answer.errors[0]?.message).toBe(
        `billingInformation: billing information is not kept, so the whole object has to be passed each time; missing: ${missing}. Send null for what the customer does not have`,
      );
      expect(await api.letter('partial')).toBeUndefined();
      const { getCustomerByRefId } = dataOf(
        await api.ask('{ getCustomerByRefId(input: { customerId: "partial" }) { name } }'),
      );
      expect(getCustomerByRefId).toEqual({ name: 'Before' });
    },
  );

  it.each([
    ['a currency that is none', { currency: 'galactic' }, 'currency must be a code'],
    [
      'a text that is too long',
      { paymentMethodId: 'x'.repeat(256) },
      'paymentMethodId must have at most 255',
    ],
    ['metadata that is no object', { metadata: [1] }, 'billingInformation.metadata must be a JSON object'],
    [
      'too many tax ids',
      { taxIds: Array.from({ length: 21 }, () => ({ type: 't', value: 'v' })) },
      'taxIds has 21 entries; at most 20',
    ],
  ])('with %s is refused', async (_what, billingInformation, message) => {
    const answer = await api.ask(provision, { input: { customerId: 'refused', billingInformation } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toContain(message);
    expect(await api.letter('refused')).toBeUndefined();
  });

  it('of a customer who is unknown or archived goes nowhere, and archiving drops what waits', async () => {
    const input = { customerId: 'nobody', billingInformation: whole };
    expect(codesOf(await api.ask(update, { input }))).toEqual(['CUSTOMER_NOT_FOUND']);
    await done(provision, { customerId: 'leaving', billingInformation: whole });
    expect(await api.letter('leaving')).toBeDefined();
    await done('mutation { archiveCustomer(input: { customerId: "leaving" }) { refId } }');
    expect(await api.letter('leaving')).toBeUndefined();
    const again = { customerId: 'leaving', billingInformation: whole };
    expect(codesOf(await api.ask(provision, { input: again }))).toEqual(['DUPLICATE_ENTITY']);
    expect(await api.letter('leaving')).toBeUndefined();
  });

  it('goes with the first subscription, which is made in the same step, or not at all', async () => {
    const input = (type: string, value: object): Promise<unknown> => {
      const field = `${type.charAt(0).toLowerCase()}${type.slice(1, -'Input'.length)}`;
      return done(`mutation ($input: ${type}!) { ${field}(input: $input) { refId } }`, { ...value });
    };
    await input('CreateProductInput', { refId: 'hosting', displayName: 'Hosting' });
    await input('CreatePlanInput', { refId: 'free', displayName: 'Free', productId: 'hosting' });
    const pricing = { packageId: 'free', pricingType: 'FREE', prices: [] };
    await done(
      'mutation ($input: PackagePricingInput!) { setPackagePricing(input: $input) { refId } }',
      pricing,
    );
    await input('PublishPackageInput', { packageId: 'free' });
    const start = (customerId: string, planId: string): object => ({
      customerId,
      billingInformation: whole,
      subscriptionParams: { planId },
    });
    await done(provision, { ...start('starting', 'free') });
    expect(await api.letter('starting')).toMatchObject({ billingInformation: { taxIds: whole.taxIds } });
    expect(codesOf(await api.ask(provision, { input: start('failing', 'none') }))).toEqual([
      'PLAN_NOT_FOUND',
    ]);
    expect(await api.letter('failing')).toBeUndefined();
  });

  it('is answered by no field, and is in no change and no log', async () => {
    await done(provision, { customerId: 'quiet', billingInformation: whole });
    await done(update, { customerId: 'quiet', billingInformation: whole });
    const told = JSON.stringify([await api.outbox(), api.logged]);
    expect(told).not.toMatch(/Vogsphere|Allé|pm_heart|DK99887766|mostly/);
    expect(told).toContain('quiet');
    const asked = await api.ask(
      '{ getCustomerByRefId(input: { customerId: "quiet" }) { billingInformation } }',
    );
    expect(asked.errors).toHaveLength(1);
  });
});

async function done(mutation: string, input?: Readonly<Record<string, unknown>>): Promise<void> {
  dataOf(await api.ask(mutation, { input }));
}
