import { changeRecords, type Decision } from '../records/change-records.ts';
import { CoalescedReads } from '../records/coalesced-reads.ts';
import {
  type Audit,
  type RecordIndex,
  type RecordPlace,
  type RecordRef,
  RecordsFullError,
  type RecordStore,
  type RecordWrite,
  type StoredRecord,
} from '../records/record-store.ts';
import type {
  Catalog,
  CatalogChanges,
  CatalogDecision,
  CatalogNames,
  CatalogPage,
  CatalogPageQuery,
  CatalogPlace,
  FoundEntities,
  PackagePageQuery,
} from './catalog.ts';
import { type CatalogProblem, invalid } from './catalog-problem.ts';
import type { Coupon } from './coupon.ts';
import type { Feature } from './feature.ts';
import { rolloutsBegun, rolloutWrite } from './package-rollout.ts';
import type { Package } from './package.ts';
import type { Product } from './product.ts';

/** The catalog as records: one kind for each list of it, key the refId, body the entity. */
export class RecordCatalog implements Catalog {
  readonly #records: RecordStore;
  readonly #reads: CoalescedReads;

  constructor(records: RecordStore) {
    this.#records = records;
    this.#reads = new CoalescedReads(records);
  }

  product(name: string): Promise<Product | undefined> {
    return this.#find('product', name);
  }

  package(name: string): Promise<Package | undefined> {
    return this.#find('package', name);
  }

  coupon(name: string): Promise<Coupon | undefined> {
    return this.#find('coupon', name);
  }

  feature(name: string): Promise<Feature | undefined> {
    return this.#find('feature', name);
  }

  productPage(query: CatalogPageQuery<Product['status']>): Promise<CatalogPage<Product>> {
    return this.#page('product', [statusIndex(query.status)], query);
  }

  packagePage(query: PackagePageQuery): Promise<CatalogPage<Package>> {
    const { type, productId } = query;
    const product = productId === null ? [] : [productIndex(productId)];
    return this.#page('package', [typeIndex(type), statusIndex(query.status), ...product], query);
  }

  couponPage(query: CatalogPageQuery<Coupon['status']>): Promise<CatalogPage<Coupon>> {
    return this.#page('coupon', [statusIndex(query.status)], query);
  }

  async change<Result>(
    names: CatalogNames,
    audit: Audit,
    decide: (found: FoundEntities) => CatalogDecision<Result>,
  ): Promise<{ readonly result: Result } | { readonly problem: CatalogProblem }> {
    const named = await this.#resolve(names);
    const refs = [...new Map(named.map(({ ref }) => [nameOf(ref), ref])).values()];
    try {
      return await changeRecords<Result, CatalogProblem>(this.#records, refs, audit, (records) => {
        const byRef = new Map(refs.map((ref, at) => [nameOf(ref), records[at]]));
        const decision = decide(foundIn(named, byRef));
        return 'problem' in decision ? decision : writesOf(decision, byRef);
      });
    } catch (error) {
      if (!(error instanceof RecordsFullError)) throw error;
      return { problem: invalid('the catalog holds as many of these as it can') };
    }
  }

  async #find<Kind extends CatalogKind>(
    kind: Kind,
    name: string,
  ): Promise<CatalogEntities[Kind] | undefined> {
    const record = (await this.#reads.read({ kind, key: name })) ?? (await this.#byId(kind, name));
    return record?.body as CatalogEntities[Kind] | undefined;
  }

  async #byId(kind: CatalogKind, name: string): Promise<StoredRecord | undefined> {
    return uuidPattern.test(name) ? this.#records.byId(kind, name.toLowerCase()) : undefined;
  }

  /** What each name stands for. A refId may look like an id, so refIds are looked for first. */
  async #resolve(names: CatalogNames): Promise<readonly Named[]> {
    const named = namesByKind(names);
    return Promise.all(
      named.map(async ({ name, ref }) => {
        if (!uuidPattern.test(name)) return { name, ref };
        const record = (await this.#reads.read(ref)) ?? (await this.#byId(ref.kind, name));
        return { name, ref: { kind: ref.kind, key: record?.key ?? name } };
      }),
    );
  }

  async #page<Kind extends CatalogKind>(
    kind: Kind,
    indexes: readonly [string, ...string[]],
    query: CatalogPageQuery<unknown>,
  ): Promise<CatalogPage<CatalogEntities[Kind]>> {
    const { records, ...page } = await this.#records.page({
      kind,
      indexes,
      scoreFrom: query.createdFrom,
      scoreBefore: query.createdBefore,
      order: query.order === 'oldest-first' ? 'ascending' : 'descending',
      after: recordPlaceOf(query.after),
      before: recordPlaceOf(query.before),
      end: query.end,
      limit: query.limit,
    });
    return { ...page, items: records.map(({ body }) => body as CatalogEntities[Kind]) };
  }
}

