import type { Catalog } from '../catalog/catalog.ts';
import type { Package } from '../catalog/package.ts';
import type { Product } from '../catalog/product.ts';
import type { Offers } from '../subscriptions/subscription.ts';

/**
 * What has been asked for of the catalog's plans, add-ons and products, kept as long as none of them changes: whoever
 * sees a change makes a new view. It holds as much as the catalog at most, which is bounded.
 */
export class CatalogView implements Offers {
  readonly #catalog: Pick<Catalog, 'package' | 'product'>;
  readonly #asked = new Map<string, Promise<void>>();
  readonly #packages = new Map<string, Package>();
  readonly #products = new Map<string, Product>();

  constructor(catalog: Pick<Catalog, 'package' | 'product'>) {
    this.#catalog = catalog;
  }

  product(refId: string): Product | undefined {
    return this.#products.get(refId);
  }

  package(refId: string): Package | undefined {
    return this.#packages.get(refId);
  }

  /** What a subscription is to be charged less bears on no entitlement. */
  coupon(): undefined {
    return undefined;
  }

  /** These packages, the plans above any version of theirs, their products, and the plans that these lead to. */
  async load(packageIds: readonly string[]): Promise<void> {
    const seen = new Set<string>();
    for (let names = packageIds; names.length > 0; ) {
      const fresh = [...new Set(names)].filter((name) => !seen.has(name));
      await Promise.all(fresh.map((name) => this.#once(`package ${name}`, () => this.#readPackage(name))));
      for (const name of fresh) seen.add(name);
      names = fresh.flatMap((name) => this.#beyond(name));
    }
  }

  async #readPackage(refId: string): Promise<void> {
    const found = await this.#catalog.package(refId);
    if (found === undefined) return;
    this.#packages.set(refId, found);
    await this.#once(`product ${found.productId}`, () => this.#readProduct(found.productId));
  }

  async #readProduct(refId: string): Promise<void> {
    const found = await this.#catalog.product(refId);
    if (found !== undefined) this.#products.set(refId, found);
  }

  /** Reads that fail are asked for again by the next one. */
  #once(name: string, read: () => Promise<void>): Promise<void> {
    const asked = this.#asked.get(name);
    if (asked !== undefined) return asked;
    const reading = read().catch((error: unknown) => {
      this.#asked.delete(name);
      throw error;
    });
    this.#asked.set(name, reading);
    return reading;
  }

  #beyond(refId: string): readonly string[] {
    const item = this.#packages.get(refId);
    if (item === undefined) return [];
    const parents = item.versions.map(({ content }) => content.parentPlanId);
    const downgrade = this.#products.get(item.productId)?.productSettings.downgradePlanId ?? null;
    return [...parents, downgrade].filter((name) => name !== null);
  }
}
