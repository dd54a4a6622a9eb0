import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  await make('createProduct', { refId: 'hosting', displayName: 'Hosting' });
  await make('createProduct', { refId: 'mail', displayName: 'Mail' });
  await make('createFeature', { ...named('api-calls'), featureType: 'NUMBER', meterType: 'INCREMENTAL' });
  await make('createFeature', { ...named('seats'), featureType: 'NUMBER', meterType: 'FLUCTUATING' });
  await make('createFeature', { ...named('sso'), featureType: 'BOOLEAN' });
});

afterAll(() => api.stop());

type Fields = Readonly<Record<string, unknown>>;

const packageMutations: Readonly<Record<string, string>> = {
  createProduct: 'CreateProductInput',
  createFeature: 'CreateFeatureInput',
  archiveFeature: 'ArchiveFeatureInput',
  archiveProduct: 'ArchiveProductInput',
  createPlan: 'CreatePlanInput',
  updatePlan: 'UpdatePlanInput',
  archivePlan: 'ArchivePlanInput',
  createAddon: 'CreateAddonInput',
  updateAddon: 'UpdateAddonInput',
  archiveAddon: 'ArchiveAddonInput',
  setPackageEntitlements: 'SetPackageEntitlementsInput',
  setPackagePricing: 'PackagePricingInput',
  publishPackage: 'PublishPackageInput',
};

/** Sends one mutation, selecting what `selection` says beside the refId. */
async function send(
  name: string,
  input: Fields,
  selection = '',
): Promise<Awaited<ReturnType<RunningApi['ask']>>> {
  const query = `mutation ($input: ${packageMutations[name]}!) { ${name}(input: $input) { refId ${selection} } }`;
  return api.ask(query, { input });
}

async function make(name: string, input: Fields, selection = ''): Promise<Fields> {
  return dataOf(await send(name, input, selection))[name] as Fields;
}

async function refused(name: string, input: Fields): Promise<[unknown, string | undefined]> {
  const answer = await send(name, input);
  return [codesOf(answer)[0], answer.errors[0]?.message];
}

async function read(query: string): Promise<Fields> {
  return dataOf(await api.ask(query));
}

function named(refId: string): { refId: string; displayName: string } {
  return { refId, displayName: refId };
}

function plan(refId: string, fields: Fields = {}): Fields {
  return { ...named(refId), productId: 'hosting', ...fields };
}

const state = 'id versionNumber status isLatest publishedAt migrationType displayName';

