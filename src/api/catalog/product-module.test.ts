import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
});

afterAll(() => api.stop());

const fields = `id refId displayName description multipleSubscriptions status additionalMetaData createdAt updatedAt
  usageResetCutoffRule { behavior }
  productSettings { subscriptionStartSetup subscriptionStartPlanId subscriptionEndSetup downgradePlanId
    subscriptionCancellationTime downgradeAtEndOfBillingPeriod prorateAtEndOfBillingPeriod }`;
const createProduct = `mutation ($input: CreateProductInput!) { createProduct(input: $input) { ${fields} } }`;
const updateProduct = `mutation ($input: UpdateProductInput!) { updateProduct(input: $input) { ${fields} } }`;
const archiveProduct = `mutation ($input: ArchiveProductInput!) { archiveProduct(input: $input) { ${fields} } }`;
const createPlan = 'mutation ($input: CreatePlanInput!) { createPlan(input: $input) { id } }';

const defaults = {
  subscriptionStartSetup: 'PLAN_SELECTION',
  subscriptionStartPlanId: null,
  subscriptionEndSetup: 'CANCEL_SUBSCRIPTION',
  downgradePlanId: null,
  subscriptionCancellationTime: 'IMMEDIATE',
  downgradeAtEndOfBillingPeriod: false,
  prorateAtEndOfBillingPeriod: false,
};

function product(refId: string, input: object = {}): object {
  return { input: { refId, displayName: refId, ...input } };
}

describe('a product', () => {
  it('has defaults for what nothing is said of', async () => {
    const { createProduct: created } = dataOf(await api.ask(createProduct, product('plain')));
    expect(created).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      refId: 'plain',
      displayName: 'plain',
      description: null,
      multipleSubscriptions: false,
      status: 'PUBLISHED',
      additionalMetaData: null,
      createdAt: new Date(startOfTests).toISOString(),
      updatedAt: new Date(startOfTests).toISOString(),
      usageResetCutoffRule: { behavior: 'ALWAYS_RESET' },
      productSettings: defaults,
    });
    const { id } = created as { id: string };
    expect(dataOf(await api.ask(`{ product(id: "${id}") { refId } }`))).toEqual({
      product: { refId: 'plain' },
    });
  });

  it('keeps what was said, and changes by field', async () => {
    const journey = {
      subscriptionStartSetup: 'FREE_PLAN',
      subscriptionStartPlanId: 'plan-to-come',
      subscriptionEndSetup: 'DOWNGRADE_TO_FREE',
      downgradePlanId: 'plan-to-come',
      subscriptionCancellationTime: 'END_OF_BILLING_PERIOD',
    };
    const said = {
      description: 'Machines',
      multipleSubscriptions: true,
      usageResetCutoffRule: { behavior: 'BILLING_PERIOD_CHANGE' },
      additionalMetaData: { a: 1 },
    };
    const input = product('full', { ...said, productSettings: journey });
    const kept = { ...said, productSettings: { ...defaults, ...journey } };
    expect(dataOf(await api.ask(createProduct, input))['createProduct']).toMatchObject(kept);
    const change = {
      input: {
        refId: 'full',
        description: null,
        productSettings: { subscriptionCancellationTime: null, prorateAtEndOfBillingPeriod: true },
      },
    };
    expect(dataOf(await api.ask(updateProduct, change))['updateProduct']).toMatchObject({
      ...kept,
      description: null,
      productSettings: {
        ...defaults,
        ...journey,
        ...change.input.productSettings,
        subscriptionCancellationTime: 'IMMEDIATE',
      },
    });
  });

  it('starts and ends with plans of its own', async () => {
    dataOf(await api.ask(createProduct, product('own')));
    dataOf(await api.ask(createProduct, product('other')));
    const planOf = async (productId: string, refId: string): Promise<{ id: string }> => {
      const input = { refId, displayName: refId, productId };
      return dataOf(await api.ask(createPlan, { input }))['createPlan'] as { id: string };
    };
    const { id } = await planOf('own', 'own-free');
    await planOf('other', 'other-free');
    const journeyTo = async (plan: string): ReturnType<RunningApi['ask']> =>
      api.ask(updateProduct, {
        input: {
          refId: 'own',
          productSettings: { subscriptionEndSetup: 'DOWNGRADE_TO_FREE', downgradePlanId: plan },
        },
      });
    expect(codesOf(await journeyTo('nothing'))).toEqual(['PLAN_NOT_FOUND']);
    expect((await journeyTo('other-free')).errors[0]?.message).toBe(
      'productSettings.downgradePlanId: the plan must be of this product',
    );
    expect(dataOf(await journeyTo(id))['updateProduct']).toMatchObject({
      productSettings: { downgradePlanId: 'own-free' },
    });
  });

  it('is archived, after which it is in no list and takes no plans', async () => {
    dataOf(await api.ask(createProduct, product('over')));
    const input = { input: { refId: 'over' } };
    for (let time = 0; time < 2; time += 1) {
      expect(dataOf(await api.ask(archiveProduct, input))['archiveProduct']).toMatchObject({
        status: 'ARCHIVED',
      });
    }
    expect(dataOf(await api.ask('{ product(refId: "over") { status } }'))).toEqual({
      product: { status: 'ARCHIVED' },
    });
    const lists = dataOf(
      await api.ask(`{ products { edges { node { refId } } }
      archived: products(filter: { status: { eq: ARCHIVED } }) { edges { node { refId } } } }`),
    );
    expect(JSON.stringify(lists['products'])).not.toContain('"over"');
    expect(lists['archived']).toEqual({ edges: [{ node: { refId: 'over' } }] });
    const plan = { refId: 'late', displayName: 'late', productId: 'over' };
    expect(codesOf(await api.ask(createPlan, { input: plan }))).toEqual(['VALIDATION_ERROR']);
    expect(codesOf(await api.ask(updateProduct, product('over', { displayName: 'x' })))).toEqual([
      'VALIDATION_ERROR',
    ]);
  });

  it.each([
    ['a refId that is taken', product('wanted'), 'DUPLICATE_ENTITY'],
    ['a refId that is none', product('@'), 'VALIDATION_ERROR'],
    ['an empty name', product('faulty', { displayName: '' }), 'VALIDATION_ERROR'],
    [
      'a free start without a plan',
      product('faulty', { productSettings: { subscriptionStartSetup: 'FREE_PLAN' } }),
      'VALIDATION_ERROR',
    ],
    [
      'a downgrade without a plan',
      product('faulty', { productSettings: { subscriptionEndSetup: 'DOWNGRADE_TO_FREE' } }),
      'VALIDATION_ERROR',
    ],
  ])('is refused with %s', async (_, input, code) => {
    await api.ask(createProduct, product('wanted'));
    expect(codesOf(await api.ask(createProduct, input))).toEqual([code]);
    expect(codesOf(await api.ask('{ product(refId: "faulty") { id } }'))).toEqual(['PRODUCT_NOT_FOUND']);
  });

  it('cannot be changed when it does not exist', async () => {
    expect(codesOf(await api.ask(updateProduct, { input: { refId: 'none' } }))).toEqual([
      'PRODUCT_NOT_FOUND',
    ]);
    expect(codesOf(await api.ask(archiveProduct, { input: { refId: 'none' } }))).toEqual([
      'PRODUCT_NOT_FOUND',
    ]);
  });
});
