import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseQuantity, zeroQuantity } from '../../quantity.ts';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await makeCatalog();
  for (const customerId of ['acme', 'idle', 'gone', 'tried']) await addCustomer(customerId);
  await subscribe('acme', { planId: 'pro', addons: [{ addonId: 'more-calls', quantity: 2 }] });
  await subscribe('tried', { planId: 'tried' });
  await run('archiveCustomer', 'ArchiveCustomerInput', { customerId: 'gone' }, 'id');
});

afterAll(() => api.stop());

afterEach(() => api.liveUsage.figures.clear());

const dayMs = 86_400_000;
const iso = (at: number): string => new Date(at).toISOString();

const fields = `isGranted accessDeniedReason feature { refId featureType } usageLimit hasUnlimitedUsage hasSoftLimit
  currentUsage requestedUsage enumValues requestedValues resetPeriod resetPeriodConfiguration { accordingTo }
  usagePeriodStart usagePeriodEnd usagePeriodAnchor entitlementUpdatedAt usageUpdatedAt validUntil`;

describe('entitlement', () => {
  it('answers limit, usage and period of a metered feature', async () => {
    use('calls', '7');
    expect(await check({ customerId: 'acme', featureId: 'calls' })).toEqual({
      isGranted: true,
      accessDeniedReason: null,
      feature: { refId: 'calls', featureType: 'NUMBER' },
      // 10 of the plan and 5 of each of the two add-ons.
      usageLimit: '20',
      hasUnlimitedUsage: false,
      hasSoftLimit: false,
      currentUsage: '7',
      requestedUsage: '1',
      enumValues: null,
      requestedValues: null,
      resetPeriod: 'MONTH',
      resetPeriodConfiguration: { accordingTo: 'StartOfTheMonth' },
      // The whole month counts, though the subscription began within it.
      usagePeriodStart: '2026-05-01T00:00:00.000Z',
      usagePeriodEnd: '2026-06-01T00:00:00.000Z',
      usagePeriodAnchor: '2026-05-01T00:00:00.000Z',
      entitlementUpdatedAt: iso(startOfTests),
      usageUpdatedAt: iso(startOfTests),
      validUntil: Date.UTC(2026, 5, 1),
    });
    expect(api.liveUsage.asked.at(-1)).toMatchObject({
      customerId: 'acme',
      resourceId: null,
      period: { start: Date.UTC(2026, 4, 1), end: Date.UTC(2026, 5, 1) },
    });
  });

  it.each([
    ['nothing used', '0', {}, true],
    ['the last one', '19', {}, true],
    ['at the limit', '20', {}, false],
    ['at the limit, asking for nothing more', '20', { requestedUsage: 0 }, true],
    ['past the limit, asking for nothing more', '20.5', { requestedUsage: '0' }, false],
    ['up to the limit', '0', { requestedUsage: 20 }, true],
    ['beyond the limit', '0', { requestedUsage: '20.000000001' }, false],
    ['as an option', '0', { options: { requestedUsage: 21 } }, false],
    ['beside an option', '0', { requestedUsage: 20, options: { requestedUsage: 21 } }, true],
  ])('%s', async (_, used, more, isGranted) => {
    use('calls', used);
    const accessDeniedReason = isGranted ? null : 'RequestedUsageExceedingLimit';
    const answer = await check({ customerId: 'acme', featureId: 'calls', ...more });
    expect(answer).toMatchObject({ isGranted, accessDeniedReason, usageLimit: '20', currentUsage: used });
  });

  it('answers usage in the coarse units that the limit is in', async () => {
    use('storage', '2500');
    const query = { customerId: 'acme', featureId: 'storage', requestedUsage: 2 };
    expect(await check(query)).toMatchObject({ isGranted: true, currentUsage: '3', usageLimit: '5' });
    expect(await check({ ...query, requestedUsage: 3 })).toMatchObject({ isGranted: false });
  });

  it.each([
    ['an unlimited feature', { featureId: 'seats' }, { usageLimit: null, hasUnlimitedUsage: true }],
    ['a number that is not metered', { featureId: 'projects' }, { usageLimit: '3', currentUsage: null }],
    ['an enum', { featureId: 'regions' }, { enumValues: ['eu', 'us'], requestedUsage: null }],
    ['values of it', { featureId: 'regions', requestedValues: ['us'] }, { requestedValues: ['us'] }],
    ['a boolean', { featureId: 'sso' }, { usageLimit: null, currentUsage: null, usagePeriodStart: null }],
    ['a feature by its id', { featureId: 'by id' }, { feature: { refId: 'sso', featureType: 'BOOLEAN' } }],
    ['what the plan above grants', { featureId: 'support' }, { feature: { refId: 'support' } }],
  ])('grants %s', async (_, query, expected) => {
    const featureId = query.featureId === 'by id' ? await idOf('sso') : query.featureId;
    use('seats', '1000000');
    const answer = await check({ customerId: 'acme', ...query, featureId });
    expect(answer).toMatchObject({ isGranted: true, accessDeniedReason: null, ...expected });
  });

  it.each([
    ['CustomerNotFound', { customerId: 'nobody', featureId: 'calls' }],
    ['CustomerIsArchived', { customerId: 'gone', featureId: 'calls' }],
    ['CustomerResourceNotFound', { customerId: 'acme', featureId: 'calls', resourceId: 'elsewhere' }],
    ['NoActiveSubscription', { customerId: 'idle', featureId: 'calls' }],
    ['FeatureNotFound', { customerId: 'acme', featureId: 'nothing' }],
    ['NoFeatureEntitlementInSubscription', { customerId: 'acme', featureId: 'unsold' }],
    ['Revoked', { customerId: 'acme', featureId: 'taken' }],
    ['FeatureTypeMismatch', { customerId: 'acme', featureId: 'sso', requestedUsage: 1 }],
    ['FeatureTypeMismatch', { customerId: 'acme', featureId: 'calls', requestedValues: ['eu'] }],
    [
      'RequestedValuesMismatch',
      { customerId: 'acme', featureId: 'regions', requestedValues: ['us', 'asia'] },
    ],
  ])('refuses with %s', async (accessDeniedReason, query) => {
    expect(await check(query)).toMatchObject({ isGranted: false, accessDeniedReason });
  });

  it('of a suspended feature is revoked', async () => {
    await run('archiveFeature', 'ArchiveFeatureInput', { refId: 'suspended' }, 'id');
    const answer = await check({ customerId: 'acme', featureId: 'suspended' });
    expect(answer).toMatchObject({ isGranted: false, accessDeniedReason: 'Revoked', usageLimit: null });
  });

  it('takes no negative usage', async () => {
    const query = { customerId: 'acme', featureId: 'calls', requestedUsage: -1 };
    const answer = await api.ask(question, { query });
    expect(codesOf(answer)).toEqual(['VALIDATION_ERROR']);
    expect(answer.errors[0]?.message).toBe('query.requestedUsage must be 0 or above');
  });

  it('follows a promotional entitlement as soon as it is granted, and its end', async () => {
    await addCustomer('promoted');
    await subscribe('promoted', { planId: 'pro' });
    const query = { customerId: 'promoted', featureId: 'calls' };
    expect(await check(query)).toMatchObject({ usageLimit: '10' });
    const customEndDate = iso(api.clock.now() + dayMs);
    const promotionalEntitlements = [{ featureId: 'calls', usageLimit: 50, customEndDate }];
    await run(
      'grantPromotionalEntitlements',
      'GrantPromotionalEntitlementsInput',
      {
        customerId: 'promoted',
        promotionalEntitlements,
      },
      'id',
    );
    expect(await check(query)).toMatchObject({ usageLimit: '50', validUntil: api.clock.now() + dayMs });
    await run('revokePromotionalEntitlement', 'RevokePromotionalEntitlementInput', query, 'id');
    expect(await check(query)).toMatchObject({ usageLimit: '10' });
  });

  it('ends with a trial that nobody looked at', async () => {
    const query = { customerId: 'tried', featureId: 'calls' };
    expect(await check(query)).toMatchObject({ isGranted: true, validUntil: startOfTests + 3 * dayMs });
    api.clock.advance(3 * dayMs);
    const answer = await check(query);
    expect(answer).toMatchObject({ isGranted: false, accessDeniedReason: 'NoActiveSubscription' });
  });
});