describe('a plan', () => {
  it('is drafted, published, edited and published again', async () => {
    const drafted = await make('createPlan', plan('basic'), state);
    expect(drafted).toMatchObject({ versionNumber: 1, status: 'DRAFT', isLatest: false, publishedAt: null });
    const limited = { featureId: 'api-calls', usageLimit: 1000, resetPeriod: 'MONTH' };
    const entitlements = [{ ...limited, usageThresholds: [100, 80] }];
    const thresholds = 'entitlements { usageThresholds }';
    const granted = await make('setPackageEntitlements', { packageId: 'basic', entitlements }, thresholds);
    expect(granted).toMatchObject({ entitlements: [{ usageThresholds: [80, 100] }] });
    await make('setPackagePricing', { packageId: 'basic', pricingType: 'FREE' });
    const published = await make('publishPackage', { packageId: 'basic' }, versioned);
    expect(published).toMatchObject({
      versionNumber: 1,
      status: 'PUBLISHED',
      isLatest: true,
      publishedAt: new Date(startOfTests).toISOString(),
      migrationType: 'NEW_CUSTOMERS',
    });

    const edited = await make('updatePlan', { refId: 'basic', displayName: 'Basic+' }, versioned);
    expect(edited).toMatchObject({ versionNumber: 2, status: 'DRAFT', displayName: 'Basic+' });
    const shown = `{ plan(refId: "basic") { ${state} draft { ${state} draft { refId } } } }`;
    expect(await read(shown)).toMatchObject({
      plan: {
        versionNumber: 1,
        displayName: 'basic',
        draft: { versionNumber: 2, displayName: 'Basic+', draft: null },
      },
    });

    const again = { packageId: drafted['id'], migrationType: 'ALL_CUSTOMERS' };
    expect(await make('publishPackage', again, versioned)).toMatchObject({
      refId: 'basic',
      versionNumber: 2,
      migrationType: 'ALL_CUSTOMERS',
      entitlements: [{ featureId: 'api-calls', usageLimit: '1000' }],
    });
    const first = `{ plan(refId: "basic", versionNumber: 1) { ${state} } }`;
    expect(await read(first)).toMatchObject({
      plan: { versionNumber: 1, isLatest: false, displayName: 'basic' },
    });
    expect(codesOf(await api.ask('{ plan(refId: "basic", versionNumber: 3) { id } }'))).toEqual([
      'PLAN_NOT_FOUND',
    ]);
  });

  it('is published only when something was changed', async () => {
    await make('createPlan', plan('twice'));
    await make('publishPackage', { packageId: 'twice' });
    await make('updatePlan', plan('twice', { productId: undefined }));
    expect(await refused('publishPackage', { packageId: 'twice' })).toEqual([
      'VALIDATION_ERROR',
      'twice has no draft: its version 1 is published, and nothing was changed since',
    ]);
  });

  it('puts the features that it grants into use', async () => {
    await make('createPlan', plan('users'));
    const entitlements = [{ featureId: 'sso' }];
    await make('setPackageEntitlements', { packageId: 'users', entitlements });
    expect(await read('{ feature(refId: "sso") { featureStatus } }')).toEqual({
      feature: { featureStatus: 'NEW' },
    });
    await make('publishPackage', { packageId: 'users' });
    expect(await read('{ feature(refId: "sso") { featureStatus } }')).toEqual({
      feature: { featureStatus: 'ACTIVE' },
    });
  });

  it('keeps all that was said of it', async () => {
    await make('createAddon', { ...named('extra'), productId: 'hosting', maxQuantity: 5 });
    const said = {
      description: 'For teams',
      defaultTrialConfig: { duration: 14, units: 'DAY', trialEndBehavior: 'CANCEL_SUBSCRIPTION' },
      compatibleAddonIds: ['extra'],
      additionalMetaData: { tier: 2 },
    };
    const selection = `description defaultTrialConfig { duration units trialEndBehavior } compatibleAddonIds
      additionalMetaData parentPlanId`;
    await make('createPlan', plan('parent'));
    const made = await make('createPlan', plan('teams', { ...said, parentPlanId: 'parent' }), selection);
    expect(made).toEqual({ refId: 'teams', ...said, parentPlanId: 'parent' });
    const cleared = { refId: 'teams', description: null, compatibleAddonIds: null, defaultTrialConfig: null };
    expect(await make('updatePlan', cleared, selection)).toEqual({
      refId: 'teams',
      description: null,
      defaultTrialConfig: null,
      compatibleAddonIds: [],
      additionalMetaData: { tier: 2 },
      parentPlanId: 'parent',
    });
  });

  it('is written to the change log together with what its publishing changes', async () => {
    await make('createFeature', { ...named('logged'), featureType: 'BOOLEAN' });
    await make('createPlan', plan('audited'));
    const entitlements = [{ featureId: 'logged' }];
    await make('setPackageEntitlements', { packageId: 'audited', entitlements });
    await make('publishPackage', { packageId: 'audited' });
    const about = (await api.outbox()).filter(({ writes }) => writes.some(({ key }) => key === 'audited'));
    expect(about.map(({ audit, writes }) => [audit.operation, ...writes.map(({ kind }) => kind)])).toEqual([
      ['createPlan', 'package'],
      ['setPackageEntitlements', 'package'],
      ['publishPackage', 'package', 'feature'],
    ]);
  });

  it('shares the names of add-ons', async () => {
    await make('createAddon', { ...named('shared'), productId: 'hosting' });
    expect(await refused('createPlan', plan('shared'))).toEqual([
      'DUPLICATE_ENTITY',
      'a plan or an add-on has the refId or id "shared" already',
    ]);
    expect(codesOf(await api.ask('{ plan(refId: "shared") { id } }'))).toEqual(['PLAN_NOT_FOUND']);
    expect(await read('{ addon(refId: "shared") { refId } }')).toEqual({ addon: { refId: 'shared' } });
  });

  it('is made once, however many make it', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => send('createPlan', plan('wanted'))));
    expect(answers.flatMap(codesOf)).toEqual(Array.from({ length: 4 }, () => 'DUPLICATE_ENTITY'));
  });

  it('loses none of two edits at once', async () => {
    await make('createPlan', plan('busy'));
    const edits = [{ description: 'a' }, { additionalMetaData: { b: 1 } }, { displayName: 'c' }];
    await Promise.all(edits.map((edit) => make('updatePlan', { refId: 'busy', ...edit })));
    expect(await read('{ plan(refId: "busy") { displayName description additionalMetaData } }')).toEqual({
      plan: { displayName: 'c', description: 'a', additionalMetaData: { b: 1 } },
    });
  });

  it.each([
    ['a product that does not exist', { productId: 'x' }, 'PRODUCT_NOT_FOUND'],
    ['a parent that does not exist', { parentPlanId: 'x' }, 'PLAN_NOT_FOUND'],
    ['an add-on as its parent', { parentPlanId: 'addon-0' }, 'PLAN_NOT_FOUND'],
    ['an add-on that does not exist', { compatibleAddonIds: ['x'] }, 'ADDON_NOT_FOUND'],
    ['a plan as its add-on', { compatibleAddonIds: ['plan-0'] }, 'ADDON_NOT_FOUND'],
    ['an add-on of another product', { compatibleAddonIds: ['addon-mail'] }, 'VALIDATION_ERROR'],
    ['an add-on twice', { compatibleAddonIds: ['addon-0', 'addon-0'] }, 'VALIDATION_ERROR'],
    ['a name that is no refId', { refId: '-x' }, 'VALIDATION_ERROR'],
    [
      'a trial of no days',
      { defaultTrialConfig: { duration: 0, units: 'DAY', trialEndBehavior: 'CONVERT_TO_PAID' } },
      'VALIDATION_ERROR',
    ],
  ])('cannot have %s', async (_, fault, code) => {
    await send('createAddon', { ...named('addon-0'), productId: 'hosting' });
    await send('createAddon', { ...named('addon-mail'), productId: 'mail' });
    await send('createPlan', plan('plan-0'));
    expect(await refused('createPlan', { ...plan('faulty'), ...fault })).toEqual([code, expect.any(String)]);
    expect(codesOf(await api.ask('{ plan(refId: "faulty") { id } }'))).toEqual(['PLAN_NOT_FOUND']);
  });
});

