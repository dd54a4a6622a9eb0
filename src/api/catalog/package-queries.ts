import { notFound } from '../../catalog/catalog-problem.ts';
import type { Package, PackageType, PricingType } from '../../catalog/package.ts';
import { pricesFor, startingAmount } from '../../catalog/price-calculation.ts';
import {
  compareQuantities,
  divideQuantity,
  parseQuantity,
  type Quantity,
  zeroQuantity,
} from '../../quantity.ts';
import { ApiProblem } from '../api-problem.ts';
import type { ApiContext, FieldResolvers } from '../context.ts';
import { type Connection, pageSizeMax } from '../graphql/connection.ts';
import { catalogProblem, type NameArguments, nameOf } from './catalog-call.ts';
import { catalogConnection, type ListArguments, pageQueryOf } from './catalog-list.ts';
import { latestView, type PackageView, versionView } from './package-view.ts';

export const packageQueries: FieldResolvers = {
  plan: (_: unknown, args: PackageArguments, context) => onePackage('PLAN', args, context),
  plans: (_: unknown, args: PackagesArguments, context) => packages('PLAN', args, context),
  addon: (_: unknown, args: PackageArguments, context) => onePackage('ADDON', args, context),
  addons: (_: unknown, args: PackagesArguments, context) => packages('ADDON', args, context),
  paywall,
};

interface PackageArguments extends NameArguments {
  readonly versionNumber?: number | null;
}

async function onePackage(
  type: PackageType,
  args: PackageArguments,
  { services }: ApiContext,
): Promise<PackageView> {
  const name = nameOf(args);
  const kind = type === 'PLAN' ? 'plan' : 'add-on';
  const found = await services.catalog.package(name);
  if (found?.type !== type) throw catalogProblem(notFound(kind, name));
  const { versionNumber } = args;
  if (versionNumber === null || versionNumber === undefined) return latestView(found);
  const view = versionView(found, versionNumber);
  if (view !== undefined) return view;
  const { code } = notFound(kind, name);
  throw new ApiProblem(code, `the ${kind} ${found.refId} has no published version ${versionNumber}`);
}

type PackagesArguments = ListArguments<Package['status']> & {
  readonly filter?: { readonly productId?: { readonly eq?: string | null } | null } | null;
};

async function packages(
  type: PackageType,
  args: PackagesArguments,
  { services }: ApiContext,
): Promise<Connection<PackageView>> {
  const product = args.filter?.productId?.eq ?? null;
  const productId = product === null ? null : ((await services.catalog.product(product))?.refId ?? product);
  const page = await services.catalog.packagePage({ ...pageQueryOf(args), type, productId });
  return catalogConnection({ ...page, items: page.items.map((item) => latestView(item)) });
}

interface PaywallArguments {
  readonly input?: {
    readonly productId?: string | null;
    readonly billingCountryCode?: string | null;
  } | null;
}

async function paywall(
  _: unknown,
  { input }: PaywallArguments,
  { services: { catalog } }: ApiContext,
): Promise<{ readonly plans: readonly PackageView[] }> {
  const { productId = null, billingCountryCode = null } = input ?? {};
  const product = productId === null ? null : await catalog.product(productId);
  if (productId !== null && product === undefined) throw catalogProblem(notFound('product', productId));
  const { items } = await catalog.packagePage({
    ...pageQueryOf<Package['status']>({ paging: { first: pageSizeMax } }),
    type: 'PLAN',
    status: 'PUBLISHED',
    productId: product?.refId ?? null,
  });
  const products = await Promise.all(items.map((item) => catalog.product(item.productId)));
  const country = billingCountryCode?.toUpperCase() ?? null;
  const plans = items
    .filter((_item, at) => products[at]?.status === 'PUBLISHED')
    .map((item) => latestView(item, country))
    .toSorted((a, b) => compareOffers(a, b));
  return { plans };
}

const pricingRanks: Readonly<Record<PricingType, number>> = { FREE: 0, PAID: 1, CUSTOM: 2 };

/** Sorting is stable, so the older of two plans at one price comes first. */
function compareOffers(a: PackageView, b: PackageView): number {
  const rank = (view: PackageView): number => pricingRanks[view.pricingType ?? 'FREE'];
  return rank(a) - rank(b) || compareQuantities(monthlyStart(a), monthlyStart(b));
}

/** By the month, also where a plan is billed by the year only. */
function monthlyStart({ prices, billingCountryCode }: PackageView): Quantity {
  const monthly = pricesFor(prices, 'MONTHLY', billingCountryCode);
  if (monthly.length > 0) return startingAmount(monthly);
  return divideQuantity(startingAmount(pricesFor(prices, 'ANNUALLY', billingCountryCode)), monthsOfYear);
}

const monthsOfYear = parseQuantity('12') ?? zeroQuantity;
