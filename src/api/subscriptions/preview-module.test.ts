import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

type Json = Readonly<Record<string, unknown>>;

const dayMs = 86_400_000;
const iso = (at: number): string => new Date(at).toISOString();

let api: RunningApi;

/** The period from 1 May has 31 days, so that 31 is one a day. */
beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await makeCatalog();
});

afterAll(() => api.stop());

const money = '{ amount currency }';
const invoice = `{ subtotal ${money} discount ${money} tax ${money} total ${money}
  lineItems { description quantity unitPrice ${money} amount ${money} proration periodStart periodEnd } }`;
const fields = `isPlanDowngrade billingPeriodRange { start end }
  proration { prorationDate credit ${money} charge ${money} net ${money} }
  immediateInvoice ${invoice} otherInvoices ${invoice} recurringInvoice ${invoice}`;
const queries = {
  previewSubscription: `query ($input: PreviewSubscriptionInput!) { it: previewSubscription(input: $input) { ${fields} } }`,
  estimateSubscription: `query ($input: EstimateSubscriptionInput!) { it: estimateSubscription(input: $input) { ${fields} } }`,
  estimateSubscriptionUpdate: `query ($input: EstimateSubscriptionUpdateInput!) {
    it: estimateSubscriptionUpdate(input: $input) { ${fields} } }`,
};

describe('previewSubscription', () => {
  it('answers the first period of a new subscription, and the next one', async () => {
    await addCustomer('new');
    const input = { customerId: 'new', planId: 'seats', unitQuantity: 2, billingPeriod: 'MONTHLY' };
    const preview = await asked('previewSubscription', input);
    const line = {
      description: 'Seats: seat',
      quantity: 2,
      unitPrice: usd('31'),
      amount: usd('62'),
      proration: false,
    };
    const [may, june, july] = ['2026-05-01', '2026-06-01', '2026-07-01'].map((day) => `${day}T12:00:00.000Z`);
    const sums = { subtotal: usd('62'), discount: usd('0'), tax: usd('0'), total: usd('62') };
    expect(preview).toEqual({
      isPlanDowngrade: false,
      billingPeriodRange: { start: may, end: june },
      proration: { prorationDate: may, credit: usd('0'), charge: usd('62'), net: usd('62') },
      immediateInvoice: { ...sums, lineItems: [{ ...line, periodStart: may, periodEnd: june }] },
      otherInvoices: [],
      recurringInvoice: { ...sums, lineItems: [{ ...line, periodStart: june, periodEnd: july }] },
    });
    expect(await asked('estimateSubscription', input)).toEqual(preview);
  });

  it('answers what an upgrade and a downgrade within a period cost', async () => {
    await addCustomer('mover');
    await provisioned({ customerId: 'mover', planId: 'basic' });
    const own = await later('mover', 10);
    const up = await own.preview({ planId: 'pro' });
    expect(up).toMatchObject({
      isPlanDowngrade: false,
      proration: { prorationDate: iso(own.now), credit: usd('21'), charge: usd('42'), net: usd('21') },
      immediateInvoice: { total: usd('21') },
      recurringInvoice: { total: usd('62') },
    });
    expect(await own.preview({ planId: 'free' })).toMatchObject({
      isPlanDowngrade: true,
      proration: { credit: usd('21'), charge: usd('0'), net: usd('-21') },
      immediateInvoice: { total: usd('-21') },
      recurringInvoice: { total: usd('0'), lineItems: [] },
    });
    // It waits for the period's end: nothing now.
    expect(await own.preview({ planId: 'free', scheduleStrategy: 'END_OF_BILLING_PERIOD' })).toMatchObject({
      isPlanDowngrade: true,
      billingPeriodRange: { start: '2026-06-01T12:00:00.000Z' },
      immediateInvoice: { total: usd('0'), lineItems: [] },
    });
    await own.stop();
  });

  it('of a trial is nothing now, and the price when it is converted', async () => {
    await addCustomer('tester');
    expect(await asked('previewSubscription', { customerId: 'tester', planId: 'trial' })).toMatchObject({
      billingPeriodRange: { start: iso(startOfTests), end: iso(startOfTests + 14 * dayMs) },
      immediateInvoice: { total: usd('0'), lineItems: [] },
      recurringInvoice: { total: usd('99.5'), lineItems: [{ periodStart: iso(startOfTests + 14 * dayMs) }] },
    });
  });

  it('of a start that lies ahead is nothing now', async () => {
    await addCustomer('planner');
    const startDate = iso(startOfTests + dayMs);
    expect(
      await asked('previewSubscription', { customerId: 'planner', planId: 'basic', startDate }),
    ).toMatchObject({
      billingPeriodRange: { start: startDate },
      immediateInvoice: { total: usd('0') },
      recurringInvoice: { total: usd('31'), lineItems: [{ periodStart: startDate }] },
    });
  });

  it('is answered in the currency of the country’s prices', async () => {
    await addCustomer('dane');
    const input = { customerId: 'dane', planId: 'basic', billingCountryCode: 'DK' };
    expect(await asked('previewSubscription', input)).toMatchObject({
      immediateInvoice: { total: { amount: '200', currency: 'dkk' }, tax: { amount: '0', currency: 'dkk' } },
    });
  });

  it('changes nothing', async () => {
    await addCustomer('careful');
    await provisioned({ customerId: 'careful', planId: 'basic', subscriptionId: 'kept' });
    const shown = await shownOf('kept');
    const changes = await api.outbox();
    await asked('previewSubscription', { customerId: 'careful', planId: 'pro', subscriptionId: 'other' });
    await asked('estimateSubscriptionUpdate', { subscriptionId: 'kept', addons: [{ addonId: 'extra' }] });
    expect(await shownOf('kept')).toEqual(shown);
    expect(await api.outbox()).toEqual(changes);
    expect(codesOf(await api.ask(shownQuery, { id: 'other' }))).toEqual(['SUBSCRIPTION_NOT_FOUND']);
  });

  it.each([
    ['CUSTOMER_NOT_FOUND', { customerId: 'nobody', planId: 'free' }],
    ['PLAN_NOT_FOUND', { customerId: 'refused', planId: 'none' }],
    ['ADDON_NOT_FOUND', { customerId: 'refused', planId: 'free', addons: [{ addonId: 'none' }] }],
    [
      'VALIDATION_ERROR',
      { customerId: 'refused', planId: 'seats', billingPeriod: 'MONTHLY', unitQuantity: -1 },
    ],
    ['DUPLICATE_ENTITY', { customerId: 'refused', planId: 'free', subscriptionId: 'taken' }],
  ])('refuses with %s what provisioning refuses, for the same reason', async (code, input) => {
    await addCustomer('refused');
    await api.ask(provision, { input: { customerId: 'refused', planId: 'free', subscriptionId: 'taken' } });
    const preview = await api.ask(queries.previewSubscription, { input });
    expect(codesOf(preview)).toEqual([code]);
    const real = await api.ask(provision, { input });
    expect(preview.errors.map(({ message }) => message)).toEqual(real.errors.map(({ message }) => message));
  });
});