const versioned = `${state} ... on Plan { entitlements { featureId usageLimit } }`;

describe('inheritance', () => {
  it('is shown beside what a plan grants itself, the nearest plan first', async () => {
    await make('createPlan', plan('low'));
    await make('createPlan', plan('middle', { parentPlanId: 'low' }));
    await make('createPlan', plan('high', { parentPlanId: 'middle' }));
    const grant = (packageId: string, limits: Readonly<Record<string, number>>): Promise<Fields> =>
      make('setPackageEntitlements', {
        packageId,
        entitlements: Object.entries(limits).map(([featureId, usageLimit]) => ({ featureId, usageLimit })),
      });
    await grant('low', { 'api-calls': 1, seats: 1 });
    await grant('middle', { 'api-calls': 2 });
    const selection =
      'entitlements { featureId usageLimit } inheritedEntitlements { featureId usageLimit feature { refId } } parentPlan { refId parentPlan { refId } }';
    expect(await read(`{ plan(refId: "high") { ${selection} } }`)).toEqual({
      plan: {
        entitlements: [],
        inheritedEntitlements: [
          { featureId: 'api-calls', usageLimit: '2', feature: { refId: 'api-calls' } },
          { featureId: 'seats', usageLimit: '1', feature: { refId: 'seats' } },
        ],
        parentPlan: { refId: 'middle', parentPlan: { refId: 'low' } },
      },
    });
  });

  it('makes no circle', async () => {
    await make('createPlan', plan('a'));
    await make('createPlan', plan('b', { parentPlanId: 'a' }));
    await make('createPlan', plan('c', { parentPlanId: 'b' }));
    const [code, message] = await refused('updatePlan', { refId: 'a', parentPlanId: 'c' });
    expect([code, message]).toEqual([
      'VALIDATION_ERROR',
      'a cannot inherit from itself, not through other plans either',
    ]);
    expect((await refused('updatePlan', { refId: 'a', parentPlanId: 'a' }))[0]).toBe('VALIDATION_ERROR');
  });

  it('asks for the parent to be published first', async () => {
    await make('createPlan', plan('base'));
    await make('createPlan', plan('above', { parentPlanId: 'base' }));
    expect((await refused('publishPackage', { packageId: 'above' }))[0]).toBe('VALIDATION_ERROR');
    await make('publishPackage', { packageId: 'base' });
    expect(await make('publishPackage', { packageId: 'above' }, 'status')).toMatchObject({
      status: 'PUBLISHED',
    });
  });
});