describe('entitlements', () => {
  const list = `query ($query: FetchEntitlementsQuery!) {
    entitlements(query: $query) { isGranted feature { refId } usageLimit }
    entitlementsState(query: $query) { accessDeniedReason entitlements { feature { refId } } } }`;

  it('are all that the customer is entitled to, used up or not', async () => {
    use('calls', '20');
    const { entitlements, entitlementsState } = dataOf(
      await api.ask(list, { query: { customerId: 'acme' } }),
    ) as unknown as { entitlements: readonly Json[]; entitlementsState: Json };
    const names = ['calls', 'projects', 'regions', 'seats', 'sso', 'storage', 'support'];
    expect(entitlements.map(({ feature }) => (feature as Json)['refId'])).toEqual(names);
    expect(entitlements[0]).toMatchObject({ isGranted: false, usageLimit: '20' });
    expect(entitlementsState).toEqual({
      accessDeniedReason: null,
      entitlements: names.map((refId) => ({ feature: { refId } })),
    });
  });

  it.each([
    ['nobody', 'CustomerNotFound'],
    ['gone', 'CustomerIsArchived'],
    ['idle', 'NoActiveSubscription'],
  ])('of %s are none: %s', async (customerId, accessDeniedReason) => {
    expect(dataOf(await api.ask(list, { query: { customerId } }))).toEqual({
      entitlements: [],
      entitlementsState: { accessDeniedReason, entitlements: [] },
    });
  });

  it('come with a subscription that is provisioned', async () => {
    await addCustomer('fresh');
    const mutation = `mutation ($input: ProvisionSubscriptionInput!) { made: provisionSubscription(input: $input) {
      status entitlements { isGranted feature { refId } usageLimit } } }`;
    const input = { customerId: 'fresh', planId: 'base' };
    expect(dataOf(await api.ask(mutation, { input }))['made']).toEqual({
      status: 'SUCCESS',
      entitlements: ['support', 'taken'].map((refId) => ({
        isGranted: true,
        feature: { refId },
        usageLimit: null,
      })),
    });
  });
});

