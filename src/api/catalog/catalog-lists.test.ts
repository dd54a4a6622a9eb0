/** What all lists of the catalog do, and what their fields cost in round trips. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codesOf, dataOf, type RunningApi, startApi, startOfTests } from '../api.fixture.ts';

let api: RunningApi;

/** Five of each, ten milliseconds apart but for the second and third. */
beforeAll(async () => {
  api = await startApi(inject('redisUrl'));
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await run('createProduct', 'CreateProductInput', { refId: `product-${name}`, displayName: name });
    const productId = `product-${name}`;
    await run('createPlan', 'CreatePlanInput', { refId: `plan-${name}`, displayName: name, productId });
    await run('createAddon', 'CreateAddonInput', { refId: `addon-${name}`, displayName: name, productId });
    await run('createCoupon', 'CreateCouponInput', { refId: `coupon-${name}`, name, percentOff: 10 });
    api.clock.advance(name === 'b' ? 0 : 10);
  }
});

afterAll(() => api.stop());

async function run(name: string, inputType: string, input: unknown): Promise<void> {
  dataOf(
    await api.ask(`mutation ($input: ${inputType}!) { ${name}(input: $input) { refId } }`, {
      input,
    }),
  );
}

interface Answer {
  readonly totalCount: number;
  readonly edges: readonly { readonly node: { readonly refId: string } }[];
  readonly pageInfo: Readonly<Record<string, unknown>>;
}

describe.each([
  ['products', 'ProductFilter'],
  ['plans', 'PackageFilter'],
  ['addons', 'PackageFilter'],
  ['coupons', 'CouponFilter'],
])('%s', (list, filterType) => {
  const query = `query ($filter: ${filterType}, $paging: CursorPaging, $sorting: [CatalogSort!]) {
    ${list}(filter: $filter, paging: $paging, sorting: $sorting) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { node { refId } }
    }
  }`;

  async function page(variables: unknown): Promise<{ readonly names: string; readonly answer: Answer }> {
    const answer = dataOf(await api.ask(query, variables))[list] as Answer;
    return { names: answer.edges.map(({ node }) => node.refId.slice(-1)).join(''), answer };
  }

  it('are paged in both directions, oldest and newest first', async () => {
    const first = await page({ paging: { first: 2 } });
    expect(first.names).toBe('ab');
    expect(first.answer).toMatchObject({
      totalCount: 5,
      pageInfo: { hasNextPage: true, hasPreviousPage: false },
    });
    const second = await page({ paging: { first: 2, after: first.answer.pageInfo['endCursor'] } });
    expect(second.names).toBe('cd');
    expect((await page({ paging: { last: 1, before: second.answer.pageInfo['startCursor'] } })).names).toBe(
      'b',
    );
    const newest = { sorting: [{ field: 'createdAt', direction: 'DESC' }], paging: { first: 3 } };
    expect((await page(newest)).names).toBe('edc');
  });

  it('are filtered by their creation', async () => {
    const at = new Date(startOfTests + 10).toISOString();
    expect((await page({ filter: { createdAt: { gte: at } } })).names).toBe('bcde');
    expect((await page({ filter: { createdAt: { gt: at } } })).names).toBe('de');
    expect((await page({ filter: { createdAt: { lt: at } } })).names).toBe('a');
    expect((await page({ filter: { createdAt: { lte: at } } })).names).toBe('abc');
  });

  it('refuse a cursor that is none', async () => {
    expect(codesOf(await api.ask(query, { paging: { after: 'x' } }))).toEqual(['VALIDATION_ERROR']);
  });
});

describe('lists', () => {
  it('are filtered by status and by product', async () => {
    const byProduct = dataOf(
      await api.ask(`{ plans(filter: { productId: { eq: "product-c" } }) { edges { node { refId } } }
        addons(filter: { productId: { eq: "product-d" } }) { edges { node { refId } } }
        none: plans(filter: { status: { eq: PUBLISHED } }) { totalCount }
        drafts: plans(filter: { status: { eq: DRAFT } }) { totalCount }
        active: coupons(filter: { status: { eq: ACTIVE } }) { totalCount } }`),
    );
    expect(byProduct).toEqual({
      plans: { edges: [{ node: { refId: 'plan-c' } }] },
      addons: { edges: [{ node: { refId: 'addon-d' } }] },
      none: { totalCount: 0 },
      drafts: { totalCount: 5 },
      active: { totalCount: 5 },
    });
  });

  it('ask for what belongs to their items in one round trip for each level', async () => {
    const letters = ['a', 'b', 'c', 'd', 'e'];
    for (const letter of letters) {
      const feature = { refId: `feature-${letter}`, displayName: letter, featureType: 'BOOLEAN' };
      await run('createFeature', 'CreateFeatureInput', feature);
    }
    for (const letter of letters) {
      const entitlements = letters.map((other) => ({ featureId: `feature-${other}` }));
      await run('setPackageEntitlements', 'SetPackageEntitlementsInput', {
        packageId: `plan-${letter}`,
        entitlements,
      });
      await run('updatePlan', 'UpdatePlanInput', {
        refId: `plan-${letter}`,
        compatibleAddonIds: [`addon-${letter}`],
      });
    }
    const before = api.roundTrips();
    const answer = await api.ask(`{ plans { edges { node {
      product { refId }
      entitlements { feature { refId } }
      compatibleAddons { refId product { displayName } }
    } } } }`);
    expect(JSON.stringify(dataOf(answer)).match(/feature-/g)).toHaveLength(25);
    // The page; then products, features and add-ons together; then the add-ons' products.
    expect(api.roundTrips() - before).toBe(3);
  });
});
