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

const fields = `refId status plan { versionNumber } resource { resourceId } futureUpdates { subscriptionScheduleType }
  coupons { coupon { refId } status startDate endDate } budget { limit hasSoftLimit }
  minimumSpend { amount currency } payingCustomer { refId }
  totalPrice { subTotal { amount } total { amount currency } }`;
const provision = `mutation ($input: ProvisionSubscriptionInput!) {
  it: provisionSubscriptionV2(subscription: $input) { ${fields} } }`;
const update = `mutation ($input: UpdateSubscriptionInput!) { it: updateOneSubscription(input: $input) { ${fields} } }`;
const migrate = `mutation ($input: SubscriptionMigrationInput!) {
  it: migrateSubscriptionToLatest(input: $input) { ${fields} } }`;
const transfer = `mutation ($input: TransferSubscriptionToResourceInput!) {
  it: transferSubscriptionToResource(input: $input) { ${fields} } }`;
const ask = `query ($id: String!) { it: getSubscription(input: { subscriptionId: $id }) { ${fields} } }`;

type Json = Readonly<Record<string, unknown>>;

describe('a coupon on a subscription', () => {
  it('discounts the total from its start on, and ends by itself', async () => {
    const subscriptionId = await subscribed('saver', { appliedCoupon: { couponId: 'half' } });
    const coupon = {
      coupon: { refId: 'half' },
      startDate: iso(startOfTests),
      endDate: '2026-06-01T12:00:00.000Z',
    };
    expect(await found(subscriptionId)).toMatchObject({
      coupons: [{ ...coupon, status: 'ACTIVE' }],
      totalPrice: { subTotal: { amount: '20' }, total: { amount: '10', currency: 'usd' } },
    });
    api.clock.advance(31 * dayMs);
    expect(await found(subscriptionId)).toMatchObject({
      coupons: [{ ...coupon, status: 'EXPIRED' }],
      totalPrice: { subTotal: { amount: '20' }, total: { amount: '20' } },
    });
  });

  it('discounts the total also when it came inside the running period, or comes with a later start', async () => {
    const total = (amount: string) => ({ totalPrice: { subTotal: { amount: '20' }, total: { amount } } });
    const running = await subscribed('late-saver');
    api.clock.advance(3 * dayMs);
    const appliedCoupon = { couponId: 'half' };
    expect(await asked(update, { subscriptionId: running, appliedCoupon })).toMatchObject(total('10'));
    const startDate = iso(api.clock.now() + 5 * dayMs);
    const later = await subscribed('later-saver', { appliedCoupon, startDate });
    expect(await found(later)).toMatchObject(total('10'));
  });

  it('is given, dated and taken away by an update', async () => {
    const subscriptionId = await subscribed('changer');
    const startDate = iso(api.clock.now() + dayMs);
    const appliedCoupon = { couponId: 'five', configuration: { startDate } };
    const given = await asked(update, { subscriptionId, appliedCoupon });
    expect(given).toMatchObject({
      coupons: [{ coupon: { refId: 'five' }, startDate, endDate: null, status: 'ACTIVE' }],
    });
    expect(await asked(update, { subscriptionId, additionalMetaData: {} })).toMatchObject({
      coupons: [{ coupon: { refId: 'five' } }],
    });
    expect(await asked(update, { subscriptionId, appliedCoupon: null })).toMatchObject({ coupons: [] });
  });

  it('that is unknown, archived or of another currency is refused by name', async () => {
    await addCustomer('refused');
    for (const couponId of ['none', 'former', 'euros']) {
      const input = { customerId: 'refused', planId: 'basic', appliedCoupon: { couponId } };
      const answer = await api.ask(provision, { input });
      expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
      expect(answer.errors[0]?.message).toContain(`"${couponId}"`);
    }
  });
});

describe('the other terms of a subscription', () => {
  it('are answered, and stay until they are changed', async () => {
    await addCustomer('parent');
    const subscriptionId = await subscribed('child', {
      budget: { limit: 500, hasSoftLimit: true },
      minimumSpend: { amount: '100.50', currency: 'USD' },
      payingCustomerId: 'parent',
    });
    const budget = { limit: '500', hasSoftLimit: true };
    const minimumSpend = { amount: '100.5', currency: 'usd' };
    const payingCustomer = { refId: 'parent' };
    expect(await found(subscriptionId)).toMatchObject({ budget, minimumSpend, payingCustomer });
    expect(await asked(update, { subscriptionId, budget: { limit: '7.5' } })).toMatchObject({
      budget: { limit: '7.5', hasSoftLimit: false },
      minimumSpend,
      payingCustomer,
    });
    const none = { budget: null, minimumSpend: null, payingCustomerId: null };
    expect(await asked(update, { subscriptionId, ...none })).toMatchObject({
      budget: null,
      minimumSpend: null,
      payingCustomer: null,
    });
  });

  it('are refused where they cannot be', async () => {
    const subscriptionId = await subscribed('wrong');
    const codeOf = async (change: Json): Promise<unknown> =>
      codesOf(await api.ask(update, { input: { subscriptionId, ...change } }));
    expect(await codeOf({ payingCustomerId: 'nobody' })).toEqual(['CUSTOMER_NOT_FOUND']);
    expect(await codeOf({ minimumSpend: { amount: 5, currency: 'eur' } })).toEqual(['VALIDATION_ERROR']);
    expect(await codeOf({ budget: { limit: 0 } })).toEqual(['VALIDATION_ERROR']);
  });
});

