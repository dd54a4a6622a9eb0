import type { Catalog } from '../catalog/catalog.ts';
import type { Coupon } from '../catalog/coupon.ts';
import type { Package } from '../catalog/package.ts';
import type { Product } from '../catalog/product.ts';
import type { Offers } from './subscription.ts';

/**
 * What decisions about these packages need of the catalog: the packages themselves, the plans that they inherit
 * from, their products, and the plans that the products' journeys lead to; and coupons. A package is found by its
 * refId and by the name that it was asked for, a coupon by the latter. A catalog's packages are few and this asks for each level at once, so it is as
 * many round trips as the inheritance is deep.
 */
export async function offersFor(
  catalog: Pick<Catalog, 'coupon' | 'package' | 'product'>,
  packageNames: readonly string[],
  couponNames: readonly string[] = [],
): Promise<Offers> {
  const coupons = new Map<string, Coupon | undefined>();
  await readInto(coupons, couponNames, (name) => catalog.coupon(name));
  const packages = new Map<string, Package | undefined>();
  const products = new Map<string, Product | undefined>();
  for (let names = packageNames; names.length > 0; ) {
    const found = await readInto(packages, names, (name) => catalog.package(name));
    for (const item of found) packages.set(item.refId, item);
    const productIds = found.map(({ productId }) => productId).filter((refId) => !products.has(refId));
    const fresh = await readInto(products, productIds, (refId) => catalog.product(refId));
    names = [...found.flatMap(parentsOf), ...fresh.flatMap(journeyPlansOf)].filter(
      (name) => !packages.has(name),
    );
  }
  return {
    package: (name) => packages.get(name),
    product: (refId) => products.get(refId),
    coupon: (name) => coupons.get(name),
  };
}

async function readInto<T>(
  known: Map<string, T | undefined>,
  names: readonly string[],
  read: (name: string) => Promise<T | undefined>,
): Promise<readonly T[]> {
  const entries = await Promise.all(
    [...new Set(names)].map(async (name) => [name, await read(name)] as const),
  );
  for (const [name, item] of entries) known.set(name, item);
  return entries.flatMap(([, item]) => (item === undefined ? [] : [item]));
}

function parentsOf({ versions }: Package): readonly string[] {
  const parent = versions.at(-1)?.content.parentPlanId ?? null;
  return parent === null ? [] : [parent];
}

function journeyPlansOf({ productSettings }: Product): readonly string[] {
  const { subscriptionStartPlanId, downgradePlanId } = productSettings;
  return [subscriptionStartPlanId, downgradePlanId].filter((planId) => planId !== null);
}
