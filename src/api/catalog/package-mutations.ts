import { randomUUID } from 'node:crypto';
import type { Catalog, CatalogDecision, FoundEntities } from '../../catalog/catalog.ts';
import { type CatalogKind, notFound, taken } from '../../catalog/catalog-problem.ts';
import { decodeEntitlements, type EntitlementDraft } from '../../catalog/decode-entitlements.ts';
import { decodePricing, type PriceDraft } from '../../catalog/decode-prices.ts';
import { isGiven } from '../../catalog/entity-fields.ts';
import {
  archivePackage,
  type ChangedPackage,
  changePackage,
  inUse,
  makePackage,
  type PackageFields,
  packageLimits,
  parentsOf,
  publishPackage as published,
  withDraft,
} from '../../catalog/package-changes.ts';
import {
  currentContent,
  type MigrationType,
  type PackageType,
  type PricingType,
} from '../../catalog/package.ts';
import type { ApiContext, FieldResolvers } from '../context.ts';
import { catalogProblem, change, changedMetadata, type Input } from './catalog-call.ts';
import { editedView, latestView, type PackageView } from './package-view.ts';

export const packageMutations: FieldResolvers = {
  createPlan: (_: unknown, { input }: Input<NewPackageInput>, context) =>
    create('createPlan', 'PLAN', input, context),
  updatePlan: (_: unknown, { input }: Input<PackageInput>, context) =>
    update('updatePlan', 'PLAN', input, context),
  archivePlan: (_: unknown, { input }: Input<RefIdInput>, context) =>
    archive('archivePlan', 'PLAN', input, context),
  createAddon: (_: unknown, { input }: Input<NewPackageInput>, context) =>
    create('createAddon', 'ADDON', input, context),
  updateAddon: (_: unknown, { input }: Input<PackageInput>, context) =>
    update('updateAddon', 'ADDON', input, context),
  archiveAddon: (_: unknown, { input }: Input<RefIdInput>, context) =>
    archive('archiveAddon', 'ADDON', input, context),
  setPackageEntitlements,
  setPackagePricing,
  publishPackage,
};

interface RefIdInput {
  readonly refId: string;
}

interface PackageInput extends RefIdInput, Omit<PackageFields, 'additionalMetaData'> {
  readonly additionalMetaData?: unknown;
}

interface NewPackageInput extends PackageInput {
  readonly productId: string;
}

const kinds: Readonly<Record<PackageType, CatalogKind>> = { PLAN: 'plan', ADDON: 'add-on' };

async function create(
  operation: string,
  type: PackageType,
  input: NewPackageInput,
  context: ApiContext,
): Promise<PackageView> {
  const { refId, productId } = input;
  const { catalog, clock } = context.services;
  const [fields, id, now] = [fieldsOf(input), randomUUID(), clock.now()];
  const packages = [refId, ...(await relatedNames(fields, catalog))];
  return change(context, operation, { products: [productId], packages }, (found) => {
    if (found.packages.has(refId)) return { problem: taken('a plan or an add-on', refId) };
    const product = found.products.get(productId);
    if (product === undefined) return { problem: notFound('product', productId) };
    const named = withRefIds(fields, found.packages);
    return decisionOf(makePackage({ id, refId, type, fields: named, product }, found.packages, now));
  });
}

async function update(
  operation: string,
  type: PackageType,
  input: PackageInput,
  context: ApiContext,
): Promise<PackageView> {
  const { catalog, clock } = context.services;
  const [fields, now] = [fieldsOf(input), clock.now()];
  const packages = [input.refId, ...(await relatedNames(fields, catalog))];
  return change(context, operation, { packages }, (found) => {
    const existing = found.packages.get(input.refId);
    if (existing?.type !== type) return { problem: notFound(kinds[type], input.refId) };
    return decisionOf(changePackage(existing, withRefIds(fields, found.packages), found.packages, now));
  });
}

function archive(
  operation: string,
  type: PackageType,
  { refId }: RefIdInput,
  context: ApiContext,
): Promise<PackageView> {
  const now = context.services.clock.now();
  return change(context, operation, { packages: [refId] }, ({ packages }) => {
    const existing = packages.get(refId);
    if (existing?.type !== type) return { problem: notFound(kinds[type], refId) };
    const archived = archivePackage(existing, now);
    return { changes: { packages: [archived] }, result: latestView(archived) };
  });
}

interface EntitlementsInput {
  readonly packageId: string;
  readonly entitlements: readonly EntitlementDraft[];
}