describe('what is archived', () => {
  it('stays readable, leaves the lists and is not used anew', async () => {
    await make('createAddon', { ...named('old-addon'), productId: 'hosting' });
    await make('createPlan', plan('old', { compatibleAddonIds: ['old-addon'] }));
    expect(await make('archivePlan', { refId: 'old' }, 'status')).toMatchObject({ status: 'ARCHIVED' });
    expect(await make('archivePlan', { refId: 'old' }, 'status')).toMatchObject({ status: 'ARCHIVED' });
    await make('archiveAddon', { refId: 'old-addon' });
    expect(await read('{ plan(refId: "old") { status compatibleAddons { refId } } }')).toEqual({
      plan: { status: 'ARCHIVED', compatibleAddons: [] },
    });
    const fresh = { ...plan('fresh'), compatibleAddonIds: ['old-addon'] };
    expect(await refused('createPlan', fresh)).toEqual([
      'VALIDATION_ERROR',
      'the add-on old-addon is archived',
    ]);
    expect((await refused('createPlan', plan('fresh', { parentPlanId: 'old' })))[0]).toBe('VALIDATION_ERROR');
    for (const [name, input] of [
      ['updatePlan', { refId: 'old', displayName: 'x' }],
      ['setPackagePricing', { packageId: 'old', pricingType: 'FREE' }],
      ['publishPackage', { packageId: 'old' }],
    ] as const) {
      expect((await refused(name, input))[0]).toBe('VALIDATION_ERROR');
    }
    const listed = await read('{ plans(paging: { first: 1000 }) { edges { node { refId } } } }');
    expect(JSON.stringify(listed)).not.toContain('"old"');
    const archived = await read(
      '{ plans(filter: { status: { eq: ARCHIVED } }) { totalCount edges { node { refId } } } }',
    );
    expect(archived).toEqual({ plans: { totalCount: 1, edges: [{ node: { refId: 'old' } }] } });
  });

  it('reaches features, too', async () => {
    await make('createFeature', { ...named('gone'), featureType: 'BOOLEAN' });
    await make('archiveFeature', { refId: 'gone' });
    await make('createPlan', plan('without'));
    const input = { packageId: 'without', entitlements: [{ featureId: 'gone' }] };
    expect(await refused('setPackageEntitlements', input)).toEqual([
      'VALIDATION_ERROR',
      'entitlements[0]: the feature gone is archived',
    ]);
  });
});