describe('estimateSubscriptionUpdate', () => {
  it('answers the totals, with the proration line by line', async () => {
    await addCustomer('grower');
    await provisioned({
      customerId: 'grower',
      planId: 'seats',
      unitQuantity: 2,
      billingPeriod: 'MONTHLY',
      subscriptionId: 'grown',
    });
    const own = await later('grower', 15);
    const input = { subscriptionId: 'grown', unitQuantity: 4, addons: [{ addonId: 'extra', quantity: 2 }] };
    // 16 of 31 days are left: two seats against four, and two add-ons at 5.
    expect(await own.estimate(input)).toMatchObject({
      isPlanDowngrade: false,
      proration: { credit: usd('32'), charge: usd('69.16'), net: usd('37.16') },
      immediateInvoice: {
        subtotal: usd('37.16'),
        lineItems: [
          { description: 'Unused time: Seats: seat', quantity: 2, amount: usd('-32'), proration: true },
          { description: 'Remaining time: Seats: seat', quantity: 4, amount: usd('64'), proration: true },
          { description: 'Remaining time: Extra', quantity: 2, amount: usd('5.16'), proration: true },
        ],
      },
      recurringInvoice: { total: usd('134') },
    });
    await own.stop();
  });

  it('of fewer units that wait is nothing now, and less from the next period on', async () => {
    await addCustomer('shrinker');
    await provisioned({
      customerId: 'shrinker',
      planId: 'seats',
      unitQuantity: 5,
      billingPeriod: 'MONTHLY',
      subscriptionId: 'shrunk',
    });
    const input = { subscriptionId: 'shrunk', unitQuantity: 3, scheduleStrategy: 'END_OF_BILLING_PERIOD' };
    expect(await asked('estimateSubscriptionUpdate', input)).toMatchObject({
      immediateInvoice: { total: usd('0'), lineItems: [] },
      recurringInvoice: { total: usd('93') },
    });
  });

  it('of an end at the period’s end is nothing, now and then', async () => {
    await addCustomer('leaver');
    await provisioned({ customerId: 'leaver', planId: 'basic', subscriptionId: 'left' });
    const cancellationDate = '2026-06-01T12:00:00.000Z';
    expect(
      await asked('estimateSubscriptionUpdate', { subscriptionId: 'left', cancellationDate }),
    ).toMatchObject({
      immediateInvoice: { total: usd('0') },
      recurringInvoice: { total: usd('0'), lineItems: [] },
    });
  });

  it('refuses an unknown subscription', async () => {
    const answer = await api.ask(queries.estimateSubscriptionUpdate, { input: { subscriptionId: 'none' } });
    expect(codesOf(answer)).toEqual(['SUBSCRIPTION_NOT_FOUND']);
  });
});