interface Json {
  readonly [name: string]: unknown;
}

const question = `query ($query: FetchEntitlementQuery!) { entitlement(query: $query) { ${fields} } }`;

async function check(query: object): Promise<unknown> {
  return dataOf(await api.ask(question, { query }))['entitlement'];
}

function use(featureId: string, text: string): void {
  api.liveUsage.figures.set(featureId, parseQuantity(text) ?? zeroQuantity);
}

async function idOf(featureId: string): Promise<string> {
  const { feature } = (await check({ customerId: 'acme', featureId })) as { feature: { refId: string } };
  const query = `query ($input: String!) { features(filter: { refId: { eq: $input } }) { edges { node { id } } } }`;
  const answer = dataOf(await api.ask(query, { input: feature.refId })) as unknown as {
    features: { edges: readonly { node: { id: string } }[] };
  };
  return answer.features.edges[0]?.node.id ?? '';
}

async function run(field: string, type: string, input: object, selection: string): Promise<Json> {
  const answer = await api.ask(
    `mutation ($input: ${type}!) { made: ${field}(input: $input) { ${selection} } }`,
    { input },
  );
  return dataOf(answer)['made'] as Json;
}

async function addCustomer(customerId: string): Promise<void> {
  await run('provisionCustomer', 'ProvisionCustomerInput', { customerId }, 'customer { id }');
}

async function subscribe(customerId: string, input: object): Promise<void> {
  await run('provisionSubscription', 'ProvisionSubscriptionInput', { customerId, ...input }, 'id');
}

async function makeCatalog(): Promise<void> {
  await run('createProduct', 'CreateProductInput', { refId: 'product', displayName: 'P' }, 'id');
  const metered = { featureType: 'NUMBER', meterType: 'INCREMENTAL' };
  const values = [{ value: 'eu' }, { value: 'us' }, { value: 'asia' }];
  const features: Readonly<Record<string, object>> = {
    calls: metered,
    seats: { featureType: 'NUMBER', meterType: 'FLUCTUATING' },
    storage: { ...metered, unitTransformation: { divide: 1000, round: 'UP' } },
    projects: { featureType: 'NUMBER' },
    regions: {
      featureType: 'ENUM',
      enumConfiguration: values.map((one) => ({ ...one, displayName: one.value })),
    },
    sso: { featureType: 'BOOLEAN' },
    support: { featureType: 'BOOLEAN' },
    taken: { featureType: 'BOOLEAN' },
    unsold: { featureType: 'BOOLEAN' },
    suspended: { featureType: 'BOOLEAN' },
  };
  for (const [refId, more] of Object.entries(features)) {
    await run('createFeature', 'CreateFeatureInput', { refId, displayName: refId, ...more }, 'id');
  }
  const resetPeriodConfiguration = { accordingTo: 'StartOfTheMonth' };
  await sell('createPlan', 'base', [{ featureId: 'support' }, { featureId: 'taken' }], {});
  await sell('createAddon', 'more-calls', [{ featureId: 'calls', usageLimit: 5 }], {});
  const own = [
    { featureId: 'calls', usageLimit: 10, resetPeriod: 'MONTH', resetPeriodConfiguration },
    { featureId: 'seats', hasUnlimitedUsage: true },
    { featureId: 'storage', usageLimit: 5 },
    { featureId: 'projects', usageLimit: 3 },
    { featureId: 'regions', enumValues: ['us', 'eu'] },
    { featureId: 'sso' },
    { featureId: 'suspended' },
    { featureId: 'taken', isGranted: false },
  ];
  await sell('createPlan', 'pro', own, { parentPlanId: 'base', compatibleAddonIds: ['more-calls'] });
  const trial = { duration: 3, units: 'DAY', trialEndBehavior: 'CANCEL_SUBSCRIPTION' };
  await sell('createPlan', 'tried', [{ featureId: 'calls', usageLimit: 10 }], { defaultTrialConfig: trial });
}

async function sell(
  create: 'createPlan' | 'createAddon',
  refId: string,
  entitlements: readonly object[],
  more: object,
): Promise<void> {
  const type = create === 'createPlan' ? 'CreatePlanInput' : 'CreateAddonInput';
  await run(create, type, { refId, displayName: refId, productId: 'product', ...more }, 'id');
  const input = { packageId: refId, entitlements };
  await run('setPackageEntitlements', 'SetPackageEntitlementsInput', input, '__typename');
  await run(
    'setPackagePricing',
    'PackagePricingInput',
    { packageId: refId, pricingType: 'FREE', prices: [] },
    '__typename',
  );
  await run('publishPackage', 'PublishPackageInput', { packageId: refId }, '__typename');
}