describe('migrateSubscriptionToLatest', () => {
  it('moves to the newest version now, or at the end of the period', async () => {
    const now = await subscribed('eager', {}, 'versioned');
    const later = await subscribed('patient', {}, 'versioned');
    await publish('versioned', 30);
    expect(await found(now)).toMatchObject({ plan: { versionNumber: 1 } });
    expect(await asked(migrate, { subscriptionId: now })).toMatchObject({
      plan: { versionNumber: 2 },
      totalPrice: { total: { amount: '30' } },
    });
    const subscriptionMigrationTime = 'END_OF_BILLING_PERIOD';
    expect(await asked(migrate, { subscriptionId: later, subscriptionMigrationTime })).toMatchObject({
      plan: { versionNumber: 1 },
      futureUpdates: [{ subscriptionScheduleType: 'MIGRATE_TO_LATEST' }],
    });
    api.clock.advance(31 * dayMs);
    expect(await found(later)).toMatchObject({ plan: { versionNumber: 2 }, futureUpdates: [] });
  });

  it('says where a new provision is needed', async () => {
    const subscriptionId = await subscribed('thrifty', {}, 'was-free');
    await publish('was-free', 10);
    const answer = await api.ask(migrate, { input: { subscriptionId } });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toContain('provision the plan anew');
    expect(codesOf(await api.ask(migrate, { input: { subscriptionId: 'none' } }))).toEqual([
      'SUBSCRIPTION_NOT_FOUND',
    ]);
  });
});

describe('transferSubscriptionToResource', () => {
  it('moves a subscription to a resource that has none', async () => {
    const one = await subscribed('owner', { resourceId: 'r1' }, 'site');
    await subscribed('owner', { resourceId: 'r2' }, 'site');
    const to = (destinationResourceId: string): Json => ({ subscriptionId: one, destinationResourceId });
    expect(await asked(transfer, to('r3'))).toMatchObject({ resource: { resourceId: 'r3' } });
    expect(codesOf(await api.ask(transfer, { input: to('r2') }))).toEqual(['VALIDATION_ERROR']);
    expect(await found(one)).toMatchObject({ resource: { resourceId: 'r3' } });
  });
});

async function asked(query: string, input: Json): Promise<Json> {
  return dataOf(await api.ask(query, { input }))['it'] as Json;
}

async function found(id: string): Promise<Json> {
  return dataOf(await api.ask(ask, { id }))['it'] as Json;
}

async function addCustomer(customerId: string): Promise<void> {
  const mutation = `mutation ($id: String) { provisionCustomer(input: { customerId: $id }) { customer { id } } }`;
  dataOf(await api.ask(mutation, { id: customerId }));
}

async function subscribed(customerId: string, more: Json = {}, planId = 'basic'): Promise<string> {
  await addCustomer(customerId);
  const { refId } = await asked(provision, { customerId, planId, ...more });
  return refId as string;
}

async function makeCatalog(): Promise<void> {
  await send('createProduct', { refId: 'app', displayName: 'App' });
  await send('createProduct', { refId: 'sites', displayName: 'Sites', multipleSubscriptions: true });
  for (const [refId, price] of [
    ['basic', 20],
    ['versioned', 20],
    ['was-free', null],
    ['site', null],
  ] as const) {
    const productId = refId === 'site' ? 'sites' : 'app';
    await send('createPlan', { refId, displayName: refId, productId });
    await publish(refId, price);
  }
  await send('createCoupon', { refId: 'half', name: 'Half', percentOff: 50, durationInMonths: 1 });
  await send('createCoupon', { refId: 'five', name: 'Five', amountsOff: [{ amount: 5, currency: 'usd' }] });
  await send('createCoupon', { refId: 'euros', name: 'Euros', amountsOff: [{ amount: 5, currency: 'eur' }] });
  await send('createCoupon', { refId: 'former', name: 'Former', percentOff: 5 });
  await send('archiveCoupon', { refId: 'former' });
}

async function publish(packageId: string, amount: number | null): Promise<void> {
  const row = { billingModel: 'FLAT_FEE', billingPeriod: 'MONTHLY', price: { amount, currency: 'usd' } };
  const pricing = amount === null ? { pricingType: 'FREE' } : { pricingType: 'PAID', prices: [row] };
  await send('setPackagePricing', { packageId, ...pricing });
  await send('publishPackage', { packageId });
}

async function send(field: string, input: Json): Promise<void> {
  const type = `${field[0]?.toUpperCase()}${field.slice(1)}Input`;
  const name = { setPackagePricing: 'PackagePricingInput' }[field] ?? type;
  dataOf(await api.ask(`mutation ($input: ${name}!) { ${field}(input: $input) { refId } }`, { input }));
}