describe('an add-on', () => {
  it('keeps its bound and what it depends on', async () => {
    await make('createAddon', { ...named('first'), productId: 'hosting' });
    const second = { ...named('second'), productId: 'hosting', maxQuantity: 3, dependencies: ['first'] };
    const selection = 'maxQuantity dependencies product { refId } status versionNumber';
    expect(await make('createAddon', second, selection)).toEqual({
      refId: 'second',
      maxQuantity: 3,
      dependencies: ['first'],
      product: { refId: 'hosting' },
      status: 'DRAFT',
      versionNumber: 1,
    });
    const changed = { refId: 'second', maxQuantity: null };
    expect(await make('updateAddon', changed, 'maxQuantity')).toMatchObject({ maxQuantity: null });
    expect((await refused('updateAddon', { refId: 'second', dependencies: ['second'] }))[0]).toBe(
      'VALIDATION_ERROR',
    );
    expect((await refused('updateAddon', { refId: 'none' }))[0]).toBe('ADDON_NOT_FOUND');
  });
});

describe('a price list', () => {
  const usd = (amount: number | string): Fields => ({ amount, currency: 'USD' });
  const monthly = { billingPeriod: 'MONTHLY' };
  const pricing = `pricingType prices { billingModel billingPeriod billingCountryCode price { amount currency }
    featureId feature { refId } blockSize tiersMode minUnitQuantity maxUnitQuantity
    tiers { upTo unitPrice { amount currency } flatPrice { amount currency } } }
    startingPrices { billingPeriod price { amount currency } }`;

  it('is answered as it was sent, exactly', async () => {
    await make('createPlan', plan('priced'));
    const prices = [
      { ...monthly, billingModel: 'FLAT_FEE', price: usd('49.90') },
      { ...monthly, billingModel: 'PER_UNIT', featureId: 'seats', price: usd(0.1), minUnitQuantity: 3 },
      {
        ...monthly,
        billingModel: 'USAGE_BASED',
        featureId: 'api-calls',
        tiersMode: 'GRADUATED',
        tiers: [
          { upTo: 1000, unitPrice: usd('0.00001'), flatPrice: usd(1) },
          { upTo: null, unitPrice: usd(2) },
        ],
      },
    ];
    const set = await make(
      'setPackagePricing',
      { packageId: 'priced', pricingType: 'PAID', prices },
      pricing,
    );
    const blank = {
      ...monthly,
      billingCountryCode: null,
      featureId: null,
      feature: null,
      blockSize: null,
      tiersMode: null,
      tiers: null,
      minUnitQuantity: null,
      maxUnitQuantity: null,
    };
    const money = (amount: string): Fields => ({ amount, currency: 'usd' });
    expect(set).toEqual({
      refId: 'priced',
      pricingType: 'PAID',
      prices: [
        { ...blank, billingModel: 'FLAT_FEE', price: money('49.9') },
        {
          ...blank,
          billingModel: 'PER_UNIT',
          featureId: 'seats',
          feature: { refId: 'seats' },
          price: money('0.1'),
          minUnitQuantity: 3,
        },
        {
          ...blank,
          billingModel: 'USAGE_BASED',
          featureId: 'api-calls',
          feature: { refId: 'api-calls' },
          price: null,
          tiersMode: 'GRADUATED',
          tiers: [
            { upTo: '1000', unitPrice: money('0.00001'), flatPrice: money('1') },
            { upTo: null, unitPrice: money('2'), flatPrice: null },
          ],
        },
      ],
      startingPrices: [{ billingPeriod: 'MONTHLY', price: money('50.2') }],
    });
  });

  it('keeps the id of a row whose price changes', async () => {
    await make('createPlan', plan('repriced'));
    const set = async (amount: number): Promise<unknown> => {
      const prices = [{ ...monthly, billingModel: 'FLAT_FEE', price: usd(amount) }];
      const input = { packageId: 'repriced', pricingType: 'PAID', prices };
      return (await make('setPackagePricing', input, 'prices { id }'))['prices'];
    };
    expect(await set(2)).toEqual(await set(1));
  });

  it('refuses features and packages that do not exist', async () => {
    await make('createPlan', plan('empty'));
    const prices = [{ ...monthly, billingModel: 'USAGE_BASED', featureId: 'x', price: usd(1) }];
    const input = { packageId: 'empty', pricingType: 'PAID', prices };
    expect((await refused('setPackagePricing', input))[0]).toBe('FEATURE_NOT_FOUND');
    expect((await refused('setPackagePricing', { packageId: 'x', pricingType: 'FREE' }))[0]).toBe(
      'PLAN_NOT_FOUND',
    );
    const entitlements = [{ featureId: 'x' }];
    expect((await refused('setPackageEntitlements', { packageId: 'empty', entitlements }))[0]).toBe(
      'FEATURE_NOT_FOUND',
    );
    expect((await refused('publishPackage', { packageId: 'x' }))[0]).toBe('PLAN_NOT_FOUND');
  });

  it('has one currency wherever it holds', async () => {
    await make('createPlan', plan('mixed'));
    const fee = { ...monthly, billingModel: 'FLAT_FEE', price: usd(10) };
    const seats = { ...monthly, billingModel: 'PER_UNIT', featureId: 'seats', price: usd(1) };
    const danish = { ...fee, price: { amount: 70, currency: 'dkk' }, billingCountryCode: 'dk' };
    const input = { packageId: 'mixed', pricingType: 'PAID', prices: [fee, seats, danish] };
    expect(await refused('setPackagePricing', input)).toEqual([
      'VALIDATION_ERROR',
      'the MONTHLY prices for DK must have one currency; they have dkk, usd',
    ]);
  });
});