function setPackageEntitlements(
  _: unknown,
  { input: { packageId, entitlements: drafts } }: Input<EntitlementsInput>,
  context: ApiContext,
): Promise<PackageView> {
  const now = context.services.clock.now();
  const features = drafts.map(({ featureId }) => featureId);
  return change(context, 'setPackageEntitlements', { packages: [packageId], features }, (found) => {
    const existing = found.packages.get(packageId);
    if (existing === undefined) return { problem: notFound('plan', packageId) };
    const earlier = currentContent(existing).entitlements;
    const decoded = decodeEntitlements(drafts, found.features, earlier, randomUUID);
    if ('problem' in decoded) return decoded;
    return decisionOf(withDraft(existing, { entitlements: decoded.entitlements }, now));
  });
}

interface PricingInput {
  readonly packageId: string;
  readonly pricingType: PricingType;
  readonly prices?: readonly PriceDraft[] | null;
}

function setPackagePricing(
  _: unknown,
  { input: { packageId, pricingType, prices } }: Input<PricingInput>,
  context: ApiContext,
): Promise<PackageView> {
  const now = context.services.clock.now();
  const drafts = prices ?? [];
  const features = drafts.map(({ featureId }) => featureId).filter(isGiven);
  return change(context, 'setPackagePricing', { packages: [packageId], features }, (found) => {
    const existing = found.packages.get(packageId);
    if (existing === undefined) return { problem: notFound('plan', packageId) };
    const earlier = currentContent(existing).prices;
    const decoded = decodePricing({ pricingType, drafts }, found.features, earlier, randomUUID);
    return 'problem' in decoded ? decoded : decisionOf(withDraft(existing, decoded.pricing, now));
  });
}

interface PublishInput {
  readonly packageId: string;
  readonly migrationType: MigrationType;
}

/**
 * What is read before tells which other entities matter. Should the draft change meanwhile, a new parent is not
 * found here and nothing is published; a feature that is granted anew stays NEW until the next publishing.
 */
async function publishPackage(
  _: unknown,
  { input: { packageId, migrationType } }: Input<PublishInput>,
  context: ApiContext,
): Promise<PackageView> {
  const { catalog, clock } = context.services;
  const now = clock.now();
  const named = await catalog.package(packageId);
  if (named === undefined) throw catalogProblem(notFound('plan', packageId));
  const { parentPlanId, entitlements } = currentContent(named);
  const names = {
    packages: [packageId, parentPlanId].filter(isGiven),
    features: entitlements.map(({ featureId }) => featureId),
  };
  return change(context, 'publishPackage', names, (found) => {
    const existing = found.packages.get(packageId);
    if (existing === undefined) return { problem: notFound('plan', packageId) };
    const parent = found.packages.get(currentContent(existing).parentPlanId ?? '');
    const changed = published(existing, parent, migrationType, now);
    if ('problem' in changed) return changed;
    const features = [...new Set(found.features.values())].map((feature) => inUse(feature, now));
    return { changes: { packages: [changed.package], features }, result: latestView(changed.package) };
  });
}

function decisionOf(changed: ChangedPackage): CatalogDecision<PackageView> {
  if ('problem' in changed) return changed;
  return { changes: { packages: [changed.package] }, result: editedView(changed.package) };
}

function fieldsOf({ additionalMetaData, ...fields }: PackageInput): PackageFields {
  return { ...fields, additionalMetaData: changedMetadata(additionalMetaData) };
}

/** Packages that the fields name, and all plans above the parent, level by level. */
async function relatedNames(fields: PackageFields, catalog: Catalog): Promise<readonly string[]> {
  const { parentPlanId, compatibleAddonIds, dependencies } = fields;
  const names = new Set([...(compatibleAddonIds ?? []), ...(dependencies ?? [])]);
  let level: readonly string[] = isGiven(parentPlanId) ? [parentPlanId] : [];
  for (let depth = 0; depth <= packageLimits.ancestorsMax && level.length > 0; depth += 1) {
    for (const name of level) names.add(name);
    const plans = await Promise.all(level.map((name) => catalog.package(name)));
    level = plans.flatMap(parentsOf).filter((name) => !names.has(name));
  }
  return [...names];
}

/** Packages name one another by refId, whatever the caller named them by. */
function withRefIds(fields: PackageFields, packages: FoundEntities['packages']): PackageFields {
  const { parentPlanId, compatibleAddonIds, dependencies, ...others } = fields;
  const refIdOf = (name: string): string => packages.get(name)?.refId ?? name;
  return {
    ...others,
    parentPlanId: isGiven(parentPlanId) ? refIdOf(parentPlanId) : parentPlanId,
    compatibleAddonIds: isGiven(compatibleAddonIds) ? compatibleAddonIds.map(refIdOf) : compatibleAddonIds,
    dependencies: isGiven(dependencies) ? dependencies.map(refIdOf) : dependencies,
  };
}
