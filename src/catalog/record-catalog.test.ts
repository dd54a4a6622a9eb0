import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Audit } from '../records/record-store.ts';
import { RedisRecordStore } from '../records/redis-record-store.ts';
import { notFound, taken } from './catalog-problem.ts';
import type { CatalogDecision, FoundEntities } from './catalog.ts';
import { makePackage, publishPackage, withDraft } from './package-changes.ts';
import type { Package } from './package.ts';
import { makeProduct } from './product-changes.ts';
import type { Product } from './product.ts';
import { RecordCatalog } from './record-catalog.ts';

const redis = new Redis(inject('redisUrl'));
const audit: Audit = { actor: 'key', traceId: 'trace', operation: 'test', at: 1 };
let records: RedisRecordStore;
let catalog: RecordCatalog;

beforeEach(() => {
  records = new RedisRecordStore(redis, `{catalog-${randomUUID()}}`);
  catalog = new RecordCatalog(records);
});

afterAll(async () => {
  await redis.quit();
});

function createProduct(refId: string, id: string = randomUUID()): Promise<unknown> {
  return catalog.change({ products: [refId] }, audit, ({ products }) => {
    if (products.has(refId)) return { problem: taken('a product', refId) };
    const made = makeProduct(refId, { displayName: refId }, id, 1);
    if ('problem' in made) return made;
    return { changes: { products: [made.product] }, result: made.product };
  });
}

async function createPlan(refId: string, product: Product): Promise<void> {
  await catalog.change({ packages: [refId] }, audit, () => {
    const fields = { displayName: refId };
    const made = makePackage({ id: randomUUID(), refId, type: 'PLAN', fields, product }, new Map(), 1);
    return 'problem' in made ? made : { changes: { packages: [made.package] }, result: undefined };
  });
}

async function existing(refId: string): Promise<Product> {
  await createProduct(refId);
  const product = await catalog.product(refId);
  if (product === undefined) throw new Error('the product was not kept');
  return product;
}

describe('a name', () => {
  it('is a refId or an id, in any case', async () => {
    const product = await existing('hosting');
    expect(await catalog.product(product.id)).toEqual(product);
    expect(await catalog.product(product.id.toUpperCase())).toEqual(product);
    expect(await catalog.product(randomUUID())).toBeUndefined();
    expect(await catalog.product('x')).toBeUndefined();
  });

  it('is a refId first, also when it looks like an id', async () => {
    const [refId, id] = [randomUUID(), randomUUID()];
    await createProduct(refId);
    await createProduct(id, refId);
    expect(await catalog.product(refId)).toMatchObject({ refId });
    expect(await catalog.product(id)).toMatchObject({ id: refId });
  });

  it('finds an entity by whatever it was called and by its refId', async () => {
    const product = await existing('hosting');
    const seen: FoundEntities['products'][] = [];
    await catalog.change({ products: [product.id, 'none'] }, audit, ({ products }) => {
      seen.push(products);
      return { changes: {}, result: undefined };
    });
    expect([...(seen[0] ?? [])]).toEqual([
      [product.id, product],
      ['hosting', product],
    ]);
  });
});

describe('changes', () => {
  it('create a name once, however many try', async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => createProduct('wanted')));
    const refused = outcomes.filter((outcome) => (outcome as { problem?: unknown }).problem !== undefined);
    expect(refused).toHaveLength(7);
  });

  it('publish a draft once, and lose no edit made at the same moment', async () => {
    await createPlan('plan', await existing('hosting'));
    const onPlan = (decide: (plan: Package) => CatalogDecision<Package>): Promise<unknown> =>
      catalog.change({ packages: ['plan'] }, audit, ({ packages }) => {
        const plan = packages.get('plan');
        return plan === undefined ? { problem: notFound('plan', 'plan') } : decide(plan);
      });
    const publish = (): Promise<unknown> =>
      onPlan((plan) => {
        const changed = publishPackage(plan, undefined, 'NEW_CUSTOMERS', 2);
        if ('problem' in changed) return changed;
        return { changes: { packages: [changed.package] }, result: changed.package };
      });
    const edit = (at: number): Promise<unknown> =>
      onPlan((plan) => {
        const dependencies = [
          ...((plan.draft ?? plan.versions.at(-1)?.content)?.dependencies ?? []),
          `${at}`,
        ];
        const changed = withDraft(plan, { dependencies }, 2);
        if ('problem' in changed) return changed;
        return { changes: { packages: [changed.package] }, result: changed.package };
      });
    await Promise.all([publish(), edit(1), publish(), edit(2), edit(3), publish()]);
    await publish();
    const plan = await catalog.package('plan');
    expect(plan?.draft).toBeNull();
    expect(plan?.versions.map(({ versionNumber }) => versionNumber)).toEqual(
      plan?.versions.map((_, at) => at + 1),
    );
    expect(plan?.versions.at(-1)?.content.dependencies.toSorted()).toEqual(['1', '2', '3']);
  });

  it('write nothing when they are refused, or change nothing', async () => {
    await existing('hosting');
    const names = { products: ['hosting'] };
    const refused = await catalog.change(names, audit, () => ({ problem: taken('a product', 'hosting') }));
    expect(refused).toMatchObject({ problem: { code: 'DUPLICATE_ENTITY' } });
    await catalog.change(names, audit, ({ products }) => ({
      changes: { products: [...products.values()] },
      result: undefined,
    }));
    const [record] = await records.read([{ kind: 'product', key: 'hosting' }]);
    expect(record?.version).toBe(1);
  });
});