interface CatalogEntities {
  readonly product: Product;
  readonly package: Package;
  readonly feature: Feature;
  readonly coupon: Coupon;
}

type CatalogKind = keyof CatalogEntities;

interface CatalogRef extends RecordRef {
  readonly kind: CatalogKind;
}

interface Named {
  readonly name: string;
  readonly ref: CatalogRef;
}

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function namesByKind({ products, packages, features, coupons }: CatalogNames): readonly Named[] {
  const named = (kind: CatalogKind, names: readonly string[] = []): Named[] =>
    [...new Set(names)].map((name) => ({ name, ref: { kind, key: name } }));
  return [
    ...named('product', products),
    ...named('package', packages),
    ...named('feature', features),
    ...named('coupon', coupons),
  ];
}

function nameOf({ kind, key }: RecordRef): string {
  return `${kind} ${key}`;
}

type RecordsByRef = ReadonlyMap<string, StoredRecord | undefined>;

function foundIn(named: readonly Named[], records: RecordsByRef): FoundEntities {
  const of = <Kind extends CatalogKind>(kind: Kind): ReadonlyMap<string, CatalogEntities[Kind]> => {
    const found = new Map<string, CatalogEntities[Kind]>();
    for (const { name, ref } of named) {
      const record = ref.kind === kind ? records.get(nameOf(ref)) : undefined;
      if (record === undefined) continue;
      const entity = record.body as CatalogEntities[Kind];
      found.set(name, entity).set(record.key, entity);
    }
    return found;
  };
  return { products: of('product'), packages: of('package'), features: of('feature'), coupons: of('coupon') };
}

function writesOf<Result>(
  { changes, result }: Extract<CatalogDecision<Result>, { readonly result: Result }>,
  records: RecordsByRef,
): Decision<Result> {
  const before = (refId: string): Package | undefined =>
    records.get(nameOf({ kind: 'package', key: refId }))?.body as Package | undefined;
  const rollouts = (changes.packages ?? []).flatMap((item) => rolloutsBegun(before(item.refId), item));
  const writes = entitiesOf(changes).flatMap(({ kind, entity, indexes }): readonly RecordWrite[] => {
    const record = records.get(nameOf({ kind, key: entity.refId }));
    if (record?.body === entity) return [];
    return [{ kind, key: entity.refId, expectedVersion: record?.version ?? 0, body: entity, indexes }];
  });
  return { writes: [...writes, ...rollouts.map((rollout) => rolloutWrite(rollout, 0))], result };
}

interface Entity {
  readonly kind: CatalogKind;
  readonly entity: CatalogEntities[CatalogKind];
  readonly indexes: readonly RecordIndex[];
}

function entitiesOf({
  products = [],
  packages = [],
  features = [],
  coupons = [],
}: CatalogChanges): readonly Entity[] {
  return [
    ...products.map((entity): Entity => ({ kind: 'product', entity, indexes: indexesOf(entity) })),
    ...packages.map((entity): Entity => {
      const names = [typeIndex(entity.type), productIndex(entity.productId)];
      return { kind: 'package', entity, indexes: indexesOf(entity, names) };
    }),
    // Lists of features come from the feature catalog, which holds them all.
    ...features.map((entity): Entity => ({ kind: 'feature', entity, indexes: [] })),
    ...coupons.map((entity): Entity => ({ kind: 'coupon', entity, indexes: indexesOf(entity) })),
  ];
}

function indexesOf(entity: Product | Package | Coupon, names: readonly string[] = []): RecordIndex[] {
  const listed = entity.status === 'ARCHIVED' ? [] : [statusIndex(null)];
  const score = entity.createdAt;
  return [...names, statusIndex(entity.status), ...listed].map((name) => ({ name, score }));
}

/** Null: whatever is not archived. */
function statusIndex(status: string | null): string {
  return status === null ? 'listed' : `status:${status}`;
}

function typeIndex(type: Package['type']): string {
  return `type:${type}`;
}

function productIndex(refId: string): string {
  return `product:${refId}`;
}

function recordPlaceOf(place: CatalogPlace | null): RecordPlace | null {
  return place === null ? null : { score: place.createdAt, key: place.refId };
}
