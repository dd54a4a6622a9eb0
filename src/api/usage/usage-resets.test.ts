/** Where usage began again from zero, through subscriptions that come and go. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

const dayMs = 86_400_000;
let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  dataOf(
    await api.ask(`mutation {
      createFeature(input: { refId: "calls", displayName: "Calls", featureType: NUMBER, meterType: INCREMENTAL }) { id }
      ${['ALWAYS_RESET', 'NEVER_RESET'].map(productOf).join('\n')}
    }`),
  );
});
afterAll(() => api.stop());

/** Two plans of a product: a month from the subscription's start, and the weeks from each Monday on. */
function productOf(rule: string): string {
  const plan = (refId: string, reset: string): string => `
    plan_${refId}: createPlan(input: { refId: "${refId}", displayName: "x", productId: "${rule}" }) { id }
    has_${refId}: setPackageEntitlements(input: { packageId: "${refId}", entitlements: [
      { featureId: "calls", usageLimit: 10, ${reset} }] }) { id }
    priced_${refId}: setPackagePricing(input: { packageId: "${refId}", pricingType: FREE, prices: [] }) { id }
    made_${refId}: publishPackage(input: { packageId: "${refId}" }) { id }`;
  const monthly = 'resetPeriod: MONTH, resetPeriodConfiguration: { accordingTo: SubscriptionStart }';
  const weekly = 'resetPeriod: WEEK, resetPeriodConfiguration: { accordingTo: EveryMonday }';
  return `
    product_${rule}: createProduct(input: { refId: "${rule}", displayName: "x",
      usageResetCutoffRule: { behavior: ${rule} } }) { id }
    ${plan(`${rule}_monthly`, monthly)} ${plan(`${rule}_weekly`, weekly)} ${plan(`${rule}_other`, monthly)}`;
}

function moveTo(instant: number): void {
  api.clock.advance(instant - api.clock.now());
}

async function subscribe(customerId: string, planId: string): Promise<void> {
  const mutation = `mutation ($customerId: String!, $planId: String!) {
    provisionSubscriptionV2(subscription: { customerId: $customerId, planId: $planId }) { id status } }`;
  dataOf(await api.ask(mutation, { customerId, planId }));
}

async function markers(customerId: string, more: object = {}): Promise<readonly string[]> {
  const query = `query ($input: UsageHistoryV2Input!) { usageHistoryV2(input: $input) { markers { timestamp type } } }`;
  const startDate = new Date(startOfTests - 10 * dayMs).toISOString();
  const input = { customerId, featureId: 'calls', startDate, ...more };
  const { usageHistoryV2 } = dataOf(await api.ask(query, { input }));
  const told = (usageHistoryV2 as { markers: { timestamp: string; type: string }[] }).markers;
  return told.map(({ timestamp, type }) => `${timestamp.slice(0, 16)} ${type}`);
}

describe('markers', () => {
  it('stand at the ends of periods and at changes of the plan', async () => {
    moveTo(startOfTests);
    await api.ask('mutation { provisionCustomer(input: { customerId: "resets" }) { customer { id } } }');
    await subscribe('resets', 'ALWAYS_RESET_monthly');
    moveTo(Date.UTC(2026, 6, 10, 6));
    expect(await markers('resets')).toEqual([
      '2026-06-01T12:00 PERIODIC_RESET',
      '2026-07-01T12:00 PERIODIC_RESET',
    ]);
    await subscribe('resets', 'ALWAYS_RESET_weekly');
    moveTo(Date.UTC(2026, 6, 21));
    const told = [
      '2026-06-01T12:00 PERIODIC_RESET',
      '2026-07-01T12:00 PERIODIC_RESET',
      '2026-07-10T06:00 SUBSCRIPTION_CHANGE_RESET',
      '2026-07-13T00:00 PERIODIC_RESET',
      '2026-07-20T00:00 PERIODIC_RESET',
    ];
    expect(await markers('resets')).toEqual(told);
    const span = { startDate: '2026-07-10T06:00:00Z', endDate: '2026-07-20T00:00:00Z' };
    expect(await markers('resets', span)).toEqual(told.slice(2, 4));
    // The future has not begun.
    expect(await markers('resets', { endDate: '2027-01-01' })).toEqual(told);
  });

  it('do not stand where the product lets usage go on', async () => {
    moveTo(Date.UTC(2026, 7, 1));
    await api.ask('mutation { provisionCustomer(input: { customerId: "goes-on" }) { customer { id } } }');
    await subscribe('goes-on', 'NEVER_RESET_monthly');
    moveTo(Date.UTC(2026, 7, 10));
    await subscribe('goes-on', 'NEVER_RESET_other');
    moveTo(Date.UTC(2026, 8, 2));
    expect(await markers('goes-on')).toEqual(['2026-09-01T00:00 PERIODIC_RESET']);
  });

  it('make their points reset points, in every series', async () => {
    moveTo(Date.UTC(2026, 8, 2));
    const days = ['2026-08-31', '2026-09-01', '2026-09-02'].map((day) => Date.parse(day));
    const total = api.usage.historyAnswer.totalUsage;
    api.usage.historyAnswer = {
      totalUsage: total,
      periods: days.map((start) => ({ start, end: start + dayMs, usage: total })),
      series: ['a', 'b'].map((value) => ({
        tags: [{ key: 'k', value }],
        points: days.map((timestamp) => ({ timestamp, value: total })),
      })),
      truncated: true,
    };
    const query = `{ usageHistoryV2(input: { customerId: "goes-on", featureId: "calls", groupBy: "k",
      startDate: "2026-08-31", endDate: "2026-09-03" }) { truncated series { points { isResetPoint } } } }`;
    const points = [false, true, false].map((isResetPoint) => ({ isResetPoint }));
    expect(dataOf(await api.ask(query))).toEqual({
      usageHistoryV2: { truncated: true, series: [{ points }, { points }] },
    });
  });
});
