import { randomUUID } from 'node:crypto';
import type { CatalogDecision, CatalogNames, FoundEntities } from '../../catalog/catalog.ts';
import { notFound, taken } from '../../catalog/catalog-problem.ts';
import {
  archiveProduct as archived,
  type ChangedProduct,
  changeProduct,
  makeProduct,
  type ProductFields,
} from '../../catalog/product-changes.ts';
import type { Product } from '../../catalog/product.ts';
import type { ApiContext, ApiModule } from '../context.ts';
import { type Connection, pageSizeOf } from '../graphql/connection.ts';
import {
  catalogProblem,
  change,
  changedMetadata,
  type Input,
  type NameArguments,
  nameOf,
} from './catalog-call.ts';
import { catalogConnection, type ListArguments, pageQueryOf } from './catalog-list.ts';
import { productTypeDefs } from './product-schema.ts';

export const productModule: ApiModule = {
  typeDefs: productTypeDefs,
  resolvers: {
    Query: { product, products },
    Mutation: { createProduct, updateProduct, archiveProduct },
  },
  costs: {
    'Query.product': { weight: 10 },
    'Query.products': { weight: 50, items: pageSizeOf },
    'Mutation.createProduct': { weight: 50 },
    'Mutation.updateProduct': { weight: 50 },
    'Mutation.archiveProduct': { weight: 50 },
  },
};

async function product(_: unknown, names: NameArguments, { services }: ApiContext): Promise<Product> {
  const name = nameOf(names);
  const found = await services.catalog.product(name);
  if (found === undefined) throw catalogProblem(notFound('product', name));
  return found;
}

async function products(
  _: unknown,
  args: ListArguments<Product['status']>,
  { services }: ApiContext,
): Promise<Connection<Product>> {
  return catalogConnection(await services.catalog.productPage(pageQueryOf(args)));
}

interface ProductInput extends Omit<ProductFields, 'additionalMetaData'> {
  readonly refId: string;
  readonly additionalMetaData?: unknown;
}

function createProduct(_: unknown, { input }: Input<ProductInput>, context: ApiContext): Promise<Product> {
  const { refId } = input;
  const [fields, id, now] = [fieldsOf(input), randomUUID(), context.services.clock.now()];
  return change(context, 'createProduct', { products: [refId] }, ({ products: found }) =>
    found.has(refId)
      ? { problem: taken('a product', refId) }
      : decisionOf(makeProduct(refId, fields, id, now)),
  );
}

function updateProduct(_: unknown, { input }: Input<ProductInput>, context: ApiContext): Promise<Product> {
  const fields = fieldsOf(input);
  const now = context.services.clock.now();
  const names = { products: [input.refId], ...plansNamedIn(fields) };
  return change(context, 'updateProduct', names, ({ products: found, packages }) => {
    const existing = found.get(input.refId);
    if (existing === undefined) return { problem: notFound('product', input.refId) };
    return decisionOf(changeProduct(existing, withRefIds(fields, packages), packages, now));
  });
}

function archiveProduct(
  _: unknown,
  { input: { refId } }: Input<{ readonly refId: string }>,
  context: ApiContext,
): Promise<Product> {
  const now = context.services.clock.now();
  return change(context, 'archiveProduct', { products: [refId] }, ({ products: found }) => {
    const existing = found.get(refId);
    if (existing === undefined) return { problem: notFound('product', refId) };
    return decisionOf({ product: archived(existing, now) });
  });
}

function decisionOf(changed: ChangedProduct): CatalogDecision<Product> {
  if ('problem' in changed) return changed;
  return { changes: { products: [changed.product] }, result: changed.product };
}

function fieldsOf({ additionalMetaData, ...fields }: ProductInput): ProductFields {
  return { ...fields, additionalMetaData: changedMetadata(additionalMetaData) };
}

function plansNamedIn({ productSettings }: ProductFields): CatalogNames {
  const { subscriptionStartPlanId, downgradePlanId } = productSettings ?? {};
  return { packages: [subscriptionStartPlanId, downgradePlanId].filter((name) => typeof name === 'string') };
}

/** Settings keep refIds, whatever the caller named plans by. */
function withRefIds(fields: ProductFields, packages: FoundEntities['packages']): ProductFields {
  const { productSettings } = fields;
  if (productSettings === null || productSettings === undefined) return fields;
  const { subscriptionStartPlanId: start, downgradePlanId: downgrade } = productSettings;
  const refIdOf = <Name extends string | null | undefined>(name: Name): Name | string =>
    typeof name === 'string' ? (packages.get(name)?.refId ?? name) : name;
  return {
    ...fields,
    productSettings: {
      ...productSettings,
      subscriptionStartPlanId: refIdOf(start),
      downgradePlanId: refIdOf(downgrade),
    },
  };
}
