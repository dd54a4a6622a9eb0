import type { Audit } from '../records/record-store.ts';
import type { CatalogProblem } from './catalog-problem.ts';
import type { Coupon } from './coupon.ts';
import type { Feature } from './feature.ts';
import type { Package, PackageStatus, PackageType } from './package.ts';
import type { Product } from './product.ts';

/** Where products, packages and coupons are kept, and features found beside them. A name is a refId or an id. */
export interface Catalog {
  /** What many ask for at the same moment takes one round trip. */
  product(name: string): Promise<Product | undefined>;
  package(name: string): Promise<Package | undefined>;
  coupon(name: string): Promise<Coupon | undefined>;
  feature(name: string): Promise<Feature | undefined>;
  productPage(query: CatalogPageQuery<Product['status']>): Promise<CatalogPage<Product>>;
  packagePage(query: PackagePageQuery): Promise<CatalogPage<Package>>;
  couponPage(query: CatalogPageQuery<Coupon['status']>): Promise<CatalogPage<Coupon>>;
  /**
   * Stores what `decide`, which is pure, makes of the named entities as they all were at one moment; asks it
   * again when one of those it changes was changed meanwhile.
   */
  change<Result>(
    names: CatalogNames,
    audit: Audit,
    decide: (found: FoundEntities) => CatalogDecision<Result>,
  ): Promise<{ readonly result: Result } | { readonly problem: CatalogProblem }>;
}

export interface CatalogNames {
  readonly products?: readonly string[];
  readonly packages?: readonly string[];
  readonly features?: readonly string[];
  readonly coupons?: readonly string[];
}

/** By the names that were given, and by the refIds that they stand for. */
export interface FoundEntities {
  readonly products: ReadonlyMap<string, Product>;
  readonly packages: ReadonlyMap<string, Package>;
  readonly features: ReadonlyMap<string, Feature>;
  readonly coupons: ReadonlyMap<string, Coupon>;
}

/** New and changed entities; the very same object as found changes nothing. New ones must have been named, too. */
export interface CatalogChanges {
  readonly products?: readonly Product[];
  readonly packages?: readonly Package[];
  readonly features?: readonly Feature[];
  readonly coupons?: readonly Coupon[];
}

export type CatalogDecision<Result> =
  | { readonly changes: CatalogChanges; readonly result: Result }
  | { readonly problem: CatalogProblem };

/** A place in the order of `createdAt`, then refId. Stays valid for ever. */
export interface CatalogPlace {
  readonly createdAt: number;
  readonly refId: string;
}

/** Entities that meet every condition given; null sets none, but for the status: then archived ones are left out. */
export interface CatalogPageQuery<Status> {
  readonly status: Status | null;
  /** Epoch ms, inclusive and exclusive. */
  readonly createdFrom: number | null;
  readonly createdBefore: number | null;
  readonly order: 'oldest-first' | 'newest-first';
  readonly after: CatalogPlace | null;
  readonly before: CatalogPlace | null;
  readonly end: 'first' | 'last';
  /** 1–1,000. */
  readonly limit: number;
}

export interface PackagePageQuery extends CatalogPageQuery<PackageStatus> {
  readonly type: PackageType;
  /** The product's refId. */
  readonly productId: string | null;
}

export interface CatalogPage<Entity> {
  readonly items: readonly Entity[];
  /** Entities that meet the conditions, on whatever page. */
  readonly totalCount: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}
