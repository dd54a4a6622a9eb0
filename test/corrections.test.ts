/** Corrections, and meters that change later, seen from outside on a whole installation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Installation } from './installation.ts';

let tollgate: Installation;
const calls = [{ conditions: [{ field: 'eventName', operation: 'EQUALS', value: 'call' }] }];

beforeAll(async () => {
  tollgate = await Installation.create();
  await tollgate.start();
  await tollgate.createFeature('seats');
  await tollgate.createFeature('tokens', {
    aggregation: { function: 'SUM', field: 'tokens' },
    filters: calls,
  });
  await tollgate.data(`mutation {
    createProduct(input: { refId: "product", displayName: "Product" }) { id }
    createPlan(input: { refId: "plan", displayName: "Plan", productId: "product" }) { id }
    setPackageEntitlements(input: { packageId: "plan", entitlements: [
      { featureId: "seats", usageLimit: 10 } { featureId: "tokens", usageLimit: 10 }] }) { id }
    setPackagePricing(input: { packageId: "plan", pricingType: FREE, prices: [] }) { id }
    publishPackage(input: { packageId: "plan" }) { id }
  }`);
});
afterAll(() => tollgate.remove());

async function subscribe(customerId: string): Promise<void> {
  await tollgate.provision(customerId);
  await tollgate.data(
    `mutation { provisionSubscriptionV2(subscription: { customerId: "${customerId}", planId: "plan" }) { id } }`,
  );
}

/** What a check, a history and the log say of the feature; the first two have to agree. */
async function usage(customerId: string, featureId: string): Promise<string> {
  const data =
    await tollgate.data(`{ entitlement(query: { customerId: "${customerId}", featureId: "${featureId}" }) {
    isGranted currentUsage } }`);
  const total = await tollgate.totalUsage(customerId, featureId);
  expect(String(data.entitlement.currentUsage)).toBe(total);
  return total;
}

async function log(customerId: string) {
  const data = await tollgate.data(`{ measurements(filter: { customerId: "${customerId}" }) { edges { node {
    id state value idempotencyKey corrections { kind reason before { value } after { value } } } } } }`);
  return data.measurements.edges.map(({ node }: { node: object }) => node);
}

describe('a correction', () => {
  it('is in every answer as soon as it was answered, and as of a past moment it is not', async () => {
    await subscribe('acme');
    const report = (value: number, idempotencyKey: string) =>
      tollgate.data(
        `mutation { reportUsage(input: { customerId: "acme", featureId: "seats", value: ${value},
          idempotencyKey: "${idempotencyKey}" }) { currentUsage } }`,
      );
    await report(8, 'first');
    await report(3, 'second');
    expect(await usage('acme', 'seats')).toBe('11');
    const before = new Date().toISOString();
    const name = 'customerId: "acme", featureId: "seats", idempotencyKey: "first"';
    const voided = await tollgate.data(
      `mutation { voidMeasurement(input: { ${name}, reason: "sent twice" }) { id state value } }`,
    );
    expect(voided.voidMeasurement).toMatchObject({ state: 'VOIDED', value: '8' });
    expect(await usage('acme', 'seats')).toBe('3');
    expect((await report(1, 'third')).reportUsage.currentUsage).toBe('4');
    const amended = await tollgate.data(
      `mutation { amendMeasurement(input: { id: "${voided.voidMeasurement.id}", value: 0.5, reason: "half" }) {
        state corrections { kind actor } } }`,
    );
    expect(amended.amendMeasurement.corrections).toMatchObject([{ kind: 'VOID' }, { kind: 'AMEND' }]);
    expect(await usage('acme', 'seats')).toBe('4.5');
    // The same identity again is a duplicate, and answered as it was.
    expect((await report(8, 'first')).reportUsage.currentUsage).toBe('8');
    expect(await usage('acme', 'seats')).toBe('4.5');
    const entry = (await log('acme')).find(
      ({ idempotencyKey }: { idempotencyKey: string }) => idempotencyKey === 'first',
    );
    expect(entry).toMatchObject({
      state: 'AMENDED',
      value: '8',
      corrections: [
        { kind: 'VOID', reason: 'sent twice', before: { value: '8' }, after: null },
        { kind: 'AMEND', reason: 'half', before: null, after: { value: '0.5' } },
      ],
    });
    const past = await tollgate.data(`{ usageHistoryV2(input: { customerId: "acme", featureId: "seats",
      startDate: "2020-01-01", interval: MONTH, asOf: "${before}" }) { totalUsage } }`);
    expect(past.usageHistoryV2.totalUsage).toBe('11');
  });

  it('of an event is heeded by its meter, and outlives every process', async () => {
    await subscribe('events');
    const event = (idempotencyKey: string, tokens: number) => ({
      customerId: 'events',
      eventName: 'call',
      idempotencyKey,
      dimensions: { tokens },
    });
    await tollgate.send('/api/v1/events', [event('a', 5), event('b', 2)]);
    await tollgate.settled();
    expect(await usage('events', 'tokens')).toBe('7');
    const name = 'customerId: "events", eventName: "call", idempotencyKey: "a"';
    await tollgate.data(
      `mutation { amendMeasurement(input: { ${name}, dimensions: { tokens: 1 }, reason: "wrong" }) { state } }`,
    );
    expect(await usage('events', 'tokens')).toBe('3');
    await tollgate.killAll();
    await tollgate.start();
    expect(await usage('events', 'tokens')).toBe('3');
    await tollgate.send('/api/v1/events', [event('a', 5)]);
    await tollgate.settled();
    expect(await usage('events', 'tokens')).toBe('3');
  });

  it('is refused where it names no entry, with what was looked for', async () => {
    const refused = async (input: string) => {
      const answer = await tollgate.graphql(
        `mutation { voidMeasurement(input: { ${input} reason: "x" }) { id } }`,
      );
      return [answer.errors[0].extensions.code, answer.errors[0].message];
    };
    expect(await refused('customerId: "acme", eventName: "none", idempotencyKey: "k",')).toEqual([
      'VALIDATION_ERROR',
      expect.stringContaining('eventName "none"'),
    ]);
    for (const input of ['', 'customerId: "acme",', 'id: "x", eventName: "call",', 'idempotencyKey: "k",']) {
      expect(await refused(input)).toEqual(['VALIDATION_ERROR', expect.stringContaining('name one entry')]);
    }
  });
});

describe('a meter that is changed later', () => {
  it('applies to the events already kept, in every answer', async () => {
    await subscribe('metered');
    const events = [3, 4].map((tokens) => ({
      customerId: 'metered',
      eventName: tokens === 3 ? 'call' : 'other',
      idempotencyKey: String(tokens),
      dimensions: { tokens },
    }));
    await tollgate.send('/api/v1/events', events);
    await tollgate.settled();
    expect(await usage('metered', 'tokens')).toBe('3');
    const change = async (meter: string) => {
      await tollgate.data(`mutation { updateFeature(input: { refId: "tokens", meter: ${meter} }) { id } }`);
      return usage('metered', 'tokens');
    };
    expect(await change('{ aggregation: { function: MAX, field: "tokens" }, filters: [] }')).toBe('4');
    expect(await change('{ aggregation: { function: COUNT }, filters: [] }')).toBe('2');
    const back = `{ aggregation: { function: SUM, field: "tokens" }, filters: [{ conditions: [
      { field: "eventName", operation: EQUALS, value: "call" }] }] }`;
    expect(await change(back)).toBe('3');
  });
});