describe('the paywall', () => {
  it('shows what can be bought, the cheapest first, with the prices of a country', async () => {
    await make('createProduct', { refId: 'shop', displayName: 'Shop' });
    await make('createProduct', { refId: 'closed', displayName: 'Closed' });
    const offer = async (refId: string, fields: Fields, productId = 'shop'): Promise<void> => {
      await make('createPlan', { ...named(refId), productId });
      await make('setPackagePricing', { packageId: refId, ...fields });
      await make('publishPackage', { packageId: refId });
    };
    const fee = (amount: number, currency = 'usd', fields: Fields = {}): Fields => ({
      billingModel: 'FLAT_FEE',
      billingPeriod: 'MONTHLY',
      price: { amount, currency },
      ...fields,
    });
    await offer('tailored', { pricingType: 'CUSTOM' });
    const gold = [fee(30), fee(200, 'dkk', { billingCountryCode: 'DK' })];
    await offer('gold', { pricingType: 'PAID', prices: gold });
    await offer('yearly', { pricingType: 'PAID', prices: [fee(120, 'usd', { billingPeriod: 'ANNUALLY' })] });
    await offer('free', { pricingType: 'FREE' });
    await offer('unsold', { pricingType: 'FREE' }, 'closed');
    await make('createPlan', { ...named('unfinished'), productId: 'shop' });
    await make('archiveProduct', { refId: 'closed' });
    await make('setPackagePricing', { packageId: 'gold', pricingType: 'PAID', prices: [fee(1)] });

    const selection = 'refId prices { price { amount currency } } startingPrices { price { amount } }';
    const shop = await read(
      `{ paywall(input: { productId: "shop", billingCountryCode: "dk" }) { plans { ${selection} } } }`,
    );
    expect(shop).toEqual({
      paywall: {
        plans: [
          { refId: 'free', prices: [], startingPrices: [] },
          {
            refId: 'yearly',
            prices: [{ price: { amount: '120', currency: 'usd' } }],
            startingPrices: [{ price: { amount: '120' } }],
          },
          {
            refId: 'gold',
            prices: [{ price: { amount: '200', currency: 'dkk' } }],
            startingPrices: [{ price: { amount: '200' } }],
          },
          { refId: 'tailored', prices: [], startingPrices: [] },
        ],
      },
    });
    expect(JSON.stringify(await read('{ paywall { plans { refId } } }'))).not.toContain('unsold');
    expect(codesOf(await api.ask('{ paywall(input: { productId: "x" }) { plans { refId } } }'))).toEqual([
      'PRODUCT_NOT_FOUND',
    ]);
  });
});