describe('what is done then', () => {
  it.each([
    ['new', {}],
    ['with add-ons', { addons: [{ addonId: 'extra', quantity: 3 }] }],
    ['without a trial', { planId: 'trial', skipTrial: true }],
    ['by the year', { planId: 'seats', billingPeriod: 'ANNUALLY', unitQuantity: 7 }],
    ['back-dated', { startDate: '2026-04-10T00:00:00.000Z' }],
    ['in the place of another', { planId: 'pro', over: 'basic' }],
  ])('shows the period and the price of the preview: %s', async (name, { over, ...more }: Json) => {
    const customerId = `does-${name.replaceAll(' ', '-')}`;
    await addCustomer(customerId);
    if (over !== undefined) await provisioned({ customerId, planId: over });
    const input = { customerId, planId: 'basic', subscriptionId: customerId, ...more };
    const preview = (await asked('previewSubscription', input)) as {
      readonly billingPeriodRange: { readonly start: string; readonly end: string };
      readonly recurringInvoice: { readonly subtotal: Json; readonly total: Json };
    };
    await provisioned(input);
    expect(await shownOf(customerId)).toEqual({
      totalPrice: { subTotal: preview.recurringInvoice.subtotal, total: preview.recurringInvoice.total },
      currentBillingPeriodStart: preview.billingPeriodRange.start,
      currentBillingPeriodEnd: preview.billingPeriodRange.end,
    });
  });
});

const provision = `mutation ($input: ProvisionSubscriptionInput!) {
  made: provisionSubscriptionV2(subscription: $input) { refId } }`;
const shownQuery = `query ($id: String!) { it: getSubscription(input: { subscriptionId: $id }) {
  totalPrice { subTotal ${money} total ${money} } currentBillingPeriodStart currentBillingPeriodEnd } }`;

interface Later {
  readonly now: number;
  preview(input: Json): Promise<unknown>;
  estimate(input: Json): Promise<unknown>;
  /** Back to the start of the tests, for those that follow. */
  stop(): Promise<void>;
}

async function later(customerId: string, days: number): Promise<Later> {
  api.clock.advance(days * dayMs);
  return {
    now: api.clock.now(),
    preview: (input) => asked('previewSubscription', { customerId, ...input }),
    estimate: (input) => asked('estimateSubscriptionUpdate', input),
    stop: async () => api.clock.advance(-days * dayMs),
  };
}

async function asked(query: keyof typeof queries, input: Json): Promise<unknown> {
  return dataOf(await api.ask(queries[query], { input }))['it'];
}

async function provisioned(input: Json): Promise<void> {
  dataOf(await api.ask(provision, { input }));
}

async function shownOf(id: string): Promise<unknown> {
  return dataOf(await api.ask(shownQuery, { id }))['it'];
}

async function addCustomer(customerId: string): Promise<void> {
  const mutation = `mutation ($input: ProvisionCustomerInput!) { provisionCustomer(input: $input) { customer { refId } } }`;
  dataOf(await api.ask(mutation, { input: { customerId } }));
}

function usd(amount: string): Json {
  return { amount, currency: 'usd' };
}

async function makeCatalog(): Promise<void> {
  const run = async (field: string, type: string, input: Json): Promise<void> => {
    dataOf(await api.ask(`mutation ($input: ${type}!) { ${field}(input: $input) { refId } }`, { input }));
  };
  const sell = async (refId: string, prices: readonly Json[]): Promise<void> => {
    const rows = prices.map((row) => ({ billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', ...row }));
    const pricingType = rows.length === 0 ? 'FREE' : 'PAID';
    await run('setPackagePricing', 'PackagePricingInput', { packageId: refId, pricingType, prices: rows });
    await run('publishPackage', 'PublishPackageInput', { packageId: refId });
  };
  const plan = async (refId: string, prices: readonly Json[], more: Json = {}): Promise<void> => {
    const displayName = `${refId[0]?.toUpperCase()}${refId.slice(1)}`;
    const compatibleAddonIds = ['extra'];
    await run('createPlan', 'CreatePlanInput', {
      refId,
      displayName,
      productId: 'app',
      compatibleAddonIds,
      ...more,
    });
    await sell(refId, prices);
  };
  await run('createProduct', 'CreateProductInput', { refId: 'app', displayName: 'App' });
  const seat = { refId: 'seat', displayName: 'Seats', featureType: 'NUMBER', meterType: 'FLUCTUATING' };
  await run('createFeature', 'CreateFeatureInput', seat);
  await run('createAddon', 'CreateAddonInput', { refId: 'extra', displayName: 'Extra', productId: 'app' });
  await sell('extra', [{ price: usd('5') }, { price: usd('50'), billingPeriod: 'ANNUALLY' }]);
  const danish = { price: { amount: '200', currency: 'dkk' }, billingCountryCode: 'DK' };
  await plan('basic', [{ price: usd('31') }, danish]);
  await plan('pro', [{ price: usd('62') }]);
  await plan('free', []);
  const unit = { billingModel: 'PER_UNIT', featureId: 'seat' };
  const yearly = { ...unit, price: usd('310'), billingPeriod: 'ANNUALLY' };
  await plan('seats', [{ ...unit, price: usd('31') }, yearly]);
  const defaultTrialConfig = { duration: 14, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' };
  await plan('trial', [{ price: usd('99.5') }], { defaultTrialConfig });
}
